"""From two network classes and one flat set of options to the adversarial game of the two."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgan.config import nearest
from jaxgan.games import Game
from jaxgan.games.adversarial import adversarial
from jaxgan.games.conditioning import (
  CONDITIONINGS,
  Codes,
  LabelledDiscriminator,
  LabelledGenerator,
)
from jaxgan.games.objectives import OBJECTIVES
from jaxgan.nn import heads
from jaxgan.options import check_value, kind_of


def from_networks(
  generator: type[nn.Module],
  discriminator: type[nn.Module],
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  conditioning: str = '',
  label_dim: int = 32,
  head_weight: float = 1.0,
  **options: Any,
) -> Game:
  """The adversarial game of two network classes and one flat set of options.

  Args:
    generator, discriminator: Linen classes with the field `resolution`, and `num_classes` if they
      take notice of the labels; the generator also with `dim_z` and `image_channels`.
    image_shape: (resolution, resolution, channels) of the data.
    num_classes: of the data; 0 is unconditional.
    conditioning: '' leaves labels to the networks; 'concatenation' puts them one-hot, 'embedding' as
      learned vectors of `label_dim` entries (maps in the discriminator) beside the networks' inputs,
      see `jaxgan.games.conditioning`.
      With a class head only the generator gets them here, the discriminator through its head.
    label_dim: size of the generator's embedding.
    head_weight: of the objective that the discriminator's head brings; its other options stand in
      `objectives`, which then has the weight too.
    **options: fields of the networks, given to both where both have them; `discriminator_NAME`
      is the discriminator's alone. Everything else is an argument of `adversarial`. dtype is
      'float32' or 'bfloat16'.

  Raises:
    ValueError: images that are not square, an option that nobody has, or labels that are asked for
      and that the data do not have.
  """
  resolution, width, channels = image_shape
  if width != resolution:
    raise ValueError(f'images of {resolution}x{width}; expected squares: set data.resolution')
  check_value('game.head_weight', head_weight, float)
  check_value('game.label_dim', label_dim, int)
  if conditioning not in CONDITIONINGS:
    raise ValueError(f'game.conditioning={conditioning!r}; {nearest(conditioning, CONDITIONINGS)}')
  if conditioning and num_classes < 2:
    raise ValueError(
      f'game.conditioning={conditioning!r} needs labels; the data have none: give data.label'
    )
  fields = [fields_of(network) for network in (generator, discriminator)]
  for size in np.atleast_1d(np.asarray(options.get('attention', ()), int)):
    sizes = [2**i for i in range(3, resolution.bit_length())]  # of the feature maps above 4
    if size not in sizes:
      raise ValueError(
        f'game.attention={size}; feature maps here have {", ".join(map(str, sizes))} pixels'
      )
  head = options.get('discriminator_head', options.get('head', getattr(discriminator, 'head', '')))
  told = 'num_classes' in fields[0] and options.get('condition', '') != 'none'
  conditional = bool(conditioning) or told
  if not head and 'num_classes' in fields[1]:  # as `heads.head`, for labels that both players see
    head = 'projection' if told and not conditioning and num_classes > 1 else 'none'
  by_head = head in heads.LABELLED
  if by_head and num_classes > 1 and not conditional:
    raise ValueError(
      f'game.head={head!r} needs a generator that is told the labels: '
      "give game.conditioning='concatenation', or a model that takes them"
    )
  own: list[dict[str, Any]] = [
    {'num_classes': 0 if conditioning else num_classes, 'image_channels': channels},
    {'num_classes': num_classes if by_head or (told and not conditioning) else 0},
  ]
  # codes and num_classes come from the networks and the data
  game = keywords(adversarial) - {'codes', 'num_classes'}
  more = keywords(from_networks)
  *given, rest = divide(
    (generator, discriminator), {'resolution': resolution, **options}, game, more
  )
  for i in (0, 1):
    given[i] = {k: v for k, v in own[i].items() if k in fields[i]} | given[i]
  check_value('game.packing', rest.get('packing', 1), int)
  if rest.get('packing', 1) > 1 and num_classes > 1 and (by_head or conditioning):
    raise ValueError(
      f'game.packing={rest["packing"]} with a discriminator that takes labels; a pack has several: '
      f'give data.label=none{", or game.conditioning=" if conditioning else ", or game.head=none"}'
    )
  if head in OBJECTIVES and head != 'info':
    given_specs = rest.get('objectives', {head: {}})
    if head in given_specs:
      weight = {} if head_weight == 1.0 else {'weight': head_weight}
      if weight and 'weight' in given_specs[head]:
        raise ValueError(
          f'game.head_weight={head_weight} and game.objectives.{head}.weight='
          f'{given_specs[head]["weight"]}; give one of them'
        )
      given_specs = {**given_specs, head: {**weight, **given_specs[head]}}
    rest['objectives'] = given_specs
    named = set(given_specs) - {'info'}
    if named != {head}:
      raise ValueError(
        f'game.head={head!r} with game.objectives for {", ".join(sorted(named)) or "none"}; '
        f'expected the objective {head!r}, or leave game.objectives out'
      )
  elif head_weight != 1.0:
    raise ValueError(f'game.head_weight={head_weight}, but head={head!r} brings no objective')
  discrete, continuous = (options.get(f'info_{name}', 0) for name in ('discrete', 'continuous'))
  categories = options.get('info_categories', 10)
  if discrete and categories < 2:
    raise ValueError(f'game.info_categories={categories}; expected 2 or more, or nothing is told')
  codes = Codes((categories,) * discrete, continuous)
  if codes.size:
    rest |= {'codes': codes._asdict(), 'objectives': {'info': {}, **rest.get('objectives', {})}}
  dim_z = given[0].get('dim_z', getattr(generator, 'dim_z', 0)) + codes.size
  networks: list[nn.Module] = [generator(**given[0]), discriminator(**given[1])]
  if 'info_discrete' not in fields[0]:  # codes are nothing special to it
    networks[0] = networks[0].clone(dim_z=dim_z)
  if conditioning:
    size = 0 if conditioning == 'concatenation' else label_dim
    inner = networks[0].clone(dim_z=networks[0].dim_z + (size or num_classes))
    networks[0] = LabelledGenerator(inner, num_classes, size)
    if not by_head:  # the head sees them
      networks[1] = LabelledDiscriminator(networks[1], num_classes, size)
  made = adversarial(*networks, dim_z=dim_z, num_classes=num_classes, **rest)
  return made._replace(conditional=conditional)


def keywords(function: Callable[..., Any]) -> set[str]:
  """The names of its keyword-only arguments."""
  parameters = inspect.signature(function).parameters
  return {name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}


def divide(
  classes: Sequence[type[nn.Module]], options: Mapping[str, Any], game: set[str], more: set[str]
) -> list[dict[str, Any]]:
  """The options of the generator, of the discriminator, and of the game.

  Args:
    classes: the two networks.
    options: to be divided; `discriminator_NAME` is the discriminator's alone.
    game: arguments of the game.
    more: options that were taken before, for the message.

  Raises:
    ValueError: one that nobody has, or of another kind than the network's field.
  """
  fields = [fields_of(network) for network in classes]
  kinds = [inspect.signature(network).parameters for network in classes]
  parts: list[dict[str, Any]] = [{}, {}, {}]
  for name, value in options.items():
    if name == 'dtype':
      value = jnp.dtype(value)
    if name == 'attention':
      value = tuple(np.atleast_1d(value))
    alone = name.removeprefix('discriminator_')
    for parameters in kinds:
      if alone in parameters:
        check_value(f'game.{name}', value, kind_of(parameters[alone]))
    if name in game - fields[0]:
      parts[2][name] = value
    elif name != alone and alone in fields[1]:
      parts[1][alone] = value
    elif name in fields[0] | fields[1]:
      for part, theirs in zip(parts, fields):
        if name in theirs:
          part.setdefault(name, value)
    else:
      known = {f'game.{option}' for option in more | game | fields[0] | fields[1]}
      raise ValueError(f'no option game.{name}; {nearest(f"game.{name}", known)}')
  return parts


def fields_of(network: type[nn.Module]) -> set[str]:
  """The names of a Linen class's fields."""
  return {f.name for f in dataclasses.fields(network)} - {'parent', 'name'}

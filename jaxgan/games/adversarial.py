"""The adversarial game: a generator and a discriminator, with loss, penalties and latent as choices."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgan import losses, penalties
from jaxgan.config import nearest
from jaxgan.games import Aux, Game
from jaxgan.nn import latents, replicas
from jaxgan.nn.batch_norm import standing_statistics
from jaxgan.nn.initialize import initialize

Variables = dict[str, Any]
# What a penalty may ask the game for; every other argument is the config's to give.
SUPPLIED = {
  'generator': ('params',),
  'discriminator': ('params', 'critic', 'fake_critic', 'real', 'fake', 'key'),
}


def run(
  module: nn.Module, variables: Variables, *args: Any, train: bool, key: jax.Array | None = None
) -> tuple[Any, Variables]:
  """`module.apply` that returns (output, new collections); with train=False nothing is new."""
  state = [name for name in variables if name != 'params'] if train else []
  rngs = None if key is None else {'dropout': key}
  output, new = module.apply(variables, *args, train=train, mutable=state, rngs=rngs)
  return output, dict(new)


def check_penalties(player: str, specs: Mapping[str, Mapping[str, Any]]) -> None:
  """Whether a player's loss can have these penalties, see `penalise`.

  Raises:
    ValueError: unknown penalty or option, one that needs what this player's loss does not have, or
      an `every` that is no number of steps.
  """
  for name, spec in specs.items():
    parameters = inspect.signature(penalties.find(name)).parameters
    options = [p for p in parameters if p not in SUPPLIED['discriminator']]
    for option in spec:
      if option not in (*options, 'every'):
        raise ValueError(
          f'penalty {name!r} has no option {option!r}; expected some of {", ".join(options)}, every'
        )
    for needed, parameter in parameters.items():
      if parameter.default is parameter.empty and needed not in (*SUPPLIED[player], *spec):
        raise ValueError(f'penalty {name!r} needs {needed}, which the {player} does not have')
    every = spec.get('every', 1)
    if not isinstance(every, int) or every < 1:
      raise ValueError(f'penalty {name!r}: every={every!r}; expected a whole number of steps >= 1')


def penalise(
  specs: Mapping[str, Mapping[str, Any]], step: jax.Array, **have: Any
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Sum of the penalties named in a config.

  Each is a function of `jaxgan.penalties`; it is given those of `have` (see `SUPPLIED`) that its
  signature names, and the config's values for the rest. `every=k` evaluates it on every k-th step
  only, times k (lazy regularisation, Karras et al. 2019, arXiv 1912.04958).
  """
  total, metrics = jnp.zeros(()), {}
  for i, (name, spec) in enumerate(specs.items()):
    penalty, values = penalties.find(name), dict(spec)
    every = values.pop('every', 1)
    given = {k: have[k] for k in inspect.signature(penalty).parameters if k in have}
    if 'key' in given:
      given['key'] = jax.random.fold_in(given['key'], i)
    value = lambda: jnp.mean(penalty(**given, **values))  # noqa: B023  called within this turn
    if every == 1:
      metrics[name] = value()
      total += metrics[name]
    else:
      nothing = jnp.zeros_like(jax.eval_shape(value))
      metrics[name] = jax.lax.cond(step % every == 0, value, lambda: nothing)  # noqa: B023
      total += every * metrics[name]
  return total, metrics


def adversarial(
  generator: nn.Module,
  discriminator: nn.Module,
  *,
  dim_z: int,
  num_classes: int = 0,
  loss: str = 'hinge',
  latent: str = 'normal',
  generator_penalties: Mapping[str, Mapping[str, Any]] | None = None,
  discriminator_penalties: Mapping[str, Mapping[str, Any]] | None = None,
) -> Game:
  """min_G max_D of a generator G(z, y) against a discriminator D(x, y).

  Args:
    generator: Linen module, `(z [B, dim_z], labels int32 [B], train) -> images [B, H, W, C]`.
    discriminator: Linen module, `(images, labels, train) -> logits [B]`, float32.
    dim_z: size of the latent.
    num_classes: labels of the fakes are drawn uniformly from these; 0 or 1 is unconditional.
    loss: name of a pair in `jaxgan.losses`.
    latent: name of a sampler in `jaxgan.nn.latents`.
    generator_penalties, discriminator_penalties: name -> keyword arguments, see `penalise`.

  Returns:
    The Game. The discriminator sees fakes and reals as one batch, so that its spectral vectors move
    once an update; one that normalises by batch statistics sees them one after the other, since
    statistics of both together would tell it which is which. Its update leaves the generator's
    statistics alone, and the other way round. Its penalties judge real pictures, and those between
    real and fake, with the real labels, and fakes alone with their own (`fake_critic`).

  Raises:
    ValueError: unknown loss, latent or penalty, or a penalty's option that it does not have.

  Source: Goodfellow et al. 2014, arXiv 1406.2661.
  """
  adversary = losses.pair(loss)
  draw = latents.sampler(latent)
  check_penalties('generator', generator_penalties or {})
  check_penalties('discriminator', discriminator_penalties or {})

  def conditions(key, n):
    labels = replicas.draw(
      jax.random.randint, jax.random.fold_in(key, 1), (n,), minval=0, maxval=max(num_classes, 1)
    )
    return draw(jax.random.fold_in(key, 2), (n, dim_z)), labels

  def init(key, batch):
    image, label = batch['image'][:1], batch['label'][:1]
    return {
      'generator': initialize(
        generator, jax.random.fold_in(key, 0), jnp.zeros((1, dim_z)), label, train=False
      ),
      'discriminator': initialize(
        discriminator, jax.random.fold_in(key, 1), image, label, train=False
      ),
    }

  def judge(variables, real, fake, key):
    """((logits of the real [n], of the fake [n]), new collections) of pairs (images, labels)."""
    one = lambda variables, pair: run(discriminator, variables, *pair, train=True, key=key)
    if 'batch_stats' in variables:  # each kind is normalised by its own statistics
      real_logits, first = one(variables, real)
      fake_logits, second = one({**variables, **first}, fake)
      return (real_logits, fake_logits), {**first, **second}
    # in turns, not one kind after the other, so that examples stay on their device
    in_turns = lambda a, b: jnp.stack([a, b], 1).reshape(-1, *a.shape[1:])
    both = jax.tree.map(in_turns, fake, real)
    logits, new = one(variables, both)
    chex.assert_shape(logits, (len(both[1]),))
    fake_logits, real_logits = logits.reshape(-1, 2).T
    return (real_logits, fake_logits), new

  def discriminator_loss(params, players, batch, key, step):
    real, label = batch['image'], batch['label']
    n, variables = real.shape[0], {**players['discriminator'], 'params': params}
    z, fake_label = conditions(key, n)
    fake, _ = run(
      generator, players['generator'], z, fake_label, train=True, key=jax.random.fold_in(key, 3)
    )
    fake = jax.lax.stop_gradient(fake)
    chex.assert_equal_shape([fake, real])  # at trace time: the generator draws what the data show
    logits, new = judge(variables, (real, label), (fake, fake_label), jax.random.fold_in(key, 4))
    real_logits, fake_logits = logits
    critic = lambda x, label=label: run(
      discriminator, variables, x, label, train=True, key=jax.random.fold_in(key, 4)
    )[0]
    penalty, metrics = penalise(
      discriminator_penalties or {},
      step,
      params=params,
      critic=critic,
      fake_critic=lambda x: critic(x, fake_label),
      real=real,
      fake=fake,
      key=jax.random.fold_in(key, 5),
    )
    metrics |= {'real_logit': real_logits.mean(), 'fake_logit': fake_logits.mean()}
    value = adversary.discriminator(real_logits, fake_logits).mean()
    return value + penalty, Aux(metrics, {'discriminator': new})

  def generator_loss(params, players, batch, key, step):
    z, label = conditions(key, batch['image'].shape[0])
    variables = {**players['generator'], 'params': params}
    fake, new = run(generator, variables, z, label, train=True, key=jax.random.fold_in(key, 3))
    judged = players['discriminator'], jax.random.fold_in(key, 4)
    real_logits = None
    if adversary.needs_real:
      real = batch['image'], batch['label']
      (real_logits, logits), _ = judge(judged[0], real, (fake, label), judged[1])
    else:
      logits, _ = run(discriminator, judged[0], fake, label, train=True, key=judged[1])
    penalty, metrics = penalise(generator_penalties or {}, step, params=params)
    value = adversary.generator(real_logits, logits).mean()
    return value + penalty, Aux(metrics, {'generator': new})

  def latent_of(players, key, *, n, truncation=0.0, convention='scaled'):
    """n latents; truncation 0 draws from the latent of training."""
    return (
      latents.truncated_normal(key, (n, dim_z), truncation, convention)
      if truncation
      else draw(key, (n, dim_z))
    )

  def sample(players, key, *, label, z=None):
    """Images in [-1, 1] of the given labels [n], from latents z [n, dim_z] or fresh ones."""
    z = draw(key, (label.shape[0], dim_z)) if z is None else z
    return run(generator, players['generator'], z, label, train=False)[0].astype(jnp.float32)

  def score(players, key, *, image, label):
    """The discriminator's logits [n] of images [n, H, W, C] with labels [n]."""
    return run(discriminator, players['discriminator'], image, label, train=False)[0]

  def standing(players, key, *, batches=16, batch_size=64):
    """The players with the generator's statistics recomputed over fresh latents (standing statistics)."""
    variables = players['generator']
    if 'batch_stats' not in variables:
      return players
    forward = jax.jit(
      lambda v, k: generator.apply(v, *conditions(k, batch_size), train=True, mutable=['standing'])[
        1
      ]
    )
    for i in range(batches):
      variables = {**variables, **forward(variables, jax.random.fold_in(key, i))}
    return {**players, 'generator': standing_statistics(variables)}

  return Game(
    init=init,
    losses={'discriminator': discriminator_loss, 'generator': generator_loss},
    predict={'latent': latent_of, 'sample': sample, 'score': score, 'standing': standing},
  )


def from_networks(
  generator: type[nn.Module],
  discriminator: type[nn.Module],
  image_shape: tuple[int, int, int],
  num_classes: int,
  **options: Any,
) -> Game:
  """The adversarial game of two network classes and one flat set of options.

  Args:
    generator, discriminator: Linen classes with the field `resolution`, and `num_classes` if they
      take notice of the labels; the generator also with `dim_z` and `image_channels`.
    image_shape: (resolution, resolution, channels) of the data.
    num_classes: of the data; 0 is unconditional.
    **options: fields of the networks, given to both where both have them; `discriminator_NAME`
      is the discriminator's alone. Everything else is an argument of `adversarial`. dtype is
      'float32' or 'bfloat16'.

  Raises:
    ValueError: images that are not square, or an option that nobody has.
  """
  resolution, width, channels = image_shape
  if width != resolution:
    raise ValueError(f'images of {resolution}x{width}; expected squares: set data.resolution')
  fields = [
    {f.name for f in dataclasses.fields(c)} - {'parent', 'name'} for c in (generator, discriminator)
  ]
  game = {
    n for n, p in inspect.signature(adversarial).parameters.items() if p.kind is p.KEYWORD_ONLY
  }
  given: list[dict[str, Any]] = [{'image_channels': channels}, {}]
  rest: dict[str, Any] = {}
  sizes = [2**i for i in range(3, resolution.bit_length())]  # of the feature maps above 4
  for size in np.atleast_1d(np.asarray(options.get('attention', ()), int)):
    if size not in sizes:
      raise ValueError(
        f'game.attention={size}; feature maps here have {", ".join(map(str, sizes))} pixels'
      )
  conditional = 'num_classes' in fields[0]
  classes = {'num_classes': num_classes} if 'num_classes' in fields[0] | fields[1] else {}
  for name, value in {'resolution': resolution, **classes, **options}.items():
    value = (
      jnp.dtype(value)
      if name == 'dtype'
      else tuple(np.atleast_1d(value))
      if name == 'attention'
      else value
    )
    own = name.removeprefix('discriminator_')
    if name in game - {'num_classes'} and name not in fields[0]:
      rest[name] = value
    elif name != own and own in fields[1]:
      given[1][own] = value
    elif any(name in f for f in fields):
      for options_of, f in zip(given, fields):
        if name in f:
          options_of.setdefault(name, value)
    else:
      known = {f'game.{option}' for option in game | fields[0] | fields[1]}
      raise ValueError(f'no option game.{name}; {nearest(f"game.{name}", known)}')
  networks = generator(**given[0]), discriminator(**given[1])
  made = adversarial(*networks, dim_z=networks[0].dim_z, num_classes=num_classes, **rest)
  return made._replace(conditional=conditional)

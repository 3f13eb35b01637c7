"""Penalties of a config: which there are, whether a player can have them, and their sum at a step."""

import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import options, penalties, schedules

Specs = Mapping[str, Mapping[str, Any]]
# What a penalty may ask the game for; every other argument is the config's to give.
SUPPLIED = {
  'generator': ('params', 'generate', 'z', 'key'),
  'discriminator': (
    'params',
    'generate',
    'z',
    'key',
    'critic',
    'fake_critic',
    'real',
    'fake',
    'real_logits',
    'fake_logits',
    'real_mean',
    'fake_mean',
  ),
}
NOT_OPTIONS = (*SUPPLIED['discriminator'], 'augment', 'skip')


def asked(specs: Specs) -> set[str]:
  """Names of all arguments that these penalties take."""
  return {p for name in specs for p in inspect.signature(penalties.find(name)).parameters}


def check_penalties(player: str, specs: Specs) -> None:
  """Whether a player's loss can have these penalties, see `penalise`.

  Raises:
    ValueError: unknown penalty or option, one that needs what this player's loss does not have, or
      an `every` that is no number of steps.
  """
  for name, spec in specs.items():
    parameters = inspect.signature(penalties.find(name)).parameters
    options.check(
      f'penalty {name!r}', penalties.find(name), spec, supplied=NOT_OPTIONS, also=['every']
    )
    for needed, parameter in parameters.items():
      if parameter.default is parameter.empty and needed not in (*SUPPLIED[player], *spec):
        raise ValueError(f'penalty {name!r} needs {needed}, which the {player} does not have')
    every = spec.get('every', 1)
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
      raise ValueError(f'penalty {name!r}: every={every!r}; expected a whole number of steps >= 1')


def penalise(specs: Specs, step: jax.Array, **have: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Sum of the penalties named in a config.

  Each is a function of `jaxgan.penalties`; it is given those of `have` (see `SUPPLIED`) that its
  signature names, and the config's values for the rest, which may be schedules
  (`jaxgan.schedules`). `every=k` evaluates it on every k-th step
  only, times k (lazy regularisation, Karras et al. 2019, arXiv 1912.04958).
  """
  total, metrics = jnp.zeros(()), {}
  for i, (name, spec) in enumerate(specs.items()):
    penalty, values = penalties.find(name), dict(spec)
    every = values.pop('every', 1)
    values = {option: schedules.at(value, step) for option, value in values.items()}
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

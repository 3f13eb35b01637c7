"""From a config to optax."""

import inspect
from collections.abc import Mapping
from typing import Any

import optax

from jaxgan.errors import UserError

OPTIMIZERS = ('adam', 'adamw', 'amsgrad', 'rmsprop', 'sgd', 'lion', 'adabelief')
SCHEDULES = ('constant', 'linear', 'cosine')


class OptimizerError(UserError):
  """An optimiser that the config asks for and that does not exist."""


def learning_rate(
  value: float, *, schedule: str = 'constant', warmup: int = 0, total_steps: int = 0, hold: int = 0
) -> optax.Schedule:
  """The learning rate as a function of the number of updates.

  Args:
    value: the peak.
    schedule: 'constant'; 'linear' or 'cosine' decay to 0 at `total_steps`.
    warmup: updates of linear warm-up from 0.
    total_steps: updates in all.
    hold: updates at the peak before the decay begins.

  Raises:
    OptimizerError: unknown schedule.
  """
  if schedule not in SCHEDULES:
    raise OptimizerError(f'unknown schedule {schedule!r}; expected one of {", ".join(SCHEDULES)}')
  after = max(total_steps - hold - warmup, 1)
  decay = {
    'constant': lambda: optax.constant_schedule(value),
    'linear': lambda: optax.linear_schedule(value, 0.0, after, hold),
    'cosine': lambda: optax.join_schedules(
      [optax.constant_schedule(value), optax.cosine_decay_schedule(value, after)], [hold]
    ),
  }[schedule]()
  return (
    optax.join_schedules([optax.linear_schedule(0.0, value, warmup), decay], [warmup])
    if warmup
    else decay
  )


def make_optimizer(spec: Mapping[str, Any], total_updates: int = 0) -> optax.GradientTransformation:
  """The optax transformation that a config section describes.

  Args:
    spec: `name`, `learning_rate`, optionally `schedule`, `warmup`, `hold`, `clip` (global gradient
      norm, 0 = off); everything else goes to the optax optimiser of that name (b1, b2, eps, ...).
    total_updates: updates in the whole run, where decay schedules end.

  Raises:
    OptimizerError: unknown optimiser, schedule or argument, no learning rate, or a number below 0.
  """
  options = dict(spec)
  name, clip = options.pop('name', 'adam'), options.pop('clip', 0.0)
  if 'learning_rate' not in options:
    raise OptimizerError(f'optimizer {name!r} has no learning_rate; give one, such as 2e-4')
  for option in ('learning_rate', 'warmup', 'hold', 'clip'):
    if not spec.get(option, 0) >= 0:
      raise OptimizerError(f'optimizer {name!r}: {option}={spec[option]!r}; expected 0 or more')
  rate = learning_rate(
    options.pop('learning_rate'),
    schedule=options.pop('schedule', 'constant'),
    warmup=options.pop('warmup', 0),
    hold=options.pop('hold', 0),
    total_steps=total_updates,
  )
  if name not in OPTIMIZERS:
    raise OptimizerError(f'unknown optimizer {name!r}; expected one of {", ".join(OPTIMIZERS)}')
  make = getattr(optax, name)
  accepted = [p for p in inspect.signature(make).parameters if p != 'learning_rate']
  for option in options:
    if option not in accepted:
      raise OptimizerError(
        f'optimizer {name!r} has no option {option!r}; expected some of {", ".join(accepted)}'
      )
  tx = make(rate, **options)
  return optax.chain(optax.clip_by_global_norm(clip), tx) if clip else tx

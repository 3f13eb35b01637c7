"""From a config to optax."""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan import schedules
from jaxgan.errors import UserError
from jaxgan.options import check_value

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


def clip_weights(bound: float) -> optax.GradientTransformation:
  """Updates after which every parameter p lies in [-bound, bound]: u -> clip(p + u) - p.

  The last transformation of a chain. It holds to the last bit: where rounding would carry p + u
  over the bound, u is the next smaller float.

  Source: Arjovsky, Chintala, Bottou 2017, arXiv 1701.07875, algorithm 1.
  """

  def clipped(update, param):
    update = jnp.clip(param + update, -bound, bound).astype(param.dtype) - param
    after = param + update
    fixed, towards = jax.lax.stop_gradient((update, -jnp.sign(after) * jnp.inf))
    nearer = update + (jnp.nextafter(fixed, towards) - fixed)  # nextafter has no derivative
    return jnp.where(jnp.abs(after) > bound, nearer, update)

  def update(updates, state, params=None):
    if params is None:
      raise OptimizerError(
        'clip_weights got no parameters; expected tx.update(grads, state, params)'
      )
    return jax.tree.map(clipped, updates, params), state

  return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


class LookaheadState(NamedTuple):
  """What `lookahead` keeps: the fast optimiser's state, the slow weights, updates since they moved."""

  fast: Any
  slow: Any
  since: jax.Array


def lookahead(
  tx: optax.GradientTransformation, steps: int, alpha: float = 0.5
) -> optax.GradientTransformation:
  """Every `steps` updates of tx, slow <- slow + alpha (fast - slow), and fast <- slow.

  Given to every player of a game it averages along the circles that their updates run in. The
  parameters are the fast weights; the slow ones are part of the state.

  Args:
    tx: the optimiser of the fast weights.
    steps: updates between two moves of the slow weights, k of the papers.
    alpha: how far they move, 0 to 1.

  Raises:
    OptimizerError: steps below 1, or alpha out of range.

  Source: Zhang et al. 2019, arXiv 1907.08610; for games, Chavdarova et al. 2020, arXiv 2006.14567.
  """
  whole, number = isinstance(steps, int) and steps >= 1, not isinstance(alpha, str | Mapping)
  if not whole or not number or not 0 <= alpha <= 1:
    raise OptimizerError(
      f'lookahead: steps={steps!r}, alpha={alpha!r}; expected a whole number, 1 or more, and a '
      'number from 0 to 1'
    )

  def init(params):
    # a copy, since the train step donates its state and a buffer can be donated once only
    slow = jax.tree.map(lambda x: jnp.array(x, copy=True), params)
    return LookaheadState(tx.init(params), slow, jnp.zeros((), jnp.int32))

  def update(updates, state, params=None):
    if params is None:
      raise OptimizerError('lookahead got no parameters; expected tx.update(grads, state, params)')
    updates, fast = tx.update(updates, state.fast, params)
    due = state.since == steps - 1
    slow = jax.tree.map(
      lambda s, p, u: jnp.where(due, s + alpha * (p + u - s), s), state.slow, params, updates
    )
    updates = jax.tree.map(lambda s, p, u: jnp.where(due, s - p, u), slow, params, updates)
    return updates, LookaheadState(fast, slow, (state.since + 1) % steps)

  return optax.GradientTransformation(init, update)


def make_optimizer(spec: Mapping[str, Any], total_updates: int = 0) -> optax.GradientTransformation:
  """The optax transformation that a config section describes.

  Args:
    spec: `name`, `learning_rate`, optionally `schedule`, `warmup`, `hold`, `clip` (global gradient
      norm, 0 = off), `clip_weights` (bound on every parameter after each update, as in WGAN, 0 = off),
      `optimistic` (s > 0: of the optimiser's updates u_t, u_t + s (u_t - u_(t-1)) is made;
      Daskalakis et al. 2017, arXiv 1711.00141, have s = 1), `lookahead` ({'steps': k, 'alpha': a},
      see `lookahead`); everything else goes to the optax optimiser of that name (b1, b2, eps,
      decay, ...). The learning rate and those options may be schedules over updates
      (`jaxgan.schedules`).
    total_updates: updates in the whole run, where decay schedules end.

  Raises:
    OptimizerError: unknown optimiser, schedule or argument, no learning rate, or a number below 0.
  """
  options = dict(spec)
  name, clip = options.pop('name', 'adam'), options.pop('clip', 0.0)
  bound, optimism = options.pop('clip_weights', 0.0), options.pop('optimistic', 0.0)
  ahead = options.pop('lookahead', None)
  if 'learning_rate' not in options:
    raise OptimizerError(f'optimizer {name!r} has no learning_rate; give one, such as 2e-4')
  numbers = ('learning_rate', 'warmup', 'hold', 'clip', 'clip_weights', 'optimistic')
  for option, value in spec.items():
    try:
      check_value(f'optimizer {name!r}: {option}', value, float if option in numbers else None)
    except ValueError as error:
      raise OptimizerError(str(error)) from None
  peak = options.pop('learning_rate')
  rate = learning_rate(
    1.0 if schedules.is_schedule(peak) else peak,
    schedule=options.pop('schedule', 'constant'),
    warmup=options.pop('warmup', 0),
    hold=options.pop('hold', 0),
    total_steps=total_updates,
  )
  if schedules.is_schedule(peak):  # what warms up or decays besides multiplies it
    factor = rate
    rate = lambda count: factor(count) * schedules.at(peak, count)
  if name not in OPTIMIZERS:
    raise OptimizerError(f'unknown optimizer {name!r}; expected one of {", ".join(OPTIMIZERS)}')
  make = getattr(optax, name)
  accepted = [p for p in inspect.signature(make).parameters if p != 'learning_rate']
  for option in options:
    if option not in accepted:
      raise OptimizerError(
        f'optimizer {name!r} has no option {option!r}; expected some of {", ".join(accepted)}'
      )
  moving = {k: v for k, v in options.items() if schedules.is_schedule(v)}
  if moving:
    over = {k: lambda count, v=v: schedules.at(v, count) for k, v in moving.items()}
    tx = optax.inject_hyperparams(make)(learning_rate=rate, **{**options, **over})
  else:
    tx = make(rate, **options)
  on = lambda value: isinstance(value, jax.core.Tracer) or value  # a traced number is not off
  parts = [optax.clip_by_global_norm(clip)] if on(clip) else []
  parts += [tx, *([optax.scale_by_optimistic_gradient(1.0, optimism)] if on(optimism) else [])]
  if ahead:
    if not isinstance(ahead, Mapping) or set(ahead) - {'alpha'} != {'steps'}:
      raise OptimizerError(f'lookahead={ahead!r}; expected a section: steps and alpha')
    parts = [lookahead(optax.chain(*parts), **ahead)]
  parts += [clip_weights(bound)] if on(bound) else []
  return optax.chain(*parts) if len(parts) > 1 else parts[0]

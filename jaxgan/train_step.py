"""The train step: the only place that takes a gradient, for every game."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan.config import FIELDS
from jaxgan.games import Game
from jaxgan.nn import replicas
from jaxgan.train_state import TrainState

CHECKS = (
  'loss',
  'gradient',
  'parameters or statistics',
)  # in the order in which one update can go wrong
FINITE = 2**30
PLAYS = FIELDS['play'].choices


class Average(NamedTuple):
  """Exponential moving average of some players' variables.

  `ema <- decay * ema + (1 - decay) * value` from step `start` on, a plain copy before it.
  With `ramp`, the half-life grows linearly from 0 over so many steps: decay^(ramp / step).
  Parameters and batch statistics are both averaged, so that they belong together; what only
  approximates the weights (spectral vectors, pools) is copied.
  """

  players: tuple[str, ...] = ('generator',)
  decay: float = 0.999
  start: int = 0
  ramp: int = 0
  collections: tuple[str, ...] = ('params', 'batch_stats')


def split(batch: Any, parts: int, index: Any) -> Any:
  """Part `index` of a batch cut in `parts`, strided so that a sharded batch stays sharded."""
  pick = lambda x: jax.lax.dynamic_index_in_dim(
    x.reshape((-1, parts, *x.shape[1:])), index, 1, keepdims=False
  )
  return jax.tree.map(pick, batch)


def loop(body: Callable[..., Any], carry: Any, xs: Any) -> tuple[Any, Any]:
  """`jax.lax.scan(body, carry, xs)`, written out on the CPU.

  XLA's CPU backend runs a convolution inside a loop fifty times slower than outside, and a scan
  that is merely asked to unroll keeps its loop.
  """
  if jax.default_backend() != 'cpu':
    return jax.lax.scan(body, carry, xs)
  rows = []
  for i in range(len(jax.tree.leaves(xs)[0])):
    carry, row = body(carry, jax.tree.map(lambda x: x[i], xs))  # noqa: B023  called within this turn
    rows.append(row)
  return carry, jax.tree.map(lambda *x: jnp.stack(x), *rows)


def update_player(
  state: TrainState,
  name: str,
  loss: Callable[..., Any],
  tx: optax.GradientTransformation,
  batch: Any,
  key: jax.Array,
  accumulate: int = 1,
  seen: Mapping[str, Any] | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
  """One update of one player; every other player's parameters stay as they are.

  Args:
    state: the state; only this player's params, optimiser state and what `Aux.updates` names change.
    name: the player.
    loss: `loss(params, players, batch, key, step) -> (scalar, Aux)`.
    tx: its optax transformation.
    batch: dict of arrays, batch first.
    key: this update's key.
    accumulate: micro-batches whose gradients are averaged before the one optimiser step.
    seen: the players, this one among them, where the gradient is taken; None = where they are.

  Returns:
    The new state (same step) and `{name}/...` metrics, among them loss, gradient and parameter norm.
  """
  gradient = jax.value_and_grad(loss, has_aux=True)

  def micro(players, j):  # (players with their new collections, (gradients, metrics))
    part, part_key = (
      (batch, key) if accumulate == 1 else (split(batch, accumulate, j), jax.random.fold_in(key, j))
    )
    at = (players if seen is None else seen)[name]['params']
    shown = players if seen is None else {**seen, name: {**players[name], 'params': at}}
    (value, aux), grads = gradient(at, shown, part, part_key, state.step)
    players = {**players, **{who: {**players[who], **new} for who, new in aux.updates.items()}}
    return players, (grads, {'loss': value, **aux.metrics})

  if accumulate == 1:
    players, (grads, metrics) = micro(state.players, 0)
  else:
    shapes = jax.eval_shape(micro, state.players, 0)[1]
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def add(carry, j):  # sums, so that one gradient is held and not one a micro-batch
      players, new = micro(carry[0], j)
      return (players, jax.tree.map(jnp.add, carry[1], new)), None

    (players, sums), _ = loop(add, (state.players, nothing), jnp.arange(accumulate))
    grads, metrics = jax.tree.map(lambda x: x / accumulate, sums)
  grads, metrics = replicas.mean((grads, metrics))

  params = players[name]['params']
  updates, opt_state = tx.update(grads, state.opt_state[name], params)
  params = optax.apply_updates(params, updates)
  metrics = {**metrics, 'grad_norm': optax.tree.norm(grads), 'param_norm': optax.tree.norm(params)}
  state = state.replace(
    players={**players, name: {**players[name], 'params': params}},
    opt_state={**state.opt_state, name: opt_state},
  )
  return state, {f'{name}/{k}': v for k, v in metrics.items()}


def update_order(game: Game, updates: Mapping[str, int]) -> list[str]:
  """The players in the order of their updates within one train step."""
  return [name for name in game.losses for _ in range(updates.get(name, 1))]


def name_nonfinite(index: int, order: list[str]) -> str:
  """What the metric `nonfinite` points to, in words."""
  update, check = divmod(int(index), len(CHECKS))
  return f'{CHECKS[check]} of the {order[update]} (update {update + 1} of {len(order)} in the step)'


def average(ema: Any, players: Any, step: jax.Array, spec: Average) -> Any:
  """The moving averages after a step; see `Average`."""
  grown = jnp.clip(step / spec.ramp, 1e-6, 1.0) if spec.ramp else 1.0
  decay = jnp.where(step < spec.start, 0.0, spec.decay ** (1 / grown))
  lerp = lambda old, new: (
    (new + decay.astype(new.dtype) * (old - new)) if jnp.issubdtype(new.dtype, jnp.inexact) else new
  )
  return {
    name: {
      k: jax.tree.map(lerp, ema[name][k], v) if k in spec.collections else v
      for k, v in players[name].items()
    }
    for name in ema
  }


def make_train_step(
  game: Game,
  txs: Mapping[str, optax.GradientTransformation],
  *,
  updates: Mapping[str, int] | None = None,
  accumulate: int = 1,
  play: str = 'alternating',
  ema: Average | None = None,
  preprocess: Callable[[Any, jax.Array], Any] | None = None,
) -> Callable[[TrainState, Any], tuple[TrainState, dict[str, jax.Array]]]:
  """The pure train step of a game: `train_step(state, batch) -> (state, metrics)`.

  Args:
    game: the game; its losses are updated in their order.
    txs: player -> optax transformation.
    updates: player -> updates per step (1 where not named): critic steps, for instance.
    accumulate: micro-batches per update.
    play: 'alternating': each player answers what the others have just become; 'simultaneous': what
      they were when the step began; 'extragradient': a simultaneous round leads to a half point,
      whose gradients, on the same batch and draws, are then applied from where the step began.
      Optimisers and statistics move in both rounds (ExtraAdam).
    ema: which players to average, and how.
    preprocess: `(batch, key) -> batch` on device, from uint8 to what the losses take.

  Returns:
    A pure function to be compiled. Its batch holds `max(updates) * accumulate` micro-batches, and
    every update takes its own. Randomness is `fold_in(state.key, state.step)`, so a restored state
    goes on exactly. The metric `nonfinite` names the first non-finite loss, gradient or parameter
    of the step (see `name_nonfinite`), `FINITE` if there is none.

  Raises:
    ValueError: another order of play, or extragradient with several updates of a player.

  Source of extragradient for GANs: Gidel et al. 2018, arXiv 1802.10551, algorithm 4; of one
  batch for both rounds: Mishchenko et al. 2019, arXiv 1905.11373.
  """
  updates = updates or {}
  if play not in PLAYS:
    raise ValueError(f'play={play!r}; expected one of {", ".join(PLAYS)}')
  if play == 'extragradient' and max(updates.values(), default=1) > 1:
    raise ValueError(
      f"play='extragradient' with updates={dict(updates)}; expected 1 of each player"
    )
  order = update_order(game, updates)
  parts = max(updates.get(name, 1) for name in game.losses)

  def play_round(state, batch, key, seen):  # seen: (players now, name) -> `seen` of update_player
    metrics: dict[str, jax.Array] = {}
    bad, turn = jnp.asarray(FINITE), dict.fromkeys(game.losses, 0)
    for i, name in enumerate(order):
      part = split(batch, parts, turn[name]) if parts > 1 else batch
      turn[name] += 1
      state, new = update_player(
        state,
        name,
        game.losses[name],
        txs[name],
        part,
        jax.random.fold_in(key, i),
        accumulate,
        seen(state.players, name),
      )
      metrics |= new
      mine = [
        x for x in jax.tree.leaves(state.players[name]) if jnp.issubdtype(x.dtype, jnp.inexact)
      ]
      for j, value in enumerate(
        (new[f'{name}/loss'], new[f'{name}/grad_norm'], optax.tree.norm(mine))
      ):
        here = jnp.where(jnp.isfinite(value), FINITE, i * len(CHECKS) + j)
        bad = jnp.minimum(bad, here)
    return state, metrics, bad

  def train_step(state: TrainState, batch: Any) -> tuple[TrainState, dict[str, jax.Array]]:
    key = jax.random.fold_in(state.key, state.step)
    if preprocess is not None:
      batch = preprocess(batch, jax.random.fold_in(key, len(order)))
    start = state.players
    beside = lambda now, name: None if play == 'alternating' else {**start, name: now[name]}
    state, metrics, bad = play_round(state, batch, key, beside)
    if play == 'extragradient':
      half = state.players
      back = {name: {**half[name], 'params': v['params']} for name, v in start.items()}
      state, metrics, worse = play_round(
        state.replace(players=back), batch, key, lambda now, name: half
      )
      bad = jnp.minimum(bad, worse)
    if ema is not None:
      state = state.replace(ema=average(state.ema, state.players, state.step, ema))
    return state.replace(step=state.step + 1), {**metrics, 'nonfinite': bad}

  return train_step


def several_steps(step: Callable[..., Any]) -> Callable[..., Any]:
  """Train steps one after the other in one call: batch leaves [steps, B, ...], metrics [steps]."""
  return lambda state, batches: loop(step, state, batches)

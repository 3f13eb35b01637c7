"""TrainState: everything that a resumed run needs, as one pytree."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct


class TrainState(struct.PyTreeNode):
  """The state of a run between two steps.

  Attributes:
    step: int32 scalar, train steps done.
    key: the run's PRNG key; it never changes, every draw folds the step into it.
    players: player -> {'params': ..., other collections}.
    opt_state: player -> its optax state.
    ema: player -> averaged variables, for the players that are averaged.
  """

  step: jax.Array
  key: jax.Array
  players: dict[str, dict[str, Any]]
  opt_state: dict[str, Any]
  ema: dict[str, dict[str, Any]]

  @classmethod
  def create(
    cls,
    key: jax.Array,
    players: dict[str, dict[str, Any]],
    txs: dict[str, optax.GradientTransformation],
    averaged: tuple[str, ...] = (),
  ) -> 'TrainState':
    """A state at step 0; `averaged` names the players whose EMA is kept (it starts as a copy)."""
    return cls(
      step=jnp.zeros((), jnp.int32),
      key=key,
      players=players,
      opt_state={name: tx.init(players[name]['params']) for name, tx in txs.items()},
      # copies, since the step donates its state and a buffer can be donated once only
      ema={
        name: jax.tree.map(lambda x: jnp.array(x, copy=True), players[name]) for name in averaged
      },
    )

  def playing(self, ema: bool = True) -> dict[str, dict[str, Any]]:
    """The players, with averaged variables in place of the live ones where there are any."""
    return {**self.players, **self.ema} if ema else dict(self.players)

"""Losses that look at the whole game: consensus optimisation and symplectic gradient adjustment."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.games import Aux, Game
from jaxgan.nn import replicas


def field(
  losses: Mapping[str, Callable[..., Any]], players: Any, batch: Any, key: Any, step: Any
) -> dict[str, Any]:
  """F = (grad_1 L_1, ..., grad_n L_n): every player's gradient of its own loss.

  Args:
    losses: as in `Game`.
    players: every player's variables.
    batch, key, step: what the losses are given, the same for all.

  Returns:
    player -> a tree like its params.

  Source: Balduzzi et al. 2018, arXiv 1802.05642, which calls it the simultaneous gradient.
  """
  mine = lambda name, loss: jax.grad(lambda params: loss(params, players, batch, key, step)[0])(
    players[name]['params']
  )
  return replicas.mean({name: mine(name, loss) for name, loss in losses.items()})


def adjust(game: Game, *, consensus: float = 0.0, symplectic: float = 0.0) -> Game:
  """The game whose players also mind how their gradients F_i = grad_i L_i depend on each other.

  L_i' = L_i + gamma / 2 |F|^2                                                     (consensus)
       + lambda / 2 (sum_(j != i) |F_j|^2 / 2 - sum_(j != i) <dL_i / dtheta_j, F_j>)  (symplectic)

  with F_j held constant in the last product. With J = dF / dtheta their gradients together are
  F + gamma J^T F + lambda A^T F, A = (J - J^T) / 2: terms of a player with itself are left out
  since its own second derivatives cancel. lambda has one sign: the paper's alignment, which may
  turn it round far from a stable point, is left out. |F|^2 is that of the batch; micro-batches
  (`accumulate`) give the mean of theirs. A step costs several times as much.

  Args:
    game: whose losses keep the other players' derivatives (no stop_gradient on them).
    consensus: gamma of consensus optimisation, 0 or more.
    symplectic: lambda of symplectic gradient adjustment, 0 or more.

  Returns:
    The game with losses adjusted; the game itself where both are 0.

  Raises:
    ValueError: a number below 0.

  Source: Mescheder, Nowozin, Geiger 2017, arXiv 1705.10461; Balduzzi et al. 2018, arXiv 1802.05642.
  """
  if not consensus >= 0 or not symplectic >= 0:
    raise ValueError(f'adjust: consensus={consensus}, symplectic={symplectic}; expected 0 or more')
  if not consensus and not symplectic:
    return game

  def adjusted(name: str, own: Callable[..., Any]) -> Callable[..., Any]:
    others = {who: loss for who, loss in game.losses.items() if who != name}

    def loss(params, players, batch, key, step):
      value, aux = own(params, players, batch, key, step)
      here = {**players, name: {**players[name], 'params': params}}
      metrics = dict(aux.metrics)
      all_fields = field(game.losses if consensus else others, here, batch, key, step)
      if consensus:
        metrics['consensus'] = 0.5 * consensus * _inner(all_fields, all_fields)
        value += metrics['consensus']
      if symplectic:
        theirs = {who: all_fields[who] for who in others}
        # at the parameters as given, not stopped, so that a step has a Jacobian (jaxgan.dynamics)
        fixed = field(others, players, batch, key, step)

        def through(moved):  # the player's loss as the others move
          seen = {**here, **{who: {**here[who], 'params': p} for who, p in moved.items()}}
          return own(params, seen, batch, key, step)[0]

        at = {who: here[who]['params'] for who in others}
        slopes = replicas.mean(jax.grad(through)(at))
        pull = 0.5 * _inner(theirs, theirs) - _inner(slopes, fixed)
        metrics['symplectic'] = 0.5 * symplectic * pull
        value += metrics['symplectic']
      return value, Aux(metrics, aux.updates)

    return loss

  return game._replace(losses={name: adjusted(name, own) for name, own in game.losses.items()})


def _inner(a: Any, b: Any) -> jax.Array:
  """<a, b> of two trees, in float32 at least."""
  product = lambda x, y: jnp.vdot(
    x, y, preferred_element_type=jnp.promote_types(x.dtype, 'float32')
  )
  return jax.tree.reduce(jnp.add, jax.tree.map(product, a, b), jnp.zeros(()))

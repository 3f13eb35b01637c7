"""Training as a dynamical system: where its gradients point, and the spectrum of its step."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxgan.games import Game
from jaxgan.games.adjusting import field
from jaxgan.train_state import TrainState


def parameters(players: Any) -> jax.Array:
  """Every player's parameters, one after the other, as one vector [n]."""
  return ravel_pytree({name: v['params'] for name, v in players.items()})[0]


def game_jacobian(
  game: Game, players: Any, batch: Any = None, key: Any = None, step: int = 0
) -> jax.Array:
  """J = dF / dtheta of all players' own gradients F (see `games.adjusting.field`), at one place.

  Players stand in the order of their names. In continuous time, dtheta / dt = -F(theta), a place
  with F = 0 is stable where all eigenvalues of J have a positive real part.

  Args:
    game: whose losses keep the other players' derivatives.
    players: every player's variables; all of them need a loss.
    batch, key, step: what the losses are given.

  Returns:
    [n, n], n parameters in all; each column costs a gradient of every loss.
  """
  vector, unravel = ravel_pytree({name: v['params'] for name, v in players.items()})

  def gradients(vector):
    params = unravel(vector)
    here = {name: {**v, 'params': params[name]} for name, v in players.items()}
    return ravel_pytree(field(game.losses, here, batch, key, step))[0]

  return jax.jit(jax.jacfwd(gradients))(vector)


def step_jacobian(
  step: Callable[..., Any], state: TrainState, batch: Any = None, steps: int = 1
) -> jax.Array:
  """The Jacobian of `steps` train steps as a map of all parameters and what optimisers remember.

  A place to which the steps return is stable where every eigenvalue lies within the unit circle.

  Args:
    step: `(state, batch) -> (state, metrics)`, as from `make_train_step`; not one that donates.
    state: where; an optimiser's first update may be special, so take one before.
    batch: of every step.
    steps: steps that make up the map, the period of what does not do the same in each of them.

  Returns:
    [n, n], n floating numbers in all players' params and optimiser states.
  """
  moving = ({name: v['params'] for name, v in state.players.items()}, state.opt_state)
  leaves, tree = jax.tree.flatten(moving)
  floating = [jnp.issubdtype(x.dtype, jnp.inexact) for x in leaves]
  vector, unravel = ravel_pytree([x for x, is_float in zip(leaves, floating) if is_float])

  def flow(vector):
    moved = iter(unravel(vector))
    params, opt_state = jax.tree.unflatten(
      tree, [next(moved) if is_float else x for x, is_float in zip(leaves, floating)]
    )
    players = {name: {**v, 'params': params[name]} for name, v in state.players.items()}
    now = state.replace(players=players, opt_state=opt_state)
    for _ in range(steps):
      now, _ = step(now, batch)
    after = jax.tree.leaves(({name: v['params'] for name, v in now.players.items()}, now.opt_state))
    return ravel_pytree([x for x, is_float in zip(after, floating) if is_float])[0]

  return jax.jit(jax.jacfwd(flow))(vector)


def spectrum(matrix: Any) -> np.ndarray:
  """Eigenvalues of a matrix [n, n], complex [n], the largest modulus first."""
  values = np.linalg.eigvals(np.asarray(matrix))
  return values[np.argsort(-np.abs(values), kind='stable')]


def trajectory(
  step: Callable[..., Any], state: TrainState, steps: int, batch: Any = None
) -> jax.Array:
  """All parameters before each of `steps` train steps and after the last: [steps + 1, n].

  Args:
    step: `(state, batch) -> (state, metrics)`.
    state: where to begin.
    steps: how many.
    batch: of every step.
  """
  follow = lambda state, _: (step(state, batch)[0], parameters(state.players))
  last, path = jax.lax.scan(follow, state, length=steps)
  return jnp.concatenate([path, parameters(last.players)[None]])

"""Games small enough to know by heart: their spectra are closed forms, and the one train step runs them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import losses
from jaxgan.games import Aux, Game
from jaxgan.games.penalising import Specs, check_penalties, penalise
from jaxgan.games.unrolling import make_unrolled

NODES = 32  # of the quadrature over the noise


def dirac(
  loss: str = 'minimax',
  *,
  penalties: Specs | None = None,
  noise: float = 0.0,
  unroll: Mapping[str, Any] | None = None,
  start: tuple[float, float] = (1.0, 1.0),
) -> Game:
  """The Dirac-GAN: data at 0, fakes at theta, D(x) = psi x; one number a player, equilibrium (0, 0).

  Args:
    loss: name of a pair in `jaxgan.losses`.
    penalties: of the discriminator, name -> keyword arguments: {'r1': {'gamma': 1.0}}.
    noise: sigma of N(0, sigma^2) added to data and fakes; its expectation is taken exactly, by
      Gauss-Hermite quadrature, so that nothing is drawn. Penalties look at points without noise.
    unroll: the generator answers the discriminator some updates on, see `games.unrolling`.
    start: (theta, psi) at the beginning.

  Returns:
    The Game of 'discriminator' and 'generator'; it takes no notice of the batch.

  Raises:
    ValueError: unknown loss, penalty or optimiser, or noise below 0.

  Source: Mescheder, Geiger, Nowozin 2018, arXiv 1801.04406, definition 2.1 and appendix D.
  """
  pair, specs = losses.pair(loss), penalties or {}
  check_penalties('discriminator', specs)
  if not noise >= 0:
    raise ValueError(f'noise={noise}; expected 0 or more')
  future = make_unrolled(**unroll) if unroll else None
  nodes, weights = np.polynomial.hermite_e.hermegauss(NODES if noise else 1)
  real, weights = noise * nodes, weights / weights.sum()

  def init(key, batch):
    theta, psi = (jnp.asarray(x, float) for x in start)
    return {'generator': {'params': theta}, 'discriminator': {'params': psi}}

  def discriminator_loss(psi, players, batch, key, step):
    theta = players['generator']['params']
    critic = lambda x: psi * x[:, 0]
    # every noise of the data with every noise of the fakes, since a loss may compare the two
    value = pair.discriminator(*_grid(psi * real, psi * (theta + real)))
    point = jnp.zeros((1, 1), theta.dtype)
    penalty, metrics = penalise(
      specs,
      step,
      params=psi,
      critic=critic,
      fake_critic=critic,
      real=point,
      fake=point + theta,
      key=key,
    )
    return value @ np.outer(weights, weights).ravel() + penalty, Aux(metrics)

  def generator_loss(theta, players, batch, key, step):
    psi = players['discriminator']['params']
    if future:
      now = {**players, 'generator': {**players['generator'], 'params': theta}}
      psi = future(lambda psi: discriminator_loss(psi, now, batch, key, step)[0], psi)
    value = pair.generator(*_grid(psi * real, psi * (theta + real)))
    return value @ np.outer(weights, weights).ravel(), Aux()

  return Game(init, {'discriminator': discriminator_loss, 'generator': generator_loss}, {})


def _grid(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Every entry of one with every entry of the other, both [n * m]."""
  return jnp.repeat(a, len(b)), jnp.tile(b, len(a))


def quadratic(
  jacobian: Any, players: Mapping[str, int] | None = None, start: Sequence[float] | None = None
) -> Game:
  """The game whose players' gradients are F(w) = J w, w their parameters one after the other.

  L_i = w_i^T J_ii w_i / 2 + sum_(j != i) w_i^T J_ij w_j; the equilibrium is 0.

  Args:
    jacobian: J, float [n, n], symmetric within each player's block.
    players: name -> number of parameters, in order of play; None is {'x': n / 2, 'y': n / 2}.
    start: w at the beginning, [n]; None is ones.

  Returns:
    The Game; it takes no notice of the batch.

  Raises:
    ValueError: sizes that do not add up to n, or a block of a player that is not symmetric.
  """
  matrix = np.asarray(jacobian, float)
  n = len(matrix)
  sizes = dict(players or {'x': n // 2, 'y': n - n // 2})
  if matrix.shape != (n, n) or sum(sizes.values()) != n:
    raise ValueError(f'jacobian {matrix.shape} for players {sizes}; expected [n, n], n their sum')
  ends = np.cumsum([0, *sizes.values()])
  where = {name: slice(*ends[i : i + 2]) for i, name in enumerate(sizes)}
  for name, mine in where.items():
    if not np.allclose(matrix[mine, mine], matrix[mine, mine].T):
      raise ValueError(f'the block of {name!r} is not symmetric; expected second derivatives')
  begin = np.ones(n) if start is None else np.asarray(start, float)

  def init(key, batch):
    return {name: {'params': jnp.asarray(begin[mine])} for name, mine in where.items()}

  def loss_of(name: str) -> Callable[..., Any]:
    def loss(params, players, batch, key, step):
      w = {**{who: v['params'] for who, v in players.items()}, name: params}
      rows = matrix[where[name]]
      half = {who: (0.5 if who == name else 1.0) for who in where}
      return sum(half[who] * params @ rows[:, where[who]] @ w[who] for who in where), Aux()

    return loss

  return Game(init, {name: loss_of(name) for name in where}, {})


def bilinear(matrix: Any, start: Sequence[float] | None = None) -> Game:
  """min_x max_y x^T M y: a zero-sum game without curvature of its own, which circles.

  Args:
    matrix: M, float [n, m].
    start: (x, y) at the beginning, [n + m].

  Returns:
    The Game of 'x' and 'y', see `quadratic`.
  """
  m = np.atleast_2d(np.asarray(matrix, float))
  zeros = [np.zeros((size, size)) for size in m.shape]
  jacobian = np.block([[zeros[0], m], [-m.T, zeros[1]]])
  return quadratic(jacobian, {'x': m.shape[0], 'y': m.shape[1]}, start)

"""Nearest neighbours in blocks: nothing of size N x N is ever held."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp


def squared_distances(a: jax.Array, b: jax.Array) -> jax.Array:
  """Squared Euclidean distances [N, M] of rows; full float32 products everywhere.

  Of norms minus products, whose last digits are noise: what is below them is 0, as between copies.
  """
  products = jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)
  # apart: XLA's CPU backend would work the sums out again for every entry
  squares = jax.lax.optimization_barrier((jnp.sum(a * a, 1), jnp.sum(b * b, 1)))
  norms = squares[0][:, None] + squares[1]
  found = norms - 2 * products
  noise = (1 + a.shape[1] ** 0.5) * jnp.finfo(jnp.float32).eps  # of so many terms
  return jnp.where(found > noise * norms, found, 0)


def centre(features: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Something near the mean [D] to subtract: distances stay, and their squares lose fewer digits.

  It is a multiple of a power of 2 near the widest spread of a feature, the second of the two returned, so
  that a difference of whole numbers, or of other short ones, stays exact and distances that tie go on doing
  so; 0 where the mean is not farther away than that.
  """
  mean = features.mean(0)
  spread = jnp.abs(features - mean).max()
  step = jnp.exp2(jnp.ceil(jnp.log2(jnp.maximum(spread, 1e-30))))
  return jnp.round(mean / step) * step, step


def finite(*sets: Any) -> None:
  """Refuses features that are not finite, where they are numbers already and no trace.

  Raises:
    ValueError: some are not.
  """
  if not all(isinstance(x, jax.core.Tracer) or bool(jnp.isfinite(x).all()) for x in sets):
    raise ValueError('features that are not finite have no distances')


def balanced(n: int, block: int) -> int:
  """The size of as many blocks as n rows need, as alike as can be: hardly any padding, often none."""
  return -(-n // -(-n // block))


def blocked(function: Callable[[jax.Array], Any], rows: jax.Array, block: int) -> Any:
  """`function` on blocks of rows, one after the other, results joined again; padding is cut off."""
  n = rows.shape[0]
  block = balanced(n, block)
  padded = jnp.pad(rows, ((0, -n % block), (0, 0)))
  out = jax.lax.map(function, padded.reshape(-1, block, rows.shape[1]))
  return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:n], out)


def radii(features: Any, k: int = 5, block: int = 1024) -> jax.Array:
  """Distance of every point to its k-th nearest other point.

  Args:
    features: float32 [N, D], N > k.
    k: which neighbour, from 1; the point itself is not counted.
    block: rows handled at a time, at most; memory is block x N.

  Returns:
    float32 [N], in the unit of the features.

  Raises:
    ValueError: if there are not more than k points, or features are not finite.
  """
  if features.ndim != 2 or not 1 <= k < features.shape[0]:
    raise ValueError(
      f'k-nearest-neighbour radii need features [N, D] with N > k >= 1, not {features.shape}, k={k}'
    )
  finite(features)
  return jnp.sqrt(squared_radii(jnp.asarray(features, jnp.float32), k, block))


@partial(jax.jit, static_argnums=(1, 2))
def squared_radii(features: jax.Array, k: int, block: int) -> jax.Array:
  """The squares of `radii`, unchecked."""

  def kth(rows):
    # The k + 1 smallest hold the point itself at distance zero (or its duplicate: the same value).
    # A slice of them instead of the extreme would make XLA's CPU backend sort whole rows.
    return -jax.lax.top_k(-squared_distances(rows, features), k + 1)[0].min(1)

  return blocked(kth, features, block)


def nearest(
  queries: Any, points: Any, k: int = 1, block: int = 1024
) -> tuple[jax.Array, jax.Array]:
  """The k nearest of the points to every query.

  Args:
    queries: [N, D].
    points: [M, D], M >= k.
    k: how many.
    block: queries handled at a time, at most; memory is block x M.

  Returns:
    (distances float32 [N, k], in the unit of the features and ascending; indices int32 [N, k]). The
    distances are those of the points found, to every digit: that of a copy is 0.

  Raises:
    ValueError: if the feature sizes differ, there are fewer than k points, or features are not finite.
  """
  queries, points = jnp.asarray(queries, jnp.float32), jnp.asarray(points, jnp.float32)
  if queries.ndim != 2 or points.ndim != 2 or queries.shape[1] != points.shape[1]:
    raise ValueError(f'features [N, D] and [M, D] expected, not {queries.shape} and {points.shape}')
  if not 1 <= k <= len(points):
    raise ValueError(f'k={k} neighbours among {len(points)} points')
  finite(queries, points)
  return _nearest(queries, points, k, block)


@partial(jax.jit, static_argnums=(2, 3))
def _nearest(
  queries: jax.Array, points: jax.Array, k: int, block: int
) -> tuple[jax.Array, jax.Array]:
  middle, _ = centre(points)
  queries, points = queries - middle, points - middle

  def among(rows):
    found = jax.lax.optimization_barrier(jax.lax.top_k(-squared_distances(rows, points), k)[1])
    exact = lambda which: jnp.linalg.norm(rows - points[which], axis=1)
    distances = jnp.stack([exact(found[:, i]) for i in range(k)], 1)
    order = jnp.argsort(distances, 1)
    return tuple(jnp.take_along_axis(x, order, 1) for x in (distances, found))

  return blocked(among, queries, block)

"""Precision, recall, density and coverage of a set of features against another, by nearest neighbours.

The real set's manifold is the union of balls around its points, each as wide as the distance to the
point's k-th neighbour; the generated set has one of its own. Nothing of size N x N is ever held.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def _distances(a: jax.Array, b: jax.Array) -> jax.Array:
  """Squared Euclidean distances [N, M] of rows, never negative; full float32 products everywhere."""
  products = jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)
  squares = jnp.sum(a * a, 1)[:, None] + jnp.sum(b * b, 1)[None]
  return jnp.maximum(squares - 2 * products, 0)


def _blocked(function: Callable[[jax.Array], Any], rows: jax.Array, block: int) -> Any:
  """`function` on blocks of rows, one after the other, results joined again; padding is cut off."""
  n = rows.shape[0]
  block = min(block, n)
  padded = jnp.pad(rows, ((0, -n % block), (0, 0)))
  out = jax.lax.map(function, padded.reshape(-1, block, rows.shape[1]))
  return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:n], out)


def radii(features: jax.Array, k: int = 5, block: int = 1024) -> jax.Array:
  """Distance of every point to its k-th nearest other point.

  Args:
    features: float32 [N, D], N > k.
    k: which neighbour, from 1; the point itself is not counted.
    block: rows handled at a time; memory is block x N.

  Returns:
    float32 [N], in the unit of the features.

  Raises:
    ValueError: if there are not more than k points.
  """
  if features.ndim != 2 or not 1 <= k < features.shape[0]:
    raise ValueError(
      f'k-nearest-neighbour radii need features [N, D] with N > k >= 1, not {features.shape}, k={k}'
    )
  return jnp.sqrt(_squared_radii(jnp.asarray(features, jnp.float32), k, block))


@partial(jax.jit, static_argnums=(1, 2))
def _squared_radii(features: jax.Array, k: int, block: int) -> jax.Array:
  def kth(rows):
    # The k + 1 smallest hold the point itself at distance zero (or its duplicate: the same value).
    return -jax.lax.top_k(-_distances(rows, features), k + 1)[0][:, k]

  return _blocked(kth, features, block)


@partial(jax.jit, static_argnums=(2, 3))
def _prdc(real: jax.Array, fake: jax.Array, k: int, block: int) -> dict[str, jax.Array]:
  real_radii = _squared_radii(real, k, block)
  fake_radii = _squared_radii(fake, k, block)

  def among_real(rows):
    inside = _distances(rows, real) < real_radii
    return inside.any(1), inside.sum(1)

  def among_fake(rows):
    distances = _distances(rows, fake)
    return (distances < fake_radii).any(1), distances.min(1)

  precise, balls = _blocked(among_real, fake, block)
  recalled, nearest = _blocked(among_fake, real, block)
  return {
    'precision': precise.mean(dtype=jnp.float32),
    'recall': recalled.mean(dtype=jnp.float32),
    'density': balls.mean(dtype=jnp.float32) / k,
    'coverage': (nearest < real_radii).mean(dtype=jnp.float32),
  }


def prdc(
  real: jax.Array | np.ndarray, fake: jax.Array | np.ndarray, k: int = 5, block: int = 1024
) -> dict[str, jax.Array]:
  """How much of the generated set is realistic, and how much of the real set is generated.

  With B(x) the open ball around x up to its k-th neighbour in its own set:

    precision = mean_j [ y_j in some B(x_i) ]       recall   = mean_i [ x_i in some B(y_j) ]
    density   = 1/(kM) sum_j #{ i: y_j in B(x_i) }  coverage = mean_i [ some y_j in B(x_i) ]

  Precision and recall: Kynkaanniemi et al. 2019 (arXiv:1904.06991); density and coverage: Naeem et
  al. 2020 (arXiv:2002.09797), whose strict `<` is used for all four.

  Args:
    real: float [N, D] features of real pictures, N > k.
    fake: float [M, D] features of generated pictures, M > k.
    k: neighbour that sets the radius.
    block: rows handled at a time; memory is block x max(N, M).

  Returns:
    'precision', 'recall', 'coverage' in [0, 1] and 'density' (which may pass 1), float32 scalars.

  Raises:
    ValueError: if the feature sizes differ, or a set has no more than k points.
  """
  real, fake = jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32)
  if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
    raise ValueError(f'features must be [N, D] and [M, D], not {real.shape} and {fake.shape}')
  if not 1 <= k < min(len(real), len(fake)):
    raise ValueError(f'k={k} neighbours need more than k points, not {len(real)} and {len(fake)}')
  centre = real.mean(0)  # distances stay, and the squares lose fewer digits
  return _prdc(real - centre, fake - centre, k, block)

"""Precision, recall, density and coverage of a set of features against another, by nearest neighbours.

The real set's manifold is the union of balls around its points, each as wide as the distance to the
point's k-th neighbour; the generated set has one of its own. Nothing of size N x N is ever held.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.metrics.neighbours import balanced, centre, finite, squared_distances, squared_radii


@jax.jit
def _centred(real: jax.Array, fake: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Both about 0, in a unit (a power of 2) that keeps their squares within float32."""
  middle, unit = centre(real)
  return (real - middle) / unit, (fake - middle) / unit


@partial(jax.jit, static_argnums=(4, 5, 6))
def _compared(
  real: jax.Array,
  fake: jax.Array,
  real_radii: jax.Array,
  fake_radii: jax.Array,
  k: int,
  block: int,
  closed: bool,
) -> dict[str, jax.Array]:
  """All four from one pass over the distances between the sets, a block of generated rows at a time."""
  within = jnp.less_equal if closed else jnp.less

  def step(carry, some):
    nearest, recalled = carry
    rows, their_radii, there = some
    distances = jnp.where(there[:, None], squared_distances(rows, real), jnp.inf)
    inside = within(distances, real_radii)
    recalled |= within(distances, their_radii[:, None]).any(0)
    return (jnp.minimum(nearest, distances.min(0)), recalled), inside.sum(1)

  m = len(fake)
  block = balanced(m, block)
  blocks = lambda x: jnp.pad(x, [(0, -m % block)] + [(0, 0)] * (x.ndim - 1)).reshape(
    -1, block, *x.shape[1:]
  )
  start = (jnp.full(len(real), jnp.inf), jnp.zeros(len(real), bool))
  every = (blocks(fake), blocks(fake_radii), blocks(jnp.ones(m, bool)))
  (nearest, recalled), balls = jax.lax.scan(step, start, every)
  balls = balls.reshape(-1)[:m]
  return {
    'precision': (balls > 0).mean(dtype=jnp.float32),
    'recall': recalled.mean(dtype=jnp.float32),
    'density': balls.mean(dtype=jnp.float32) / k,
    'coverage': within(nearest, real_radii).mean(dtype=jnp.float32),
  }


def _prdc(real: Any, fake: Any, k: int, block: int, closed: bool) -> dict[str, jax.Array]:
  for name, given in (('k', k), ('block', block)):
    if not isinstance(given, (int, np.integer)) or given < 1:
      raise ValueError(f'{name}={given!r} neighbours or rows; expected a whole number from 1 on')
  real, fake = jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32)
  if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
    raise ValueError(f'features must be [N, D] and [M, D], not {real.shape} and {fake.shape}')
  if k >= min(len(real), len(fake)):
    raise ValueError(f'k={k} neighbours need more than k points, not {len(real)} and {len(fake)}')
  finite(real, fake)
  real, fake = _centred(
    real, fake
  )  # in programs apart: the copies go, sets of one size share theirs
  radii = (squared_radii(x, k, block) for x in (real, fake))
  return _compared(real, fake, *radii, k, block, closed)


def prdc(real: Any, fake: Any, k: int = 5, block: int = 512) -> dict[str, jax.Array]:
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
    block: rows handled at a time, at most; memory is block x max(N, M).

  Returns:
    'precision', 'recall', 'coverage' in [0, 1] and 'density' (which may pass 1), float32 scalars.

  Raises:
    ValueError: if the feature sizes differ, a set has no more than k points, or features are not finite.
  """
  return _prdc(real, fake, k, block, closed=False)


def precision_recall(real: Any, fake: Any, k: int = 3, block: int = 512) -> dict[str, jax.Array]:
  """Improved precision and recall as their paper has them: closed balls, the third neighbour.

    precision = mean_j [ y_j in some B(x_i) ]       recall   = mean_i [ x_i in some B(y_j) ]

  `prdc` has the same two with open balls and the fifth neighbour; they differ where distances tie, as
  those of copies do.

  Args:
    real, fake, k, block: as for `prdc`.

  Returns:
    'precision' and 'recall' in [0, 1] and 'f_score', their harmonic mean, float32 scalars.

  Raises:
    ValueError: as `prdc`.

  Source: Kynkaanniemi et al. 2019, arXiv 1904.06991.
  """
  found = _prdc(real, fake, k, block, closed=True)
  p, r = found['precision'], found['recall']
  return {'precision': p, 'recall': r, 'f_score': 2 * p * r / jnp.maximum(p + r, 1e-5)}

"""Sliced Wasserstein distance: of features, and of the patches of pictures at every scale."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.metrics.neighbours import finite

BLOCK = 128  # directions at a time
PATCH, DIRECTIONS, SMALLEST = 7, 512, 16  # of the paper: 4 times 128 directions


@jax.jit
def _project(x: Any, directions: Any) -> jax.Array:
  """[K, N] projections of [N, D] on the directions [K, D]."""
  return jnp.matmul(directions, x.T, precision=jax.lax.Precision.HIGHEST)


def sliced_wasserstein(
  x: Any, y: Any, projections: int = DIRECTIONS, p: int = 1, seed: int = 0
) -> float:
  """Mean Wasserstein distance of two sets along random directions.

    ( mean_theta  mean_i |(x theta)_(i) - (y theta)_(i)|^p )^(1/p),  theta uniform on the sphere

  Of two Gaussians N(m, C) and N(m', C) it is, for p = 2, |m - m'| / sqrt(D).

  Args:
    x, y: [N, D], as many of each.
    projections: number of directions.
    p: 1 or 2.
    seed: of the directions.

  Returns:
    The distance, in the unit of the features.

  Raises:
    ValueError: for other shapes, a number out of range, or features that are not finite.

  Source: Rabin et al. 2011 (SSVM); Bonneel et al. 2015.
  """
  x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
  if x.shape != y.shape or x.ndim != 2 or not len(x):
    raise ValueError(f'two sets [N, D] of one size expected, not {x.shape} and {y.shape}')
  if p not in (1, 2) or projections < 1:
    raise ValueError(f'p={p}, projections={projections}; expected 1 or 2, and 1 at least')
  finite(x, y)
  directions = np.random.default_rng(seed).standard_normal((projections, x.shape[1]))
  directions = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
  centre, found = y.mean(0), []
  x, y = x - centre, y - centre
  for i in range(0, projections, BLOCK):
    # sorted on the host: XLA's CPU sort is ten times slower
    a, b = (np.sort(np.asarray(_project(v, directions[i : i + BLOCK])), 1) for v in (x, y))
    found.append((np.abs(a - b) ** p).mean(1, dtype=np.float64))
  return float(np.concatenate(found).mean() ** (1 / p))


def _smooth(x: np.ndarray, gain: float) -> np.ndarray:
  """[1, 4, 6, 4, 1] / 16 along both sides, mirrored at the edges."""
  for axis in (1, 2):
    padded = np.pad(x, [(2, 2) if i == axis else (0, 0) for i in range(4)], mode='reflect')
    size, taps = x.shape[axis], np.array([1, 4, 6, 4, 1], np.float32) * gain / 16
    x = np.sum([w * padded.take(range(i, i + size), axis) for i, w in enumerate(taps)], 0)
  return x


def laplacian_pyramid(images: Any) -> list[np.ndarray]:
  """What each scale adds to the next coarser one, down to 16 pixels; the last is the coarsest whole.

  Args:
    images: [N, H, W, C], sides 16 times a power of 2.

  Returns:
    Arrays [N, H / 2^i, W / 2^i, C].

  Raises:
    ValueError: for other sides.

  Source: Burt, Adelson 1983.
  """
  level = np.asarray(images, np.float32)
  sides = level.shape[1:3] if level.ndim == 4 else (0,)
  scales = int(np.log2(max(1, min(sides) // SMALLEST)))
  if min(sides) < SMALLEST or any(side % 2**scales for side in sides):
    raise ValueError(f'pictures [N, H, W, C] of 16, 32, 64, ... pixels expected, not {level.shape}')
  out = []
  for _ in range(scales):
    coarse = _smooth(level, 1.0)[:, ::2, ::2]
    raised = np.zeros_like(level)
    raised[:, ::2, ::2] = coarse
    out.append(level - _smooth(raised, 2.0))
    level = coarse
  return [*out, level]


def patch_swd(real: Any, fake: Any, patches: int = 128, seed: int = 0) -> dict[str, float]:
  """Sliced Wasserstein distance of 7x7 patches at every scale, times 1,000, as Progressive GAN has it.

  Fine scales tell of texture, coarse ones of composition; lower is better.

  Args:
    real, fake: uint8 or float [N, H, W, C], as many of each, sides 16 times a power of 2; differences
      of range between the two are part of the distance.
    patches: of each picture.
    seed: of the places and directions.

  Returns:
    'swd_H' for each scale H and their mean 'swd'.

  Raises:
    ValueError: for other shapes.

  Source: Karras et al. 2018, arXiv 1710.10196, section 5: patches are normalised channel by channel by
  the mean and deviation of their own set.
  """
  if np.shape(real) != np.shape(fake):
    raise ValueError(
      f'as many real as generated pictures expected, not {np.shape(real)} and {np.shape(fake)}'
    )
  found: dict[str, float] = {}
  for a, b in zip(laplacian_pyramid(real), laplacian_pyramid(fake)):
    rng = np.random.default_rng([seed, a.shape[1]])
    found[f'swd_{a.shape[1]}'] = 1000 * sliced_wasserstein(
      _patches(a, patches, rng), _patches(b, patches, rng), seed=seed
    )
  return {**found, 'swd': float(np.mean(list(found.values())))}


def _patches(level: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
  """[N * count, 7 * 7 * C] normalised patches at random places."""
  n, h, w, c = level.shape
  which = np.repeat(np.arange(n), count)[:, None, None]
  top, left = (rng.integers(0, side - PATCH + 1, n * count)[:, None, None] for side in (h, w))
  step = np.arange(PATCH)
  found = level[which, top + step[None, :, None], left + step[None, None]]
  mean, std = found.mean((0, 1, 2)), found.std((0, 1, 2))
  return ((found - mean) / np.maximum(std, 1e-8)).reshape(n * count, PATCH * PATCH * c)

"""Likeness of pictures: PSNR, structural similarity at one scale and at several, the diversity it measures.

Windows are products with band matrices, one along each side: fast on every platform.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.metrics.kernel import Estimate, of_subsets

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, from fine to coarse
K1, K2 = 0.01, 0.03
PAIRS = 64  # compared at a time


def _window(size: int, width: int, sigma: float) -> np.ndarray:
  """[size - width + 1, size]: rows are a Gaussian at every place where it fits."""
  taps = np.exp(-((np.arange(width) - (width - 1) / 2) ** 2) / (2 * sigma**2))
  out = np.zeros((size - width + 1, size), np.float32)
  for i in range(len(out)):
    out[i, i : i + width] = taps / taps.sum()
  return out


def _parts(x: Any, y: Any, data_range: float, width: int, sigma: float) -> tuple[Any, Any]:
  """([B, C] SSIM, [B, C] its contrast and structure alone) of [B, H, W, C]."""
  rows, columns = (_window(size, width, sigma) for size in x.shape[1:3])
  blur = lambda v: jnp.einsum(
    'ih,jw,bhwc->bijc', rows, columns, v, precision=jax.lax.Precision.HIGHEST
  )
  mx, my = blur(x), blur(y)
  sxx, syy, sxy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
  c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
  structure = (2 * sxy + c2) / (sxx + syy + c2)
  luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1)
  return (luminance * structure).mean((1, 2)), structure.mean((1, 2))


def _halved(x: jax.Array) -> jax.Array:
  """Means of 2x2 pixels, an odd edge repeated."""
  x = jnp.pad(x, [(0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)], mode='edge')
  b, h, w, c = x.shape
  return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def _checked(x: Any, y: Any) -> tuple[jax.Array, jax.Array]:
  x, y = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)
  if x.shape != y.shape or x.ndim != 4:
    raise ValueError(f'two batches of pictures [B, H, W, C] expected, not {x.shape} and {y.shape}')
  return x, y


def psnr(x: Any, y: Any, data_range: float = 2.0) -> jax.Array:
  """Peak signal-to-noise ratio, 10 log10(L^2 / mean (x - y)^2).

  Args:
    x, y: [B, H, W, C].
    data_range: L, as for `ssim`.

  Returns:
    float32 [B] in decibel; at most 100, for pictures that are the same.

  Raises:
    ValueError: for other shapes.
  """
  x, y = _checked(x, y)
  error = jnp.square((x - y) / data_range).mean((1, 2, 3))
  return -10 * jnp.log10(jnp.maximum(error, 1e-10))


def ssim(x: Any, y: Any, data_range: float = 2.0, width: int = 11, sigma: float = 1.5) -> jax.Array:
  """Structural similarity, mean over pixels and channels.

    (2 mx my + c1)(2 sxy + c2) / ((mx^2 + my^2 + c1)(sxx + syy + c2)),  c1 = (0.01 L)^2, c2 = (0.03 L)^2

  of means and covariances under a Gaussian window, where it lies within the picture.

  Args:
    x, y: [B, H, W, C], both sides from `width` on.
    data_range: L, the largest less the smallest value: 2 for pictures in [-1, 1], 255 for bytes.
    width, sigma: of the window, in pixels.

  Returns:
    float32 [B], at most 1, and 1 for equal pictures.

  Raises:
    ValueError: for other shapes, or pictures smaller than the window.

  Source: Wang et al. 2004 (IEEE TIP 13, 600), with its window and constants.
  """
  x, y = _checked(x, y)
  if min(x.shape[1:3]) < width:
    raise ValueError(
      f'a window of {width} pixels on pictures of {x.shape[1:3]}; give a smaller width'
    )
  return _parts(x, y, data_range, width, sigma)[0].mean(1)


@partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _ms_ssim(x: Any, y: Any, data_range: float, scales: int, width: int, sigma: float) -> jax.Array:
  weights = np.asarray(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
  found = jnp.ones((x.shape[0], x.shape[-1]))
  for i, weight in enumerate(weights):
    whole, structure = _parts(x, y, data_range, width, sigma)
    part = whole if i == scales - 1 else structure
    found *= jnp.maximum(part, 0) ** weight
    x, y = _halved(x), _halved(y)
  return found.mean(1)


def ms_ssim(
  x: Any,
  y: Any,
  data_range: float = 2.0,
  scales: int = 0,
  width: int = 11,
  sigma: float = 1.5,
) -> jax.Array:
  """Structural similarity at several scales.

    SSIM(scale S)^w_S prod_{s < S} structure(scale s)^w_s,  each scale half as wide as the one before

  Args:
    x, y: [B, H, W, C].
    data_range: as for `ssim`.
    scales: 1 to 5; 0 = as many as the window fits on, 5 from 161 pixels on. The weights of fewer are
      scaled to the sum 1, and such numbers compare with each other only.
    width, sigma: as for `ssim`.

  Returns:
    float32 [B] in [0, 1]; a negative structure counts as 0.

  Raises:
    ValueError: for other shapes, or pictures that have fewer scales.

  Source: Wang, Simoncelli, Bovik 2003 (Asilomar), with its weights.
  """
  x, y = _checked(x, y)
  side, most = min(x.shape[1:3]), 0
  while most < len(WEIGHTS) and side >= width:
    side, most = -(-side // 2), most + 1
  if not most or not 0 <= scales <= most:
    raise ValueError(
      f'{scales or 1} scales of a window of {width} pixels on pictures of {x.shape[1:3]}, which have '
      f'{most}'
    )
  return _ms_ssim(x, y, data_range, scales or most, width, sigma)


def ms_ssim_diversity(
  images: Any, labels: Any = None, pairs: int = 1000, seed: int = 0, **settings: Any
) -> Estimate:
  """Mean MS-SSIM of random pairs of samples: 1 = all the same, lower is more diverse.

  Compare with that of real pictures: samples above it have less variety than the data.

  Args:
    images: [N, H, W, C] in [-1, 1], N > 1.
    labels: integers [N]: pairs are of one class, as in the paper; None = any two.
    pairs: how many.
    seed: of the drawing.
    settings: of `ms_ssim`.

  Returns:
    Mean and deviation over pairs.

  Raises:
    ValueError: as `ms_ssim`, or no class with two pictures.

  Source: Odena, Olah, Shlens 2017 (AC-GAN), arXiv 1610.09585.
  """
  images, rng = np.asarray(images), np.random.default_rng(seed)
  labels = np.zeros(len(images), int) if labels is None else np.asarray(labels)
  if labels.shape != images.shape[:1] or pairs < 1:
    raise ValueError(f'{len(images)} pictures, {len(labels)} labels, {pairs} pairs')
  members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
  members = [m for m in members if len(m) > 1]
  if not members:
    raise ValueError('no two pictures of a class; expected a pair at least')
  of_class = rng.integers(0, len(members), pairs)
  one, two = np.transpose([rng.choice(members[c], 2, replace=False) for c in of_class])
  found = []
  for start in range(0, pairs, PAIRS):
    some = slice(start, start + PAIRS)
    found.append(ms_ssim(images[one[some]], images[two[some]], **settings))
  return of_subsets(np.concatenate(found))

"""Perceptual path length: how much a picture changes for a small step of its latent."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgan.metrics.kernel import Estimate, of_subsets

NEAR = 1e-7  # directions nearer than this are one


def _unit(v: np.ndarray) -> np.ndarray:
  return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), NEAR)


def interpolate(a: Any, b: Any, t: Any, mode: str = 'lerp') -> np.ndarray:
  """A point on the way between latents, float64.

    lerp: a + (b - a) t;  slerp: (sin((1 - t) w) a + sin(t w) b) / sin w,  w the angle between a and b

  Args:
    a, b: [N, D].
    t: a number or [N, 1], in [0, 1].
    mode: 'lerp', 'slerp', or 'slerp_unit', whose result is scaled to length 1.

  Raises:
    ValueError: for other shapes, or another mode.

  Source: Shoemake 1985; where a and b are parallel, or one is 0, slerp is lerp.
  """
  a, b, t = (np.asarray(v, np.float64) for v in (a, b, t))
  if a.shape != b.shape or a.ndim != 2 or mode not in ('lerp', 'slerp', 'slerp_unit'):
    raise ValueError(
      f"latents [N, D] of one shape and mode 'lerp', 'slerp' or 'slerp_unit' expected, not {a.shape}, "
      f'{b.shape} and {mode!r}'
    )
  straight = a + (b - a) * t
  if mode == 'lerp':
    return straight
  cosine = (_unit(a) * _unit(b)).sum(-1, keepdims=True)
  lengths = np.minimum(*(np.linalg.norm(_unit(v), axis=-1, keepdims=True) for v in (a, b)))
  parallel = (np.abs(cosine) > 1 - NEAR) | (lengths < NEAR)
  angle = np.arccos(np.where(parallel, 0, cosine))
  round_ = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
  out = np.where(parallel, straight, round_)
  return _unit(out) if mode == 'slerp_unit' else out


def perceptual_path_length(
  sample: Callable[[np.ndarray], Any],
  distance: Callable[[Any, Any], Any],
  start: Any,
  end: Any,
  *,
  t: Any = 0.0,
  epsilon: float = 1e-4,
  mode: str = 'lerp',
  discard: tuple[float, float] = (1.0, 99.0),
  batch_size: int = 64,
) -> Estimate:
  """Mean perceptual distance of pictures a step of epsilon apart, over its square.

    PPL = mean_i  distance(G(path_i(t)), G(path_i(t + epsilon))) / epsilon^2

  Lower is smoother. The distance must be quadratic for small changes, as LPIPS is.

  Args:
    sample: latents float32 [B, D] -> pictures [B, ...]. Labels, if any, are the caller's to fix.
    distance: (pictures, pictures) -> [B].
    start, end: latents [N, D], the ends of the paths.
    t: where on the path, a number or [N, 1]: 0 = its start ('end' paths), uniform in [0, 1] for 'full'
      ones.
    epsilon: of the step.
    mode: of `interpolate`: slerp in Z, lerp in W.
    discard: percentiles outside which distances are left out.
    batch_size: latents at a time; the last batch is filled up, so that one shape is compiled.

  Returns:
    Mean and deviation over the paths that are kept.

  Raises:
    ValueError: for other shapes, or an epsilon that is not above 0.

  Source: Karras et al. 2019 (StyleGAN), arXiv 1812.04948, section 4.1.
  """
  if epsilon <= 0 or batch_size < 1 or not 0 <= discard[0] < discard[1] <= 100:
    raise ValueError(
      f'epsilon={epsilon}, batch_size={batch_size}, discard={discard}; expected more than 0, and '
      'percentiles in order'
    )
  t = np.asarray(t, np.float64)
  ends = [interpolate(start, end, at, mode).astype(np.float32) for at in (t, t + epsilon)]
  found = []
  for at in range(0, len(ends[0]), batch_size):
    some = [z[at : at + batch_size] for z in ends]
    n = len(some[0])
    one, two = (sample(np.concatenate([z, np.repeat(z[-1:], batch_size - n, 0)])) for z in some)
    found.append(np.asarray(distance(one, two), np.float64)[:n] / epsilon**2)
  distances = np.concatenate(found)
  low = np.percentile(distances, discard[0], method='lower')
  high = np.percentile(distances, discard[1], method='higher')
  return of_subsets(distances[(low <= distances) & (distances <= high)])

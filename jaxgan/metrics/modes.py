"""How many modes of a distribution the samples cover, how evenly, and how far they are from it (W1).

The conventions are those of the mode-collapse literature: Metz et al. 2016 (unrolled GAN, arXiv 1611.02163),
Srivastava et al. 2017 (VEEGAN, arXiv 1705.07761), Lin et al. 2017 (PacGAN, arXiv 1712.04086).
"""

import math
from typing import Any

import numpy as np


def kl(p: Any, q: Any) -> float:
  """KL(p || q) = sum_k p_k log(p_k / q_k) of two histograms, in nats; 0 log 0 = 0.

  Args:
    p: [K], counts or shares of the samples.
    q: [K], counts or shares of the data; infinite where q_k = 0 < p_k.

  Raises:
    ValueError: other shapes, a number below 0, or nothing in one of them.
  """
  p, q = np.asarray(p, float), np.asarray(q, float)
  if p.shape != q.shape or p.ndim != 1 or min(p.min(), q.min()) < 0 or not p.sum() or not q.sum():
    raise ValueError(f'expected two histograms of one length, not {p.shape} and {q.shape}')
  p, q = p / p.sum(), q / q.sum()
  with np.errstate(divide='ignore'):
    return float(np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0])))


def of_points(points: Any, means: Any, std: float, within: float = 3.0) -> dict[str, float]:
  """Modes of a mixture of K equal Gaussians that points cover.

    j(x) = argmin_k |x - m_k|,  x is of high quality if |x - m_j(x)| < within * std

  Args:
    points: [N, D]; those that are not finite belong to no mode.
    means: [K, D].
    std: of each Gaussian along each axis.
    within: how many of them count as being at the mode.

  Returns:
    'modes': modes with at least one high-quality point; 'high_quality': their share of all points, in
    [0, 1]; 'mode_kl': KL(histogram of j || uniform) in nats over all points (PacGAN's reverse KL),
    log K where none is finite.

  Raises:
    ValueError: for other shapes, or std <= 0.
  """
  points, means = np.asarray(points, float), np.asarray(means, float)
  if points.ndim != 2 or means.ndim != 2 or points.shape[1] != means.shape[1] or not len(points):
    raise ValueError(
      f'points [N, D] and means [K, D] expected, not {points.shape} and {means.shape}'
    )
  if std <= 0:
    raise ValueError(f'std={std}; expected more than 0')
  finite = points[np.isfinite(points).all(1)]
  distances = np.linalg.norm(finite[:, None] - means, axis=-1)
  nearest = distances.argmin(1)
  good = distances.min(1, initial=np.inf) < within * std
  count = lambda which: np.bincount(which, minlength=len(means))
  return {
    'modes': float(np.count_nonzero(count(nearest[good]))),
    'high_quality': float(good.sum() / len(points)),
    'mode_kl': kl(count(nearest), np.ones(len(means))) if len(finite) else math.log(len(means)),
  }


def of_classes(classes: Any, num_modes: int, reference: Any = None) -> dict[str, float]:
  """Modes that classified samples cover: a mode counts if one sample or more is of its class.

  Args:
    classes: integers [N], 0 to num_modes - 1.
    num_modes: K.
    reference: shares [K] of the data; None = uniform.

  Returns:
    'modes': the number of classes that occur; 'mode_kl': KL(p_samples || p_data) in nats.

  Raises:
    ValueError: no samples, or a class out of range.
  """
  classes = np.asarray(classes)
  if classes.ndim != 1 or not len(classes) or classes.min() < 0 or classes.max() >= num_modes:
    raise ValueError(f'classes [N] from 0 to {num_modes - 1} expected, not {classes.shape}')
  found = np.bincount(classes, minlength=num_modes)
  reference = np.ones(num_modes) if reference is None else reference
  return {'modes': float(np.count_nonzero(found)), 'mode_kl': kl(found, reference)}


def wasserstein_1d(x: Any, y: Any) -> float:
  """Exact W1 = int |F(t) - G(t)| dt of two samples of the line.

  Args:
    x, y: [N], [M].

  Raises:
    ValueError: for other shapes, or no sample.
  """
  x, y = np.asarray(x, float), np.asarray(y, float)
  if x.ndim != 1 or y.ndim != 1 or not len(x) or not len(y):
    raise ValueError(f'two samples [N] and [M] expected, not {x.shape} and {y.shape}')
  steps = np.sort(np.concatenate([x, y]))
  below = lambda a: np.searchsorted(np.sort(a), steps[:-1], 'right') / len(a)
  return float(np.sum(np.abs(below(x) - below(y)) * np.diff(steps)))


def wasserstein(x: Any, y: Any) -> float:
  """Exact W1 = min over matchings pi of mean_i |x_i - y_pi(i)| of two samples of equal size.

  Args:
    x, y: [N, D]; time grows as N^3, a second at a few thousand.

  Raises:
    ValueError: for other shapes, or numbers that are not finite.
  """
  from scipy.optimize import linear_sum_assignment

  x, y = np.asarray(x, float), np.asarray(y, float)
  if x.shape != y.shape or x.ndim != 2 or not len(x):
    raise ValueError(f'two samples [N, D] of one size expected, not {x.shape} and {y.shape}')
  if not (np.isfinite(x).all() and np.isfinite(y).all()):
    raise ValueError('W1 of numbers that are not finite')
  costs = np.linalg.norm(x[:, None] - y, axis=-1)
  return float(costs[linear_sum_assignment(costs)].mean())


def wasserstein_mixtures(a: Any, b: Any, points: int = 200_001) -> float:
  """W1 = int |F_a(t) - F_b(t)| dt of two mixtures of Gaussians on the line, by the trapezoid rule.

  Closed forms for comparison: a mixture and its shift by d have W1 = |d| in any dimension, and
  N(m, s^2) and N(m, r^2) have |s - r| sqrt(2 / pi).

  Args:
    a, b: (weights, means, stds), each [K]; weights are scaled to the sum 1.
    points: of the rule, over 10 standard deviations past the outermost means; its error falls with
      their square.

  Raises:
    ValueError: lengths that differ, a weight below 0, or a deviation that is not above 0.
  """
  from scipy.special import ndtr

  parts = [tuple(np.atleast_1d(np.asarray(v, float)) for v in mixture) for mixture in (a, b)]
  for weights, means, stds in parts:
    if not weights.shape == means.shape == stds.shape or weights.min() < 0 or stds.min() <= 0:
      raise ValueError('weights >= 0, means and stds > 0 of one length expected')
  low = min((means - 10 * stds).min() for _, means, stds in parts)
  high = max((means + 10 * stds).max() for _, means, stds in parts)
  t = np.linspace(low, high, points)
  cdf = lambda w, m, s: sum(wk * ndtr((t - mk) / sk) for wk, mk, sk in zip(w / w.sum(), m, s))
  return float(np.trapezoid(np.abs(cdf(*parts[0]) - cdf(*parts[1])), t))

"""Frechet distance of two sets of features, seen as Gaussians; with float64 on the host throughout.

A covariance of 2,048 features has eigenvalues from 1e-8 to 10: their square roots need more digits than an
accelerator has. Products are taken once a feature set, roots once a comparison; both are seconds.
"""

from typing import Any, NamedTuple

import numpy as np

BLOCK = 1024  # rows that are float64 at a time


class Moments(NamedTuple):
  """What a Frechet distance keeps of a set of features.

  Attributes:
    mean: float64 [D].
    cov: float64 [D, D], unbiased (divided by N - 1).
    size: N.
  """

  mean: np.ndarray
  cov: np.ndarray
  size: int


class Extrapolation(NamedTuple):
  """A Frechet distance at infinitely many samples.

  Attributes:
    value: the intercept of the line through the distances over 1 / N.
    standard_error: of the intercept, from the residuals about the line.
    slope: of the line; its bias at N samples is slope / N.
    counts, distances: the points of the line.
  """

  value: float
  standard_error: float
  slope: float
  counts: np.ndarray
  distances: np.ndarray


def _features(features: Any) -> np.ndarray:
  features = np.asarray(features)
  if features.ndim != 2 or len(features) < 2 or not features.shape[1]:
    raise ValueError(f'features [N, D] with N > 1 expected, not {features.shape}')
  return features


def moments(features: Any) -> Moments:
  """Mean and covariance of features.

    mean = 1/N sum_i x_i,  cov = 1/(N-1) sum_i (x_i - mean)(x_i - mean)^T

  Args:
    features: [N, D], N > 1, any real dtype; no float64 copy of the whole is made.

  Raises:
    ValueError: for another shape, or numbers that are not finite.
  """
  from scipy.linalg.blas import dsyrk

  features = _features(features)
  n, d = features.shape
  mean = features.mean(0, dtype=np.float64)
  if not np.isfinite(mean).all():
    raise ValueError('features that are not finite have no covariance')
  upper = np.zeros((d, d), order='F')
  for start in range(0, n, BLOCK):
    centred = features[start : start + BLOCK] - mean
    upper = dsyrk(1.0, centred.T, 1.0, upper, overwrite_c=1)  # half the work of a full product
  upper /= n - 1
  upper += np.triu(upper, 1).T
  return Moments(mean, upper, n)


def _root(cov: np.ndarray) -> np.ndarray:
  """A matrix R [rank, D] with R^T R = cov, whatever the rank of the covariance."""
  from scipy.linalg import LinAlgError, cholesky
  from scipy.linalg.lapack import dpstrf

  try:
    return cholesky(cov)  # a tenth of the time, where the covariance has full rank
  except LinAlgError:
    pass  # and forget the copy that it has taken
  upper, pivots, rank, _ = dpstrf(cov, tol=np.finfo(np.float64).eps * np.diag(cov).max())
  left = np.diag(cov)[pivots[rank:] - 1] - np.square(upper[:rank, rank:]).sum(0)
  if left.min(initial=0) < -1e-3 * np.diag(cov).max():
    raise ValueError('a covariance that is not positive semidefinite')
  for column in range(rank):  # below the diagonal is what it did not use
    upper[column + 1 :, column] = 0
  return upper[:rank, np.argsort(pivots)]


def _trace_of_root(root: np.ndarray, cov: np.ndarray) -> float:
  """tr (A B)^(1/2) for A = R^T R and B = cov: that of R B R^T, which is symmetric."""
  from scipy.linalg import eigvalsh

  product = np.empty((len(root), len(root)), order='F')
  for start in range(0, len(root), BLOCK // 8):
    rows = slice(start, start + BLOCK // 8)
    product[:, rows] = root @ (cov @ root[rows].T)
  values = eigvalsh(product, overwrite_a=True)
  if values.min(initial=0) < -1e-3 * values.max(initial=0):
    raise ValueError('a covariance that is not positive semidefinite')
  return float(np.sqrt(np.maximum(values, 0)).sum())


def _checked(mean: Any, cov: Any) -> tuple[np.ndarray, np.ndarray]:
  mean, cov = np.asarray(mean, np.float64), np.asarray(cov, np.float64)
  if mean.ndim != 1 or cov.shape != (*mean.shape, *mean.shape):
    raise ValueError(f'mean [D] and cov [D, D] expected, not {mean.shape} and {cov.shape}')
  if not (np.isfinite(mean).all() and np.isfinite(cov).all()):
    raise ValueError('a Frechet distance of moments that are not finite')
  if np.diag(cov).min(initial=0) < -1e-6 * np.diag(cov).max(initial=0):
    raise ValueError(f'a covariance with a variance of {np.diag(cov).min():.3g}')
  unlike = np.abs(cov - cov.T).max(initial=0)
  if unlike > 1e-4 * np.abs(cov).max(initial=0):
    raise ValueError(f'a covariance that is not symmetric: entries differ by {unlike:.3g}')
  return mean, cov


def frechet_distance(mean1: Any, cov1: Any, mean2: Any, cov2: Any) -> float:
  """Squared Frechet (2-Wasserstein) distance of two Gaussians.

    d = |mean1 - mean2|^2 + tr(cov1 + cov2 - 2 (cov1 cov2)^(1/2))

  On the 2,048 features of the FID Inception this is the FID (Heusel et al. 2017, arXiv 1706.08500); on
  others it is not, and numbers of different extractors do not compare. The root is taken of a symmetric
  product, R cov2 R^T with R^T R = cov1, so that no epsilon is added and nothing imaginary is dropped;
  covariances of deficient rank are fine.

  Args:
    mean1, mean2: [D].
    cov1, cov2: [D, D], symmetric, positive semidefinite; see `moments`.

  Returns:
    d >= 0 but for rounding, in squared units of the features.

  Raises:
    ValueError: for other shapes, numbers that are not finite, or a covariance that is not symmetric or not
      positive semidefinite.
  """
  mean1, cov1 = _checked(mean1, cov1)
  mean2, cov2 = _checked(mean2, cov2)
  if mean1.shape != mean2.shape:
    raise ValueError(f'{len(mean1)} features on one side and {len(mean2)} on the other')
  difference = mean1 - mean2
  traces = np.trace(cov1) + np.trace(cov2) - 2 * _trace_of_root(_root(cov1), cov2)
  return float(difference @ difference + traces)


def frechet_of_features(x: Any, y: Any) -> float:
  """`frechet_distance` of the moments of two sets, quickly where both have fewer rows than features.

    tr (A^T A B^T B)^(1/2) = sum of the singular values of A B^T,  A^T A = cov1, B^T B = cov2

  Args:
    x, y: features [N, D], [M, D], N, M > 1. With N, M < D nothing of size D x D is made.

  Raises:
    ValueError: as `moments` and `frechet_distance`.
  """
  from scipy.linalg import svdvals

  x, y = _features(x), _features(y)
  if max(len(x), len(y)) >= x.shape[1] or x.shape[1] != y.shape[1]:
    return frechet_distance(*moments(x)[:2], *moments(y)[:2])
  means = [v.mean(0, dtype=np.float64) for v in (x, y)]
  if not all(np.isfinite(mean).all() for mean in means):
    raise ValueError('features that are not finite have no covariance')
  a, b = ((v - mean) / np.sqrt(len(v) - 1) for v, mean in zip((x, y), means))
  difference = means[0] - means[1]
  traces = np.vdot(a, a) + np.vdot(b, b) - 2 * svdvals(a @ b.T).sum()
  return float(difference @ difference + traces)


def frechet_infinity(
  features: Any, mean: Any, cov: Any, points: int = 15, smallest: int = 0, seed: int = 0
) -> Extrapolation:
  """The Frechet distance that infinitely many samples would have, by extrapolation.

    E[d_N] = d_inf + slope / N + O(1 / N^2)

  d_N is always above d_inf, by an amount that depends on the generator, so that even at the same N two
  generators do not compare fairly. The line is fitted to distances of random subsets of the samples.

  Args:
    features: [N, D] of the samples.
    mean, cov: of the reference, [D] and [D, D].
    points: how many sizes of subsets, evenly spaced from `smallest` to N.
    smallest: 0 = a tenth of the samples. The paper has 5,000 of 50,000.
    seed: of the subsets.

  Raises:
    ValueError: for other shapes, fewer than 3 points, or sizes that do not fit.

  Source: Chong, Forsyth 2020, arXiv 1911.07023. Their latents come from a Sobol sequence, which is the
  caller's choice here.
  """
  features, (mean, cov) = _features(features), _checked(mean, cov)
  smallest = smallest or max(2, len(features) // 10)
  if features.shape[1] != len(mean) or points < 3 or not 2 <= smallest < len(features):
    raise ValueError(
      f'features {features.shape} against {len(mean)}, {points} points from {smallest} samples; '
      'expected as many features, 3 points at least and a smallest size below the number of samples'
    )
  counts = np.unique(np.linspace(smallest, len(features), points).astype(int))
  if len(counts) < 3:
    raise ValueError(f'{len(features)} samples make subsets of {len(counts)} sizes; 3 make a line')
  root, rng = _root(cov), np.random.default_rng(seed)
  distances = []
  for count in counts:
    part = moments(features[rng.permutation(len(features))[:count]])
    difference = part.mean - mean
    traces = np.trace(cov) + np.trace(part.cov) - 2 * _trace_of_root(root, part.cov)
    distances.append(difference @ difference + traces)
  line = np.stack([np.ones(len(counts)), 1 / counts], 1)
  fit, _, _, _ = np.linalg.lstsq(line, np.asarray(distances), rcond=None)
  residuals = distances - line @ fit
  variance = residuals @ residuals / (len(counts) - 2) * np.linalg.inv(line.T @ line)[0, 0]
  return Extrapolation(
    float(fit[0]), float(np.sqrt(variance)), float(fit[1]), counts, np.asarray(distances)
  )


def intra_class_frechet(
  real: Any, real_labels: Any, fake: Any, fake_labels: Any
) -> tuple[float, dict[int, float]]:
  """Mean over classes of the Frechet distance within each: it sees a class that lost its variety.

  Args:
    real, fake: features [N, D], [M, D].
    real_labels, fake_labels: integers [N], [M]; both sides have the same classes, two pictures of each at
      least.

  Returns:
    (mean, class -> distance). Covariances of few pictures have a large bias: compare at equal counts.

  Raises:
    ValueError: for other shapes, or a class that one side has not twice.

  Source: Miyato, Koyama 2018 (projection discriminator), arXiv 1802.05637.
  """
  real, fake = _features(real), _features(fake)
  real_labels, fake_labels = np.asarray(real_labels), np.asarray(fake_labels)
  if real_labels.shape != real.shape[:1] or fake_labels.shape != fake.shape[:1]:
    raise ValueError('one label a picture expected')
  found: dict[int, float] = {}
  for label in np.union1d(real_labels, fake_labels):
    parts = real[real_labels == label], fake[fake_labels == label]
    if min(map(len, parts)) < 2:
      raise ValueError(
        f'class {label} has {len(parts[0])} real and {len(parts[1])} generated pictures; 2 needed'
      )
    found[int(label)] = frechet_of_features(*parts)
  return float(np.mean(list(found.values()))), found

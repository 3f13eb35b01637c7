"""Kernel distance: squared maximum mean discrepancy of features, without bias at any number of samples."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.metrics.neighbours import balanced

CPU_BLOCK, BLOCK = 128, 1024  # rows of either set whose kernels are held


class Estimate(NamedTuple):
  """A score and how sure it is.

  Attributes:
    mean: of the estimates over subsets.
    std: their standard deviation (divided by their number), as torch-fidelity and the papers give it.
    standard_error: of the mean, std' / sqrt(subsets) with the unbiased std'. Of disjoint subsets it is
      that of a new set of samples; of subsets drawn anew each time only that of the drawing.
  """

  mean: float
  std: float
  standard_error: float


def of_subsets(estimates: Any) -> Estimate:
  """The Estimate of numbers [S]; the standard error of one number is nan."""
  estimates = np.asarray(estimates, np.float64)
  deviation = estimates.std(ddof=1) if len(estimates) > 1 else np.nan
  return Estimate(
    float(estimates.mean()), float(estimates.std()), float(deviation / np.sqrt(len(estimates)))
  )


@partial(jax.jit, static_argnames=('kernel', 'degree'))
def _part(
  x: Any, y: Any, s: Any, t: Any, same: Any, scale: Any, coef0: Any, kernel: str, degree: int
) -> jax.Array:
  """sum_ij s_i k(x_i, y_j) t_j for every row of s [S, n] and t [S, m], without i = j of the same rows.

  Products are float32, all else is float64.
  """
  products = jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST).astype(jnp.float64)
  if kernel == 'polynomial':
    k = (products * scale + coef0) ** degree
  else:
    squares = [jnp.sum(v.astype(jnp.float64) ** 2, 1) for v in (x, y)]
    k = jnp.exp(-scale * jnp.maximum(squares[0][:, None] + squares[1] - 2 * products, 0))
  i, j = jnp.indices(k.shape, sparse=True)
  k = jnp.where(same & (i == j), 0, k)
  return jnp.sum(jnp.matmul(s, k, precision=jax.lax.Precision.HIGHEST) * t, 1)


def _blocks(x: np.ndarray, s: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Rows of x and columns of s in blocks of one size, the last filled up with what counts nothing."""
  size = balanced(len(x), CPU_BLOCK if jax.default_backend() == 'cpu' else BLOCK)
  for start in range(0, len(x), size):
    rows, columns = x[start : start + size], s[:, start : start + size]
    short = size - len(rows)
    yield (
      np.pad(rows, ((0, short), (0, 0))),
      np.pad(columns, ((0, 0), (0, short))).astype(np.float64),
    )


def _sums(x: np.ndarray, y: np.ndarray, s: np.ndarray, t: np.ndarray, **kernel: Any) -> np.ndarray:
  """`_part` of the whole, a pair of blocks at a time.

  Of a set with itself (the same rows, marked alike) every pair of two counts once each way and none is of one.
  """
  found, itself = [], x is y and s is t
  for i, (a, w) in enumerate(_blocks(x, s)):
    for j, (b, v) in enumerate(_blocks(y, t)):
      if not itself or j >= i:  # each is waited for, since it holds its blocks
        part = np.asarray(_part(a, b, w, v, itself and i == j, **kernel))
        found.append((1 + (itself and j > i)) * part)
  return np.sum(found, 0)


def _mmd(x: np.ndarray, y: np.ndarray, s: np.ndarray, t: np.ndarray, **kernel: Any) -> np.ndarray:
  """Unbiased MMD^2 [S] of the rows that s [S, N] and t [S, M] mark with 1, as many in each row of one."""

  def within(v: np.ndarray, w: np.ndarray) -> np.ndarray:
    n = w.sum(1)
    return _sums(v, v, w, w, **kernel) / (n * (n - 1))

  between = _sums(x, y, s, t, **kernel) / (s.sum(1) * t.sum(1))
  return within(x, s) + within(y, t) - 2 * between


def kernel_distance(
  x: Any,
  y: Any,
  kernel: str = 'polynomial',
  *,
  degree: int = 3,
  gamma: float | None = None,
  coef0: float = 1.0,
  sigma: float = 10.0,
  subsets: int | None = 100,
  subset_size: int | None = 1000,
  seed: int = 2020,
) -> Estimate:
  """KID: the unbiased squared maximum mean discrepancy under a kernel, averaged over subsets.

    d = 1/(n(n-1)) sum_{i != j} [k(x_i, x_j) + k(y_i, y_j)] - 2/n^2 sum_{i, j} k(x_i, y_j)
    polynomial: k(x, y) = (gamma x.y + coef0)^degree;  rbf: k(x, y) = exp(-|x - y|^2 / (2 sigma^2))

  It may be below 0 where the sets are alike: that is what unbiased means. On features that are not
  normalised, such as those of a classifier of the data, the cubes of a few large ones rule it and it is
  mostly noise below about a thousand samples (153 +- 230 at 256 of pixel faces).

  Args:
    x, y: features [N, D], [M, D]; torch-fidelity's order is (generated, real), and the subsets are
      drawn in it.
    kernel: 'polynomial' or 'rbf'.
    degree, gamma, coef0: of the polynomial kernel; gamma None = 1 / D.
    sigma: of the rbf kernel, in the unit of the features.
    subsets: how many, each drawn anew; None = as many disjoint ones as there are, which is what an
      honest standard error needs (TF-GAN's way).
    subset_size: n, at most N and M; None = one estimate, of both sets whole.
    seed: of the drawing; NumPy's RandomState, whose 2020 gives torch-fidelity's subsets.

  Raises:
    ValueError: for other shapes, an unknown kernel, a number out of range, or features that are not finite.

  Source: Binkowski et al. 2018, arXiv 1801.01401; Gretton et al. 2012.
  """
  x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
  if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not x.shape[1]:
    raise ValueError(f'features [N, D] and [M, D] expected, not {x.shape} and {y.shape}')
  if not all(np.isfinite([v.min(initial=0), v.max(initial=0)]).all() for v in (x, y)):
    raise ValueError('features that are not finite have no kernel distance')
  if kernel not in ('polynomial', 'rbf'):
    raise ValueError(f"kernel={kernel!r}; expected 'polynomial' or 'rbf'")
  least = min(len(x), len(y))
  if least < 2 or (subset_size is not None and not 2 <= subset_size <= least):
    raise ValueError(f'subset_size={subset_size}; expected 2 to {least}, the smaller set')
  if (subsets is not None and subsets < 1) or degree < 1 or degree != int(degree) or not sigma > 0:
    raise ValueError(
      f'subsets={subsets}, degree={degree}, sigma={sigma}; expected more than 0, and a whole degree'
    )
  if kernel == 'rbf':
    centre = y.mean(0)  # distances stay, and their squares lose fewer digits
    x, y, scale = x - centre, y - centre, 1 / (2 * sigma**2)
  else:
    scale = 1 / x.shape[1] if gamma is None else gamma
  options: dict[str, Any] = {'scale': scale, 'coef0': coef0, 'kernel': kernel, 'degree': degree}
  pairs = _subsets(np.random.RandomState(seed), len(x), len(y), subsets, subset_size)
  with jax.enable_x64(True):
    if len(x) * len(y) > sum(len(i) * len(j) for i, j in pairs):
      ones = lambda rows: np.ones((1, len(rows)))
      return of_subsets([_mmd(x[i], y[j], ones(i), ones(j), **options)[0] for i, j in pairs])
    marks = np.zeros((len(pairs), len(x)), bool), np.zeros((len(pairs), len(y)), bool)
    for row, pair in enumerate(pairs):  # every kernel once, however many subsets it is in
      for mark, rows in zip(marks, pair):
        mark[row, rows] = 1
    return of_subsets(_mmd(x, y, *marks, **options))


def _subsets(
  rng: np.random.RandomState, n: int, m: int, subsets: int | None, size: int | None
) -> list[tuple[np.ndarray, np.ndarray]]:
  """Pairs of rows of the two sets."""
  if size is None:
    return [(np.arange(n), np.arange(m))]
  if subsets is None:
    one, two = rng.permutation(n), rng.permutation(m)
    starts = range(0, min(n, m) - size + 1, size)
    return [(one[s : s + size], two[s : s + size]) for s in starts]
  draw: Callable[[int], np.ndarray] = lambda among: rng.choice(among, size, replace=False)
  return [(draw(n), draw(m)) for _ in range(subsets)]

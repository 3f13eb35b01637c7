"""Inception Score: how sure a classifier is of every sample, and how many classes they make together."""

from typing import Any

import numpy as np

from jaxgan.metrics.kernel import Estimate, of_subsets


def inception_score(
  logits: Any, splits: int = 10, shuffle: bool = True, seed: int = 2020
) -> Estimate:
  """The Inception Score, in float64.

    IS = exp( mean_i KL(p(y | x_i) || mean_j p(y | x_j)) ),  1 to the number of classes

  Higher is better. It never looks at real pictures: memorised or few samples a class are not seen. Only
  on the FID Inception's logits without bias is it the number of the papers.

  Args:
    logits: [N, K].
    splits: parts whose scores are averaged; the paper has 10 parts of 5,000. More parts, lower scores.
    shuffle: the samples before they are split; without it, those ordered by class score too low.
    seed: of the shuffle; NumPy's RandomState, whose 2020 gives torch-fidelity's parts.

  Returns:
    Mean and deviation over the parts.

  Raises:
    ValueError: for another shape, more parts than samples, or logits that are not finite.

  Source: Salimans et al. 2016, arXiv 1606.03498; Barratt, Sharma 2018, arXiv 1801.01973.
  """
  from scipy.special import log_softmax

  logits = np.asarray(logits)
  if logits.ndim != 2 or not 1 <= splits <= len(logits):
    raise ValueError(
      f'logits [N, K] with N >= splits >= 1 expected, not {logits.shape}, splits={splits}'
    )
  if not np.isfinite(logits).all():
    raise ValueError('logits that are not finite have no Inception Score')
  n, scores = len(logits), []
  order = np.random.RandomState(seed).permutation(n) if shuffle else np.arange(n)
  for i in range(splits):
    part = logits[order[i * n // splits : (i + 1) * n // splits]]
    log_p = log_softmax(part.astype(np.float64), axis=1)
    p = np.exp(log_p)
    with np.errstate(divide='ignore', invalid='ignore'):
      terms = np.where(p > 0, p * (log_p - np.log(p.mean(0))), 0)
    scores.append(np.exp(terms.sum(1).mean()))
  return of_subsets(scores)

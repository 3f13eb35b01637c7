"""Has a generator learnt its training set by heart? A test by nearest neighbours."""

from typing import Any

import numpy as np

from jaxgan.metrics.neighbours import nearest

COPIED = 1 / 3  # of the distance to the second neighbour


def memorisation(train: Any, held_out: Any, fake: Any, block: int = 1024) -> dict[str, float]:
  """Are samples nearer to the training pictures than unseen real pictures are?

    d(x) = min_t |x - t| over the training set;  U = #{(y, v): d(y) > d(v)} + #ties / 2
    c_t  = (U - M V / 2) / sigma(U), a standard normal where samples are as far away as unseen pictures

  for M samples y and V unseen pictures v. Far below 0 (-3 and less) samples are copies; far above 0 they
  are off the data.

  Args:
    train: features [N, D] of what was trained on, N > 1.
    held_out: [V, D] of real pictures that were not.
    fake: [M, D] of samples.
    block: rows handled at a time; memory is block x N.

  Returns:
    'c_t'; 'nearer': the share of pairs whose sample is the nearer, 0.5 for an honest generator, 1 for
    copies; 'copied': the share of samples within a third of the way to their second-nearest training
    picture; 'copied_held_out': that of unseen pictures, for comparison (a data set has twins itself).

  Raises:
    ValueError: if the feature sizes differ, or a set is too small.

  Source: Meehan, Chaudhuri, Dasgupta 2020, arXiv 2004.05675 (c_t, here over the whole space instead of
  cells of it); Yoon et al. 2023 (ICML workshop, "Diffusion probabilistic models generalize when they
  fail to memorize") for the third.
  """
  from scipy.stats import rankdata

  if min(len(train), len(held_out) + 1, len(fake) + 1) < 2:
    raise ValueError(
      f'{len(train)} training, {len(held_out)} unseen, {len(fake)} generated; 2, 1 and 1 needed'
    )
  unseen, made = (np.asarray(nearest(x, train, 2, block)[0], np.float64) for x in (held_out, fake))
  m, v = len(made), len(unseen)
  ranks = rankdata(np.concatenate([made[:, 0], unseen[:, 0]]))
  u = ranks[:m].sum() - m * (m + 1) / 2
  _, ties = np.unique(ranks, return_counts=True)
  n = m + v
  variance = m * v / 12 * (n + 1 - (ties**3 - ties).sum() / (n * (n - 1)))
  copied = lambda pair: float(np.mean(pair[:, 0] <= COPIED * pair[:, 1]))
  return {
    'c_t': float((u - m * v / 2) / np.sqrt(variance)) if variance > 0 else 0.0,
    'nearer': float(1 - u / (m * v)),
    'copied': copied(made),
    'copied_held_out': copied(unseen),
  }

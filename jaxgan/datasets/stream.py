"""Batches of sets that do not fit in memory, read by grain's threads in the sampler's order."""

from collections.abc import Iterator, Sequence

import numpy as np

from jaxgan.datasets.dataset import DataError, Dataset
from jaxgan.datasets.order import Sampler

PIECE = 32  # examples per read: enough for the reader's speed, few enough to share the work
READERS = 16  # threads that decode pictures at the same time


def require_grain() -> None:
  """Raises DataError with the line to install grain when it is missing."""
  try:
    import grain  # noqa: F401
  except ImportError:
    raise DataError(
      "in_memory=False needs grain: pip install 'jaxgan[grain]' (or set in_memory=True)"
    ) from None


def batches(
  dataset: Dataset, sampler: Sampler, start: int, prefetch: int
) -> Iterator[dict[str, np.ndarray]]:
  """The same batches in the same order as from memory, each picture read when it is needed.

  Args:
    dataset: `fetch` is called with a piece of a batch at a time, from several threads.
    sampler: which examples a step has.
    start: the first step.
    prefetch: how many batches are read ahead.

  Raises:
    DataError: when grain is missing.
  """
  require_grain()
  import grain

  share = sampler.batch_size // sampler.hosts
  piece = next(n for n in range(min(PIECE, share), 0, -1) if share % n == 0)
  pieces = share // piece

  def read(position: int) -> dict[str, np.ndarray]:
    step, place = divmod(int(position), pieces)
    return dataset.fetch(sampler.indices(step)[place * piece : (place + 1) * piece])

  def join(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}

  # Grain numbers its elements in 64 bits; a range that long does not end.
  positions = grain.MapDataset.range(start * pieces, 2**62 // pieces * pieces)
  ahead = grain.ReadOptions(
    num_threads=READERS, prefetch_buffer_size=max(READERS, prefetch * pieces)
  )
  return iter(positions.map(read).to_iter_dataset(ahead).batch(pieces, batch_fn=join))

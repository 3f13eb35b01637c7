"""Batches of sets that do not fit in memory, read by grain's threads in the sampler's order."""

from collections.abc import Iterator

import numpy as np

from jaxgan.datasets.dataset import DataError, Dataset
from jaxgan.datasets.order import Sampler

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
    dataset: `fetch` is called with one index at a time, from several threads.
    sampler: which examples a step has.
    start: the first step.
    prefetch: how many batches are read ahead.

  Raises:
    DataError: when grain is missing.
  """
  require_grain()
  import grain

  share = sampler.batch_size // sampler.hosts

  def read(position: int) -> dict[str, np.ndarray]:
    step, place = divmod(int(position), share)
    return {k: v[0] for k, v in dataset.fetch(sampler.indices(step)[place : place + 1]).items()}

  # Grain counts examples in 64 bits; a range that long does not end.
  positions = grain.MapDataset.range(start * share, 2**62 // share * share)
  ahead = grain.ReadOptions(
    num_threads=READERS, prefetch_buffer_size=max(READERS, prefetch * share)
  )
  return iter(positions.map(read).to_iter_dataset(ahead).batch(share))

"""What the processes of one run must agree on; with a single process, nothing is asked of anybody."""

import jax
import numpy as np
from jax.experimental import multihost_utils


def barrier(name: str) -> None:
  """Returns when every process has come here; `name` must be the same on all of them."""
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices(f'jaxgan.{name}')


def first_ones(numbers: list[int]) -> list[int]:
  """The list that process 0 has."""
  if jax.process_count() == 1:
    return numbers
  count = int(multihost_utils.broadcast_one_to_all(np.int32(len(numbers))))
  mine = np.resize(np.asarray([*numbers, 0], np.int64), count).view(np.int32)  # jax cuts int64
  agreed = np.asarray(multihost_utils.broadcast_one_to_all(mine), np.int32)
  return [int(number) for number in agreed.view(np.int64)]


def anywhere(flag: bool) -> bool:
  """Whether the flag is set on any process."""
  if jax.process_count() == 1:
    return flag
  return bool(np.any(multihost_utils.process_allgather(np.int32(flag))))

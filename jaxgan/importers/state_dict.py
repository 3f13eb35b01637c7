"""What the importers of PyTorch checkpoints do alike with names and arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def strip(state_dict: Mapping[str, Any]) -> dict[str, Any]:
  """The arrays by name, without the prefix that nn.DataParallel puts before every one."""
  given = dict(state_dict)
  while given and all(name.startswith('module.') for name in given):
    given = {name.removeprefix('module.'): value for name, value in given.items()}
  return given


def array(value: Any) -> np.ndarray:
  """float32 NumPy array of a NumPy, JAX or torch one."""
  if hasattr(value, 'detach'):
    value = value.detach().cpu().float().numpy()
  return np.asarray(value).astype(np.float32)


def listed(names: Sequence[str], most: int = 4) -> str:
  """The first names, and how many more there are."""
  more = f' and {len(names) - most} more' if len(names) > most else ''
  return ', '.join(names[:most]) + more

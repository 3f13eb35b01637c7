"""What the importers of PyTorch checkpoints do alike with names and arrays."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.importers.torch_file import WeightsError


def strip(state_dict: Mapping[str, Any]) -> dict[str, Any]:
  """The arrays by name, without the prefixes that nn.DataParallel and torch.compile put before every one.

  Raises:
    WeightsError: no names to arrays.
  """
  if not isinstance(state_dict, Mapping) or not all(
    isinstance(name, str) and hasattr(value, 'shape') for name, value in state_dict.items()
  ):
    raise WeightsError(
      f'{type(state_dict).__name__}; expected a state_dict, names to arrays: module.state_dict(), '
      'or what torch_file.read gives, or the entry of it that holds the network'
    )
  given = dict(state_dict)
  prefix = re.compile(r'(module|_orig_mod)\.')
  while given and all(map(prefix.match, given)):
    given = {prefix.sub('', name, count=1): value for name, value in given.items()}
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

"""One checkpoint step on disk, read without trust: what is not bit for bit the manifest's is damage.

The files are orbax's, but for meta.json, which holds its own crc32 under 'crc'.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from jaxgan import manifest

_ESCAPES = (('%', '%25'), ('/', '%2F'), ('.', '%2E'))  # orbax joins and splits names at these


class Damaged(Exception):
  """A step cannot be trusted; the text says which file or array and why."""


def tree_to_write(
  data: Mapping[manifest.Path, Any], leaves: Mapping[manifest.Path, manifest.Leaf]
) -> dict[str, Any]:
  """Nested dicts for orbax: names that it keeps apart, and no array without elements."""
  return manifest.nest(
    {_escape(path): data[path] for path in leaves if _has_elements(leaves[path])}
  )


def read_meta(file: epath.Path) -> dict[str, Any]:
  """The content of a meta.json.

  Raises:
    Damaged: the file is missing, is no JSON, or is not what was written.
  """
  try:
    body = json.loads(file.read_text())
    crc = body.pop('crc')
  except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
    raise Damaged(f'{file}: {first_line(error)}') from error
  if crc != manifest.crc_of_json(body):
    raise Damaged(f'{file}: its checksum differs')
  return body


def read_arrays(
  folder: epath.Path, leaves: Mapping[manifest.Path, manifest.Leaf]
) -> dict[manifest.Path, np.ndarray]:
  """The arrays of an orbax item, whole, on this host.

  Args:
    folder: the item's folder.
    leaves: its manifest.

  Raises:
    Damaged: a file is missing or broken, or an array is not what was written.
  """
  arrays = {
    path: np.zeros(leaf.shape, np.dtype(leaf.dtype))
    for path, leaf in leaves.items()
    if not _has_elements(leaf)
  }
  written = [_escape(path) for path in leaves if path not in arrays]
  if written:
    plan = manifest.nest({path: ocp.RestoreArgs(restore_type=np.ndarray) for path in written})
    handler = ocp.PyTreeCheckpointHandler()
    try:
      tree = handler.restore(folder, args=ocp.args.PyTreeRestore(restore_args=plan))
    except MemoryError:
      raise
    except Exception as error:  # orbax and tensorstore raise bare Exception for damaged chunks
      raise Damaged(f'{folder}: {first_line(error)}') from error
    finally:
      handler.close()
    arrays |= {_unescape(path): array for path, array in manifest.flatten(tree).items()}
  damages = manifest.damages(arrays, leaves)
  if damages:
    more = f' (and {len(damages) - 1} more)' if len(damages) > 1 else ''
    raise Damaged(f'{folder}: {damages[0]}{more}')
  return {path: arrays[path] for path in leaves}


def first_line(error: BaseException) -> str:
  """What an error says, in one line."""
  text = str(error).strip() or type(error).__name__
  return text.splitlines()[0][:300]


def _has_elements(leaf: manifest.Leaf) -> bool:
  return math.prod(leaf.shape) > 0


def _escape(path: manifest.Path) -> manifest.Path:
  for plain, coded in _ESCAPES:
    path = tuple(name.replace(plain, coded) for name in path)
  return path


def _unescape(path: manifest.Path) -> manifest.Path:
  for plain, coded in reversed(_ESCAPES):
    path = tuple(name.replace(coded, plain) for name in path)
  return path

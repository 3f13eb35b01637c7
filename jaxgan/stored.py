"""One checkpoint step on disk, read without trust: what is not bit for bit the manifest's is damage.

The arrays lie where orbax puts them (zarr in ocdbt, `FORMAT`), and are read without orbax: its
restore goes through an event loop that complains long after the first broken file was reported.
meta.json is ours and holds its own crc32 under 'crc'.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorstore
from etils import epath

from jaxgan import manifest

_ESCAPES = (('%', '%25'), ('/', '%2F'), ('.', '%2E'))  # orbax joins and splits names at these

FORMAT = {'use_ocdbt': True, 'use_zarr3': False}  # options of ocp.PyTreeCheckpointHandler


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
  base = {'driver': 'file', 'path': f'{folder}/'} if '://' not in str(folder) else f'{folder}/'
  arrays, opening = {}, {}
  for path, leaf in leaves.items():
    if not _has_elements(leaf):
      arrays[path] = np.zeros(leaf.shape, np.dtype(leaf.dtype))
      continue
    name = '.'.join(_escape(path)) + '/'
    spec = {'driver': 'zarr', 'kvstore': {'driver': 'ocdbt', 'base': base, 'path': name}}
    opening[path] = tensorstore.open(spec, read=True, open=True)
  try:
    reading = {path: store.result().read() for path, store in opening.items()}
    arrays |= {path: array.result() for path, array in reading.items()}
  except MemoryError:
    raise
  except Exception as error:  # tensorstore raises ValueError, OSError or a bare Exception
    raise Damaged(_words(folder, error)) from error
  damages = manifest.damages(arrays, leaves)
  if damages:
    more = f' (and {len(damages) - 1} more)' if len(damages) > 1 else ''
    raise Damaged(f'{folder}: {damages[0]}{more}')
  return {path: arrays[path] for path in leaves}


def first_line(error: BaseException) -> str:
  """What an error says, in one line."""
  text = str(error).strip() or type(error).__name__
  return text.splitlines()[0][:300]


def _words(folder: epath.Path, error: BaseException) -> str:
  """The innermost file and reason of a tensorstore error, which nests them and adds a page of JSON."""
  text = str(error).split(' [tensorstore_spec=')[0].split(' [source locations=')[0]
  found = re.findall(r'local file "([^"]+)"(?:: ([^"]+))?$', text.strip())
  file, reason = found[-1] if found else ('', '')
  return f'{file or folder}: {reason or text.splitlines()[0][:300]}'


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

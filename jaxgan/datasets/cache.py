"""A cache of decoded pictures: uint8 .npy files on disk, mapped into memory, filled once."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from jaxgan.datasets.dataset import DataError

Columns = dict[str, np.ndarray]
ABANDONED = 24 * 3600  # seconds after which a half-written entry is from a killed process


def folder(cache_dir: str = '') -> Path:
  """Where decoded arrays are kept: `cache_dir`, or ~/.cache/jaxgan/data ($XDG_CACHE_HOME)."""
  if cache_dir:
    return Path(cache_dir).expanduser()
  base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
  return Path(base) / 'jaxgan' / 'data'


def cached(
  cache_dir: str,
  key: str,
  size: int,
  read: Callable[[np.ndarray], Columns],
  chunk: int,
  title: str,
  finish: Callable[[], None] = lambda: None,
) -> Mapping[str, np.ndarray]:
  """Columns of a whole set from the cache, decoding it first if it is not there.

  The entry is written beside its place and renamed when it is complete: a reader never sees a
  half-written one, and of two processes that fill it at once one wins. A damaged entry is
  written again.

  Args:
    cache_dir: see `folder`.
    key: file name of the entry; it must name everything the pixels depend on.
    size: number of examples.
    read: int64 indices [B] -> columns; called from several threads.
    chunk: examples per call of `read`.
    title: what the progress bar says.
    finish: called when all is read and before the entry counts; it may raise.

  Returns:
    'image', 'label', ... -> memory-mapped arrays [size, ...].

  Raises:
    DataError: from `read`, when examples differ in shape, or when the cache cannot be written.
  """
  place = folder(cache_dir) / key
  columns = _mapped(place, size)
  if columns is not None:
    return columns
  try:
    place.parent.mkdir(parents=True, exist_ok=True)
    _sweep(place.parent)
    with _scratch(place) as scratch:
      _fill(scratch, size, read, chunk, title)
      finish()
      if place.exists() and _mapped(place, size) is None:
        shutil.rmtree(place)
      # Another process may have been faster; its entry is as good.
      with contextlib.suppress(FileExistsError):
        os.rename(scratch, place)
  except OSError as e:
    if _mapped(place, size) is None:
      raise DataError(
        f'the cache {place.parent} cannot be written ({e.strerror or e}); give another cache_dir'
      ) from None
  columns = _mapped(place, size)
  if columns is None:
    raise DataError(f'the cache entry {place} is damaged and cannot be replaced; delete it')
  return columns


@contextlib.contextmanager
def _scratch(place: Path) -> Iterator[Path]:
  scratch = Path(tempfile.mkdtemp(prefix=f'{place.name}.part-', dir=place.parent))
  try:
    yield scratch
  finally:
    shutil.rmtree(scratch, ignore_errors=True)


def _sweep(parent: Path) -> None:
  for part in parent.glob('*.part-*'):
    with contextlib.suppress(OSError):
      if time.time() - part.stat().st_mtime > ABANDONED:
        shutil.rmtree(part, ignore_errors=True)


def _mapped(place: Path, size: int) -> Columns | None:
  """The columns of a complete entry, else None."""
  if not (place / 'image.npy').is_file() or not (place / 'label.npy').is_file():
    return None
  try:
    columns = {f.stem: np.load(f, mmap_mode='r') for f in sorted(place.glob('*.npy'))}
  except (OSError, ValueError, EOFError):  # cut short: the map would reach past the end
    return None
  return columns if all(len(c) == size for c in columns.values()) else None


def _fill(
  scratch: Path, size: int, read: Callable[[np.ndarray], Columns], chunk: int, title: str
) -> None:
  from tqdm import tqdm

  starts = range(0, size, chunk)
  maps: Columns = {}
  workers = min(16, os.cpu_count() or 1)
  with (
    ThreadPoolExecutor(workers) as pool,
    tqdm(total=size, desc=f'decoding {title}', unit='img', delay=2, leave=False) as bar,
  ):
    # A few chunks at a time, or the decoded ones would pile up in memory.
    for group in range(0, len(starts), 2 * workers):
      some = starts[group : group + 2 * workers]
      spans = [np.arange(s, min(s + chunk, size)) for s in some]
      for span, columns in zip(spans, pool.map(read, spans)):
        for k, v in columns.items():
          if k not in maps:
            maps[k] = np.lib.format.open_memmap(
              scratch / f'{k}.npy', 'w+', v.dtype, (size, *v.shape[1:])
            )
          if v.shape[1:] != maps[k].shape[1:]:
            raise DataError(
              f'{title} holds pictures of several shapes, such as {v.shape[1:]} and '
              f'{maps[k].shape[1:]}; give resolution=... and channels=...'
            )
          maps[k][span[0] : span[-1] + 1] = v
        bar.update(len(span))
  for m in maps.values():
    m.flush()  # type: ignore[attr-defined]

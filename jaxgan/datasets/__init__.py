"""Data sets behind one interface: arrays in memory or streamed pictures, in a reproducible order.

The file name is the registry: `load('embedded', 'pixel_faces')` calls `load` of
`jaxgan/datasets/embedded.py`, `load('tfds', 'cifar10')` that of `tfds.py`, `load('folder',
data_dir='pictures')` that of `folder.py`, and so on.
"""

import importlib
import pkgutil

from jaxgan.datasets.dataset import DataError, Dataset, turned
from jaxgan.datasets.feed import batches, preprocess
from jaxgan.datasets.order import Sampler

__all__ = ['DataError', 'Dataset', 'Sampler', 'batches', 'load', 'preprocess', 'scales', 'sources']


def sources() -> tuple[str, ...]:
  """Names of the kinds of data set: the modules of this package that have a `load`."""
  names = (m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg)
  return tuple(
    sorted(n for n in names if hasattr(importlib.import_module(f'{__name__}.{n}'), 'load'))
  )


def scales(source: str, name: str) -> bool:
  """Whether a source scales pictures to any resolution asked for, each from its original."""
  return source == 'folder' or (source in ('pairs', 'unpaired') and not name.endswith('emoji'))


def load(
  source: str,
  name: str = '',
  *,
  split: str = 'train',
  label: str = '',
  resolution: int = 0,
  data_dir: str = '',
  cache_dir: str = '',
  in_memory: bool = True,
  crop: str = 'center',
  channels: int = 0,
  direction: str = 'AtoB',
) -> Dataset:
  """Loads a data set.

  Args:
    source: the kind, a file name of this package: 'embedded', 'tfds', 'folder', 'points', 'stacked',
      'pairs', 'unpaired' or 'reduced'.
    name: which one of the kind, such as 'pixel_faces' or 'cifar10'; folders need none.
    split: part of the set in the notation of tensorflow-datasets: 'train', 'train[:90%]', 'test'.
    label: the column that is the class; '' = the set's own choice, 'none' = no classes.
    resolution: side of the square pictures in pixels; 0 = as they come.
    data_dir: where the raw data lie; '' = the source's own default.
    cache_dir: where decoded arrays are kept; '' = ~/.cache/jaxgan/data.
    in_memory: False streams the pictures through grain instead of decoding them all at once.
    crop: 'center' (scale the shorter side, cut the middle), 'pad' (the whole picture on a
      ground) or 'none' (the whole picture, stretched to the square).
    channels: 1 for grey, 3 for RGB; 0 = as they come.
    direction: 'AtoB', or 'BtoA' to exchange image and target.

  Returns:
    A Dataset of uint8 pictures, or of float32 points.

  Raises:
    DataError: one line that says what was given, what was expected and what to do.
  """
  if source not in sources():
    raise DataError(f'no data source {source!r}; there are: {", ".join(sources())}')
  if channels not in (0, 1, 3):
    raise DataError(f'channels={channels}: give 1 (grey), 3 (RGB) or 0 (as the pictures come)')
  if resolution < 0:
    raise DataError(f'resolution={resolution}: give a side in pixels, or 0 for the native size')
  if crop not in ('center', 'pad', 'none'):
    raise DataError(f'crop={crop!r}: give center, pad or none')
  if direction not in ('AtoB', 'BtoA'):
    raise DataError(f'direction={direction!r}: give AtoB or BtoA')
  module = importlib.import_module(f'{__name__}.{source}')
  found = module.load(
    name,
    split=split,
    label=label,
    resolution=resolution,
    data_dir=data_dir,
    cache_dir=cache_dir,
    in_memory=in_memory,
    crop=crop,
    channels=channels,
  )
  return turned(found) if direction == 'BtoA' else found

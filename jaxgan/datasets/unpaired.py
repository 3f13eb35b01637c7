"""Two domains without pairs: the embedded emoji, two folders, or a set of tensorflow-datasets' cycle_gan."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgan.datasets import embedded, emoji, folder, pairs, tfds
from jaxgan.datasets.dataset import DataError, Dataset, from_arrays, parse_split


def load(
  name: str,
  *,
  split: str = 'train',
  label: str = '',
  resolution: int = 0,
  data_dir: str = '',
  cache_dir: str = '',
  in_memory: bool = True,
  crop: str = 'center',
  channels: int = 0,
) -> Dataset:
  """Loads two domains: 'image' of domain A, 'target' of domain B; which come together means nothing.

  As many examples as the larger domain has pictures; those of the smaller come round again. In training
  each domain is gone through in an order of its own, so that a picture meets another one every time.

  Args:
    name: 'emoji' (half of the emoji in the Fluent style and the other half in the Noto style, none in
      both), a set of tensorflow-datasets such as 'cycle_gan/horse2zebra', or '' for folders.
    split: 'train' or 'test', or a slice. Of the emoji, 'test' are the pairs that `pairs` holds out.
    label: of the emoji, see `embedded.load`; the label is that of the picture of domain A.
    resolution: 32 or 64 of the emoji; else any side of the squares.
    data_dir: the folder that holds trainA and trainB (testA and testB); or where tensorflow-datasets
      are prepared.
    cache_dir, in_memory, crop: as in `folder.load`.
    channels: 1 or 3; 0 means 3.

  Raises:
    DataError: unknown names and splits, and as the sources of the two domains.
  """
  part, rows = parse_split(split)
  if name == 'emoji':
    whole = embedded.load('emoji_pairs', label=label, resolution=resolution, channels=channels)
    if part == 'test':
      return pairs.chosen_emoji(whole, name, part, rows)
    if part != 'train':
      raise DataError(f'split={split!r}: emoji has train and test')
    return _halves(whole, rows)
  options: dict[str, Any] = {
    'resolution': resolution,
    'cache_dir': cache_dir,
    'in_memory': in_memory,
    'crop': crop,
    'channels': channels or 3,
    'label': 'none',
  }
  cut = split.removeprefix(part)
  if name:
    options |= {'data_dir': data_dir, 'margins': False}
    sides = [tfds.load(name, split=f'{part}{d}{cut}', **options) for d in 'AB']
    return together(name, *sides)
  if not data_dir:
    raise DataError(
      'source=unpaired needs name=emoji, a name such as cycle_gan/horse2zebra, or data_dir: the '
      'folder that holds trainA and trainB'
    )
  sides = [
    folder.load('', split=f'train{cut}', data_dir=f'{data_dir}/{part}{d}', **options) for d in 'AB'
  ]
  return together(data_dir.rstrip('/').rpartition('/')[2], *sides)


def _halves(whole: Dataset, rows: Callable[[int], slice]) -> Dataset:
  """Half of the emoji in one style, the other half in the other."""
  assert whole.arrays is not None
  parts = emoji.divide(whole.arrays)
  sides = []
  for half, column in (('A', 'image'), ('B', 'target')):
    at = parts[half][rows(len(parts[half]))]
    arrays = {k: v[at] for k, v in whole.arrays.items() if k not in ('image', 'target')}
    arrays['image'] = whole.arrays[column][at]
    sides.append(from_arrays(half, arrays, whole.class_names, whole.notice))
  return together('emoji', *sides)


def together(name: str, a: Dataset, b: Dataset) -> Dataset:
  """One set of two: 'image' and 'label' of the first, 'target' the picture of the second.

  `arrays` has the label of that too, as 'target_label'.

  Raises:
    DataError: their pictures differ in shape.
  """
  if a.image_shape != b.image_shape:
    raise DataError(
      f'{name}: pictures of {a.image_shape} in A and {b.image_shape} in B; give resolution and channels'
    )
  size = max(a.size, b.size)

  def fetch(indices: np.ndarray) -> dict[str, np.ndarray]:
    of_a, of_b = np.broadcast_to(indices.T, (2, len(indices)))
    return {**a.fetch(of_a % a.size), 'target': b.fetch(of_b % b.size)['image']}

  arrays = None
  if a.arrays is not None and b.arrays is not None:  # in memory; pictures stay where they are
    around = np.arange(size) % a.size
    arrays = {k: v[around] for k, v in a.arrays.items() if k != 'image'}
    arrays['target_label'] = b.arrays['label'][np.arange(size) % b.size]
  notice = a.notice if a.notice == b.notice else f'{a.notice}; {b.notice}'
  return Dataset(
    name, size, a.image_shape, a.class_names, fetch, arrays, notice, domains=(a.size, b.size)
  )

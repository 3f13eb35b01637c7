"""Three random pictures of a grey set as red, green and blue of one: K classes become K^3 modes.

Stacked MNIST, with 1,000 modes, is the field's test of mode collapse on pictures.
"""

import numpy as np

from jaxgan.datasets import embedded, tfds
from jaxgan.datasets.dataset import DataError, Dataset

SIZE = 128_000  # as VEEGAN and PacGAN
MOST_CLASSES = 46  # whose cube stays below 100,000


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
  """Loads 128,000 stacks drawn with a fixed seed; nothing is laid out, a batch is put together when fetched.

  Channel c of stack n is picture `index[n, c]` of the grey set, uniform with repetition, and the
  label is a K^2 + b K + c of the three classes: for digits the number that they read as.

  Args:
    name: of an embedded set, or else of one of tensorflow-datasets ('mnist'); colour turns grey.
    split: of the grey set.
    label: of the grey set; 'none' for no classes, though the grey set keeps its own.
    resolution, data_dir, cache_dir, crop: of the grey set.
    in_memory: of no effect; the grey set is held.
    channels: 0 or 3.

  Returns:
    The set, whose `grey` is the set it is made of.

  Raises:
    DataError: as the grey set's source; other channels, or a grey set with less than 2 or more than
      46 classes.

  Source: Metz et al. 2016, arXiv 1611.02163; size and fixed draw as Srivastava et al. 2017, arXiv
  1705.07761.
  """
  del in_memory
  if channels == 1:
    raise DataError('channels=1: stacks have three; leave it 0')
  grey = (embedded if name in embedded.SETS else tfds).load(
    name,
    split=split,
    label='' if label == 'none' else label,
    resolution=resolution,
    data_dir=data_dir,
    cache_dir=cache_dir,
    crop=crop,
    channels=1,
  )
  assert grey.arrays is not None  # neither source streams unless asked to
  classes = grey.class_names
  if not 2 <= len(classes) <= MOST_CLASSES:
    raise DataError(
      f'{name} has {len(classes)} classes; a stack needs 2 to {MOST_CLASSES}: give data.label'
    )
  index: np.ndarray = np.random.default_rng(0).integers(0, grey.size, (SIZE, 3))
  triples = np.asarray(grey.arrays['label'])[index]
  labels = (triples @ [len(classes) ** 2, len(classes), 1]).astype(np.int32)
  names = tuple(f'{a}, {b}, {c}' for a in classes for b in classes for c in classes)
  if label == 'none':
    labels, names = np.zeros_like(labels), ()

  def fetch(indices: np.ndarray) -> dict[str, np.ndarray]:
    images = grey.fetch(index[indices].reshape(-1))['image']
    stacks = images.reshape(-1, 3, *images.shape[1:3]).transpose(0, 2, 3, 1)
    return {'image': np.ascontiguousarray(stacks), 'label': labels[indices]}

  shape = (*grey.image_shape[:2], 3)
  notice = f'three of {grey.size:,} at a time; {grey.notice}'
  arrays = {'label': labels, 'index': index}
  return Dataset(f'stacked {grey.name}', SIZE, shape, names, fetch, arrays, notice, grey)

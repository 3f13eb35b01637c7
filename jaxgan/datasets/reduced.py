"""Super-resolution: the pictures of any other set as targets, and the same made small as inputs."""

import numpy as np

from jaxgan.datasets import embedded, folder, pairs, pictures, tfds
from jaxgan.datasets.dataset import DataError, Dataset

FACTOR = 4  # as SRGAN


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
  """Loads pictures ('target') and their bicubic reductions ('image'), made when fetched.

  Args:
    name: 'emoji' (the Fluent drawings, with the held-out part of `pairs` as 'test'), an embedded set, one of
      tensorflow-datasets, or '' for a folder; '/2' behind it halves, '/8' takes an eighth; else a quarter.
    split, label, data_dir, cache_dir, in_memory, crop, channels: as in the source of those pictures.
    resolution: of the large pictures.

  Raises:
    DataError: as that source; a side that is no multiple of the factor.
  """
  base, _, last = name.rpartition('/')
  base, factor = (base, int(last)) if last.isdecimal() else (name, FACTOR)
  known = {'emoji': pairs, '': folder} | dict.fromkeys(embedded.SETS, embedded)
  large = known.get(base, tfds).load(
    base,
    split=split,
    label=label,
    resolution=resolution,
    data_dir=data_dir,
    cache_dir=cache_dir,
    in_memory=in_memory,
    crop=crop,
    channels=channels,
  )
  height, width, depth = large.image_shape
  if factor < 2 or height % factor or width % factor:
    raise DataError(
      f'{large.name}: pictures of {height}x{width} by a factor of {factor}; expected 2 or more, and sides '
      'that are multiples of it: give resolution'
    )
  small = (height // factor, width // factor)

  def fetch(indices: np.ndarray) -> dict[str, np.ndarray]:
    batch = large.fetch(indices)
    image = pictures.scaled(batch['image'], small)
    return {'image': image, 'target': batch['image'], 'label': batch['label']}

  arrays = None
  if large.arrays is not None:
    arrays = {k: v for k, v in large.arrays.items() if k not in ('image', 'target')}
  return large._replace(image_shape=(*small, depth), fetch=fetch, arrays=arrays)

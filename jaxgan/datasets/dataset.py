"""What a data set is: a NamedTuple with a function from indices to a batch."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from jaxgan.errors import UserError

BATCH_COLUMNS = ('image', 'target', 'label')  # what travels to the device; the rest stays here


class DataError(UserError):
  """A data set cannot be had as asked for; the message is one line for the user."""


class Dataset(NamedTuple):
  """A set of pictures, or points, that can be read in any order.

  Attributes:
    name: for banners and file names.
    size: number of examples.
    image_shape: (height, width, channels) of every picture.
    class_names: one name per class; () when there are no labels.
    fetch: int64 indices [B] -> {'image': uint8 [B, H, W, C], 'label': int32 [B]}; paired sets
      add 'target', shaped like 'image' except where pictures are to be enlarged. Labels are zeros when
      there are no classes. Points are float32 images in [-1, 1] of one pixel. Of two domains it takes
      indices [B, 2] too, one for each. May be called from several threads at once.
    arrays: the whole set by column, `image` and `label` first, then what else is known
      (attributes, captions, modes); without `image` where pictures are put together when fetched;
      None when the set is streamed.
    notice: one line: source and licence.
    grey: of stacked sets, the set whose pictures are the channels of theirs.
    domains: sizes of A and B where the target of an example does not belong to its image.
    turned: whether its image is of B, see `turned`.
    large: the same examples at the size that training crops its pictures from, each scaled from its
      original; None where there is no such, or those of this set are enlarged.
  """

  name: str
  size: int
  image_shape: tuple[int, int, int]
  class_names: tuple[str, ...]
  fetch: Callable[[np.ndarray], dict[str, np.ndarray]]
  arrays: Mapping[str, np.ndarray] | None
  notice: str
  grey: 'Dataset | None' = None
  domains: tuple[int, ...] = ()
  turned: bool = False
  large: 'Dataset | None' = None

  @property
  def pictures(self) -> bool:
    """Whether the examples can be looked at: grey or RGB."""
    return self.image_shape[-1] in (1, 3)

  @property
  def paired(self) -> bool:
    """Whether the target of an example belongs to its image."""
    return not self.domains

  @property
  def sizes(self) -> tuple[int, ...]:
    """Numbers of different images and of different targets."""
    return (self.domains or (self.size, self.size))[:: -1 if self.turned else 1]


def from_arrays(
  name: str, arrays: Mapping[str, np.ndarray], class_names: tuple[str, ...], notice: str
) -> Dataset:
  """A Dataset over arrays in memory, or memory-mapped.

  Args:
    name: the set's name.
    arrays: columns of one length; 'image' [N, H, W, C] and 'label' [N] are needed.
    class_names: a name for every label that occurs, () for none.
    notice: source and licence.

  Raises:
    DataError: when there is no example, columns differ in length, or a label has no name.
  """
  size = len(arrays['image'])
  if not size:
    raise DataError(f'{name}: the part asked for holds no example; give another split')
  uneven = [f'{k} {len(v)}' for k, v in arrays.items() if len(v) != size]
  if uneven:
    raise DataError(f'{name}: {size} images, but {", ".join(uneven)}')
  label = arrays['label']
  if class_names and not (label.min() >= 0 and label.max() < len(class_names)):
    raise DataError(
      f'{name}: labels {label.min()}..{label.max()} do not fit {len(class_names)} class names'
    )
  columns = {k: arrays[k] for k in BATCH_COLUMNS if k in arrays}

  def fetch(indices: np.ndarray) -> dict[str, np.ndarray]:
    return {k: v[indices] for k, v in columns.items()}

  shape = tuple(arrays['image'].shape[1:])
  return Dataset(name, size, shape, tuple(class_names), fetch, arrays, notice)


def turned(dataset: Dataset) -> Dataset:
  """The set with image and target exchanged, and the labels of two domains.

  Raises:
    DataError: it has no target.
  """
  one = dataset.fetch(np.zeros(1, np.int64))
  if 'target' not in one:
    raise DataError(f'{dataset.name} has no target to begin with; leave direction=AtoB')

  other = {'image': 'target', 'label': 'target_label'}
  other |= {v: k for k, v in other.items()}

  def turn(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k: columns.get(other.get(k, k), v) for k, v in columns.items()}

  arrays = None if dataset.arrays is None else turn(dataset.arrays)
  labels = (arrays or {}).get('label') if 'target_label' in (arrays or {}) else None

  def fetch(indices: np.ndarray) -> dict[str, np.ndarray]:
    columns = turn(dataset.fetch(indices))  # without target_label, which does not travel
    return columns if labels is None else columns | {'label': labels[np.atleast_2d(indices.T)[-1]]}

  shape = one['target'].shape[1:]
  return dataset._replace(image_shape=shape, fetch=fetch, arrays=arrays, turned=not dataset.turned)


def parse_split(split: str) -> tuple[str, Callable[[int], slice]]:
  """Reads 'train', 'train[:90%]' or 'test[1000:]' as tensorflow-datasets does.

  Returns:
    The split's name, and a function from its size to the slice(first, last) asked for.

  Raises:
    DataError: when the text is none of these.
  """
  number = r'(-?\d+%?)?'
  found = re.fullmatch(rf'(\w[\w-]*)(?:\[{number}:{number}\])?', split)
  if not found:
    raise DataError(f'split={split!r}: write it like train, train[:90%] or test[1000:]')
  name, low, high = found.groups()

  def bound(text: str | None, size: int) -> int | None:
    if not text:
      return None
    return round(int(text[:-1]) * size / 100) if text.endswith('%') else int(text)

  def rows(size: int) -> slice:
    first, last, _ = slice(bound(low, size), bound(high, size)).indices(size)
    return slice(first, max(first, last))

  return name, rows

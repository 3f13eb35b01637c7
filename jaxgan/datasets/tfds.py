"""Any set of tensorflow-datasets that is prepared as array_record, read without TensorFlow.

Nothing is downloaded here: a set that is not prepared is answered with the command that does it.
The pictures are decoded once, into a uint8 array that later runs map into memory.
"""

import difflib
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.datasets import pictures
from jaxgan.datasets.cache import Columns, cached
from jaxgan.datasets.dataset import DataError, Dataset, from_arrays, parse_split
from jaxgan.datasets.stream import require_grain

MAX_CLASSES = 100_000  # more than that is an identifier
CHUNK = 512  # records per read: large enough for the reader's speed, small enough for memory


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
  margins: bool = True,
) -> Dataset:
  """Loads a prepared set; `load` of the package says what the options mean.

  Args:
    name: 'cifar10', 'cifar10:3.0.2', 'imagenet_resized/64x64'; the newest version by default.
    split: a split of the set, or a slice of one.
    label: an integer feature; '' = 'label', else the first class label there is.
    resolution: side of the pictures. Square ones that lack up to a fifth of their side get a
      black margin (28 -> 32) instead of being blown up; all others are scaled.
    data_dir: where tensorflow-datasets keeps its sets; '' = $TFDS_DATA_DIR or
      ~/tensorflow_datasets.
    cache_dir, in_memory, crop, channels: see the package's `load`.
    margins: False scales all pictures.

  Raises:
    DataError: when the set is not prepared, is damaged or in another file format, or has no
      such split, label or pictures of one size.
  """
  part, rows = parse_split(split)
  if not in_memory:
    require_grain()
  root = Path(data_dir or os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets').expanduser()
  folder = _folder(name, root)
  builder, source = _open(name, folder, part, root)
  image_key, label_key, classes = _columns(name, builder.info.features, label)
  again = _again(name, folder, root)
  how = (resolution, crop, channels, margins)
  read = _reader(name, source, image_key, label_key, *how, again)
  notice = f"{name} {folder.name} by tensorflow-datasets; its licence is the owner's"
  title = f'{name} {part}'
  if not in_memory:
    if label_key and not classes:
      raise DataError(
        f'{name}: {label_key} has no class names, so in_memory=False cannot count them'
      )
    return _streamed(title, len(source), rows, read, classes, notice)
  files = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(folder.iterdir())]
  key = repr((str(folder.resolve()), files, part, image_key, label_key, *how))
  slug = re.sub(r'\W+', '_', f'{name}_{folder.name}_{part}_{resolution or "native"}')
  digest = hashlib.sha256(key.encode()).hexdigest()[:12]
  columns = cached(cache_dir, f'{slug}-{digest}', len(source), read, CHUNK, title)
  chosen = rows(len(source))
  arrays = {k: v[chosen] for k, v in columns.items()}
  return from_arrays(title, arrays, classes or _counted(arrays['label'], label_key), notice)


def _counted(labels: np.ndarray, label_key: str) -> tuple[str, ...]:
  """Names for the classes of an integer feature that has none: their numbers."""
  if not label_key:
    return ()
  low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
  if low < 0 or high >= MAX_CLASSES:
    raise DataError(
      f'label={label_key!r} holds {low}..{high}, which are no classes; give another, or none'
    )
  return tuple(map(str, range(high + 1)))


def _command(name: str, root: Path) -> str:
  return f"pip install 'jaxgan[tf]' && python -m jaxgan.datasets.prepare {name} --data_dir={root}"


def _again(name: str, folder: Path, root: Path) -> str:
  return f'delete {folder} and prepare it again: {_command(name, root)}'


def _folder(name: str, root: Path) -> Path:
  """The folder of a prepared set: root / name / [config] / version."""
  title, _, version = name.partition(':')
  if not re.fullmatch(r'[\w-]+(/[\w.+-]+)?', title) or '..' in version or '/' in version:
    raise DataError(f'name={name!r}: write it like cifar10, cifar10:3.0.2 or set/config')
  base = root / title
  found = _versions(base)
  if not found and base.is_dir():
    configs = sorted(d.name for d in base.iterdir() if d.is_dir() and _versions(d))
    if len(configs) > 1:
      raise DataError(f'{title} has several configs in {root}: {", ".join(configs)}; give one')
    if configs:
      base = base / configs[0]
      found = _versions(base)
  if version:
    if found and version not in found:
      raise DataError(f'{title} is prepared in {root} as {", ".join(found)}, not {version}')
    found = [v for v in found if v == version]
  if found:
    return base / found[-1]
  import tensorflow_datasets as tfds

  known = tfds.list_builders(with_community_datasets=False)
  near = difflib.get_close_matches(title.split('/')[0], known, 1, 0.7)
  if title.split('/')[0] not in known and near:
    raise DataError(
      f'no set {title!r} in {root} or in tensorflow-datasets; did you mean {near[0]}?'
    )
  raise DataError(
    f'{name} is not prepared in {root}; give its data_dir, or prepare it once: {_command(name, root)}'
  )


def _versions(base: Path) -> list[str]:
  """Prepared versions in a folder, oldest first."""
  if not base.is_dir():
    return []
  found = [d.name for d in base.iterdir() if re.fullmatch(r'\d+\.\d+\.\d+', d.name) and d.is_dir()]
  return sorted(found, key=lambda v: tuple(map(int, v.split('.'))))


def _open(name: str, folder: Path, part: str, root: Path) -> tuple[Any, Any]:
  """The builder and the random-access source of one split, checked for completeness."""
  again = _again(name, folder, root)
  for file in ('dataset_info.json', 'features.json'):
    try:
      info = json.loads((folder / file).read_text())
    except (OSError, ValueError) as e:
      raise DataError(f'{folder} is incomplete: {file} cannot be read ({e}); {again}') from None
    if not isinstance(info, dict):
      raise DataError(f'{folder} is damaged: {file} holds no object; {again}')
    if file == 'dataset_info.json' and info.get('fileFormat', 'tfrecord') != 'array_record':
      raise DataError(
        f'{folder} is in the format {info.get("fileFormat", "tfrecord")}, which only TensorFlow '
        f'reads; prepare it as array_record: {_command(name, root)}'
      )
  import tensorflow_datasets as tfds

  try:
    builder = tfds.builder_from_directory(folder)
    splits = builder.info.splits
  except (ValueError, KeyError, TypeError, AttributeError, ImportError) as e:
    first = str(e).strip().split('\n')[0]
    raise DataError(f'{folder}: tensorflow-datasets cannot read it ({first}); {again}') from None
  if part not in splits:
    raise DataError(f'{name} has no split {part!r}; there are: {", ".join(sorted(splits))}')
  for path, length in zip(splits[part].filepaths, splits[part].shard_lengths):
    _check_shard(Path(path), length, again)
  encoded = {k: tfds.decode.SkipDecoding() for k in _image_keys(builder.info.features)}
  source = builder.as_data_source(split=part, decoders=encoded)
  return builder, source


def _check_shard(path: Path, length: int, again: str) -> None:
  """Raises DataError when a shard is missing, cut short or holds another number of records."""
  try:
    from array_record.python import array_record_module
  except ImportError:
    raise DataError(
      'tensorflow-datasets sets are read by array-record: pip install it (Linux)'
    ) from None
  if not path.is_file():
    raise DataError(f'{path} is missing; {again}')
  try:
    reader = array_record_module.ArrayRecordReader(str(path))
    count = reader.num_records()
    reader.close()
  except (ValueError, RuntimeError, OSError) as e:
    first = str(e).strip().split('\n')[0]
    raise DataError(f'{path} is damaged ({first[:200]}); {again}') from None
  if count != length:
    raise DataError(f'{path} holds {count} records instead of {length}; {again}')


def _image_keys(features: Any) -> list[str]:
  import tensorflow_datasets as tfds

  return [k for k, f in features.items() if isinstance(f, tfds.features.Image)]


def _columns(name: str, features: Any, label: str) -> tuple[str, str, tuple[str, ...]]:
  """(image feature, label feature or '', class names) of a set."""
  import tensorflow_datasets as tfds

  images = _image_keys(features)
  if not images:
    raise DataError(f'{name} has no picture; its features are: {", ".join(sorted(features))}')
  image = 'image' if 'image' in images else images[0]
  if label == 'none':
    return image, '', ()
  integers = [
    k
    for k, f in features.items()
    if k not in images and getattr(f, 'shape', None) == () and np.issubdtype(f.np_dtype, np.integer)
  ]
  named = [k for k in integers if isinstance(features[k], tfds.features.ClassLabel)]
  if not label:
    label = 'label' if 'label' in integers else named[0] if named else ''
    if not label:
      return image, '', ()
  if label not in integers:
    raise DataError(f'{name} has no label {label!r}; there are: {", ".join([*integers, "none"])}')
  return image, label, tuple(features[label].names) if label in named else ()


def _reader(
  name: str,
  source: Any,
  image: str,
  label: str,
  resolution: int,
  crop: str,
  channels: int,
  margins: bool,
  again: str,
) -> Callable[[np.ndarray], Columns]:
  """A function from record numbers to columns; safe in threads."""

  def picture(number: int, record: dict[str, Any]) -> np.ndarray:
    try:
      decoded = pictures.decode(record[image])
    except DataError as e:
      raise DataError(f'{name}: record {number} holds no readable picture ({e})') from None
    small = decoded.size[0] == decoded.size[1] < resolution <= decoded.size[0] * 1.2
    if small and margins:
      return pictures.pixels(pictures.margin(decoded, resolution), channels)
    return pictures.pixels(pictures.fit(decoded, resolution, crop), channels)

  def read(numbers: np.ndarray) -> Columns:
    try:
      records = source.__getitems__([int(n) for n in numbers])
    except (RuntimeError, ValueError, OSError, LookupError, TypeError) as e:
      first = str(e).strip().split('\n')[0]
      raise DataError(f'{name} is damaged ({first[:200]}); {again}') from None
    images = [picture(n, r) for n, r in zip(numbers, records)]
    shapes = {i.shape for i in images}
    if len(shapes) > 1:
      raise DataError(
        f'{name} holds pictures of several shapes, such as {" and ".join(map(str, sorted(shapes)[:2]))}; '
        'give resolution=... and channels=...'
      )
    labels = [r[label] if label else 0 for r in records]
    return {'image': np.stack(images), 'label': np.asarray(labels, np.int32)}

  return read


def _streamed(
  title: str,
  size: int,
  rows: Callable[[int], slice],
  read: Callable[[np.ndarray], Columns],
  classes: tuple[str, ...],
  notice: str,
) -> Dataset:
  first, count = rows(size).start, rows(size).stop - rows(size).start
  if not count:
    raise DataError(f'{title}: the part asked for holds no example; give another split')
  # Several, so that pictures of different shapes are noticed now and not in the middle of a run.
  shape = read(np.arange(first, first + min(count, 64)))['image'].shape[1:]

  def fetch(indices: np.ndarray) -> Columns:
    return read(np.asarray(indices) + first)

  return Dataset(title, count, shape, classes, fetch, None, notice)

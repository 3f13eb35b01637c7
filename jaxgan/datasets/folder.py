"""A folder of pictures: PNG, JPEG, WebP, TIFF or BMP of any size, labels from subfolders or a CSV.

`python -m jaxgan.datasets.folder DIR --resolution=64` checks every file and draws a preview sheet.
"""

import argparse
import contextlib
import csv
import functools
import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxgan.datasets import cache, pictures
from jaxgan.datasets.cache import Columns
from jaxgan.datasets.dataset import DataError, Dataset, from_arrays, parse_split
from jaxgan.datasets.order import Sampler
from jaxgan.datasets.stream import require_grain

EXTENSIONS = ('.png', '.jpg', '.jpeg', '.webp', '.tif', '.tiff', '.bmp')
SPLITS = ('train', 'training', 'val', 'valid', 'validation', 'test', 'eval')
CHUNK = 32
NAMED = 5  # unreadable files named in the error itself; the rest stand in the list it points to


class Files(NamedTuple):
  """The pictures of a folder: paths, relative names, a label each, and the classes."""

  paths: tuple[Path, ...]
  names: tuple[str, ...]
  labels: np.ndarray
  class_names: tuple[str, ...]


def load(
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
) -> Dataset:
  """Loads the pictures below a folder; `load` of the package says what the options mean.

  The pictures are put in the order of a hash of their names, so that a slice such as
  'train[:90%]' is a fair sample of every class.

  Args:
    name: not used; the folder's own name is shown.
    split: where the folder holds folders named train, val, test, ...: one of them; otherwise
      'train' is all there is. Slices of either.
    label: '' = labels.csv if there is one, else the subfolders; a column of labels.csv;
      'folder' or 'none'.
    resolution: side of the pictures; 0 only if all have one size already.
    data_dir: the folder.
    cache_dir, in_memory, crop: see the package's `load`.
    channels: 1 or 3; 0 means 3.

  Raises:
    DataError: no such folder, no picture in it, unreadable files (all are listed in a text file
      that the message names), labels that do not fit.
  """
  part, rows = parse_split(split)
  if not data_dir:
    raise DataError('source=folder needs data_dir: the folder that holds the pictures')
  root = split_folder(Path(data_dir).expanduser(), part)
  title = root.name  # the config may still hold the name of its own data set
  files = find(root, label)
  size, channels = len(files.paths), channels or 3
  chosen = rows(size)
  if chosen.start == chosen.stop:
    raise DataError(f'split={split!r} of {root} holds no picture; it has {size} in all')
  bad: list[tuple[str, str]] = []
  key = _key(files, root, resolution, crop, channels)
  notice = f'pictures in {root}'
  if in_memory:
    columns = cache.cached(
      cache_dir,
      f'folder_{title}_{resolution or "native"}-{key}'.replace('/', '_'),
      size,
      _reader(files, resolution, crop, channels, bad),
      CHUNK,
      title,
      finish=lambda: refuse(bad, size, root, cache_dir, key),
    )
    arrays = {k: v[chosen] for k, v in columns.items()}
    return from_arrays(title, arrays, files.class_names, notice)
  require_grain()
  _check_once(files, root, cache_dir, key)
  files = files._replace(
    paths=files.paths[chosen], names=files.names[chosen], labels=files.labels[chosen]
  )
  return _streamed(title, files, resolution, crop, channels, notice)


def find(root: Path, label: str = '') -> Files:
  """The pictures below a folder, by their extensions, with their labels.

  Raises:
    DataError: when there is none, or the labels do not fit the pictures.
  """
  found = [
    p
    for p in root.rglob('*')
    if p.suffix.lower() in EXTENSIONS
    and not any(part.startswith('.') for part in p.relative_to(root).parts)
    and p.is_file()
  ]
  if not found:
    raise DataError(f'{root} holds no picture; expected {", ".join(EXTENSIONS)} in it or below it')
  found.sort(key=lambda p: hashlib.sha256(p.relative_to(root).as_posix().encode()).digest())
  names = [p.relative_to(root).as_posix() for p in found]
  table = root / 'labels.csv'
  if label == 'none':
    words: Sequence[str] = []
  elif table.is_file() and label != 'folder':
    words = _from_table(table, names, label or 'label')
  elif label in ('', 'folder'):
    words = _from_folders(root, names)
  else:
    raise DataError(f'label={label!r} is a column of {table}, but there is no such file')
  classes = tuple(sorted(set(words)))
  number = {w: i for i, w in enumerate(classes)}
  labels = np.array([number[w] for w in words] or [0] * len(names), np.int32)
  return Files(tuple(found), tuple(names), labels, classes)


def split_folder(root: Path, part: str) -> Path:
  """The folder of a part: one of its name where all folders are named as parts, else the root itself.

  Raises:
    DataError: no such folder, or no such part.
  """
  if not root.is_dir():
    raise DataError(f'data_dir={root} is not a folder')
  inside = sorted(d.name for d in root.iterdir() if d.is_dir() and not d.name.startswith('.'))
  if inside and all(d.lower() in SPLITS for d in inside):
    if part not in inside:
      raise DataError(f'{root} has no split {part!r}; there are: {", ".join(inside)}')
    return root / part
  if part != 'train':
    raise DataError(f'{root} has no folder {part!r}; without split folders all is train')
  return root


def _from_folders(root: Path, names: Sequence[str]) -> list[str]:
  loose = [n for n in names if '/' not in n]
  if len(loose) == len(names):
    return []
  if loose:
    raise DataError(
      f'{len(loose)} pictures lie beside the class folders of {root}, such as {loose[0]}; '
      'move them into one, or set label=none'
    )
  return [n.split('/')[0] for n in names]


def _from_table(table: Path, names: Sequence[str], column: str) -> list[str]:
  """The words of a column of labels.csv, one a picture."""
  try:
    with table.open(newline='', encoding='utf-8-sig') as f:
      lines = [line for line in csv.reader(f) if line]
  except (OSError, UnicodeDecodeError, csv.Error) as e:
    raise DataError(f'{table} cannot be read: {e}') from None
  head = [h.strip() for h in lines[0]] if lines else []
  if 'filename' not in head or column not in head:
    raise DataError(
      f'{table} must begin with a line such as filename,{column}; it has {",".join(head) or "none"}'
    )
  name_at, word_at = head.index('filename'), head.index(column)
  words: dict[str, str] = {}
  for number, line in enumerate(lines[1:], 2):
    if len(line) != len(head):
      raise DataError(f'{table}, line {number}: {len(line)} fields instead of {len(head)}')
    name = line[name_at].strip().replace('\\', '/').removeprefix('./')
    word = line[word_at].strip()
    if words.setdefault(name, word) != word:
      raise DataError(f'{table}, line {number}: {name} has two labels, {words[name]} and {word}')
  missing = sorted(set(names) - set(words))
  if missing:
    raise DataError(f'{table} has no line for {len(missing)} pictures, such as {missing[0]}')
  absent = sorted(set(words) - set(names))
  if absent:
    raise DataError(f'{table} names {len(absent)} pictures that are not there, such as {absent[0]}')
  return [words[n] for n in names]


def _key(files: Files, root: Path, resolution: int, crop: str, channels: int) -> str:
  """A hash of everything that the decoded arrays depend on."""
  stats = [(s.st_size, s.st_mtime_ns) for s in (p.stat() for p in files.paths)]
  everything = (str(root.resolve()), files.names, stats, files.labels.tolist())
  return hashlib.sha256(repr((everything, resolution, crop, channels)).encode()).hexdigest()[:12]


def _reader(
  files: Files, resolution: int, crop: str, channels: int, bad: list[tuple[str, str]]
) -> Callable[[np.ndarray], Columns]:
  """A function from numbers to columns; unreadable files are noted in `bad` and left black."""

  @functools.cache
  def native() -> tuple[int, ...]:
    """Shape of the first picture that can be read, for pieces in which none can."""
    if not resolution:
      for path in files.paths:
        with contextlib.suppress(DataError):
          return pictures.pixels(pictures.decode(path), channels).shape
    return resolution or 1, resolution or 1, channels

  def read(numbers: np.ndarray) -> Columns:
    images: list[np.ndarray | None] = []
    for n in numbers:
      try:
        fitted = pictures.fit(pictures.decode(files.paths[n]), resolution, crop)
        images.append(pictures.pixels(fitted, channels))
      except DataError as e:
        bad.append((files.names[n], str(e)))
        images.append(None)
    good = [i for i in images if i is not None]
    shapes = sorted({i.shape for i in good})
    if len(shapes) > 1:
      raise DataError(
        f'the pictures have several sizes, such as {shapes[0]} and {shapes[-1]}; '
        'give --resolution, or data.resolution of a config'
      )
    black = np.zeros(shapes[0] if shapes else native(), np.uint8)
    return {
      'image': np.stack([black if i is None else i for i in images]),
      'label': files.labels[numbers],
    }

  return read


def check(files: Files) -> list[tuple[str, str]]:
  """Decodes every picture; returns (name, reason) of those that cannot be read, by name."""
  return pictures.unreadable(
    [(n, functools.partial(pictures.decode, p)) for n, p in zip(files.names, files.paths)]
  )


def refuse(bad: list[tuple[str, str]], size: int, root: Path, cache_dir: str, key: str) -> None:
  """Raises DataError that names the unreadable files, if there are any."""
  if not bad:
    return
  bad = sorted(bad)
  report = cache.folder(cache_dir) / f'unreadable-{root.name}-{key}.txt'
  whole = f'all are listed in {report}'
  try:
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(''.join(f'{name}: {reason}\n' for name, reason in bad))
  except OSError:
    whole = f'python -m jaxgan.datasets.folder {root} lists all'
  some = ', '.join(f'{name} ({reason})' for name, reason in bad[:NAMED])
  more = ', ...' if len(bad) > NAMED else ''
  raise DataError(
    f'{len(bad)} of {size} pictures in {root} cannot be read: {some}{more}; '
    f'mend or delete them; {whole}'
  )


def _check_once(files: Files, root: Path, cache_dir: str, key: str) -> None:
  """Checks a folder that is to be streamed, unless these very files were found good before."""
  mark = cache.folder(cache_dir) / f'checked-{root.name}-{key}'
  if mark.exists():
    return
  refuse(check(files), len(files.paths), root, cache_dir, key)
  try:
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
  except OSError as e:
    raise DataError(
      f'the cache {mark.parent} cannot be written ({e}); give another cache_dir'
    ) from None


def _streamed(
  title: str, files: Files, resolution: int, crop: str, channels: int, notice: str
) -> Dataset:
  bad: list[tuple[str, str]] = []
  read = _reader(files, resolution, crop, channels, bad)

  def fetch(indices: np.ndarray) -> Columns:
    columns = read(np.asarray(indices))
    if bad:  # the check found them readable: they were changed since
      raise DataError(f'{bad[0][0]} cannot be read any more: {bad[0][1]}')
    return columns

  size = len(files.paths)
  shape = fetch(np.arange(min(size, 64)))['image'].shape[1:]
  return Dataset(title, size, shape, files.class_names, fetch, None, notice)


def preview(dataset: Dataset, path: str | Path, columns: int = 10, rows: int = 12) -> None:
  """Draws a sheet of examples as PNG: one row a class, or a plain grid when there are none.

  Args:
    dataset: any data set.
    path: the PNG to write.
    columns: pictures in a row.
    rows: rows at most.
  """
  from PIL import Image, ImageDraw

  indices = Sampler(dataset.size, min(dataset.size, 1024), 0).indices(0)
  batch = dataset.fetch(indices)
  images, labels = batch['image'], batch['label']
  if dataset.class_names:
    shown = [c for c in range(len(dataset.class_names)) if (labels == c).any()][:rows]
    lines = [(dataset.class_names[c], images[labels == c][:columns]) for c in shown]
  else:
    starts = range(0, min(len(images), rows * columns), columns)
    lines = [('', images[s : s + columns]) for s in starts]
  height, width, _ = dataset.image_shape
  scale, gap = max(1, -(-64 // max(height, width))), 4
  margin = 8 + max(6 * len(word) for word, _ in lines)
  cell_h, cell_w = height * scale + gap, width * scale + gap
  sheet = Image.new('RGB', (margin + columns * cell_w, gap + len(lines) * cell_h), 'white')
  pen = ImageDraw.Draw(sheet)
  for r, (word, row) in enumerate(lines):
    top = gap + r * cell_h
    pen.text((4, top + cell_h // 2 - 8), word, fill='black')
    for c, image in enumerate(row):
      large = image.repeat(scale, 0).repeat(scale, 1)
      large = large.repeat(3, 2) if large.shape[2] == 1 else large
      sheet.paste(Image.fromarray(large), (margin + c * cell_w, top))
  sheet.save(path)


def main(argv: list[str] | None = None) -> int:
  """The command; exit status 0 when all is well, 1 with unreadable files, 2 with a wrong call."""
  parser = argparse.ArgumentParser(
    prog='python -m jaxgan.datasets.folder', description='Checks a folder of pictures.'
  )
  parser.add_argument('folder')
  parser.add_argument('--split', default='train')
  parser.add_argument('--resolution', type=int, default=64)
  parser.add_argument('--crop', default='center', choices=['center', 'pad', 'none'])
  parser.add_argument('--channels', type=int, default=3, choices=[1, 3])
  parser.add_argument('--label', default='', help='a column of labels.csv, folder, or none')
  parser.add_argument('--preview', default='preview.png', help='the sheet to write')
  options = parser.parse_args(argv)
  try:
    root = split_folder(Path(options.folder).expanduser(), parse_split(options.split)[0])
    files = find(root, options.label)
  except DataError as e:
    print(e, file=sys.stderr)
    return 2
  bad = dict(check(files))
  print(f'{len(files.paths)} pictures in {root}, {len(bad)} of them unreadable')
  for name, reason in bad.items():
    print(f'  {name}: {reason}')
  counts = np.bincount(files.labels, minlength=len(files.class_names)).tolist()
  for word, count in zip(files.class_names, counts):
    print(f'  class {word}: {count}')
  good = [i for i, name in enumerate(files.names) if name not in bad]
  if good:
    kept = Files(
      tuple(files.paths[i] for i in good),
      tuple(files.names[i] for i in good),
      files.labels[good],
      files.class_names,
    )
    picture_set = _streamed(
      root.name, kept, options.resolution, options.crop, options.channels, str(root)
    )
    try:
      preview(picture_set, options.preview)
    except OSError as e:
      print(f'--preview={options.preview} cannot be written: {e}', file=sys.stderr)
      return 2
    print(f'preview: {options.preview}')
  return 1 if bad else 0


if __name__ == '__main__':
  sys.exit(main())

"""Pairs of pictures: the embedded emoji in two styles or as edges, and folders of pairs."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.datasets import cache, edges, embedded, emoji, folder, pictures
from jaxgan.datasets.cache import Columns
from jaxgan.datasets.dataset import DataError, Dataset, from_arrays, parse_split

TWICE = 'is one of several of its name'


class Pair(NamedTuple):
  """A pair of a folder: its name, a function that opens both as Pillow has them, and the files."""

  name: str
  open: Callable[[], Any]
  files: list[Path]


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
  """Loads pairs: 'image' is domain A and 'target' domain B; data.direction turns them round.

  Args:
    name: 'emoji' (Fluent and Noto drawings of the same emoji), 'edges_emoji' (edges of the Fluent
      drawing, black on white, and the drawing), or '' for a folder.
    split: 'train' or 'test' of the emoji, see `emoji.divide`, where 'test' is a tenth of every
      category; of a folder its split folders. Slices of either.
    label: of the emoji, see `embedded.load`; folders have none.
    resolution: 32 or 64 of the emoji; of folders any side of the squares.
    data_dir: the folder. Where it holds folders A and B, the pictures of one name in both are a pair;
      else every picture is a pair, A on its left and B on its right half. Split folders (train, test,
      val) may lie in it, or in A and B.
    cache_dir: see `cache.folder`.
    in_memory: of no effect; decoded pictures are mapped into memory.
    crop: how a picture of a folder becomes square, see `pictures.fit`.
    channels: 1 or 3; 0 means 3.

  Raises:
    DataError: an unknown name, split or label, pictures without a partner or that cannot be read.
  """
  del in_memory
  part, rows = parse_split(split)
  if name in ('emoji', 'edges_emoji'):
    whole = embedded.load('emoji_pairs', label=label, resolution=resolution, channels=channels)
    return chosen_emoji(whole, name, part, rows)
  if not data_dir:
    raise DataError(
      f'no pairs {name!r}; there are: emoji, edges_emoji, and folders by data_dir=...'
    )
  return _folder(
    Path(data_dir).expanduser(), part, rows, resolution, cache_dir, crop, channels or 3
  )


def chosen_emoji(whole: Dataset, name: str, part: str, rows: Callable[[int], slice]) -> Dataset:
  """A part of the emoji pairs, or of their edges."""
  assert whole.arrays is not None
  parts = emoji.divide(whole.arrays)
  parts['train'] = np.sort(np.concatenate([parts['A'], parts['B']]))
  if part not in ('train', 'test'):
    raise DataError(f'split={part!r}: {name} has train and test')
  at = parts[part][rows(len(parts[part]))]
  arrays = {k: v[at] for k, v in whole.arrays.items()}
  if name == 'edges_emoji':
    drawn = arrays['image']
    colour = drawn if drawn.shape[-1] == 3 else drawn.repeat(3, -1)
    lines = np.where(edges.canny(colour), 0, 255).astype(np.uint8)
    arrays |= {'image': np.broadcast_to(lines[..., None], drawn.shape), 'target': drawn}
  return from_arrays(name, arrays, whole.class_names, whole.notice)


def _folder(
  root: Path,
  part: str,
  rows: Callable[[int], slice],
  resolution: int,
  cache_dir: str,
  crop: str,
  channels: int,
) -> Dataset:
  pairs, alone = find(root, part)
  if names := [name for name, reason in alone if reason == TWICE]:
    raise DataError(f'{root}: {names[0]} {TWICE}; rename or delete {len(names)} such pictures')
  for side in 'AB':
    if names := [name[2:] for name, _ in alone if name[0] == side]:
      raise DataError(
        f'{len(names)} of {len(names) + len(pairs)} pictures in {root / side} have no partner of their '
        f'name in {"BA"["AB".index(side)]}: {", ".join(names[:5])}{", ..." if len(names) > 5 else ""}'
      )
  bad: list[tuple[str, str]] = []
  square = lambda picture: pictures.pixels(pictures.fit(picture, resolution, crop), channels)

  def read(numbers: np.ndarray) -> Columns:
    both = []
    for n in numbers:
      try:
        both.append(tuple(map(square, pairs[n].open())))
      except DataError as e:
        bad.append((pairs[n].name, str(e)))
    shapes = sorted({x.shape for pair in both for x in pair})
    if len(shapes) > 1:
      raise DataError(
        f'the pictures have several sizes, such as {shapes[0]} and {shapes[-1]}; '
        'give --resolution, or data.resolution of a config'
      )
    filler = np.zeros(
      shapes[0] if shapes else (resolution or 1, resolution or 1, channels), np.uint8
    )
    both += [(filler, filler)] * (len(numbers) - len(both))  # the set is refused when all is read
    a, b = (np.stack(side) for side in zip(*both))
    return {'image': a, 'target': b, 'label': np.zeros(len(a), np.int32)}

  files = [path for pair in pairs for path in pair.files]
  stats = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
  told = repr((stats, resolution, crop, channels)).encode()
  key = hashlib.sha256(told).hexdigest()[:12]
  columns = cache.cached(
    cache_dir,
    f'pairs_{root.name}_{part}_{resolution or "native"}-{key}',
    len(pairs),
    read,
    folder.CHUNK,
    root.name,
    finish=lambda: folder.refuse(bad, len(pairs), root, cache_dir, key),
  )
  chosen = rows(len(pairs))
  arrays = {k: v[chosen] for k, v in columns.items()}
  return from_arrays(root.name, arrays, (), f'pairs of pictures in {root}')


def find(root: Path, part: str) -> tuple[list[Pair], list[tuple[str, str]]]:
  """The pairs of a folder, and (name, reason) of pictures that have no partner, or several.

  Raises:
    DataError: no folder, another layout, or no picture in it.
  """
  if not root.is_dir():
    raise DataError(f'data_dir={root} is not a folder')
  if (root / 'A').is_dir():
    return _by_name(root, part)
  others = ['B', 'a', 'b', *(f'{part}{end}' for end in ('A', 'B', '/A', '/B', '/a', '/b'))]
  for other in others:
    if (root / other).is_dir():
      raise DataError(
        f'{root} holds {other}: no layout of pairs; expected A/{part} and B/{part}, or A and B, by name, or '
        f'pictures side by side in {part}; two domains, {part}A and {part}B, are source=unpaired'
      )
  return _side_by_side(root, part), []


def _side_by_side(root: Path, part: str) -> list[Pair]:
  """Of pictures that are a pair each."""
  files = folder.find(folder.split_folder(root, part), 'none')

  def halves(path: Path) -> tuple[Any, Any]:
    picture = pictures.decode(path)
    width, height = picture.size
    if width % 2 or width < height:
      raise DataError(f'{width}x{height} is no two pictures side by side')
    return picture.crop((0, 0, width // 2, height)), picture.crop((width // 2, 0, width, height))

  return [Pair(n, partial(halves, p), [p]) for n, p in zip(files.names, files.paths)]


def _by_name(root: Path, part: str) -> tuple[list[Pair], list[tuple[str, str]]]:
  """Of the pictures of one name in A and in B, and those that are in one of them only."""
  if not (root / 'B').is_dir():
    raise DataError(f'{root} holds A but no folder B; expected the partners of its pictures there')
  sides, twice = {}, []
  for side in 'AB':
    files = folder.find(folder.split_folder(root / side, part), 'none')
    sides[side] = {str(Path(n).with_suffix('')): p for n, p in zip(files.names, files.paths)}
    twice += [
      (f'{side}/{n}', TWICE)
      for n, p in sorted(zip(files.names, files.paths))
      if sides[side][str(Path(n).with_suffix(''))] != p
    ]
  alone = [
    (f'{here}/{name}', f'has no partner of its name in {there}')
    for here, there in ('AB', 'BA')
    for name in sorted(set(sides[here]) - set(sides[there]))
  ]

  def one(path: Path) -> Any:
    try:
      return pictures.decode(path)
    except DataError as error:
      raise DataError(f'{path.relative_to(root)}: {error}') from None

  both = lambda *paths: tuple(map(one, paths))
  a, b = sides['A'], sides['B']
  return [Pair(n, partial(both, a[n], b[n]), [a[n], b[n]]) for n in a if n in b], [*twice, *alone]

"""Pairs of pictures: the embedded emoji in two styles or as edges, and folders of pairs.

`python -m jaxgan.datasets.pairs DIR --resolution=256` checks a folder and draws a preview sheet.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.datasets import cache, edges, embedded, emoji, folder, pictures
from jaxgan.datasets.cache import Columns
from jaxgan.datasets.dataset import DataError, Dataset, from_arrays, parse_split

Both = Callable[[], Any]  # (A, B), as Pillow has them


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
  if not root.is_dir():
    raise DataError(f'data_dir={root} is not a folder')
  pairs = _by_name(root, part) if (root / 'A').is_dir() else _side_by_side(root, part)
  names = [name for name, *_ in pairs]
  bad: list[tuple[str, str]] = []
  square = lambda picture: pictures.pixels(pictures.fit(picture, resolution, crop), channels)

  def read(numbers: np.ndarray) -> Columns:
    both = []
    for n in numbers:
      try:
        both.append(tuple(map(square, pairs[n][1]())))
      except DataError as e:
        bad.append((names[n], str(e)))
    shapes = sorted({x.shape for pair in both for x in pair})
    if len(shapes) > 1:
      raise DataError(
        f'the pictures have several sizes, such as {shapes[0]} and {shapes[-1]}; give resolution=...'
      )
    filler = np.zeros(
      shapes[0] if shapes else (resolution or 1, resolution or 1, channels), np.uint8
    )
    both += [(filler, filler)] * (len(numbers) - len(both))  # the set is refused when all is read
    a, b = (np.stack(side) for side in zip(*both))
    return {'image': a, 'target': b, 'label': np.zeros(len(a), np.int32)}

  files = [path for _, _, paths in pairs for path in paths]
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


def _side_by_side(root: Path, part: str) -> list[tuple[str, Both, list[Path]]]:
  """(name, function that opens both, files) of pictures that are a pair each."""
  files = folder.find(folder.split_folder(root, part), 'none')

  def halves(path: Path) -> tuple[Any, Any]:
    picture = pictures.decode(path)
    width, height = picture.size
    if width % 2 or width < height:
      raise DataError(f'{width}x{height} is no two pictures side by side')
    return picture.crop((0, 0, width // 2, height)), picture.crop((width // 2, 0, width, height))

  return [(n, partial(halves, p), [p]) for n, p in zip(files.names, files.paths)]


def _by_name(root: Path, part: str) -> list[tuple[str, Both, list[Path]]]:
  """(name, function that opens both, files) of the pictures of one name in A and in B."""
  sides = []
  for side in ('A', 'B'):
    if not (root / side).is_dir():
      raise DataError(
        f'{root} holds A but no folder B; expected the partners of its pictures there'
      )
    files = folder.find(folder.split_folder(root / side, part), 'none')
    sides.append({str(Path(n).with_suffix('')): p for n, p in zip(files.names, files.paths)})
  a, b = sides
  for here, there, side in ((a, b, 'A'), (b, a, 'B')):
    if alone := sorted(set(here) - set(there)):
      raise DataError(
        f'{len(alone)} of {len(here)} pictures in {root / side} have no partner of their name in '
        f'{"AB"[side == "A"]}: {", ".join(alone[:5])}{", ..." if len(alone) > 5 else ""}'
      )
  both = lambda *paths: tuple(map(pictures.decode, paths))
  return [(n, partial(both, a[n], b[n]), [a[n], b[n]]) for n in a]


def preview(dataset: Dataset, path: str | Path, count: int = 24) -> None:
  """Draws pairs side by side, A and B, as PNG."""
  from jaxgan import plots

  batch = dataset.fetch(np.arange(min(count, dataset.size)))
  both = np.stack([batch['image'], batch['target']], 1)
  plots.save(path, plots.grid(both.reshape(-1, *both.shape[2:]), 8))


def main(argv: list[str] | None = None) -> int:
  """The command; exit status 0 when all is well, 1 when something does not pair or open."""
  parser = argparse.ArgumentParser(
    prog='python -m jaxgan.datasets.pairs', description='Checks a folder of pairs of pictures.'
  )
  parser.add_argument('folder')
  parser.add_argument('--split', default='train')
  parser.add_argument('--resolution', type=int, default=256)
  parser.add_argument('--crop', default='center', choices=['center', 'pad', 'none'])
  parser.add_argument('--cache_dir', default='')
  parser.add_argument('--preview', default='preview.png', help='the sheet to write')
  given = parser.parse_args(argv)
  try:
    found = load(
      '',
      split=given.split,
      data_dir=given.folder,
      resolution=given.resolution,
      crop=given.crop,
      cache_dir=given.cache_dir,
    )
  except DataError as e:
    print(e, file=sys.stderr)
    return 1
  preview(found, given.preview)
  print(f'{found.size} pairs in {given.folder}; preview: {given.preview}')
  return 0


if __name__ == '__main__':
  sys.exit(main())

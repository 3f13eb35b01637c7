"""Checks folders for image to image and draws a preview: python -m jaxgan.datasets.check FOLDER --resolution=256

Two domains where it holds trainA and trainB; else pairs, in folders A and B by name, or side by side.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan import plots
from jaxgan.datasets import folder, pairs, pictures
from jaxgan.datasets.dataset import DataError, parse_split

COLUMNS, ROWS = 8, 6  # of the preview, in pictures
Entry = tuple[str, Callable[[], Any]]  # name, function that opens its picture or its pair


class Found(NamedTuple):
  """What is in a folder.

  Attributes:
    what: in words, such as '400 pairs'.
    groups: of examples: one of pairs, or one a domain.
    alone: (name, reason) of pictures that have no partner.
  """

  what: str
  groups: Sequence[Sequence[Entry]]
  alone: Sequence[tuple[str, str]]


def find(root: Path, part: str) -> Found:
  """What a folder holds.

  Raises:
    DataError: no folder, or no picture in it or in one of its domains.
  """
  if not any((root / f'{part}{side}').is_dir() for side in 'AB'):
    found, alone = pairs.find(root, part)
    return Found(f'{len(found)} pairs', [[pair[:2] for pair in found]], alone)
  groups = []
  for side in 'AB':
    if not (root / f'{part}{side}').is_dir():
      raise DataError(f'{root} has no folder {part}{side}; two domains need {part}A and {part}B')
    files = folder.find(root / f'{part}{side}', 'none')
    groups.append(
      [
        (f'{part}{side}/{name}', partial(pictures.decode, path))
        for name, path in zip(files.names, files.paths)
      ]
    )
  counts = ' and '.join(f'{len(g)} pictures in {part}{side}' for g, side in zip(groups, 'AB'))
  return Found(counts, groups, [])


def preview(groups: Sequence[Sequence[Entry]], resolution: int, crop: str) -> np.ndarray:
  """A sheet uint8 [height, width, 3]: of one group pairs A, B; of two a row of A and a row of B in turns."""
  square = lambda picture: pictures.pixels(pictures.fit(picture, resolution, crop), 3)
  if len(groups) == 1:
    cells = [square(x) for _, opens in groups[0][: ROWS * COLUMNS // 2] for x in opens()]
    return plots.grid(np.stack(cells), COLUMNS, column_labels=['A', 'B'] * (COLUMNS // 2))
  paper = np.full((resolution, resolution, 3), 255, np.uint8)
  rows: list[np.ndarray] = []
  for row in range(min(ROWS // 2, -(-max(map(len, groups)) // COLUMNS))):
    for group in groups:
      some = [square(opens()) for _, opens in group[row * COLUMNS : (row + 1) * COLUMNS]]
      rows += some + [paper] * (COLUMNS - len(some))
  return plots.grid(np.stack(rows), COLUMNS, row_labels=['A', 'B'] * (len(rows) // COLUMNS // 2))


def main(argv: list[str] | None = None) -> int:
  """The command; exit status 0 when all is well, 1 when something does not pair or open, 2 with a wrong call."""
  parser = argparse.ArgumentParser(
    prog='python -m jaxgan.datasets.check', description=(__doc__ or '').split('\n')[0]
  )
  parser.add_argument('folder')
  parser.add_argument('--split', default='train')
  parser.add_argument('--resolution', type=int, default=256, help='side of the preview, as trained')
  parser.add_argument('--crop', default='center', choices=['center', 'pad', 'none'])
  parser.add_argument('--preview', default='preview.png', help='the sheet to write')
  given = parser.parse_args(argv)
  root = Path(given.folder).expanduser()
  if given.resolution < 1:
    print(f'--resolution={given.resolution}; expected 1 or more', file=sys.stderr)
    return 2
  try:
    part, _ = parse_split(given.split)
    if part != given.split:
      raise DataError(f'--split={given.split}: a split is checked as a whole; give --split={part}')
    found = find(root, part)
  except DataError as e:
    print(e, file=sys.stderr)
    return 2
  bad = dict(found.alone)
  for group in found.groups:
    bad |= pictures.unreadable(group)
  print(f'{found.what} in {root}; {len(bad)} pictures that do not pair or open')
  for name, reason in bad.items():
    print(f'  {name}: {reason}')
  good = [[entry for entry in group if entry[0] not in bad] for group in found.groups]
  if all(good):
    try:
      plots.save(given.preview, preview(good, given.resolution, given.crop))
    except OSError as e:
      print(f'--preview={given.preview} cannot be written: {e}', file=sys.stderr)
      return 2
    print(f'preview: {given.preview}')
  return 1 if bad else 0


if __name__ == '__main__':
  sys.exit(main())

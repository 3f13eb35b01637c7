"""Points of the plane from mixtures of Gaussians, whose modes are known: the test bed of mode collapse.

A point is an image of one pixel and two channels, float32 in [-1, 1], so that every game takes it.
"""

import re
from typing import NamedTuple

import numpy as np

from jaxgan.datasets.dataset import DataError, Dataset, from_arrays, parse_split

SIZE = 100_000  # as PacGAN
EDGE = 0.8  # where the outermost mean lies, so that points fall around it and not outside [-1, 1]


class Mixture(NamedTuple):
  """Gaussians of one width and equal weight.

  Attributes:
    means: float64 [K, 2].
    std: standard deviation along every axis.
  """

  means: np.ndarray
  std: float

  @property
  def scale(self) -> float:
    """What coordinates are divided by."""
    furthest = float(np.abs(self.means).max())
    return max(furthest / EDGE, furthest + 6 * self.std)


def ring(modes: int = 8, radius: float = 1.0, std: float = 0.01) -> Mixture:
  """Gaussians evenly on a circle, the first at (radius, 0)."""
  angle = 2 * np.pi * np.arange(modes) / modes
  return Mixture(radius * np.stack([np.cos(angle), np.sin(angle)], 1), std)


def grid(side: int = 5, distance: float = 2.0, std: float = 0.05) -> Mixture:
  """side x side Gaussians, `distance` between neighbours, around (0, 0)."""
  axis = distance * (np.arange(side) - (side - 1) / 2)
  return Mixture(np.stack(np.meshgrid(axis, axis, indexing='ij'), -1).reshape(-1, 2), std)


NAMED = {'ring8': ring, 'grid25': grid}


def find(name: str) -> Mixture:
  """The mixture of that name, or the one that is written out: 'x,y;x,y@std'.

  Raises:
    DataError: it is neither.
  """
  if name in NAMED:
    return NAMED[name]()
  number = r'[-+]?\d*\.?\d+'
  pair = f'{number},{number}'
  if not re.fullmatch(f'{pair}(;{pair})*@{number}', name):
    raise DataError(
      f'no mixture {name!r}; there are: {", ".join(NAMED)}, or write means and deviation out: '
      "'-1,0;1,0@0.1'"
    )
  means, _, std = name.partition('@')
  made = Mixture(np.array([m.split(',') for m in means.split(';')], float), float(std))
  if made.std <= 0:
    raise DataError(f'{name!r} has the deviation {made.std:g}; expected more than 0')
  return made


def mixture_of(dataset: Dataset) -> Mixture | None:
  """The mixture that a data set's points are of, in their units; None of other data."""
  columns = dataset.arrays or {}
  if not {'mean', 'std'} <= set(columns):
    return None
  return Mixture(np.unique(columns['mean'], axis=0), float(columns['std'][0]))


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
  """Loads points, as many of each mode, drawn with a fixed seed; label = the mode.

  Args:
    name: 'ring8' (radius 1, deviation 0.01), 'grid25' (5 x 5 at distance 2, deviation 0.05), both as
      VEEGAN and PacGAN have them, or means and deviation written out: '-1,0;1,0@0.1'. Coordinates are
      then divided by 1.25 times the largest coordinate of a mean, more where the Gaussians are
      wide: ring8 has the radius 0.8, grid25 the distance 0.4.
    split: 'train' or a slice of it.
    label: '' or 'label' for the modes, 'none' for no classes.
    resolution, channels: 0; a point has no size.
    data_dir, cache_dir, in_memory, crop: of no effect here.

  Returns:
    100,000 points. `arrays` has for each of them the 'mean' [2] and the 'std' of its Gaussian as well,
    in the units of the points.

  Raises:
    DataError: for an unknown name, split or label, or a size.

  Source: Srivastava et al. 2017, arXiv 1705.07761; Lin et al. 2017, arXiv 1712.04086.
  """
  del data_dir, cache_dir, in_memory, crop
  mixture = find(name)
  part, rows = parse_split(split)
  if part != 'train':
    raise DataError(f'split={split!r}: {name} has only train; cut it like train[:90%]')
  if label not in ('', 'label', 'none'):
    raise DataError(f'{name} has no label {label!r}; there are: label, none')
  if resolution or channels:
    raise DataError(f'{name} is points: resolution={resolution}, channels={channels}; leave both 0')
  modes, scale = len(mixture.means), mixture.scale
  mode = np.arange(SIZE) % modes  # in turn: every slice has as many of each
  noise = np.random.default_rng(0).standard_normal((SIZE, 2))
  points = (mixture.means[mode] + mixture.std * noise) / scale
  arrays = {
    'image': points.reshape(-1, 1, 1, 2).astype(np.float32),
    'label': (mode if label != 'none' else np.zeros(SIZE)).astype(np.int32),
    'mean': (mixture.means[mode] / scale).astype(np.float32),
    'std': np.full(SIZE, mixture.std / scale, np.float32),
  }
  arrays = {k: v[rows(SIZE)] for k, v in arrays.items()}
  classes = () if label == 'none' else tuple(f'{x:.2g},{y:.2g}' for x, y in mixture.means)
  notice = f'{modes} Gaussians of deviation {mixture.std:g}, drawn here, divided by {scale:g}'
  return from_arrays(name, arrays, classes, notice)

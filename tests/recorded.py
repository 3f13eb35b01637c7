"""Numbers recorded from reference implementations, and the comparison with them.

Large arrays that are only compared (gradients, images) are kept as signed sums. ROWS times the
entries of an array are shuffled, given random signs and summed in groups of GROUP: a fifth of the
numbers (a count sketch: Charikar, Chen, Farach-Colton 2002). The sums of ours minus theirs are those of
the differences d, whose tolerances t are those of entries, atol + rtol |x|. Two things must hold:

- of a sum, |sum of d| <= |t| / 4, |t| the root of the sum of the squares of its entries' tolerances.
  This sees what is wrong with many entries, of which a sum has about |d|;
- of an entry, the differences of the ROWS sums that it is in have not all its sign and more than its
  tolerance. This sees a single wrong entry: it changes all of them by its whole difference.

Rounding comes to half of the first limit at most, and no nearer to the second than to the entries'
tolerances without sums.
"""

import functools
import math
import re
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

GOLDEN = Path(__file__).parent / 'golden'
GROUP, ROWS = 32, 7


class Sums(NamedTuple):
  """What is kept of an array: its shape, and its sums [ROWS, ceil(size / GROUP)]."""

  shape: tuple
  values: np.ndarray


@functools.cache
def shuffles(size):
  """(groups, signs) [ROWS, size]: the sum that an entry is in, and its sign there."""
  draw = np.random.RandomState(size)  # its streams never change; those of a Generator may
  count = -(-size // GROUP)
  groups = np.stack([draw.permutation(size) % count for _ in range(ROWS)])
  return groups, draw.choice([-1.0, 1.0], (ROWS, size))


def sums(x, signs=True):
  """The sums of an array, or those of its entries without signs, float64 [ROWS, groups]."""
  flat = np.asarray(x, np.float64).ravel()
  groups, drawn = shuffles(flat.size)
  weighted = flat * (drawn if signs else np.ones_like(drawn))
  return np.stack([np.bincount(g, row) for g, row in zip(groups, weighted)])


def save(path, arrays, compared):
  """Writes a file: its arrays end to end, those over 64 entries that are only compared as sums.

  Hundreds of small arrays would take more room for their headers than for their entries.

  Args:
    path: of an .npz.
    arrays: name -> array.
    compared: a regular expression that is found in the names of what is only compared.
  """
  index, flat = [], {}
  for name, x in arrays.items():
    reduced = x.size > 64 and re.search(compared, name)
    kept = sums(x).astype(np.float32) if reduced else x
    shape = 'x'.join(map(str, x.shape))
    index.append((name, 'sums' if reduced else 'whole', kept.dtype.name, shape))
    flat.setdefault(kept.dtype.name, []).append(kept.ravel())
  joined = {kind: np.concatenate(pieces) for kind, pieces in flat.items()}
  np.savez_compressed(path, index=np.array(index), **joined)


def read(name):
  """Name -> array or Sums of a file of tests/golden, such as 'biggan/losses_ema'."""
  with np.load(GOLDEN / f'{name}.npz') as file:
    content = dict(file)
  if 'index' not in content:
    return content
  out, ends = {}, dict.fromkeys(content, 0)
  for name, kind, dtype, given in content.pop('index').tolist():
    shape = tuple(map(int, given.split('x'))) if given else ()
    kept = (ROWS, -(-math.prod(shape) // GROUP)) if kind == 'sums' else shape
    start, ends[dtype] = ends[dtype], ends[dtype] + math.prod(kept)
    x = content[dtype][start : ends[dtype]].reshape(kept)
    out[name] = Sums(shape, x) if kind == 'sums' else x
  assert all(ends[dtype] == x.size for dtype, x in content.items())
  return out


def part(numbers, prefix):
  """Those under a prefix, which is taken off."""
  return {k.removeprefix(prefix): v for k, v in numbers.items() if k.startswith(prefix)}


def nhwc(x):
  """NCHW to NHWC."""
  return np.transpose(x, (0, 2, 3, 1))


def nchw(x):
  """NHWC to NCHW."""
  return np.transpose(x, (0, 3, 1, 2))


def close(ours, theirs, rtol=1e-4, atol=1e-5, name=''):
  """Whether an array of ours is an array or the Sums of theirs.

  Raises:
    AssertionError: it is not.
  """
  if not isinstance(theirs, Sums):
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol, err_msg=name)
    return
  ours = np.asarray(ours, np.float64)
  assert ours.shape == theirs.shape, f'{name}: shape {ours.shape}; recorded {theirs.shape}'
  difference, tolerance = sums(ours) - theirs.values, atol + rtol * np.abs(ours).ravel()
  share = np.abs(difference) / np.sqrt(sums(tolerance**2, signs=False))
  assert np.all(share <= 1 / 4), f'{name}: sums differ by {share.max():.3g} tolerances, allowed 1/4'
  groups, signs = shuffles(ours.size)
  entries = signs * np.take_along_axis(difference, groups, axis=1)
  agreed = np.where(np.ptp(np.sign(entries), axis=0) == 0, np.abs(entries).min(0), 0)
  worst = np.argmax(agreed / tolerance)
  assert agreed[worst] <= tolerance[worst], (
    f'{name}: entry {np.unravel_index(worst, ours.shape)} differs by {agreed[worst]:.3g}, '
    f'allowed {tolerance[worst]:.3g}'
  )


def undo(convert, arrays):
  """The way back from our layout to theirs.

  Args:
    convert: makes a tree of arrays of ours from theirs by name; it may only move their entries.
    arrays: name -> array or Sums of theirs, for the shapes.

  Returns:
    A function from such a tree of ours to name -> array in their layout; nan where the tree has nothing.
  """
  sizes = [math.prod(x.shape) for x in arrays.values()]
  ends = np.cumsum([0, *sizes])
  assert ends[-1] < 2**24  # places stay exact as float32, which `convert` may make of them
  number = np.arange(ends[-1])
  slices = {name: slice(*ends[i : i + 2]) for i, name in enumerate(arrays)}
  places = convert({k: number[slices[k]].reshape(x.shape) for k, x in arrays.items()})

  def back(tree):
    flat = np.full(ends[-1], np.nan)

    def put(place, x):
      assert np.shape(place) == np.shape(x)
      flat[np.asarray(place, int)] = x

    jax.tree.map(put, places, tree)
    return {k: flat[slices[k]].reshape(x.shape) for k, x in arrays.items()}

  return back

"""Sums and mixtures of latents, and the sheets that show them."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxgan import sample
from jaxgan.config import ConfigError

MOST = 2**16  # pictures that a sum may number
JITTER = 0.25  # of the neighbours of a sum, as in the figure of Radford et al. 2015
Drawn = Callable[[int], tuple[Any, Any, Any]]


def terms(expression: str) -> list[tuple[int, tuple[int, ...]]]:
  """'(0,1,2)-3+4' as [(1, (0, 1, 2)), (-1, (3,)), (1, (4,))]: signs and numbers of pictures.

  Raises:
    ConfigError: the text is no such sum, or names a picture beyond the 65,536th.
  """
  text = re.sub(r'\s', '', expression)
  term = r'([+-]?)(\d+|\(\d+(?:,\d+)*\))'
  if not re.fullmatch(rf'{term}(?:[+-](?:\d+|\(\d+(?:,\d+)*\)))*', text, re.ASCII):
    raise ConfigError(
      f'latents {expression!r}; expected a sum of numbers of pictures, such as 0+1-2, or of means '
      'of several, such as (0,1,2)-(3,4,5)+(6,7,8)'
    )
  found = [
    (-1 if sign == '-' else 1, tuple(map(int, re.findall(r'\d+', group))))
    for sign, group in re.findall(term, text, re.ASCII)
  ]
  last = max(i for _, group in found for i in group)
  if last >= MOST:
    raise ConfigError(f'latents {expression!r} name picture {last}; expected less than {MOST}')
  return found


def combine(z: Any, sum_of: Sequence[tuple[int, tuple[int, ...]]]) -> Any:
  """sum_i sign_i * mean of the latents of group i, float32 [dim_z]; z [n, dim_z], groups as of `terms`.

  The plain sum of the paper, not brought back to the length of a drawn latent: one of three means of
  three normal latents has that length by itself, while z_0 - z_1 + z_2 is sqrt(3) times as long.

  Source: Radford, Metz, Chintala 2015, arXiv 1511.06434, section 6.3.2.
  """
  z = np.asarray(z)
  return sum(sign * z[list(group)].mean(0) for sign, group in sum_of).astype(np.float32)


def arithmetic_sheet(trained: Any, latents: str, drawn: Drawn, seed: int) -> Any:
  """The sheet of a sum of latents: a column for each term, then the sum within its neighbours.

  A term's column shows its pictures, and in the row 'mean' that of their mean latent. On the right is
  the picture of the sum, in the middle of eight that differ from it by uniform noise of +-0.25 in
  every number, as in the paper. Pictures of sums are of the class of the first picture named.

  Args:
    trained: see `sample.load`.
    latents: the sum, see `terms`.
    drawn: number of pictures -> (pictures, latents, labels) of the first so many.
    seed: of what `drawn` draws, and of the noise.

  Raises:
    ConfigError: no such sum.
  """
  from jaxgan import plots

  sum_of = terms(latents)
  images, z, labels = drawn(1 + max(i for _, group in sum_of for i in group))
  total = combine(z, sum_of)
  noise = np.random.default_rng(seed).uniform(-JITTER, JITTER, (9, len(total)))
  noise[4] = 0
  means = [combine(z, [(1, group)]) for _, group in sum_of]
  own = [labels[group[0]] for _, group in sum_of]
  made = sample.pictures(trained, [*means, *(total + noise)], [*own, *[own[0]] * 9])
  longest = max(3, *(len(group) for _, group in sum_of))
  sheet = np.ones((longest + 1, len(sum_of) + 3, *images.shape[1:]), np.float32)
  for column, (_, group) in enumerate(sum_of):
    sheet[: len(group), column] = images[list(group)]
    sheet[-1, column] = made[column]
  sheet[:3, -3:] = made[len(means) :].reshape(3, 3, *images.shape[1:])
  heads = [f'{"-" if sign < 0 else "+"} {",".join(map(str, group))}' for sign, group in sum_of]
  return plots.grid(
    sheet.reshape(-1, *images.shape[1:]),
    sheet.shape[1],
    row_labels=[*[''] * longest, 'mean'],
    column_labels=[heads[0].removeprefix('+ '), *heads[1:], '', '= sum', ''],
    title=f'{latents} of seed {seed}',
  )


def mix_sheet(trained: Any, latents: str, drawn: Drawn, seed: int) -> Any:
  """The sheet of a list of latents: row i and column j meet halfway between both on the sphere.

  On the diagonal are the pictures themselves; all pictures of a row are of its picture's class.
  Arguments as of `arithmetic_sheet`; the latents are 2 to 12 numbers of pictures.

  Raises:
    ConfigError: they are not.
  """
  from jaxgan import plots
  from jaxgan.evaluators.samples import slerp

  if not re.fullmatch(r'\d+(,\d+){1,11}', latents, re.ASCII):
    raise ConfigError(f'latents {latents!r}; expected 2 to 12 numbers of pictures, as 0,1,2')
  chosen = list(terms(f'({latents})')[0][1])
  _, z, labels = drawn(1 + max(chosen))
  rows, columns = (part.ravel() for part in np.meshgrid(chosen, chosen, indexing='ij'))
  halfway = np.where((rows == columns)[:, None], z[rows], slerp(z[rows], z[columns], 3)[:, 1])
  return plots.grid(
    sample.pictures(trained, halfway, labels[rows]),
    len(chosen),
    row_labels=[str(i) for i in chosen],
    column_labels=[str(i) for i in chosen],
    title=f'halfway between pictures of seed {seed}',
  )

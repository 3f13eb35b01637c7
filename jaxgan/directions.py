"""python -m jaxgan.directions --workdir=... --attribute=glasses : what in the latent space an attribute is.

Pictures are drawn and judged by small classifiers of the data set's own attributes. The direction of an
attribute is the mean latent of the pictures that show it less the mean latent of those that do not, without
the part of it along which the other attributes change. Then it is measured, on latents that had no part
in it: how many pictures that lacked the attribute have it once the direction is added, and in how many
every other attribute changes along; beside it what a random direction of the same length does to them.

Sources: Radford, Metz, Chintala 2015, arXiv 1511.06434, section 6.3.2, who add differences of means of three
latents; Shen et al. 2020, arXiv 1907.10786, who project other attributes out. The table is ours.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from jaxgan import command, sample
from jaxgan.config import BATCHING, ConfigError, nearest

MOST_VALUES = 64  # an integer column with more of them is no attribute
LEAST = 8  # pictures on either side of a mean
ROWS = 8  # latents on the sheet
STRENGTHS = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5)  # its columns


def define_flags() -> None:
  """Defines the command's flags."""
  flags.DEFINE_string('workdir', None, 'work folder of a training run')
  flags.DEFINE_string(
    'attribute', None, 'whose direction: glasses, or one value of it: hairColor=3'
  )
  flags.DEFINE_list('others', None, 'attributes that are watched [all]')
  flags.DEFINE_integer('n', 4096, 'pictures that the direction is found from', 2 * LEAST)
  flags.DEFINE_integer('fresh', 1024, 'pictures that it is measured on', 1)
  flags.DEFINE_float('strength', 1.0, 'how much of the direction is added')
  flags.DEFINE_string('output', None, 'file of the sheet [in the work folder]')
  flags.DEFINE_integer('seed', 0, 'of the latents', 0, command.LARGEST_SEED)
  flags.DEFINE_string('checkpoint', 'latest', 'latest, best or a step')
  flags.DEFINE_bool('ema', True, 'averaged weights; --noema takes the live ones')
  flags.DEFINE_string('cache_dir', '~/.cache/jaxgan', 'where the classifiers are kept')


class Change(NamedTuple):
  """What a direction does to one attribute.

  Attributes:
    counted: pictures that could change: for the direction's own attribute those that lacked it.
    moved: share of them that are judged differently once the direction is added.
    by_chance: the same for a random direction of the same length.
  """

  counted: int
  moved: float
  by_chance: float


def means_apart(z: np.ndarray, values: np.ndarray) -> np.ndarray:
  """sqrt(m_k) (mean_k z - mean z) of every value k that m_k >= 8 latents have, float [K, dim_z].

  Where an attribute has nothing to do with the latent each row is noise of unit variance.
  """
  kinds, counts = np.unique(values, return_counts=True)
  rows = [
    np.sqrt(m) * (z[values == kind].mean(0) - z.mean(0))
    for kind, m in zip(kinds, counts)
    if LEAST <= m < len(z)
  ]
  return np.reshape(rows, (-1, z.shape[1]))


def entangled(z: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
  """An orthonormal basis [r, dim_z] of the latent directions along which the other attributes change.

  The right singular vectors of all their `means_apart` whose singular values stand out of noise: above
  sqrt(rows) + sqrt(dim_z), the largest that rows of unit variance have by themselves; at most half of
  the dimensions.

  Source of the edge: Marchenko & Pastur 1967.
  """
  rows = np.concatenate([means_apart(z, np.asarray(values)) for values in others] or [z[:0]])
  if not len(rows):
    return np.zeros((0, z.shape[1]), np.float32)
  _, singular, basis = np.linalg.svd(rows.astype(np.float64), full_matrices=False)
  above = int(np.sum(singular > np.sqrt(len(rows)) + np.sqrt(z.shape[1])))
  return basis[: min(above, z.shape[1] // 2)].astype(np.float32)


def direction(z: Any, has: Any, others: Sequence[Any] = ()) -> np.ndarray:
  """mean_{has} z - mean_{not has} z, less what of it changes other attributes.

  With the orthonormal rows E of `entangled`, the difference of means d becomes d - E^T E d, made longer
  so that it goes as far along d as d does.

  Args:
    z: float [n, dim_z].
    has: bool [n].
    others: what the same pictures show of every other attribute, int [n] each.

  Returns:
    float32 [dim_z].

  Raises:
    ValueError: fewer than 8 latents on either side, or nothing is left of the difference.

  Source: Shen et al. 2020 (InterFaceGAN, conditional manipulation), arXiv 1907.10786.
  """
  z, has = np.asarray(z, np.float32), np.asarray(has, bool)
  if z.ndim != 2 or has.shape != z.shape[:1]:
    raise ValueError(f'z {list(z.shape)} and has {list(has.shape)}; expected [n, dim_z] and [n]')
  if min(has.sum(), (~has).sum()) < LEAST:
    raise ValueError(
      f'{has.sum()} of {len(has)} pictures show the attribute; a mean needs {LEAST} with and '
      f'{LEAST} without: draw more, or train longer'
    )
  whole = z[has].mean(0) - z[~has].mean(0)
  basis = entangled(z, others)
  own = whole - basis.T @ (basis @ whole)
  if own @ whole < 0.1 * (whole @ whole):
    raise ValueError(
      'its latents are those of other attributes; watch fewer of them with --others, or draw more'
    )
  return own * (whole @ whole) / (own @ whole)


def random_direction(like: Any, seed: int = 0) -> np.ndarray:
  """A direction of the same length [dim_z], uniform on the sphere."""
  other = np.random.default_rng(seed).standard_normal(np.shape(like))
  return (other * np.linalg.norm(like) / np.linalg.norm(other)).astype(np.float32)


def changes(
  attribute: str,
  before: Mapping[str, Any],
  after: Mapping[str, Any],
  chance: Mapping[str, Any],
) -> dict[str, Change]:
  """How often each attribute is judged differently after a step.

  Args:
    attribute: the one that the step is for; 1 in the judgements means that a picture shows it.
    before, after, chance: attribute -> int [n], judgements of the same latents as they are, with the
      direction added, and with a random one.

  Returns:
    attribute -> Change. Its own counts pictures that lacked it, and those of them that have it after;
    every other one counts all pictures, and those with another value after.
  """
  found = {}
  for name, was in before.items():
    was = np.asarray(was)
    counted = was == 0 if name == attribute else np.ones(len(was), bool)
    share = lambda now, was=was, counted=counted: (
      float(np.mean((np.asarray(now) != was)[counted])) if counted.any() else float('nan')
    )
    found[name] = Change(int(counted.sum()), share(after[name]), share(chance[name]))
  return found


def attributes(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
  """The attributes among a data set's columns: name -> int [N] from 0 on, no two of them alike.

  A column in which one value is more common than all others together ('None' of glasses and hats) is
  made into yes and no.
  """
  found: dict[str, np.ndarray] = {}
  for name, column in sorted(arrays.items(), key=lambda item: item[0] == 'label'):
    column = np.asarray(column)
    if column.ndim != 1 or column.dtype.kind not in 'iu' or name == 'image':
      continue
    values, column, counts = np.unique(column, return_inverse=True, return_counts=True)
    if not 2 <= len(values) <= MOST_VALUES:
      continue
    if len(values) > 2 and 2 * counts.max() > len(column):
      column = column != counts.argmax()
    column = column.astype(np.int32)
    if not any(np.array_equal(column, other) for other in found.values()):
      found[name] = column
  return found


def asked_for(given: str, known: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray]:
  """(name, bool [N] of who shows it) of an attribute given as 'glasses' or 'hairColor=3'.

  Raises:
    ConfigError: there is none of that name or value, or it has several values and none is named.
  """
  name, equals, value = given.partition('=')
  if name not in known:
    raise ConfigError(
      f'no attribute {name!r}; {nearest(name, known) if known else "there is none"}'
    )
  values = int(known[name].max()) + 1
  if not equals and values == 2:
    return name, known[name] == 1
  if not (value.isascii() and value.isdecimal() and int(value) < values):
    raise ConfigError(
      f'attribute {given!r}; expected one of its values, --attribute={name}=0 to {name}={values - 1}'
    )
  return name, known[name] == int(value)


def table(
  attribute: str, found: Mapping[str, Change], accuracies: Mapping[str, float]
) -> list[str]:
  """The lines of what was measured, the direction's own attribute first, then by how much they moved."""
  head = f'{"attribute":<26}{"judge":>8}{"direction":>12}{"random":>10}'
  order = sorted(found, key=lambda name: (name != attribute, -found[name].moved))
  percent = lambda x: f'{x:.1%}'
  return [head] + [
    f'{name + (" (gained)" if name == attribute else ""):<26}{percent(accuracies[name]):>8}'
    f'{percent(found[name].moved):>12}{percent(found[name].by_chance):>10}'
    for name in order
  ]


def sheet(
  draw: Callable[[np.ndarray, np.ndarray], Any],
  z: np.ndarray,
  labels: np.ndarray,
  step: np.ndarray,
  title: str,
) -> np.ndarray:
  """A row for each latent, a column for each strength of the step; `draw` gives pictures of (z, labels)."""
  from jaxgan import plots

  path = z[:, None] + np.array(STRENGTHS, np.float32)[:, None] * step
  images = draw(path.reshape(-1, z.shape[1]), labels.repeat(len(STRENGTHS)))
  heads = [f'{strength:+g}' if strength else '0' for strength in STRENGTHS]
  return plots.grid(images, len(STRENGTHS), column_labels=heads, title=title)


def judges(
  images: np.ndarray, columns: Mapping[str, np.ndarray], cache_dir: Path
) -> dict[str, Any]:
  """A classifier for every attribute of the real pictures; trained, or read from the cache."""
  from jaxgan import progress
  from jaxgan.metrics import classifier

  found = {}
  for name, column in columns.items():
    found[name] = classifier.cached(
      images, column, int(column.max()) + 1, cache_dir / 'classifiers'
    )
    progress.say(
      f'  judge of {name}: right on {found[name].accuracy:.1%} of held-out real pictures'
    )
  return found


def main(argv: Sequence[str]) -> int:
  """Finds and measures the direction that the flags ask for; returns the exit code."""
  from jaxgan import datasets, plots
  from jaxgan.metrics import classifier

  given: Any = flags.FLAGS
  if len(argv) > 1:
    raise ConfigError(f'unexpected argument {argv[1]!r}; flags look like --attribute=glasses')
  if given.workdir is None:
    raise ConfigError('no work folder given; try --workdir=runs/dcgan')
  trained = sample.load(given.workdir, given.checkpoint, given.ema)
  if not {'sample', 'latent'} <= set(trained.game.predict):
    raise ConfigError(f'this system can {", ".join(trained.game.predict)}; it must sample latents')
  options = {k: v for k, v in trained.config['data'].items() if k not in BATCHING}
  data = datasets.load(**options)
  if data.arrays is not None and not (data.pictures and 'image' in data.arrays):
    raise ConfigError(f'{data.name} holds no pictures whose attributes could be learnt')
  columns = attributes(data.arrays or {})
  if given.attribute is None:
    raise ConfigError(f'no attribute given; {data.name} has {", ".join(columns) or "none"}')
  name, has = asked_for(given.attribute, columns)
  for other in given.others or ():
    if other not in columns:
      raise ConfigError(f'no attribute {other!r} to watch; {nearest(other, columns)}')
  watched = {k: v for k, v in columns.items() if given.others is None or k in given.others}
  watched = {name: has.astype(np.int32), **{k: v for k, v in watched.items() if k != name}}
  assert data.arrays is not None
  judge = judges(data.arrays['image'], watched, Path(given.cache_dir).expanduser())

  def drawn(seed: int, n: int) -> tuple[Any, Any, np.ndarray]:
    labels = np.arange(n) % max(len(trained.class_names), 1)
    return *sample.draw(trained, labels, seed), labels

  def judged(images: Any) -> dict[str, np.ndarray]:
    images = plots.to_uint8(images)[..., : images.shape[-1]]  # judged as they would be saved
    return {k: classifier.predict(one, images) for k, one in judge.items()}

  images, z, _ = drawn(given.seed, given.n)
  seen = judged(images)
  shows = seen.pop(name) == 1
  try:
    step = direction(z, shows, list(seen.values()))
  except ValueError as error:
    raise ConfigError(f'{given.attribute}: {error}') from error
  images, z, labels = drawn(given.seed + 1, given.fresh)
  before = judged(images)
  moved = lambda by: judged(sample.pictures(trained, z + given.strength * by, labels))
  found = changes(name, before, moved(step), moved(random_direction(step, given.seed)))
  print(
    f'step {trained.step}: {given.attribute} shows in {shows.mean():.1%} of {len(shows)} pictures; its '
    f'direction has length {np.linalg.norm(step):.2f}, a latent {np.linalg.norm(z, axis=1).mean():.2f}'
  )
  print(f'share of {len(z)} fresh pictures that change when {given.strength:g} of it is added:')
  print('\n'.join(table(name, found, {k: one.accuracy for k, one in judge.items()})))
  lack = np.flatnonzero(before[name] == 0)[:ROWS]
  chosen = lack if len(lack) else np.arange(min(ROWS, len(z)))
  drawing = sheet(
    lambda z, labels: sample.pictures(trained, z, labels),
    z[chosen],
    labels[chosen],
    given.strength * step,
    f'{given.attribute}: how much of its direction is added',
  )
  file = f'direction_{given.attribute.replace("=", "_")}.png'
  output = Path(given.output or Path(given.workdir) / file).expanduser()
  try:
    plots.save(output, drawing)
  except OSError as error:
    raise ConfigError(f'{output} cannot be written: {error.strerror or error}') from error
  print(f'wrote {output}')
  return 0


def run() -> None:
  """The console entry."""
  define_flags()
  command.run(main, __doc__)


if __name__ == '__main__':
  run()

"""The metrics that the evaluate command offers: what each looks at, what its stamp says, how sure it is."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from jaxgan import metrics
from jaxgan.config import ConfigError, nearest
from jaxgan.metrics.class_accuracy import classification_accuracy_score
from jaxgan.metrics.frechet import Moments

SUBSETS = 10  # whose kernel distances give its standard error
KERNEL: dict[str, Any] = {'kernel': 'polynomial', 'degree': 3, 'gamma': None, 'coef0': 1.0}
PARTS: dict[str, Any] = {'splits': 10, 'shuffle': True, 'seed': 2020}  # of the Inception Score
POINTS, DIRECTIONS, PATCHES, PAIRS = 15, 512, 128, 1000  # stamped with the metrics that they are of
SURE = 1.959964  # standard errors either way that hold 95 % of a normal distribution
Values = dict[str, tuple[float, float | None]]  # name -> (value, standard error)


class Pictures(NamedTuple):
  """Some pictures and what a stamp says of them.

  Attributes:
    name, split: which ones.
    images: uint8 [N, H, W, C].
    labels: int [N]; all 0 without classes.
    classes: their names; () = none.
  """

  name: str
  split: str
  images: np.ndarray
  labels: np.ndarray
  classes: tuple[str, ...] = ()

  def at(self, rows: np.ndarray) -> 'Pictures':
    """Some of them."""
    return self._replace(images=self.images[rows], labels=self.labels[rows])


class Seen:
  """Pictures and, from the moment a metric asks for it, what a network says of them.

  Args:
    pictures: which ones.
    look: uint8 [N, H, W, C] -> 'features' [N, D] and, where the network has them, 'logits' [N, K].
    keep: `compute() -> Moments` to the moments, from a cache where it has them; None = no cache.
  """

  def __init__(
    self,
    pictures: Pictures,
    look: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    keep: Callable[[Callable[[], Moments]], Moments] | None = None,
  ):
    self.pictures, self._look, self.keep = pictures, look, keep

  @cached_property
  def _found(self) -> Mapping[str, np.ndarray]:
    return self._look(self.pictures.images)

  @property
  def features(self) -> np.ndarray:
    """[N, D]."""
    return self._found['features']

  @property
  def logits(self) -> np.ndarray:
    """[N, K].

    Raises:
      ValueError: the network has none.
    """
    if 'logits' not in self._found:
      raise ValueError('needs logits, which this network does not give')
    return self._found['logits']

  @cached_property
  def moments(self) -> Moments:
    """Of the features, which are not asked for where the moments are known."""
    compute = lambda: metrics.moments(self.features)
    return self.keep(compute) if self.keep else compute()

  def half(self, rng: np.random.Generator, by_class: bool) -> 'Seen':
    """A random half of them, without repetition; of every class a half, if wanted."""
    order = rng.permutation(len(self.pictures.labels))
    if by_class:
      order = order[np.argsort(self.pictures.labels[order], kind='stable')]
    rows = np.sort(order[::2])
    return Seen(self.pictures.at(rows), lambda _: {k: v[rows] for k, v in self._found.items()})


class Sides(NamedTuple):
  """What is compared.

  Attributes:
    real: pictures of the reference, as many as samples are compared with.
    fake: the samples.
    train: the reference whole.
    held_out: real pictures that training did not see; None = none are known.
    k: neighbour of precision, recall, density and coverage.
  """

  real: Seen
  fake: Seen
  train: Seen
  held_out: Seen | None = None
  k: int = 5


class Metric(NamedTuple):
  """One line of the table.

  Attributes:
    of: Sides -> values; those of several names where they are computed together.
    settings: Sides -> what the stamp says besides, name -> value.
    pixels: whether it looks at the pictures themselves instead of features.
    logits: whether it looks at logits instead, without their bias where the network has those.
    classes: whether both sides need the same classes.
    held_out: whether it needs real pictures that training did not see.
    interval: whether halves of both sides tell how sure it is.
    bounds: that no value can be beyond.
    least: pictures a side.
  """

  of: Callable[[Any], Values]
  settings: Callable[[Any], dict[str, Any]] = lambda sides: {}
  pixels: bool = False
  logits: bool = False
  classes: bool = False
  held_out: bool = False
  interval: bool = True
  bounds: tuple[float, float] = (-np.inf, np.inf)
  least: int = 2


class Measured(NamedTuple):
  """A value, its standard error where it has one, and its 95 % interval where it was asked for."""

  value: float
  error: float | None = None
  interval: tuple[float, float] | None = None


def _frechet(s: Sides) -> Values:
  if s.real.keep is None:  # a half
    value = metrics.frechet_of_features(s.real.features, s.fake.features)
  else:
    value = metrics.frechet_distance(*s.real.moments[:2], *s.fake.moments[:2])
  return {'frechet_distance': (value, None)}


def _infinity(s: Sides) -> Values:
  found = metrics.frechet_infinity(s.fake.features, *s.real.moments[:2], POINTS)
  return {'frechet_infinity': (found.value, found.standard_error)}


def _intra_class(s: Sides) -> Values:
  real, fake = s.real.pictures, s.fake.pictures
  value, _ = metrics.intra_class_frechet(s.real.features, real.labels, s.fake.features, fake.labels)
  return {'intra_class_frechet': (value, None)}


def _kernel(s: Sides) -> Values:
  x, y = s.fake.features, s.real.features
  size = max(2, min(len(x), len(y)) // SUBSETS)  # disjoint: their spread is that of new samples
  parts = metrics.kernel_distance(x, y, subsets=None, subset_size=size, **KERNEL)
  whole = metrics.kernel_distance(x, y, subset_size=None, **KERNEL)
  return {'kernel_distance': (whole.mean, parts.standard_error)}


def _neighbours(s: Sides) -> Values:
  found = metrics.prdc(s.real.features, s.fake.features, s.k)
  return {name: (float(value), None) for name, value in found.items()}


def _inception(s: Sides) -> Values:
  found = metrics.inception_score(s.fake.logits, **PARTS)
  return {'inception_score': (found.mean, found.standard_error)}


def _as_many(s: Sides, of: Callable[[Seen], np.ndarray]) -> list[np.ndarray]:
  """Of both sides as many as the smaller has, chosen at random."""
  both = [of(s.real), of(s.fake)]
  least = min(map(len, both))
  return [x[np.sort(np.random.default_rng(0).permutation(len(x))[:least])] for x in both]


def _paired(s: Sides) -> dict[str, Any]:
  return {'count_each': min(len(side.pictures.images) for side in (s.real, s.fake))}


def _sliced(s: Sides) -> Values:
  real, fake = _as_many(s, lambda side: side.features)
  value = metrics.sliced_wasserstein(real, fake, DIRECTIONS)
  return {'sliced_wasserstein': (value, None)}


def _patches(s: Sides) -> Values:
  real, fake = _as_many(s, lambda side: side.pictures.images)
  found = metrics.patch_swd(real, fake, PATCHES)
  return {'patch_swd': (found['swd'], None)}


def _diversity(s: Sides) -> Values:
  images, labels, classes = s.fake.pictures[2:]
  found = metrics.ms_ssim_diversity(images, labels if classes else None, PAIRS, data_range=255.0)
  return {'ms_ssim_diversity': (found.mean, found.standard_error)}


def _memorisation(s: Sides) -> Values:
  assert s.held_out is not None
  found = metrics.memorisation(s.train.features, s.held_out.features, s.fake.features)
  share = found['copied']
  error = np.sqrt(share * (1 - share) / len(s.fake.features))
  return {'memorisation': (found['c_t'], None), 'copied': (share, float(error))}


def _accuracy(s: Sides) -> Values:
  assert s.held_out is not None
  fake, real = s.fake.pictures, s.held_out.pictures
  found = classification_accuracy_score(
    fake.images, fake.labels, real.images, real.labels, len(fake.classes)
  )
  return {'classification_accuracy_score': (found['accuracy'], None)}


def _kernel_settings(s: Sides) -> dict[str, Any]:
  return {**KERNEL, 'gamma': '1/D', 'subsets': 'whole', 'error_subsets': SUBSETS}


def _unseen(s: Sides) -> dict[str, Any]:
  assert s.held_out is not None
  held_out = s.held_out.pictures
  return {'held_out': f'{held_out.name} {held_out.split}', 'held_out_count': len(held_out.images)}


def _copies(s: Sides) -> dict[str, Any]:
  return {**_unseen(s), 'train': s.train.pictures.name, 'train_count': len(s.train.pictures.images)}


NEAR = Metric(_neighbours, lambda s: {'k': s.k}, bounds=(0, 1))
COPIES = Metric(_memorisation, _copies, held_out=True, interval=False)
METRICS = {
  'frechet_distance': Metric(_frechet, bounds=(0, np.inf)),
  'kernel_distance': Metric(_kernel, _kernel_settings),
  'precision': NEAR,
  'recall': NEAR,
  'density': NEAR._replace(bounds=(0, np.inf)),
  'coverage': NEAR,
  'inception_score': Metric(_inception, lambda s: PARTS, logits=True, bounds=(1, np.inf), least=10),
  'frechet_infinity': Metric(_infinity, lambda s: {'points': POINTS}, least=4),
  'intra_class_frechet': Metric(_intra_class, classes=True, bounds=(0, np.inf)),
  'sliced_wasserstein': Metric(
    _sliced, lambda s: {'projections': DIRECTIONS, **_paired(s)}, bounds=(0, np.inf)
  ),
  'patch_swd': Metric(
    _patches, lambda s: {'patches': PATCHES, **_paired(s)}, pixels=True, bounds=(0, np.inf)
  ),
  'ms_ssim_diversity': Metric(
    _diversity,
    lambda s: {'pairs': PAIRS, 'within_class': bool(s.fake.pictures.classes)},
    pixels=True,
    bounds=(0, 1),
  ),
  'memorisation': COPIES,
  'copied': COPIES,
  'classification_accuracy_score': Metric(
    _accuracy, _unseen, pixels=True, classes=True, held_out=True, interval=False
  ),
}


def check(names: Sequence[str], held_out: bool = True) -> None:
  """Whether there are some and all of them are known and can be measured.

  Args:
    names: of METRICS.
    held_out: whether there are real pictures that training did not see.

  Raises:
    ConfigError: not so.
  """
  if not names:
    raise ConfigError(f'no metrics; expected some of {", ".join(METRICS)}')
  for name in names:
    if name not in METRICS:
      raise ConfigError(f'no metric {name!r}; {nearest(name, METRICS)}')
    if METRICS[name].held_out and not held_out:
      raise ConfigError(
        f'{name} needs real pictures that training did not see; give --held_out=...'
      )


def interval(
  value: float, of_halves: Sequence[float], bounds: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float]:
  """95 % interval of a value, from those of random halves of the pictures.

    value +- 1.96 sqrt( mean_b (v_b - mean_b v_b)^2 ),  v_b of a half drawn without replacement

  Args:
    value: of all pictures.
    of_halves: v_b, two at least.
    bounds: where it is cut off.

  Leaving out half is the bootstrap whose resamples have no twins: Var(v_half | data) = sigma^2 (2/n - 1/n)
  is the variance sigma^2 / n of the value itself. Drawn with replacement, a third of the pictures would be
  copies, which radii to the k-th neighbour take for a dense place, an unbiased kernel distance for a
  likeness, and a Frechet distance, whose bias grows as the number of different pictures shrinks, for
  distance. The centre is the value, for that of halves has the bias of half as many pictures. It is an
  interval of what new pictures of the same number would give: the bias of a Frechet distance at that
  number is in it. Where two distributions are the same, the leading term of distances vanishes and the
  interval is up to sqrt(3) too wide.

  Source: Shao, Wu 1989 (Ann. Statist. 17, 1176), the delete-d jackknife with d = n / 2; Praestgaard,
  Wellner 1993 (Ann. Probab. 21, 2053), as an exchangeable bootstrap.
  """
  spread = SURE * float(np.std(of_halves, ddof=1))
  low, high = np.clip([value - spread, value + spread], *bounds)
  return float(low), float(high)


def measure(
  names: Sequence[str], sides: Sides, resamples: int = 0, seed: int = 0
) -> dict[str, Measured]:
  """name -> what was measured.

  Args:
    names: some of METRICS.
    sides: what is compared.
    resamples: random halves of both sides from which every metric but `memorisation`, `copied` and
      `classification_accuracy_score` gets an interval, see `interval`; 0 = none. The first is a
      normal deviate in itself, the second a share whose standard error is known, and the third would
      need a classifier for each half.
    seed: of the halves.

  Raises:
    ConfigError: a metric that does not apply to these pictures.
  """
  found: dict[str, Measured] = {}
  check(names, sides.held_out is not None)
  for of in dict.fromkeys(METRICS[name].of for name in names):
    some = [name for name in names if METRICS[name].of is of]
    metric, rng = METRICS[some[0]], np.random.default_rng(seed)
    check_sides(some, sides.real.pictures, sides.fake.pictures, sides.k)
    values, halves = _values(some[0], sides, ''), []
    for _ in range(resamples if metric.interval else 0):
      real, fake = (side.half(rng, metric.classes) for side in (sides.real, sides.fake))
      halves.append(_values(some[0], sides._replace(real=real, fake=fake), ' of a half'))
    for name in some:
      value, error = values[name]
      of_halves = [half[name][0] for half in halves]
      bounds = METRICS[name].bounds
      found[name] = Measured(value, error, interval(value, of_halves, bounds) if halves else None)
  return {name: found[name] for name in names}


def check_sides(names: Sequence[str], real: Pictures, fake: Pictures, k: int) -> None:
  """Whether the metrics apply to such pictures, of which nothing but number and classes is looked at.

  Raises:
    ConfigError: too few of them, or other classes.
  """
  counts = len(real.images), len(fake.images)
  for name in names:
    metric, ours, theirs = METRICS[name], fake.classes, real.classes
    if metric.of is _neighbours and not 1 <= k < min(counts):
      raise ConfigError(
        f'{name}: k={k} neighbours need more than k points, not {counts[0]} and {counts[1]}'
      )
    if (counts[1] if metric.logits else min(counts)) < metric.least:
      raise ConfigError(
        f'{name} of {counts[1]} samples against {counts[0]} real pictures; {metric.least} needed'
      )
    if metric.classes and (len(theirs) < 2 or ours != theirs):
      told = [f'{len(c)} ({", ".join(c[:3])}...)' if c else 'none' for c in (ours, theirs)]
      raise ConfigError(
        f'{name} needs the same classes, 2 at least, on both sides; samples have {told[0]}, the '
        f'reference {told[1]}'
      )


def _values(name: str, sides: Sides, of_what: str) -> Values:
  try:
    return METRICS[name].of(sides)
  except ValueError as error:
    raise ConfigError(f'{name}{of_what}: {error}') from error

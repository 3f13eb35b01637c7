"""Pictures in, scores with their stamps out: what the evaluate command and the evaluators of a run share."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgan import metrics as distances
from jaxgan import scores
from jaxgan.config import ConfigError, nearest
from jaxgan.datasets import Dataset, cache
from jaxgan.importers.torch_file import WeightsError
from jaxgan.metrics import classifier
from jaxgan.metrics.features import Extractor, domain, efficientnet, extract, inception

SUBSETS = 10  # whose kernel distances give its standard error
METRICS: dict[str, tuple[str, ...]] = {
  'frechet_distance': (),
  'kernel_distance': (),
  'precision': ('k',),
  'recall': ('k',),
  'density': ('k',),
  'coverage': ('k',),
  'inception_score': (),
}
DEFAULT = ['frechet_distance', 'kernel_distance', 'precision', 'recall', 'density', 'coverage']
FEATURES = ('auto', 'domain', 'efficientnet', 'inception')


class Pictures(NamedTuple):
  """Some pictures and what a stamp says of them.

  Attributes:
    name, split: which ones.
    images: uint8 [N, H, W, C].
    labels: int [N]; all 0 without classes.
    classes: how many; 0 or 1 = none.
  """

  name: str
  split: str
  images: np.ndarray
  labels: np.ndarray
  classes: int = 0


def of_dataset(dataset: Dataset, split: str) -> Pictures:
  """The pictures of a data set, as many as a classifier learns from.

  Raises:
    ConfigError: it holds no pictures.
  """
  if not dataset.pictures:
    raise ConfigError(f'{dataset.name} has points, not pictures; see the evaluator modes')
  most = max(1, classifier.MOST_BYTES // int(np.prod(dataset.image_shape)))
  rows = np.sort(np.random.default_rng(0).permutation(dataset.size)[:most])
  batch = dataset.fetch(rows)
  classes = len(dataset.class_names)
  return Pictures(dataset.name, split, batch['image'], batch['label'], classes)


def drawn(images: np.ndarray, count: int, seed: int) -> np.ndarray:
  """So many of the pictures at most, without repetition."""
  return images[np.sort(np.random.default_rng(seed).permutation(len(images))[:count])]


def extractor_of(name: str, reference: Pictures, cache_dir: str) -> Extractor:
  """The network of that name; 'auto' is the reference's own classifier where it has classes.

  Raises:
    ConfigError: a classifier is asked for and there are no classes to learn, or weights are missing.
  """
  if name not in FEATURES:
    raise ConfigError(f'no features {name!r}; {nearest(name, FEATURES)}')
  if name == 'auto':
    name = 'domain' if reference.classes > 1 else 'efficientnet'
  if name == 'domain':
    if reference.classes < 2:
      raise ConfigError(
        f'{reference.name} has no classes that a classifier could learn; give --features=efficientnet'
      )
    folder = cache.folder(cache_dir) / 'classifiers'
    return domain.load(reference.images, reference.labels, reference.classes, folder)
  try:
    return {'efficientnet': efficientnet, 'inception': inception}[name].load()
  except WeightsError as error:
    raise ConfigError(str(error)) from error


def check_metrics(metrics: Sequence[str]) -> None:
  """Whether all of them are known.

  Raises:
    ConfigError: one is not.
  """
  for name in metrics:
    if name not in METRICS:
      raise ConfigError(f'no metric {name!r}; {nearest(name, METRICS)}')


def measure(
  metrics: Sequence[str], real: Mapping[str, Any], fake: Mapping[str, Any], k: int
) -> dict[str, tuple[float, float | None]]:
  """name -> (value, standard error or None) of features.

  Args:
    metrics: some of METRICS.
    real, fake: 'features' [N, D] of each, and 'logits'.
    k: neighbour of `prdc`.

  Raises:
    ConfigError: too few pictures, or logits that the network does not have.
  """
  x, y = real['features'], fake['features']
  least = min(len(x), len(y))
  if least <= k:
    raise ConfigError(f'{len(y)} samples and {len(x)} real pictures; k={k} needs more of both')
  found: dict[str, tuple[float, float | None]] = {}
  near = {'precision', 'recall', 'density', 'coverage'} & set(metrics)
  if near:
    values = distances.prdc(x, y, k)
    found |= {name: (float(values[name]), None) for name in near}
  if 'frechet_distance' in metrics:
    one, two = distances.moments(x), distances.moments(y)
    found['frechet_distance'] = (distances.frechet_distance(*one[:2], *two[:2]), None)
  if 'kernel_distance' in metrics:
    whole = distances.kernel_distance(y, x, subset_size=None)
    size = max(2, least // SUBSETS)  # disjoint ones: their spread is that of new samples
    parts = distances.kernel_distance(y, x, subsets=None, subset_size=size)
    found['kernel_distance'] = (whole.mean, parts.standard_error)
  if 'inception_score' in metrics:
    if 'logits' not in fake:
      raise ConfigError('inception_score needs logits, which this network does not give')
    score = distances.inception_score(fake['logits'])
    found['inception_score'] = (score.mean, score.standard_error)
  return {name: found[name] for name in metrics}


class Judge:
  """A reference and a network, ready to score samples.

  Args:
    reference: the real pictures; a classifier learns from all of them.
    features: name of the network, see `extractor_of`.
    metrics: some of METRICS.
    n: real pictures that samples are compared with, at most.
    k: neighbour of precision, recall, density and coverage.
    seed: of their choice, and of the samples, for the stamp.
    cache_dir: of classifiers; '' = ~/.cache/jaxgan.

  Raises:
    ConfigError: an unknown metric, or see `extractor_of`.
  """

  def __init__(
    self,
    reference: Pictures,
    features: str = 'auto',
    metrics: Sequence[str] = DEFAULT,
    n: int = 2048,
    k: int = 5,
    seed: int = 0,
    cache_dir: str = '',
  ):
    check_metrics(metrics)
    self.metrics, self.seed, self.options = tuple(metrics), seed, {'k': k}
    self.extractor = extractor_of(features, reference, cache_dir)
    self.reference = reference._replace(images=drawn(reference.images, n, seed))
    digest = hashlib.sha256(np.ascontiguousarray(self.reference.images).data).hexdigest()
    self.name = f'{reference.name}@{digest[:8]}'  # folders of one name are not one reference
    self.real = self.seen(self.reference.images)

  def seen(self, images: np.ndarray) -> dict[str, np.ndarray]:
    """'features' and, where the network has them, 'logits' of pictures."""
    taps = [self.extractor.default, *({'logits'} & set(self.extractor.taps))]
    found = extract(self.extractor, images, taps)
    return {('features' if tap == self.extractor.default else tap): found[tap] for tap in taps}

  def __call__(self, images: np.ndarray, truncation: float = 0.0, **run: Any) -> list[scores.Score]:
    """The records of some samples, uint8 [N, H, W, C]; `run` is what `scores.of_run` says.

    Raises:
      ConfigError: pictures of another size, where the network takes only one.
    """
    shape, known = images.shape[1:], self.reference.images.shape[1:]
    if self.extractor.resizer == 'none' and shape != known:
      raise ConfigError(
        f'samples of {shape}, reference of {known}; a classifier of the reference needs one size: '
        'give --features=efficientnet'
      )
    found = measure(self.metrics, self.real, self.seen(images), **self.options)
    return [
      scores.Score(
        value,
        scores.Stamp(
          metric=name,
          extractor=self.extractor.name,
          sha256=self.extractor.sha256,
          tap=self.extractor.default,
          resizer=self.extractor.resizer,
          reference=self.name,
          split=self.reference.split,
          reference_count=len(self.reference.images),
          count=len(images),
          seed=self.seed,
          truncation=truncation,
          **run,
          settings=tuple((option, self.options[option]) for option in METRICS[name]),
        ),
        error,
      )
      for name, (value, error) in found.items()
    ]

"""Pictures in, scores with their stamps out: what the evaluate command and the evaluators of a run share."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from jaxgan import measures, parallel, scores
from jaxgan.config import ConfigError, nearest
from jaxgan.datasets import Dataset, cache
from jaxgan.importers.torch_file import WeightsError
from jaxgan.measures import Pictures, Seen
from jaxgan.metrics import classifier
from jaxgan.metrics.features import Extractor, domain, efficientnet, extract, inception
from jaxgan.metrics.frechet import Moments

DEFAULT = ['frechet_distance', 'kernel_distance', 'precision', 'recall', 'density', 'coverage']
FEATURES = ('auto', 'domain', 'efficientnet', 'inception')
TWINS = 0.05  # of unseen pictures; a data set may have so many itself
PIXELS = Extractor('pixels', '', '', {}, '', lambda params, x: {}, None)  # no network at all


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
  return Pictures(dataset.name, split, batch['image'], batch['label'], tuple(dataset.class_names))


def drawn(pictures: Pictures, count: int, seed: int) -> Pictures:
  """So many of the pictures at most, without repetition."""
  return pictures.at(np.sort(np.random.default_rng(seed).permutation(len(pictures.images))[:count]))


def named(pictures: Pictures) -> Pictures:
  """The pictures with their content and classes in their name: folders of one name are not one."""
  digest = hashlib.sha256(repr((pictures.images.shape, pictures.classes)).encode())
  for array in (pictures.images, pictures.labels.astype(np.int64)):
    digest.update(np.ascontiguousarray(array).data)
  return pictures._replace(name=f'{pictures.name}@{digest.hexdigest()[:8]}')


def check_unseen(reference: Pictures, held_out: Pictures) -> None:
  """Whether pictures that training did not see are others than those it saw, but for a few twins.

  Raises:
    ConfigError: they are pixel for pixel the same.
  """
  seen = {hash(image.tobytes()) for image in reference.images}
  shared = sum(hash(image.tobytes()) in seen for image in held_out.images)
  if shared > TWINS * len(held_out.images):
    raise ConfigError(
      f'{shared:,} of {len(held_out.images):,} held-out pictures ({held_out.name} '
      f'{held_out.split}) are in the reference ({reference.name} {reference.split}) too; give parts '
      'that share none, such as train[:90%] and train[90%:]'
    )


def network_of(name: str, reference: Pictures) -> str:
  """Which network that is; 'auto' is the reference's own classifier where it has classes.

  Raises:
    ConfigError: there is none, or a classifier is asked for and there are no classes to learn.
  """
  if name not in FEATURES:
    raise ConfigError(f'no features {name!r}; {nearest(name, FEATURES)}')
  if name == 'auto':
    name = 'domain' if len(reference.classes) > 1 else 'efficientnet'
  if name == 'domain' and len(reference.classes) < 2:
    raise ConfigError(
      f'{reference.name} has no classes that a classifier could learn; give --features=efficientnet'
    )
  if name == 'domain' and len(reference.classes) > len(reference.images):
    raise ConfigError(
      f'{reference.name} has {len(reference.classes):,} classes and {len(reference.images):,} '
      'pictures, from which no classifier can learn; give --features=efficientnet'
    )
  return name


def extractor_of(name: str, reference: Pictures, cache_dir: str) -> Extractor:
  """The network of that name, see `network_of`.

  Raises:
    ConfigError: as `network_of`, or weights are missing.
  """
  name = network_of(name, reference)
  if name == 'domain':
    folder = cache.folder(cache_dir) / 'classifiers'
    try:
      return domain.load(reference.images, reference.labels, len(reference.classes), folder)
    except classifier.ClassifierError as error:
      raise ConfigError(f'{reference.name}: {error}; give --features=efficientnet') from error
  try:
    return {'efficientnet': efficientnet, 'inception': inception}[name].load()
  except WeightsError as error:
    raise ConfigError(str(error)) from error


class Judge:
  """A reference and a network, ready to score samples.

  What no metric asks for is not computed: pixels alone need no network, and the moments of a reference
  that are in the cache none of its features.

  Args:
    reference: the real pictures; a classifier learns from all of them.
    features: name of the network, see `extractor_of`.
    metrics: some of `measures.METRICS`.
    n: real pictures that samples are compared with, at most.
    k: neighbour of precision, recall, density and coverage.
    seed: of their choice, and of the samples, for the stamp.
    cache_dir: of classifiers and moments; '' = ~/.cache/jaxgan/data.
    held_out: real pictures that training did not see, of which at most n are taken; None = none.
    resamples: halves that give intervals, see `measures.measure`; 0 = no intervals.
    expected: pictures like those to be scored, of which number, size and classes count: what does not
      fit them is refused here. None = nothing is known of them.

  Weights are read here; a classifier is trained, or read from the cache, when it is first needed.

  Raises:
    ConfigError: an unknown metric, one that cannot be measured, or see `extractor_of`.
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
    held_out: Pictures | None = None,
    resamples: int = 0,
    expected: Pictures | None = None,
  ):
    measures.check(metrics, held_out is not None)
    if held_out is not None and any(measures.METRICS[name] is measures.COPIES for name in metrics):
      check_unseen(reference, held_out)
    self.metrics, self.seed, self.k, self.resamples = tuple(metrics), seed, k, resamples
    pixels = all(measures.METRICS[name].pixels for name in metrics)
    network = 'pixels' if pixels else network_of(features, reference)
    self.load = lambda: PIXELS if pixels else extractor_of(features, reference, cache_dir)
    self.cache = cache.folder(cache_dir) / 'moments'
    self.reference = named(drawn(reference, n, seed))
    self.real = Seen(self.reference, self.seen, self.kept)
    whole = n >= len(reference.images)
    self.train = self.real if whole else Seen(named(reference), self.seen)
    self.held_out = None if held_out is None else Seen(named(drawn(held_out, n, seed)), self.seen)
    if expected is not None:
      measures.check_sides(metrics, self.reference, expected, k)
      if network == 'domain':
        self.check_size(expected.images)
    if held_out is not None and network == 'domain':
      self.check_size(held_out.images, 'held-out pictures')
    if network != 'domain':
      self.extractor  # noqa: B018  missing weights are told at once

  @cached_property
  def extractor(self) -> Extractor:
    """The network."""
    return self.load()

  def check_size(self, images: np.ndarray, what: str = 'samples') -> None:
    """Whether a classifier of the reference can look at such pictures."""
    shape, known = images.shape[1:], self.reference.images.shape[1:]
    if shape != known:
      raise ConfigError(
        f'{what} of {shape}, reference of {known}; a classifier of the reference needs one size: '
        'give --features=efficientnet'
      )

  def seen(self, images: np.ndarray) -> dict[str, np.ndarray]:
    """'features' and, where the network has them, 'logits' of pictures; all local devices take part."""
    taps = {'features': self.extractor.default, 'logits': self.tap('inception_score')}
    taps = {name: tap for name, tap in taps.items() if tap in self.extractor.taps}
    found = extract(self.extractor, images, [*taps.values()], sharding=parallel.local_batches())
    return {name: found[tap] for name, tap in taps.items()}

  def tap(self, metric: str) -> str:
    """What of the network a metric looks at."""
    if not measures.METRICS[metric].logits:
      return self.extractor.default
    return 'logits_unbiased' if 'logits_unbiased' in self.extractor.taps else 'logits'

  def kept(self, compute: Callable[[], Moments]) -> Moments:
    """The moments of the reference, from the cache where it has them."""
    return scores.reference_moments(self.cache, self.stamp('frechet_distance', 0), compute)[0]

  def stamp(self, metric: str, count: int, **more: Any) -> scores.Stamp:
    """How so many samples are measured."""
    network = PIXELS if measures.METRICS[metric].pixels else self.extractor
    return scores.Stamp(
      metric=metric,
      extractor=network.name,
      sha256=network.sha256,
      tap=network.default if network is PIXELS else self.tap(metric),
      resizer=network.resizer,
      reference=self.reference.name,
      split=self.reference.split,
      reference_count=len(self.reference.images),
      count=count,
      seed=self.seed,
      commit=scores.commit(),
      **more,
    )

  def __call__(
    self,
    images: np.ndarray,
    truncation: float | None = 0.0,
    labels: np.ndarray | None = None,
    classes: Sequence[str] = (),
    **run: Any,
  ) -> list[scores.Score]:
    """The records of some samples.

    Args:
      images: uint8 [N, H, W, C].
      truncation: of their latents; None = nobody knows.
      labels: int [N], the classes asked for; None = none were.
      classes: names of the classes; those of the reference, where metrics compare within classes.
      run: more of the stamp: what `scores.of_run` says, `step`, `samples`.

    Raises:
      ConfigError: pictures of another size, where the network takes only one; or see `measures.measure`.
    """
    if self.extractor.resizer == 'none':
      self.check_size(images)
    labels = np.zeros(len(images), int) if labels is None else labels
    fake = Seen(Pictures('samples', '', images, labels, tuple(classes)), self.seen)
    sides = measures.Sides(self.real, fake, self.train, self.held_out, self.k)
    found = measures.measure(self.metrics, sides, self.resamples, self.seed)
    told = {name: measures.METRICS[name].settings(sides) for name in found}
    return [
      scores.Score(
        value,
        self.stamp(
          name,
          len(images),
          truncation=truncation,
          settings=tuple(sorted(told[name].items())),
          **run,
        ),
        error,
        interval,
        self.resamples if interval else 0,
      )
      for name, (value, error, interval) in found.items()
    ]

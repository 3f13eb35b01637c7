"""How often a sample shows the class asked for, and precision and recall of the samples.

A small classifier of the data set itself is the judge: it is trained at the first call (seconds,
then kept on disk), and says its own accuracy on held-out pictures, which bounds the score: where a
hat hides the hair, nobody can tell its colour.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan import plots, progress
from jaxgan.datasets import Dataset
from jaxgan.evaluators import Evaluate, NotApplicable, Run, drawer
from jaxgan.metrics import classifier
from jaxgan.metrics.prdc import prdc

BATCH = 256  # samples drawn at a time


class ClassScore:
  """The judge of one data set.

  Args:
    dataset: with classes; any kind, streamed ones are read in part.
    samples: how many generated and how many real pictures are compared.
    k: neighbour that sets the radius of precision and recall.
    cache_dir: where the trained classifier is kept; '' = ~/.cache/jaxgan.
    seed: of the classifier, of the real pictures compared and of the classes asked for.

  Raises:
    ValueError: when the data set has no classes, or there are fewer than k + 1 samples.
  """

  def __init__(
    self, dataset: Dataset, samples: int = 2048, k: int = 5, cache_dir: Any = '', seed: int = 0
  ):
    if len(dataset.class_names) < 2:
      raise ValueError(f'{dataset.name} has no classes; give data.label or leave class_score out')
    if not 1 <= k < min(samples, dataset.size):
      raise ValueError(
        f'k={k} neighbours need more than {k} pictures; samples={samples}, data {dataset.size}'
      )
    self.dataset, self.samples, self.k, self.seed = dataset, samples, k, seed
    self.cache_dir = Path(cache_dir or '~/.cache/jaxgan').expanduser() / 'classifiers'
    self.judge: classifier.Classifier | None = None

  def prepare(self) -> classifier.Classifier:
    """Trains the classifier, or reads it from the cache, once; says its accuracy."""
    if self.judge is not None:
      return self.judge
    began, rng = time.monotonic(), np.random.default_rng(self.seed)
    most = max(self.samples, classifier.MOST_BYTES // int(np.prod(self.dataset.image_shape)))
    chosen = np.sort(rng.permutation(self.dataset.size)[:most])
    known = self.dataset.fetch(chosen)
    images, labels = known['image'], known['label']
    self.judge = classifier.cached(
      images, labels, len(self.dataset.class_names), self.cache_dir, self.seed
    )
    self.labels = rng.choice(labels, self.samples).astype(np.int32)
    compared = rng.permutation(len(images))[: self.samples]
    self.real = classifier.features(self.judge, images[compared])
    progress.say(
      f'  class_score: classifier of {self.dataset.name} ready in {time.monotonic() - began:.1f} s;'
      f' it is right on {self.judge.accuracy:.1%} of held-out real pictures'
    )
    return self.judge

  def __call__(self, sample: Callable[[np.ndarray, int], Any]) -> dict[str, float]:
    """Scores a generator.

    Args:
      sample: (labels int32 [n], seed) -> pictures [n, H, W, C], uint8 or float in [-1, 1]; the
        classes come as often as in the data set, in the same order at every call.

    Returns:
      'class_accuracy', 'precision' and 'recall' in [0, 1].

    Raises:
      ValueError: for pictures of another shape than the data set's.
    """
    judge = self.prepare()
    images = np.asarray(sample(self.labels, self.seed))
    if images.shape != (self.samples, *self.dataset.image_shape):
      raise ValueError(
        f'{self.samples} samples of shape {self.dataset.image_shape} expected, not {images.shape}'
      )
    whole = np.isfinite(images).all((1, 2, 3))  # a picture with a NaN is wrong, whatever it shows
    if whole.sum() <= self.k:
      return {'class_accuracy': 0.0, 'precision': 0.0, 'recall': 0.0}
    if images.dtype != np.uint8:
      images = plots.to_uint8(images)[..., : images.shape[-1]]  # scored as they would be saved
    near = prdc(self.real, classifier.features(judge, images[whole]), self.k)
    right = (classifier.predict(judge, images) == self.labels) & whole
    return {
      'class_accuracy': float(np.mean(right)),
      'precision': float(near['precision'] * np.mean(whole)),
      'recall': float(near['recall']),
    }


def make(
  run: Run, samples: int = 2048, k: int = 5, truncations: tuple[float, ...] = (0.0,)
) -> Evaluate:
  """Scores samples of the game against its data set, by a classifier of that data set.

  Args:
    run: its game must have predict 'sample', its data set classes.
    samples: how many generated and how many real pictures are compared.
    k: neighbour that sets the radius of precision and recall.
    truncations: of the latents (convention 'scaled'), 0 = those of training; the others are told
      in the names of their scores, as class_accuracy@0.6.

  Raises:
    NotApplicable: the data have fewer than two classes, or are no pictures.
    ValueError: the game cannot sample, or samples do not exceed k.
  """
  if 'sample' not in run.game.predict:
    raise ValueError(f'this game can {", ".join(run.game.predict)} but not sample; leave it out')
  if len(run.dataset.class_names) < 2:
    raise NotApplicable(f'{run.dataset.name} has fewer than two classes')
  if not run.dataset.pictures:
    raise NotApplicable(f'{run.dataset.name} has no pictures; the evaluator modes judges points')
  score = ClassScore(run.dataset, samples, k, run.cache_dir, run.seed)
  draw = drawer(run.game, BATCH)

  def evaluate(step: int, players: Mapping[str, Any], final: bool) -> dict[str, float]:
    scores: dict[str, float] = {}
    for truncation in truncations:
      suffix = f'@{truncation:g}' if truncation else ''
      found = score(partial(draw, players, truncation=truncation))
      if not run.game.conditional:
        del found['class_accuracy']  # no class was asked for
      scores |= {f'{name}{suffix}': value for name, value in found.items()}
    return scores

  return evaluate

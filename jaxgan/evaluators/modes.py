"""How many modes the samples cover: of mixtures whose modes are known, and of pictures by a classifier.

On points of the plane it also keeps what the game looks like, and leaves modes.gif at the end.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import landscapes, plots, progress
from jaxgan.datasets import Dataset, points
from jaxgan.evaluators import Evaluate, NotApplicable, Run, drawer
from jaxgan.metrics import classifier, modes

BATCH = 500  # samples drawn at a time


def sampler(run: Run, count: int) -> Callable[[Any], np.ndarray]:
  """players -> `count` samples, classes as often as in the data, the same latents at every call."""
  rng, draw = np.random.default_rng(run.seed), drawer(run.game, BATCH)
  labels = run.dataset.fetch(rng.integers(0, run.dataset.size, count))['label']
  return lambda players: draw(players, labels, run.seed)


class Plane:
  """The discriminator of a game, seen from above.

  Args:
    run: of points.
  """

  def __init__(self, run: Run):
    self.score: Any = run.game.predict.get('score')
    self.real = run.dataset.fetch(np.arange(min(BATCH, run.dataset.size)))['image']
    self.look = jax.jit(self._look)

  def _look(self, players: Any, fake: Any) -> tuple[jax.Array, jax.Array]:
    """(logits less the mean of those on real and fake [S, S], their gradients [A, A, 2])."""

    def logits(points):
      image, label = points.reshape(-1, 1, 1, 2), jnp.zeros(points.size // 2, jnp.int32)
      return self.score(players, jax.random.key(0), image=image, label=label)

    middle = 0.5 * (logits(self.real).mean() + logits(fake).mean())
    surface = logits(landscapes.positions(landscapes.SURFACE)) - middle
    gradients = jax.grad(lambda x: logits(x).sum())(landscapes.positions(landscapes.ARROWS))
    return surface.reshape(landscapes.SURFACE, landscapes.SURFACE), gradients

  def frame(self, step: int, players: Any, points: np.ndarray, scores: Any) -> landscapes.Frame:
    """What is seen at this step."""
    shown, scores = points[: landscapes.SHOWN], {k: scores[k] for k in ('modes', 'high_quality')}
    if self.score is None:
      return landscapes.Frame(step, shown, scores)
    return landscapes.Frame(step, shown, scores, *map(np.asarray, self.look(players, points)))


def keep(folder: Path, frame: landscapes.Frame) -> None:
  """Writes a frame beside those of the steps before, so that a resumed run has them too."""
  arrays = {k: v for k, v in frame._asdict().items() if k != 'scores' and v is not None}
  arrays |= frame.scores
  path = folder / f'{frame.step:07d}.npz'
  plots.atomically(path, lambda file: np.savez_compressed(file, **arrays))


def kept(folder: Path, until: int) -> list[landscapes.Frame]:
  """The frames of a folder up to a step; one that cannot be read is left out."""
  frames = []
  for path in sorted(folder.glob('*.npz')):
    try:
      with np.load(path) as file:
        found = {name: file[name] for name in file.files}
      scores = {name: float(found.pop(name)) for name in ('modes', 'high_quality')}
      frame = landscapes.Frame(**{**found, 'step': int(found['step'])}, scores=scores)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
      continue
    if frame.step <= until:
      frames.append(frame)
  return sorted(frames, key=lambda frame: frame.step)


def of_points(run: Run, samples: int, within: float, matched: int, picture: bool) -> Evaluate:
  """The evaluator of a mixture; see `make`."""
  mixture = points.mixture_of(run.dataset)
  if mixture is None:
    raise NotApplicable(f'{run.dataset.name} does not say where its modes are')
  means, std = mixture
  drawn, plane, folder = sampler(run, samples), Plane(run), run.workdir / 'modes'
  matched = min(matched, samples, run.dataset.size)
  chosen = np.random.default_rng(run.seed).permutation(run.dataset.size)[:matched]
  real = run.dataset.fetch(chosen)['image'][:, 0, 0]

  def evaluate(step: int, players: Mapping[str, Any], final: bool) -> dict[str, float]:
    made = drawn(players)[:, 0, 0]
    scores = modes.of_points(made, means, std, within)
    if matched and np.isfinite(made[:matched]).all():
      scores['w1'] = modes.wasserstein(made[:matched], real)
    if picture:
      keep(folder, plane.frame(step, players, made, scores))
    if picture and final:
      pictures = landscapes.draw(kept(folder, step), means, run.dataset.name)
      landscapes.save(pictures, run.workdir / 'modes.gif')
      plots.save(run.workdir / 'modes.png', np.asarray(pictures[-1]))
    return scores

  return evaluate


class Triples:
  """The class of every channel of a stack, by a classifier of the grey pictures it is made of.

  Args:
    dataset: pictures with classes, or stacks of such.
    cache_dir: where the trained classifier is kept.
    steps: of its training.

  Attributes:
    count: number of modes.
    reference: [count], how often the data show each.
  """

  def __init__(self, dataset: Dataset, cache_dir: Any, steps: int, seed: int):
    self.grey = dataset.grey or dataset
    self.stacked, self.steps, self.seed = dataset.grey is not None, steps, seed
    self.cache_dir = Path(cache_dir or '~/.cache/jaxgan').expanduser() / 'classifiers'
    rng = np.random.default_rng(seed)
    most = max(1, classifier.MOST_BYTES // int(np.prod(self.grey.image_shape)))
    self.known = np.sort(rng.permutation(self.grey.size)[:most])
    classes = len(self.grey.class_names)
    self.count = classes**3 if self.stacked else classes
    self.judge: classifier.Classifier | None = None
    self.reference: np.ndarray | None = None  # uniform: the data's triples are drawn that way

  def prepare(self) -> classifier.Classifier:
    """Trains the classifier, or reads it from the cache, once; says its accuracy."""
    if self.judge is not None:
      return self.judge
    began, data, classes = time.monotonic(), self.grey.fetch(self.known), self.grey.class_names
    self.judge = classifier.cached(
      data['image'], data['label'], len(classes), self.cache_dir, self.seed, steps=self.steps
    )
    share = np.bincount(data['label'], minlength=len(classes)) / len(data['label'])
    self.reference = (
      np.einsum('a,b,c->abc', share, share, share).reshape(-1) if self.stacked else share
    )
    progress.say(
      f'  modes: classifier of {self.grey.name} ready in {time.monotonic() - began:.1f} s; it is '
      f'right on {self.judge.accuracy:.2%} of held-out real pictures'
    )
    return self.judge

  def __call__(self, images: np.ndarray) -> np.ndarray:
    """The mode [N] that each picture [N, H, W, C], float in [-1, 1], shows."""
    images = plots.to_uint8(images)[..., : images.shape[-1]]  # judged as they would be saved
    if not self.stacked:
      return classifier.predict(self.prepare(), images)
    classes = len(self.grey.class_names)
    digits = [classifier.predict(self.prepare(), images[..., c : c + 1]) for c in range(3)]
    return digits[0] * classes**2 + digits[1] * classes + digits[2]


def of_pictures(run: Run, samples: int, steps: int) -> Evaluate:
  """The evaluator of pictures; see `make`."""
  if len((run.dataset.grey or run.dataset).class_names) < 2:
    raise NotApplicable(f'{run.dataset.name} has fewer than two classes')
  drawn, judge = sampler(run, samples), Triples(run.dataset, run.cache_dir, steps, run.seed)

  def evaluate(step: int, players: Mapping[str, Any], final: bool) -> dict[str, float]:
    images = drawn(players)
    whole = images[np.isfinite(images).all((1, 2, 3))]  # a picture with a NaN shows no mode
    if not len(whole):
      return {'modes': 0.0, 'mode_kl': float(np.log(judge.count))}
    judge.prepare()
    return modes.of_classes(judge(whole), judge.count, judge.reference)

  return evaluate


def make(
  run: Run,
  samples: int = 0,
  within: float = 3.0,
  matched: int = 500,
  picture: bool = True,
  classifier_steps: int = 2000,
) -> Evaluate:
  """Counts the modes of a data set that the samples cover; see `jaxgan.metrics.modes`.

  Args:
    run: its game must have predict 'sample' and 'latent'.
    samples: how many are drawn; 0 = as the papers: 2,500 points, 26,000 pictures.
    within: standard deviations from a mode up to which a point counts as being at it.
    matched: samples and real points that W1 is taken of, and bounded from below by their
      scatter; 0 = no W1.
    picture: of points, keep a frame at every call and leave modes.gif and modes.png at the end.
    classifier_steps: of the classifier of pictures; its mistakes make modes that are not there.

  Returns:
    The evaluator. Scores: 'modes' and 'mode_kl'; of points 'high_quality' and 'w1' too. The modes of
    stacks are the triples of classes, those of other pictures their classes.

  Raises:
    NotApplicable: the data have no known modes.
    ValueError: the game cannot sample, or a number is out of range.
  """
  if not {'sample', 'latent'} <= set(run.game.predict):
    raise ValueError(f'this game can {", ".join(run.game.predict)} but not sample; leave it out')
  if min(samples, matched) < 0 or within <= 0 or classifier_steps < 1:
    raise ValueError(f'samples={samples}, within={within}, matched={matched}: none below 0')
  if run.dataset.pictures:
    return of_pictures(run, samples or 26_000, classifier_steps)
  return of_points(run, samples or 2500, within, matched, picture)

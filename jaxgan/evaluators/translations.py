"""Image to image while it trains: fixed held-out pictures as input, output, target, and how near they come.

The baselines are what costs nothing: the input as it is, or enlarged by a bicubic filter where targets are
larger ('copy'), and that with the mean colour of the target domain ('shift').
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import datasets, losses, plots, progress
from jaxgan.datasets import Dataset, cache, pictures
from jaxgan.evaluators import Evaluate, Run
from jaxgan.games import Game
from jaxgan.importers.torch_file import WeightsError
from jaxgan.metrics import classifier
from jaxgan.metrics.features import perceptual as features_of
from jaxgan.metrics.kernel import kernel_distance
from jaxgan.metrics.ssim import psnr, ssim

BATCH = 16
MOST = 1024  # pictures of a domain that the judge learns from
SEEN = 64  # pictures that the perceptual distance is measured on
Translate = Callable[[Any, np.ndarray], np.ndarray]


def translator(
  game: Game, direction: str = 'AtoB', noise: bool | None = None, seed: int = 0
) -> Translate:
  """Translation of as many pictures as are given; a picture comes out the same whichever others there are.

  Args:
    game: with predict 'translate'.
    direction: 'AtoB' or 'BtoA'.
    noise: dropout in use; None: as the game says.
    seed: of the noise.

  Returns:
    `(players, images [N, H, W, C]) -> float32 [N, H, W, C] in [-1, 1]`; images uint8, or float in [-1, 1].
  """

  @jax.jit
  def some(players, images):
    key = jax.random.key(seed)
    ready = datasets.preprocess({'image': images}, key)['image']
    return game.predict['translate'](players, key, image=ready, direction=direction, noise=noise)

  def translate(players: Any, images: np.ndarray) -> np.ndarray:
    size = min(BATCH, len(images))
    parts = []
    for start in range(0, len(images), size):
      part = images[start : start + size]
      filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), 0)])
      parts.append(np.asarray(some(players, filled))[: len(part)])
    return np.concatenate(parts)

  return translate


class Judge:
  """A classifier that learnt from which domain, and of which class, the training pictures are.

  Args:
    dataset: what is trained on; its classes count where they are known of both domains.
    cache_dir: see `cache.folder`.
    seed: of the choice and of the classifier.
  """

  def __init__(self, dataset: Dataset, cache_dir: str, seed: int):
    at, beside = (
      np.sort(np.random.default_rng(seed).permutation(size)[:MOST]) for size in dataset.sizes
    )
    batch, other, arrays = *_both(dataset, at, beside), dataset.arrays or {}
    target_label = arrays['target_label'][beside] if 'target_label' in arrays else other['label']
    self.classes = max(1, len(dataset.class_names))
    labels = np.concatenate([batch['label'], self.classes + target_label])
    images = np.concatenate([batch['image'], other['target']])
    self.network = classifier.cached(
      images, labels, 2 * self.classes, cache.folder(cache_dir) / 'classifiers', seed
    )
    self.domains = {'A': self.features(batch['image']), 'B': self.features(other['target'])}

  def features(self, images: np.ndarray) -> np.ndarray:
    return classifier.features(self.network, images)

  def told(self, images: np.ndarray, label: np.ndarray, domain: str) -> dict[str, float]:
    """Kernel distance to the domain, share taken for one of it, and share whose class is found."""
    found = classifier.predict(self.network, images)
    distance = kernel_distance(self.features(images), self.domains[domain], subset_size=None)
    scores = {
      'kernel_distance': distance.mean,
      'in_domain': float(np.mean(found // self.classes == 'AB'.index(domain))),
    }
    if self.classes > 1:
      scores['class_accuracy'] = float(np.mean(found % self.classes == label))
    return scores


def near(images: np.ndarray, targets: np.ndarray) -> dict[str, float]:
  """L1, PSNR and SSIM, means over pictures float [N, H, W, C] in [-1, 1]; L1 in units of that range."""
  x, y = jnp.asarray(images), jnp.asarray(targets)
  scores = {'l1': losses.l1(x, y), 'psnr': psnr(x, y)}
  if min(x.shape[1:3]) >= 11:
    scores['ssim'] = ssim(x, y)
  return {name: float(value.mean()) for name, value in scores.items()}


def perceptual_distance(shape: Sequence[int]) -> tuple[Any, str]:
  """(distance of pictures, '') where it can be had for pictures of that shape [H, W, C], else (None, why not)."""
  least = features_of.SMALLEST
  if shape[-1] != 3 or min(shape[:2]) < least:
    return None, f'pictures of {tuple(shape)}; expected colour and {least} pixels or more'
  try:
    return features_of.load()[0], ''
  except WeightsError as error:
    return None, str(error)


def goes(game: Game, players: Any, shape: Sequence[int], direction: str) -> bool:
  """Whether the game translates pictures of shape [H, W, C] in that direction."""
  image = jax.ShapeDtypeStruct((1, *shape), np.float32)
  translate = lambda players, image: game.predict['translate'](
    players, jax.random.key(0), image=image, direction=direction
  )
  try:
    jax.eval_shape(translate, players, image)
  except ValueError:
    return False
  return True


class Way:
  """One direction of translation, with the held-out pictures that it is measured on.

  Args:
    run: see `Run`.
    held_out: the part of the data.
    direction: 'AtoB' or 'BtoA'.
    samples: pictures that are measured at most.
    judge: of the domains; None: only the distance to targets is measured.
    distance: perceptual, or None.
  """

  def __init__(
    self,
    run: Run,
    held_out: Dataset,
    direction: str,
    samples: int,
    judge: Any,
    distance: Any = None,
  ):
    forth = direction == 'AtoB'
    turn = slice(None, None, 1 if forth else -1)
    at, beside = (_spread(size, samples) for size in held_out.sizes[turn])
    batch, other = _both(held_out, at, beside)
    first, second = ['image', 'target'][turn]
    self.inputs, self.targets = batch[first], other[second]
    label = None if forth else (held_out.arrays or {}).get('target_label')
    self.label = batch['label'] if label is None else label[at]
    self.paired, self.judge = held_out.paired, judge
    self.domain, self.name = ('B' if forth else 'A'), direction
    self.distance, self.game = distance, run.game
    self.back = 'BtoA' if forth else 'AtoB'
    self.returns: bool | None = None  # whether the game knows the way back
    self.translate, self.translate_back = (
      translator(run.game, d, seed=run.seed) for d in (direction, self.back)
    )
    self.shown = pictures.scaled(self.inputs, self.targets.shape[1:3])
    shift = self.targets.mean((0, 1, 2)) - self.shown.mean((0, 1, 2))
    shifted = (self.shown + shift).clip(0, 255).round().astype(np.uint8)
    self.baselines = {
      k: self.scores(_ready(v)) for k, v in (('copy', self.shown), ('shift', shifted))
    }

  def scores(self, images: np.ndarray) -> dict[str, float]:
    """What pictures float [N, H, W, C] in the place of translations score."""
    scores = near(images, _ready(self.targets)) if self.paired else {}
    if self.distance is not None:
      at = _spread(len(images), SEEN)
      parts = [at[i : i + BATCH] for i in range(0, len(at), BATCH)]
      found = [self.distance(images[part], _ready(self.targets[part])) for part in parts]
      scores['perceptual'] = float(np.concatenate(found).mean())
    return scores | (self.judge.told(images, self.label, self.domain) if self.judge else {})

  def cycle(self, players: Any, images: np.ndarray) -> dict[str, float]:
    """L1 from the inputs to their translations translated back, where the game knows the way back."""
    if self.returns is None:  # asked once: it traces the network
      self.returns = goes(self.game, players, images.shape[1:], self.back)
    if not self.returns:
      return {}
    again = self.translate_back(players, images)
    return {'cycle_error': float(np.abs(again - _ready(self.inputs)).mean())}

  def sheet(self, images: np.ndarray, rows: int) -> np.ndarray:
    """Input, output and, of pairs, target; one row a picture."""
    at = _spread(len(images), rows)
    columns = {'input': _ready(self.shown), 'output': images}
    columns |= {'target': _ready(self.targets)} if self.paired else {}
    cells = np.stack([x[at] for x in columns.values()], 1)
    return plots.grid(
      cells.reshape(-1, *cells.shape[2:]), len(columns), column_labels=list(columns)
    )


def _both(dataset: Dataset, at: np.ndarray, beside: np.ndarray) -> tuple[Any, Any]:
  """The examples of both, read once where they are the same."""
  batch = dataset.fetch(at)
  return batch, batch if np.array_equal(at, beside) else dataset.fetch(beside)


def _spread(size: int, most: int) -> np.ndarray:
  """So many numbers below `size` at most, evenly spread."""
  return np.unique(np.linspace(0, size - 1, min(most, size)).round().astype(int))


def _ready(images: np.ndarray) -> np.ndarray:
  """uint8 pictures as float32 in [-1, 1]."""
  return images.astype(np.float32) / 127.5 - 1


def measured_on(run: Run, held_out: str) -> Dataset:
  """That part of the data; where there is none, val or test or the training pictures, and a line that says so."""
  if not (held_out and run.part):
    return run.dataset
  lacking = ''
  for part in dict.fromkeys((held_out, 'val', 'test')):
    try:
      data = run.part(part)
    except datasets.DataError as error:
      lacking = lacking or str(error)
      continue
    if lacking:
      progress.say(f'  translations: measured on {part}: {lacking}')
    return data
  progress.say(f'  translations: measured on the training pictures: {lacking}')
  return run.dataset


def make(
  run: Run,
  held_out: str = 'test',
  samples: int = 256,
  rows: int = 8,
  directions: Sequence[str] = ('AtoB',),
  judge: bool = False,
) -> Evaluate:
  """Draws samples/STEP.png (and of BtoA samples/STEP-BtoA.png), and scores held-out pictures.

  Scores are those of `near` and the perceptual distance (`jaxgan.metrics.features.perceptual`, of up to
  64 pictures) for pairs, with a judge those of `Judge.told`, and `cycle_error`, |G(F(a)) - a|,
  of systems that go both ways; `l1_below_copy`, `l1_below_shift`, `perceptual_below_copy` and
  `kernel_below_copy` say by which share a distance is below that of a baseline. Names end in @BtoA for that
  direction. Where the weights of the perceptual distance are not installed, one line says so.

  Args:
    run: its game must have predict 'translate'.
    held_out: part of the data, as in data.split; '' = the training pictures themselves; see `measured_on`.
    samples: pictures that are scored.
    rows: pictures on a sheet.
    directions: which ways.
    judge: also train a classifier of both domains, which takes about a minute, once.

  Raises:
    ValueError: the game cannot translate, or there are too few pictures for a judge.
  """
  if 'translate' not in run.game.predict:
    raise ValueError(f'this game can {", ".join(run.game.predict)} but not translate; leave it out')
  data = measured_on(run, held_out)
  try:
    sees = Judge(run.dataset, run.cache_dir, run.seed) if judge else None
  except classifier.ClassifierError as error:
    off = '--config.evaluators.translations.judge=False'
    raise ValueError(f'judge=True: {error}; {off} leaves it out') from error
  shape = data.fetch(np.zeros(1, np.int64))['target'].shape[1:]
  distance, lacking = perceptual_distance(shape) if data.paired else (None, '')
  if lacking:
    progress.say(f'  translations: without the perceptual distance: {lacking}')
  ways = [Way(run, data, direction, samples, sees, distance) for direction in directions]
  for way in ways:
    for name, scores in way.baselines.items() if way.paired or sees else ():
      told = ', '.join(f'{k} {v:.4g}' for k, v in scores.items())
      progress.say(f'  translations {way.name}: {name} scores {told}')
    if sees and way.paired:
      true = sees.told(way.targets, way.label, way.domain)
      told = ', '.join(f'{k} {v:.4g}' for k, v in true.items())
      progress.say(f'  translations {way.name}: the true targets score {told}')

  def evaluate(step: int, players: Mapping[str, Any], final: bool) -> dict[str, float]:
    found: dict[str, float] = {}
    for way in ways:
      images = way.translate(players, way.inputs)
      end = '' if way.name == 'AtoB' else f'@{way.name}'
      scores = way.scores(images) | way.cycle(players, images)
      copy, shift = way.baselines['copy'], way.baselines['shift']
      if way.paired:
        scores['l1_below_copy'] = 1 - scores['l1'] / max(copy['l1'], 1e-9)
        scores['l1_below_shift'] = 1 - scores['l1'] / max(shift['l1'], 1e-9)
      if 'perceptual' in scores:
        scores['perceptual_below_copy'] = 1 - scores['perceptual'] / max(copy['perceptual'], 1e-9)
      if sees:
        least = max(copy['kernel_distance'], 1e-9)
        scores['kernel_below_copy'] = 1 - scores['kernel_distance'] / least
      found |= {f'{name}{end}': value for name, value in scores.items()}
      sheet = way.sheet(images, rows)
      file = Path('samples') / f'{step:07d}{end.replace("@", "-")}.png'
      plots.save(run.workdir / file, sheet)
      run.writer.write_images(step, {f'samples{end}': sheet[None]})
      if final:
        plots.save(run.workdir / f'translations{end.replace("@", "-")}.png', sheet)
    return found

  return evaluate

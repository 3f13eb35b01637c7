"""Is a run healthy? What can be measured of one cheaply, and what the numbers say, in words.

Arrays in, numbers out; numbers of several looks in, a verdict out; and the file that keeps them. The
looks are taken by `jaxgan.evaluators.health`.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan import plots

Look = Mapping[str, float]

STATES = (
  'too early to say',
  'healthy',
  'discriminator too strong',
  'generator collapsed',
  'discriminator overfitting',
  'oscillating',
  'diverged',
)
LOOKS = 3  # looks that have to agree; fewer are too early
CYCLE = 5  # looks that an oscillation is seen in: on its way it may stand still for one
EARLY = 0.1  # part of a run in which samples may still be all alike, or
MANY = 20  # looks, whichever is over first
SIDE = 16  # pictures are compared at this size at most, which noise of single pixels does not reach


class Verdict(NamedTuple):
  """What a run looks like.

  Attributes:
    state: one of `STATES`.
    evidence: the numbers that say so.
    advice: what to try, '' for a healthy run.
  """

  state: str
  evidence: str
  advice: str = ''

  def __str__(self) -> str:
    return ': '.join(filter(None, (self.state, self.evidence))) + (
      f'; try {self.advice}' if self.advice else ''
    )


class Limits(NamedTuple):
  """Where a verdict begins. Found on planted failures and healthy runs, see docs/health.md.

  Attributes:
    separation: share of (real, fake) pairs that D tells apart; above it G hardly learns.
    diversity: distance between samples as a share of that between real pictures; below it G has collapsed.
    spread: that distance again; above it samples lie anywhere but where the data are.
    duplicates: share of samples with a twin; above it G has collapsed.
    overfitting: see `overfitting`; above it D knows its training pictures by heart.
    movement: see `movement`; above it the same latents show another picture at each look.
    logit: mean size of a logit; above it the players have left every sensible range.
  """

  separation: float = 0.99
  diversity: float = 0.25
  spread: float = 1.5
  duplicates: float = 0.5
  overfitting: float = 0.3
  movement: float = 0.7
  logit: float = 1e4


def separation(real: Any, fake: Any) -> float:
  """P(D(x) > D(G(z))) over all pairs, ties counting half: 1/2 at the equilibrium, 1 where D is always right.

  The area under the ROC curve, which no shift or scale of the logits changes: one number for every loss.

  Args:
    real, fake: logits [N], [M].
  """
  real, fake = np.asarray(real, np.float64), np.sort(np.asarray(fake, np.float64))
  below = np.searchsorted(fake, real, 'left') + np.searchsorted(fake, real, 'right')
  return float(below.mean() / (2 * len(fake)))


def overfitting(train: Any, held_out: Any, fake: Any) -> float:
  """r_v = (E[D(train)] - E[D(held out)]) / (E[D(train)] - E[D(G(z))]): 0 is none, 1 is complete.

  1 means that D takes held-out real pictures for fakes.

  Args:
    train, held_out, fake: logits, 1-D.

  Source: Karras et al. 2020 (ADA), arXiv 2006.06676, equation 1.
  """
  train, held_out, fake = (float(np.mean(x)) for x in (train, held_out, fake))
  gap = train - fake
  return (train - held_out) / gap if gap > 0 else 0.0


def small(images: Any) -> np.ndarray:
  """Images [N, H, W, C] as rows [N, d], averaged over blocks down to `SIDE` pixels a side."""
  x = np.asarray(images, np.float64)
  n, h, w, c = x.shape
  block = max(1, max(h, w) // SIDE)
  if block > 1 and not (h % block or w % block):
    x = x.reshape(n, h // block, block, w // block, block, c).mean((2, 4))
  return x.reshape(n, -1)


def distances(rows: np.ndarray) -> np.ndarray:
  """|x_i - x_j| of all pairs [N, N]; infinite on the diagonal."""
  squares = np.sum(rows**2, 1)
  found = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))
  np.fill_diagonal(found, np.inf)
  return found


class Reference(NamedTuple):
  """What samples are measured by.

  Attributes:
    spread: mean distance between two real pictures.
    near: a quarter of the median distance from a real picture to the nearest other one: below it two
      samples are twins.
  """

  spread: float
  near: float


def reference(real: Any) -> Reference:
  """The `Reference` of real images [N, H, W, C]; N should be that of the samples."""
  apart = distances(small(real))
  return Reference(float(apart[np.isfinite(apart)].mean()), float(np.median(apart.min(1)) / 4))


def diversity(fake: Any, real: Reference) -> tuple[float, float]:
  """How varied samples are beside as many real pictures: (distance, duplicates).

  distance = mean |G(z) - G(z')| / mean |x - x'|, near 1 where the variety is that of the data.
  duplicates = share of samples with a twin, another one nearer than `Reference.near`: next to 0 for the
  data themselves, 1 for a generator that repeats itself. Samples that merely lack detail are nearer to
  each other than real pictures are, and no twins.

  Args:
    fake: images [N, H, W, C].
    real: see `reference`.
  """
  apart = distances(small(fake))
  mean = apart[np.isfinite(apart)].mean()
  return (
    float(mean / real.spread) if real.spread else 1.0,
    float(np.mean(apart.min(1) < real.near)),
  )


def movement(now: Any, before: Any, real: Reference) -> float:
  """mean |G_now(z) - G_before(z)| / mean |x - x'|: about 1 where the same latent shows another picture.

  Args:
    now, before: images of the same latents at two looks [N, H, W, C].
    real: see `reference`.
  """
  moved = np.linalg.norm(small(now) - small(before), axis=1).mean()
  return float(moved / real.spread) if real.spread else 0.0


def turn(parameters: Sequence[np.ndarray]) -> float:
  """Cosine of a player's last two ways, between its parameters [P] at three looks.

  1 goes straight on, 0 wanders, below 0 comes back: the sum of the updates in place of two gradients,
  which no batch disturbs.
  """
  first, second = (b - a for a, b in zip(parameters[-3:], parameters[-2:]))
  sizes = np.linalg.norm(first) * np.linalg.norm(second)
  return float(first @ second / sizes) if sizes else 0.0


LIMITS = Limits()


def diverged(evidence: str) -> Verdict:
  """The verdict on a run that has left every sensible range."""
  advice = 'lower learning rates, a gradient penalty or spectral norm in the discriminator'
  return Verdict('diverged', evidence, advice)


def verdict(looks: Sequence[Look], limits: Limits = LIMITS) -> Verdict:
  """What the last looks at a run say.

  A state is told when the last `LOOKS` looks agree on it, an oscillation by the medians of the last
  `CYCLE`; causes before effects.

  Args:
    looks: of the run so far, oldest first: 'finite' (1 or 0), 'logit', 'separation', 'diversity',
      'duplicates', and where they are known 'movement', 'generator_turn', 'overfitting', 'modes',
      'modes_known' and 'progress', the part of the run that is done.
    limits: see `Limits`.
  """
  if not looks:
    return Verdict(STATES[0], 'no look yet')
  last = looks[-1]
  if not last['finite']:
    return diverged('samples or logits are not finite')
  if last['logit'] > limits.logit:
    return diverged(f'mean |logit| {last["logit"]:.3g}')
  if len(looks) < LOOKS:
    return Verdict(STATES[0], f'{len(looks)} of {LOOKS} looks')
  if last.get('progress', 1.0) < EARLY and len(looks) < MANY:
    return Verdict(STATES[0], f'{last["progress"]:.0%} of the run')
  recent = looks[-LOOKS:]
  all_above = lambda name, limit: all(x.get(name, np.nan) > limit for x in recent)
  all_below = lambda name, limit: all(x.get(name, np.nan) < limit for x in recent)
  seen = (
    f'distance between samples {last["diversity"]:.0%} of that between real ones, '
    f'{last["duplicates"]:.0%} have a twin'
  )
  known = last.get('modes_known', 0)
  if known:
    seen += f', {last["modes"]:.0f} of {known:.0f} modes'
  collapsed = Verdict(
    'generator collapsed',
    seen,
    'packing (game.packing=2), unrolling, a gradient penalty, or a lower generator learning rate',
  )
  if all_above('diversity', limits.spread):
    return diverged(f'distance between samples {last["diversity"]:.0%} of that between real ones')
  if all_above('overfitting', limits.overfitting):
    return Verdict(
      'discriminator overfitting',
      'held-out pictures are taken for fakes: they are '
      f'{last["overfitting"]:.0%} of the way from train to fake logits',
      'augmentation (game.augment.ada.policy=bgc or diff_augment), more data, or a smaller discriminator',
    )
  if all_above('separation', limits.separation):
    return Verdict(
      'discriminator too strong',
      f'it tells {last["separation"]:.1%} of real and fake apart',
      'a gradient penalty (r1), fewer discriminator steps, a lower discriminator learning rate, '
      'or instance noise',
    )
  movement, way = (
    float(np.nanmedian([x.get(name, np.nan) for x in looks[-CYCLE:]]))
    if any(name in x for x in looks[-CYCLE:])
    else 0.0
    for name in ('movement', 'generator_turn')
  )
  if movement > limits.movement and way < 0:  # also where the samples of each look are of one mode
    return Verdict(
      'oscillating',
      f'from look to look the same latents move by {movement:.0%} of the distance between pictures '
      f'and the generator turns back (cosine of its last two ways {way:.2f}); {seen}',
      'an average of the generator (ema.decay), R1, lower learning rates, or play=extragradient',
    )
  if all_below('diversity', limits.diversity) or all_above('duplicates', limits.duplicates):
    return collapsed
  if known and all(x.get('modes', known) <= known / 2 for x in recent):
    return collapsed
  return Verdict(
    'healthy',
    f'{last["separation"]:.0%} told apart, distance {last["diversity"]:.0%}, '
    f'twins {last["duplicates"]:.0%}'
    + (f', modes {last["modes"]:.0f} of {known:.0f}' if known else ''),
  )


def read(file: Path) -> list[dict[str, Any]]:
  """The looks that a health.json holds, oldest first, without what is damaged; [] if there is none."""
  try:
    rows = json.loads(file.read_text())
  except (OSError, ValueError, RecursionError):
    return []
  return [row for row in rows if _whole(row)] if isinstance(rows, list) else []


def _whole(row: Any) -> bool:
  """Whether it is a step with its verdict in words, and beside them numbers only."""
  words = Verdict._fields
  return (
    isinstance(row, dict)
    and {'step', *words} <= row.keys()
    and all(isinstance(v, str if k in words else int | float) for k, v in row.items())
  )


def write(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
  """Writes a health.json, atomically."""
  text = json.dumps(rows, indent=1) + '\n'
  plots.atomically(file, lambda f: f.write(text.encode()))


def of(row: Mapping[str, Any]) -> Verdict:
  """The verdict that a row of health.json holds."""
  return Verdict(row['state'], row['evidence'], row['advice'])


def close(file: Path, step: int, evidence: str) -> Verdict:
  """Adds to a health.json that the run diverged in a step; returns the verdict."""
  said = diverged(evidence)
  before = [row for row in read(file) if row['step'] < step]
  write(file, [*before, {'step': step, 'finite': 0.0, **said._asdict()}])
  return said


def tally(files: Iterable[Path]) -> str:
  """How runs were judged last, 'healthy 2, generator collapsed 1'; '' where no health.json has a look."""
  last = Counter(looks[-1]['state'] for looks in map(read, files) if looks)
  return ', '.join(f'{state} {count}' for state, count in last.most_common())

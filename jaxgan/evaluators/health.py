"""The health of a run: cheap measurements at every look, a verdict in words, and what to try.

A look samples 256 pictures, asks the discriminator about them and about as many real ones, and reads
the parameters. It never takes more than a share of the run's time: a look that would is left out.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jaxgan import datasets, health, progress
from jaxgan.datasets import points
from jaxgan.datasets.dataset import parse_split
from jaxgan.evaluators import Evaluate, NotApplicable, Run, drawer
from jaxgan.evaluators.spectra import kernels, largest_singular_value

LEAST = 8  # samples that can be compared
MOST_PARAMETERS = 2**24  # of a player whose way is followed


def flat(params: Any) -> np.ndarray:
  """All parameters of a player as one vector."""
  return np.concatenate([np.ravel(x) for x in jax.tree.leaves(jax.device_get(params))])


def check_held_out(split: str, held_out: str, size_of: Callable[[str], int]) -> None:
  """Whether no example is in both parts of a data set.

  Args:
    split, held_out: the parts, as data.split names them.
    size_of: split -> number of its examples.

  Raises:
    ValueError: some are.
  """
  (name, rows), (other, held) = parse_split(split), parse_split(held_out)
  if name == other:
    size = size_of(name)
    a, b = rows(size), held(size)
    shared = min(a.stop, b.stop) - max(a.start, b.start)
    if shared > 0:
      raise ValueError(
        f'held_out={held_out} has {shared:,} examples of data.split={split}, which are trained on; '
        'give parts that share none, such as train[:90%] and train[90%:]'
      )


class Looks:
  """Measures players, and remembers what the next look compares them with.

  Args:
    run: its game must have predict 'latent', 'sample' and 'score'.
    samples: pictures of each kind.
    held_out: part of the data that training does not see, as in data.split; '' = none.

  Raises:
    NotApplicable: the game has other players.
  """

  def __init__(self, run: Run, samples: int = 256, held_out: str = ''):
    if not {'latent', 'sample', 'score'} <= set(run.game.predict):
      raise NotApplicable('the game has no samples that a discriminator scores')
    rng = np.random.default_rng(run.seed)
    draw = lambda data: datasets.preprocess(
      data.fetch(np.sort(rng.choice(data.size, samples, data.size < samples))), jax.random.key(0)
    )
    self.real = draw(run.dataset)
    self.held_out = draw(run.part(held_out)) if held_out and run.part else None
    self.reference = health.reference(self.real['image'])
    self.mixture = points.mixture_of(run.dataset)
    self.before: np.ndarray | None = None
    self.ways: dict[str, list[np.ndarray]] = {}
    self.sample, self.seed = drawer(run.game, samples), run.seed
    score, key = run.game.predict['score'], jax.random.key(run.seed)
    self.score = jax.jit(
      lambda players, image, label: score(players, key, image=image, label=label)
    )

  def __call__(self, players: Mapping[str, Any]) -> dict[str, float]:
    """One look: the numbers that `jaxgan.health.verdict` reads, and the critic's spectra."""
    label = self.real['label']
    fake = self.sample(players, label, self.seed)
    logits = {'fake': self.score(players, fake, label)}
    logits['real'] = self.score(players, self.real['image'], label)
    if self.held_out is not None:
      logits['held_out'] = self.score(players, self.held_out['image'], self.held_out['label'])
    found = {name: np.asarray(x, np.float64) for name, x in logits.items()}
    everything = np.concatenate(list(found.values()))
    finite = bool(np.isfinite(fake).all() and np.isfinite(everything).all())
    row = {'finite': float(finite), 'logit': float(np.abs(everything).mean())}
    if not finite:
      return row
    row['separation'] = health.separation(found['real'], found['fake'])
    row['real_accuracy'] = float(np.mean(found['real'] > 0))
    row['fake_accuracy'] = float(np.mean(found['fake'] < 0))
    row['diversity'], row['duplicates'] = health.diversity(fake, self.reference)
    if self.mixture is not None:
      means, std = self.mixture
      away = np.linalg.norm(fake[:, 0, 0, None] - means, axis=-1)
      near = away.min(1) < max(health.distances(means).min() / 2, 3 * std)  # of a mode, not between
      share = np.bincount(away.argmin(1)[near], minlength=len(means)) / len(fake)
      row['modes'] = float(np.sum(4 * len(share) * share > 1))  # a quarter of its part, at least
      row['modes_known'] = float(len(share))
    if self.before is not None:
      row['movement'] = health.movement(fake, self.before, self.reference)
    self.before = fake
    if self.held_out is not None:
      row['overfitting'] = health.overfitting(found['real'], found['held_out'], found['fake'])
    for name, variables in players.items():
      params = variables['params']
      if sum(x.size for x in jax.tree.leaves(params)) <= MOST_PARAMETERS:
        ways = self.ways.setdefault(name, [])
        ways.append(flat(params))
        del ways[:-3]
        if len(ways) == 3:
          row[f'{name}_turn'] = health.turn(ways)
    matrices = [matrix for _, matrix in kernels(players['discriminator']['params'])]
    sigmas = [largest_singular_value(matrix) for matrix in matrices]
    row['sigma_max'] = max(sigmas, default=0.0)
    ranks = (
      np.square(matrix).sum() / sigma**2
      for matrix, sigma in zip(matrices, sigmas)
      if min(matrix.shape) > 1 and sigma  # a layer of one output always has 1
    )
    row['stable_rank'] = float(min(ranks, default=0.0))
    return row


def make(
  run: Run, samples: int = 256, held_out: str = '', share: float = 0.02, quiet: bool = False
) -> Evaluate:
  """Measures, judges and says so when the verdict changes; writes health.json and `health/...` scalars.

  Args:
    run: its game must have predict 'latent', 'sample' and 'score'.
    samples: pictures of each kind at a look.
    held_out: part of the data that training does not see, such as train[90%:] beside
      data.split=train[:90%], or test; '' = overfitting is not judged.
    share: of the run's time that looks may take; looks beyond it are left out, but for the last.
    quiet: say nothing on the terminal.

  Raises:
    NotApplicable: the game has no samples that a discriminator scores.
    ValueError: too few samples to compare, or held-out pictures that are trained on.
  """
  if not isinstance(samples, int) or samples < LEAST:
    raise ValueError(f'samples={samples!r}; expected {LEAST} or more')
  part = run.part
  if held_out and part and 'data' in run.config:
    check_held_out(run.config['data']['split'], held_out, lambda split: part(split).size)
  look = Looks(run, samples, held_out)
  file = run.workdir / 'health.json'
  history: list[dict[str, Any]] = health.read(file)
  began, told = time.monotonic(), ['']
  taken: list[float] = []  # seconds of each look

  def evaluate(step: int, players: Mapping[str, Any], final: bool) -> dict[str, float]:
    now = time.monotonic()
    cost = sum(taken[1:]) + taken[-1] if len(taken) > 1 else 0.0  # the first one compiles
    if cost > share * (now - began) and not final:
      return {}
    history[:] = [row for row in history if row['step'] < step]  # a resumed run looks again
    if final and len(history) < health.LOOKS - 1:
      return {}  # nothing could be said: spare short runs the compilation
    row = look(players) | {'progress': step / run.total_steps if run.total_steps else 1.0}
    said = health.verdict([*history, row])
    history.append({'step': step, **row, **said._asdict()})
    if not quiet and (final or said.state not in (told[0], health.STATES[0])):
      progress.say(f'  health at step {step:,}: {said}')
      told[0] = said.state
    run.writer.write_texts(step, {'health': str(said)})
    health.write(file, history)
    taken.append(time.monotonic() - now)
    curves = {k: v for k, v in row.items() if k not in ('finite', 'progress', 'modes_known')}
    run.writer.write_scalars(step, {f'health/{name}': value for name, value in curves.items()})
    return {}  # signs, and no scores

  return evaluate

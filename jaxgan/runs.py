"""Many runs in one: N GANs train in one compiled step, each with its own state, data order and numbers.

The step of one run is a function of the swept numbers: game and optimisers are made inside of it, from a
config in which those numbers are traced, and `jax.vmap` makes N of it, or `runs.at_once` of it in each
turn of a loop where N need too much memory or cache. What a run computes is what it would compute
alone, to rounding. The state has an axis of runs in front of every array but the
step, so that whatever happens every k-th step stays one decision for all.
"""

import contextlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jaxgan import datasets, evaluators, health, plots, progress, sweep_report, sweeps, writers
from jaxgan.config import ConfigError
from jaxgan.problem import Problem, make_problem
from jaxgan.session import Session, TrainingError
from jaxgan.sweeps import Point, Sweep
from jaxgan.train_state import TrainState
from jaxgan.train_step import FINITE, name_nonfinite


def make_session(config: Any, workdir: Path, dataset: datasets.Dataset | None = None) -> Session:
  """The session of a config: of one run, or of as many as its section `runs` asks for."""
  return (Runs if sweeps.several(config.runs) else Session)(config, workdir, dataset)


def make_many(
  config: Any, dataset: datasets.Dataset | None = None
) -> tuple[Problem, list[Problem], Sweep]:
  """The problem of all runs of a config.

  Returns:
    (problem, the problem of every point by itself, sweep). The problem's `init` takes the keys [N],
    the arrays of its states but the step have an axis of N runs in front, its metrics are [N], and its batches are those of
    the runs interleaved: [B N, ...], example b of run r at b N + r.

  Raises:
    ConfigError: a point that cannot be, or a number that a compiled step cannot take as an input.
  """
  sweep, plain = sweeps.read(config.runs), config.to_dict()

  def at(point: Point) -> Problem:
    return make_problem(ConfigDict(sweeps.placed(plain, point)), dataset)

  alone = []
  for point in sweep.points:  # mistakes answer here, where the numbers are known
    alone.append(at(point))
    dataset = alone[-1].dataset
  count, at_once = sweep.size, min(config.runs.at_once, sweep.size)
  for path in sweep.values:
    _check(path, alone[0], at)
  columns = {
    path: jnp.asarray(
      np.repeat([float(point[path]) for point in sweep.points], sweep.seeds), jnp.float32
    )
    for path in sweep.values
  }

  def step(state: TrainState, batch: Any) -> tuple[TrainState, dict[str, jax.Array]]:
    apart = lambda x: jnp.moveaxis(x.reshape(-1, count, *x.shape[1:]), 1, 0)
    each = (state.replace(step=None), jax.tree.map(apart, batch), columns)

    def one(run: tuple[TrainState, Any, Point]) -> tuple[TrainState, dict[str, jax.Array]]:
      mine, batch, point = run
      return at(point).step(mine.replace(step=state.step), batch)

    whole = at_once in (0, count)
    new, metrics = jax.vmap(one)(each) if whole else jax.lax.map(one, each, batch_size=at_once)
    return new.replace(step=new.step[0]), metrics

  def init(keys: jax.Array) -> TrainState:
    states = [alone[i // sweep.seeds].init(keys[i]) for i in range(count)]
    kinds = [jax.tree.map(lambda x: (x.shape, x.dtype), state) for state in states]
    if any(kind != kinds[0] for kind in kinds):
      raise ConfigError(
        'runs.sweep: the runs differ in the shapes of their states; train them apart'
      )
    return jax.tree.map(lambda *x: jnp.stack(x), *states).replace(step=states[0].step)

  problem = alone[0]._replace(step=step, init=init, batch_size=alone[0].batch_size * count)
  return problem, alone, sweep


class Interleaved(datasets.Sampler):
  """The orders of several samplers of one size, an example of each in turn."""

  def __init__(self, samplers: list[datasets.Sampler]):
    first, count = samplers[0], len(samplers)
    super().__init__(first.size, first.batch_size * count, first.seed, first.host, first.hosts)
    self.samplers = samplers

  def indices(self, step: int) -> np.ndarray:
    """This host's examples of a step, int64 [batch_size // hosts], or of two domains [.., 2]."""
    return np.concatenate(np.stack([sampler.indices(step) for sampler in self.samplers], 1))


def _check(path: str, alone: Problem, at: Callable[[Point], Problem]) -> None:
  """Whether a step can be traced without knowing the number at a path.

  Raises:
    ConfigError: it cannot.
  """
  state = jax.eval_shape(alone.init, jax.random.key(0))
  batch = alone.dataset.fetch(np.zeros(alone.batch_size, np.int64))
  step = lambda value, state, batch: at({path: value}).step(state, batch)
  try:
    jax.eval_shape(step, jax.ShapeDtypeStruct((), jnp.float32), state, batch)
  except (ValueError, TypeError, AssertionError, AttributeError) as error:
    raise ConfigError(
      f'runs.sweep: {path} decides shapes or operations, and all runs are one program; '
      'train its values one after the other'
    ) from error


class Prefixed:
  """A writer whose names all begin with a prefix, for one of many runs."""

  def __init__(self, writer: Any, prefix: str):
    self._writer, self._prefix = writer, prefix

  def __getattr__(self, method: str) -> Callable[..., None]:
    write = getattr(self._writer, method)
    return lambda step, named, *more: write(
      step, {f'{self._prefix}{name}': value for name, value in named.items()}, *more
    )


class Runs(Session):
  """N runs of a config in one work folder, side by side.

  A run that meets a number that is not finite has diverged: it is named, and left out of every mean
  from then on; the others go on. What evaluators write of run r is in the folder runs/r.
  """

  def build(self, dataset: datasets.Dataset | None) -> Problem:
    """The problem of all runs."""
    problem, self.alone, self.sweep = make_many(self.config, dataset)
    seeds = self.config.seed + np.arange(self.sweep.size) % self.sweep.seeds
    self.seeds = [int(seed) for seed in seeds]
    self.key = jax.vmap(jax.random.key)(jnp.asarray(seeds))
    self.report = sweep_report.Report(self.sweep, self.workdir / 'runs')
    return problem

  def sampler(self) -> datasets.Sampler:
    """The order of each run, interleaved as the step expects them."""
    data, batch = self.problem.dataset, self.problem.batch_size // self.sweep.size
    shared = (jax.process_index(), jax.process_count(), data.domains)
    return Interleaved([datasets.Sampler(data.size, batch, seed, *shared) for seed in self.seeds])

  def meta(self) -> dict[str, Any]:
    """As of one run, and what is known of each run."""
    return {**super().meta(), 'runs': self.report.to_json()}

  def recall(self, meta: Mapping[str, Any]) -> None:
    """As of one run, and what was known of each run."""
    super().recall(meta)
    self.report.recall(meta['runs'])

  def means(self, pending: list[tuple[int, Any]]) -> dict[str, float]:
    """Means over the runs that have not diverged; clears the list.

    Raises:
      TrainingError: every run has diverged.
    """
    values = jax.device_get([metrics for _, metrics in pending])
    diverged = self.report.diverged
    for (step, _), metrics in zip(pending, values):
      for offset, row in enumerate(metrics.pop('nonfinite')):
        for run in np.flatnonzero(row != FINITE):
          if int(run) not in diverged:
            diverged[int(run)] = step + offset + 1
            where = name_nonfinite(row[run], self.problem.order)
            found = f'step {step + offset + 1}: {where} is not finite'
            file = self.workdir / 'runs' / str(run) / 'health.json'
            said = health.close(file, step + offset + 1, found)
            progress.say(
              f'{found} in {self.report.name(int(run))}; it has diverged, the others go on; '
              f'try {said.advice}'
            )
    pending.clear()
    alive = self.report.alive()
    if not alive:
      raise TrainingError(
        f'all {self.sweep.size} runs have diverged, the last one in step {max(diverged.values())}: '
        f'try {health.diverged("").advice}'
      )
    row = {
      name: float(np.mean(np.concatenate([metrics[name] for metrics in values])[:, alive]))
      for name in values[0]
    }
    return row | ({'diverged_runs': float(len(diverged))} if diverged else {})

  def asked(self) -> dict[str, dict[str, Any]]:
    """As of one run; the looks at the health of all of them take together what those of one may."""
    asked = super().asked()
    asked['health'] |= {'share': self.config.health.share / self.sweep.size, 'quiet': True}
    return asked

  def judges(self, writer: Any) -> list[tuple[int, evaluators.Evaluate]]:
    """The evaluators of the config, each of which calls its like of every run."""
    take = jax.jit(lambda players, run: jax.tree.map(lambda x: x[run], players))
    heard = lambda run: progress.quiet() if run else contextlib.nullcontext()
    each = []
    for run in range(self.sweep.size):
      game, folder = self.alone[run // self.sweep.seeds].game, self.workdir / 'runs' / str(run)
      with heard(run):
        mine = sweeps.of_run(self.config.to_dict(), self.sweep, run)
        each.append(self.judges_of(game, folder, Prefixed(writer, f'run{run}/'), mine))

    def together(judges: tuple[evaluators.Evaluate, ...]) -> evaluators.Evaluate:
      def evaluate(step: int, players: Any, final: bool) -> dict[str, float]:
        found = {}
        for run in self.report.alive():
          with heard(run):
            found[run] = judges[run](step, take(players, run), final)
        for run, scores in found.items():
          writer.write_scalars(step, {f'run{run}/{name}': v for name, v in scores.items()})
        means = self.report.add(step, found)
        self.report.write(self.workdir)
        return means

      return evaluate

    return [(like[0][0], together(tuple(judge for _, judge in like))) for like in zip(*each)]

  def draw(self) -> None:
    """The curves, the table of the sweep on the terminal, and its picture."""
    mine = re.compile(r'run\d+/|.*_std$')  # left to the table and the plot
    rows = [
      {name: value for name, value in row.items() if not mine.match(name)}
      for row in writers.scalars(self.workdir)
    ]
    plots.curves(rows, self.workdir / 'curves.png', title=self.workdir.name)
    self.report.write(self.workdir)
    progress.say(*self.report.table())
    self.report.plot(self.workdir / 'sweep.png')

  def facts(self, step: int) -> dict[str, str]:
    """As of one run, and how many there are."""
    points, seeds = self.sweep.points, self.sweep.seeds
    what = f'{len(points)} points × {seeds} seeds' if self.sweep.values else f'{seeds} seeds'
    return {**super().facts(step), 'runs': f'{self.sweep.size} in one program: {what}'}

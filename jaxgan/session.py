"""One run of a config in a work folder: its problem, its devices, its checkpoints, its programs."""

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan import config as configs
from jaxgan import datasets, evaluators, parallel, plots, progress, writers
from jaxgan.checkpoint import Checkpoints
from jaxgan.config import ConfigError
from jaxgan.errors import UserError
from jaxgan.games import Game
from jaxgan.problem import Problem, make_problem
from jaxgan.train_step import FINITE, name_nonfinite, several_steps

NEW_ORDER = 1_000_003  # added to the data seed each time a run goes back


class TrainingError(UserError):
  """Training cannot go on; the message is one line for the user."""


class NonFinite(Exception):
  """A loss, gradient or parameter is NaN or infinite: its step, and a text with step and player."""

  def __init__(self, step: int, where: str):
    super().__init__(f'step {step}: {where} is not finite')
    self.step = step


class Session:
  """What the loop needs of a run, and does not need to know the inside of.

  Args:
    config: a valid config.
    workdir: the work folder.
    dataset: use this one instead of loading `config.data`.

  Raises:
    UserError: one line that says what does not fit.
  """

  def __init__(self, config: Any, workdir: Path, dataset: datasets.Dataset | None = None):
    self.config, self.workdir = config, workdir
    self.key = jax.random.key(config.seed)
    self.problem = self.build(dataset)
    self.layout = parallel.make_layout(config.parallel.mode, config.parallel.fsdp)
    parallel.check_batch(config.data.batch_size // config.accumulate, len(self.layout.devices))
    saving = config.checkpoint
    self.checkpoints = Checkpoints(
      workdir / 'checkpoints', keep=saving.keep, best=saving.best or None, best_mode=saving.mode
    )
    self.programs: dict[Any, Any] = {}
    self.retries, self.saved = 0, -1
    self.scores: dict[str, float] = {}
    self.sizes: dict[str, int] = {}

  def build(self, dataset: datasets.Dataset | None) -> Problem:
    """The problem of the config."""
    return make_problem(self.config, dataset)

  def meta(self) -> dict[str, Any]:
    """What a checkpoint holds beside the state: enough to resume, and to sample without the data."""
    data = self.problem.dataset
    described = {
      'name': data.name,
      'image_shape': list(data.image_shape),
      'class_names': list(data.class_names),
      'size': data.size,
    }
    return {
      'config': json.loads(configs.to_json(self.config)),
      'dataset': described,
      'retries': self.retries,
      'scores': self.scores,
    }

  def restore(self, going_back: bool = False) -> tuple[Any, int]:
    """State and step of the newest good checkpoint, on the devices; the first state where there is none.

    Args:
      going_back: take other draws from here on than those that led to trouble.
    """
    state, step = self.problem.init(self.key), 0
    self.sizes = {name: progress.size_of(v['params']) for name, v in state.players.items()}
    found = self.checkpoints.restore(self.layout.abstract(state))
    if found is not None:
      state, meta, step = found
      self.saved = step
      self.recall(meta)
      now = self.meta()
      if meta['dataset']['class_names'] != now['dataset']['class_names']:
        raise ConfigError(
          f'the classes of {now["dataset"]["name"]} are not those that {self.workdir} was trained on; '
          'give the same data, or another --workdir'
        )
      changed = configs.difference(meta['config'], now['config'])
      changed += configs.difference({'data': meta['dataset']}, {'data': now['dataset']})
      if changed:
        progress.say(f'  going on with a changed config: {"; ".join(changed)}')
    if going_back:
      state = state.replace(key=jax.random.fold_in(state.key, self.retries))
    return self.layout.place(state), step

  def recall(self, meta: Mapping[str, Any]) -> None:
    """Takes over what a checkpoint knows of the run."""
    self.scores, self.retries = meta['scores'], max(self.retries, meta['retries'])

  def save(self, state: Any, step: int, scores: dict[str, float]) -> None:
    """Starts an asynchronous checkpoint of a state known to be finite, with the scores of just this step."""
    if step != self.saved:
      logical = self.layout.logical(state)
      serve = logical.ema or logical.players
      self.checkpoints.save(step, logical, meta=self.meta(), generator=serve, scores=scores)
      self.saved = step

  def sampler(self) -> datasets.Sampler:
    """The order of the data."""
    seed = self.config.seed + NEW_ORDER * self.retries
    data, host, hosts = self.problem.dataset, jax.process_index(), jax.process_count()
    return datasets.Sampler(
      data.size, self.problem.batch_size, seed, host, hosts, domains=data.domains
    )

  def feed(self, start: int) -> Iterator[tuple[int, Any]]:
    """(stride, batches [stride, B, ...] on the devices) from step `start` to the end."""
    total = self.config.total_steps
    stream = datasets.batches(self.problem.dataset, self.sampler(), start)
    for step in range(start, total, self.config.steps_per_call):
      stride = min(self.config.steps_per_call, total - step)
      parts = list(itertools.islice(stream, stride))
      yield stride, self.layout.shard(jax.tree.map(lambda *rows: np.stack(rows), *parts))

  def program(self, step: int, stride: int, state: Any, batches: Any) -> Any:
    """The compiled train step for this stage of the game and this stride."""
    key = (self.problem.game.stage(step), stride)
    if key not in self.programs:
      began = time.monotonic()
      step_function = self.layout.compile(several_steps(self.problem.step))
      try:
        self.programs[key] = parallel.ahead(step_function, state, batches)
      except (ValueError, TypeError, AssertionError) as error:  # options that do not fit the batch
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f'model {self.config.model!r}: {reason}') from error
      cost = parallel.cost(self.programs[key], stride)
      progress.say(f'  compiled the step in {time.monotonic() - began:.1f} s: {cost}')
    return self.programs[key]

  def means(self, pending: list[tuple[int, Any]]) -> dict[str, float]:
    """Means of the metrics since the last time; clears the list.

    Args:
      pending: (steps done before, metrics [stride]) of each call.

    Raises:
      NonFinite: naming the first number that is.
    """
    values = jax.device_get([metrics for _, metrics in pending])
    for (step, _), metrics in zip(pending, values):
      for offset, index in enumerate(metrics.pop('nonfinite')):
        if index != FINITE:
          where = name_nonfinite(index, self.problem.order)
          raise NonFinite(step + offset + 1, where)
    pending.clear()
    return {name: float(np.mean(np.concatenate([m[name] for m in values]))) for name in values[0]}

  def judges(self, writer: Any) -> list[tuple[int, evaluators.Evaluate]]:
    """(period in steps, evaluator) of every evaluator in the config."""
    return self.judges_of(self.problem.game, self.workdir, writer, self.config.to_dict())

  def asked(self) -> dict[str, dict[str, Any]]:
    """The evaluators of the config with their options, among them the look at the run's health."""
    return {'health': self.config.health.to_dict(), **self.config.evaluators.to_dict()}

  def judges_of(
    self, game: Game, folder: Path, writer: Any, config: Mapping[str, Any]
  ) -> list[tuple[int, evaluators.Evaluate]]:
    """`judges` of a game of that config, which write to the given folder and writer."""
    run = evaluators.Run(
      game,
      self.problem.dataset,
      folder,
      writer,
      self.config.seed,
      self.config.data.cache_dir,
      self.config.total_steps,
      self.problem.part,
      config,
    )
    judges = []
    for name, arguments in self.asked().items():
      period = arguments.pop('every')
      try:
        if period:
          judges.append((period, evaluators.make(name, run, **arguments)))
      except evaluators.NotApplicable as reason:
        progress.say(f'  {name} is left out: {reason}')
    return judges

  def draw(self) -> None:
    """The pictures of the whole run."""
    plots.curves(
      writers.scalars(self.workdir), self.workdir / 'curves.png', title=self.workdir.name
    )

  def facts(self, step: int) -> dict[str, str]:
    """The lines of the start banner."""
    data, devices = self.problem.dataset, self.layout.devices
    shape = '×'.join(map(str, data.image_shape))
    examples = 'images' if data.pictures else 'points'
    classes = f'{len(data.class_names)} classes' if data.class_names else 'no classes'
    going_on = f', going on from {step}' if step else ''
    return {
      'data': f'{data.name}: {data.size:,} {examples} {shape}, {classes}',
      'source': data.notice,
      'parameters': ', '.join(f'{name} {progress.count(n)}' for name, n in self.sizes.items()),
      'devices': f'{len(devices)} × {devices[0].device_kind} ({self.config.parallel.mode})',
      'training': f'{self.config.total_steps:,} steps of {self.problem.batch_size} {examples}{going_on}',
      'results': f'{self.workdir}/',
    }

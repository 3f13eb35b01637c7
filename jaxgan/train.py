"""The loop: data to device, step, log, evaluate, save, resume. The only one, for every game."""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan import config as configs
from jaxgan import datasets, evaluators, parallel, plots, processes, progress, writers
from jaxgan.checkpoint import Checkpoints
from jaxgan.errors import UserError
from jaxgan.interrupt import Interrupt
from jaxgan.problem import make_problem
from jaxgan.train_step import FINITE, name_nonfinite, several_steps

NEW_ORDER = 1_000_003  # added to the data seed each time a run goes back


class TrainingError(UserError):
  """Training cannot go on; the message is one line for the user."""


class NonFinite(Exception):
  """A loss, gradient or parameter is NaN or infinite; the text names it with its step and player."""


def every(step: int, n: int, total: int, stride: int = 1) -> bool:
  """Whether something due each n steps, and at the end, is due when `step` is reached in a stride."""
  return step >= total or step // n > (step - stride) // n


class Trainer:
  """One run of a config in a work folder. `train` is the way in."""

  def __init__(self, config: Any, workdir: Path, dataset: datasets.Dataset | None = None):
    self.config, self.workdir = config, workdir
    self.problem = make_problem(config, dataset)
    self.layout = parallel.make_layout(config.parallel.mode, config.parallel.fsdp)
    parallel.check_batch(config.data.batch_size // config.accumulate, len(self.layout.devices))
    self.first = self.layout.place(self.problem.init(jax.random.key(config.seed)))
    saving = config.checkpoint
    self.checkpoints = Checkpoints(
      workdir / 'checkpoints', keep=saving.keep, best=saving.best or None, best_mode=saving.mode
    )
    self.programs: dict[Any, Any] = {}
    self.retries, self.saved = 0, -1
    self.scores: dict[str, float] = {}

  def meta(self) -> dict[str, Any]:
    """What a checkpoint holds beside the state: enough to resume, and to sample without the data."""
    data = self.problem.dataset
    described = {
      'name': data.name,
      'image_shape': list(data.image_shape),
      'class_names': list(data.class_names),
    }
    return {
      'config': json.loads(configs.to_json(self.config)),
      'dataset': described,
      'retries': self.retries,
      'scores': self.scores,
    }

  def restore(self) -> tuple[Any, int]:
    """State and step of the newest good checkpoint; a copy of the first state where there is none."""
    found = self.checkpoints.restore(self.layout.abstract(self.layout.logical(self.first)))
    if found is None:
      return jax.tree.map(lambda x: x.copy(), self.first), 0
    state, meta, step = found
    self.saved, self.scores = step, meta['scores']
    self.retries = max(self.retries, meta['retries'])
    changed = configs.difference(meta['config'], self.meta()['config'])
    if changed:
      progress.say(
        f'  going on with another config than the checkpoint was made with: {"; ".join(changed)}'
      )
    return self.layout.place(state), step

  def save(self, state: Any, step: int, scores: dict[str, float]) -> None:
    """Starts an asynchronous checkpoint of a state known to be finite, with the scores of just this step."""
    if step != self.saved:
      logical = self.layout.logical(state)
      self.checkpoints.save(
        step, logical, meta=self.meta(), generator=logical.ema or logical.players, scores=scores
      )
      self.saved = step

  def feed(self, start: int) -> Iterator[tuple[int, Any]]:
    """(stride, batches [stride, B, ...] on the devices) from step `start` to the end."""
    total, data = self.config.total_steps, self.problem.dataset
    seed = self.config.seed + NEW_ORDER * self.retries
    sampler = datasets.Sampler(
      data.size, self.problem.batch_size, seed, jax.process_index(), jax.process_count()
    )
    stream = datasets.batches(data, sampler, start)
    for step in range(start, total, self.config.steps_per_call):
      stride = min(self.config.steps_per_call, total - step)
      yield (
        stride,
        self.layout.shard(
          jax.tree.map(lambda *parts: np.stack(parts), *itertools.islice(stream, stride))
        ),
      )

  def program(self, step: int, stride: int, state: Any, batches: Any) -> Any:
    """The compiled train step for this stage of the game and this stride."""
    key = (self.problem.game.stage(step), stride)
    if key not in self.programs:
      started = time.monotonic()
      self.programs[key] = (
        self.layout.compile(several_steps(self.problem.step)).lower(state, batches).compile()
      )
      progress.say(
        f'  compiled the step in {time.monotonic() - started:.1f} s: {parallel.cost(self.programs[key], stride)}'
      )
    return self.programs[key]

  def flush(self, pending: list[tuple[int, Any]]) -> dict[str, float]:
    """Means of the metrics of the steps since the last flush; clears the list.

    Raises:
      NonFinite: naming the first that is.
    """
    values = jax.device_get([metrics for _, metrics in pending])
    for (step, _), metrics in zip(pending, values):
      for offset, index in enumerate(metrics.pop('nonfinite')):
        if index != FINITE:
          raise NonFinite(
            f'step {step + offset + 1}: {name_nonfinite(index, self.problem.order)} is not finite'
          )
    pending.clear()
    return {name: float(np.mean(np.concatenate([m[name] for m in values]))) for name in values[0]}

  def loop(
    self, state: Any, step: int, writer: Any, judges: list[tuple[int, Any]], interrupt: Interrupt
  ) -> int:
    """Trains to the end, or until a signal comes; returns the step reached.

    Raises:
      NonFinite: the state is not worth going on with.
    """
    config, total, pending = self.config, self.config.total_steps, []
    bar = progress.Bar(total, step, self.problem.batch_size)
    try:
      for stride, batches in self.feed(step):
        state, metrics = self.program(step, stride, state, batches)(state, batches)
        pending.append((step, metrics))
        step += stride
        due = lambda n: every(step, n, total, stride)  # noqa: B023  called within this turn
        leaving = interrupt.seen()
        logging, saving = due(config.log.every), due(config.checkpoint.every) or leaving
        called, fresh = [evaluate for n, evaluate in judges if due(n)], {}
        if logging or saving or called:
          row = self.flush(pending)
          bar.advance(
            step,
            {
              name.replace('discriminator', 'D').replace('generator', 'G'): row[name]
              for name in row
              if name.endswith('/loss')
            },
          )
          writer.write_scalars(step, {**row, 'steps_per_second': bar.rate(), **parallel.memory()})
        else:
          bar.advance(step)
        if called and not leaving:
          players = self.layout.local(self.layout.logical(state).playing())
          for evaluate in called if jax.process_index() == 0 else ():
            score = evaluate(step, players, step >= total)
            writer.write_scalars(step, score)
            fresh |= score
          self.scores |= fresh
          saving = saving or processes.anywhere(config.checkpoint.best in fresh)
        if saving:
          self.save(state, step, fresh)
        if leaving:
          break
    finally:
      bar.close()
    return step

  def run(self) -> dict[str, Any]:
    """Resumes or starts, goes back where a number is not finite, and leaves everything written."""
    config, began = self.config, time.monotonic()
    state, step = self.restore()
    progress.banner(config.model, self.facts(step))
    with Interrupt() as interrupt:
      while step < config.total_steps:
        writer = writers.make_writer(self.workdir, resume_step=step or None)
        context = evaluators.Run(
          self.problem.game,
          self.problem.dataset,
          self.workdir,
          writer,
          config.seed,
          config.data.cache_dir,
        )
        judges = []
        for name, options in config.evaluators.items():
          arguments = options.to_dict()
          judges.append((arguments.pop('every'), evaluators.make(name, context, **arguments)))
        try:
          step = self.loop(state, step, writer, judges, interrupt)
        except NonFinite as error:
          if self.retries >= config.retries:
            raise TrainingError(
              f'{error}; gave up after {self.retries} new tries (retries={config.retries}): lower the learning rates or change the penalties'
            ) from error
          self.retries += 1
          state, step = self.restore()
          state = state.replace(
            key=jax.tree.map(lambda k: jax.random.fold_in(k, self.retries), state.key)
          )
          progress.say(
            f'{error}; going back to step {step} with a new order of the data (try {self.retries} of {config.retries})'
          )
          continue
        finally:
          writer.close()
        if interrupt.number:
          break
      self.checkpoints.wait()
    if jax.process_index() == 0:
      plots.curves(
        writers.scalars(self.workdir), self.workdir / 'curves.png', title=self.workdir.name
      )
    self.checkpoints.close()
    return {
      'step': step,
      'signal': interrupt.number,
      'seconds': time.monotonic() - began,
      'scores': self.scores,
    }

  def facts(self, step: int) -> dict[str, str]:
    """The lines of the start banner."""
    data, devices = self.problem.dataset, self.layout.devices
    shape = '×'.join(map(str, data.image_shape))
    sizes = [
      f'{name} {progress.count(progress.size_of(v["params"]))}'
      for name, v in self.layout.logical(self.first).players.items()
    ]
    going_on = f', going on from {step}' if step else ''
    return {
      'data': f'{data.name}: {data.size:,} images {shape}, {len(data.class_names) or "no"} classes ({data.notice})',
      'parameters': ', '.join(sizes),
      'devices': f'{len(devices)} × {devices[0].device_kind} ({self.config.parallel.mode})',
      'training': f'{self.config.total_steps:,} steps of {self.problem.batch_size} images{going_on}',
      'results': f'{self.workdir}/',
    }


def train(
  config: Any, workdir: str | Path, dataset: datasets.Dataset | None = None
) -> dict[str, Any]:
  """Trains what a config says, going on from the newest checkpoint in the work folder.

  Args:
    config: see `jaxgan.config`.
    workdir: everything is written here.
    dataset: use this one instead of loading `config.data`.

  Returns:
    'step' reached, 'signal' that ended the run early (0 = none), 'seconds', the last 'scores'.

  Raises:
    ConfigError, DataError, CheckpointError, TrainingError: one line for the user.
  """
  configs.validate(config)
  parallel.start_distributed(config.parallel.distributed)
  parallel.keep_programs(config.cache.dir)
  workdir = Path(workdir).expanduser()
  workdir.mkdir(parents=True, exist_ok=True)
  trainer = Trainer(config, workdir, dataset)
  if jax.process_index() == 0:
    (workdir / 'config.json').write_text(configs.to_json(config))
  return trainer.run()

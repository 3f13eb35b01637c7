"""The loop: data to device, step, log, evaluate, save, resume. The only one, for every game."""

import time
from pathlib import Path
from typing import Any

import jax

from jaxgan import config as configs
from jaxgan import datasets, health, parallel, processes, progress, runs, writers
from jaxgan.interrupt import Interrupt
from jaxgan.session import NonFinite, Session, TrainingError


def every(step: int, n: int, total: int, stride: int = 1) -> bool:
  """Whether something due each n steps, and at the end, is due when `step` is reached in a stride."""
  return step >= total or step // n > (step - stride) // n


def loop(session: Session, state: Any, step: int, writer: Any, interrupt: Interrupt) -> int:
  """Trains to the end, or until a signal comes; returns the step reached.

  Raises:
    NonFinite: the state is not worth going on with.
  """
  config, total, layout = session.config, session.config.total_steps, session.layout
  judges, pending = session.judges(writer), []
  with progress.Bar(total, step, session.problem.batch_size) as bar:
    for stride, batches in session.feed(step):
      state, metrics = session.program(step, stride, state, batches)(state, batches)
      pending.append((step, metrics))
      step += stride
      due = lambda n: every(step, n, total, stride)  # noqa: B023  called within this turn
      leaving = interrupt.seen()
      saving = due(config.checkpoint.every) or leaving
      scores: dict[str, float] = {}
      called = [] if leaving else [evaluate for n, evaluate in judges if due(n)]
      if due(config.log.every) or saving or called:
        row = session.means(pending)
        bar.show(row)
        writer.write_scalars(step, {**row, 'steps_per_second': bar.rate(), **parallel.memory()})
      bar.advance(step)
      if called:
        players = layout.local(layout.logical(state).playing())
        for evaluate in called if jax.process_index() == 0 else ():
          found = evaluate(step, players, step >= total)
          writer.write_scalars(step, found)
          scores |= found
        session.scores |= scores
        saving = saving or processes.anywhere(config.checkpoint.best in scores)
      if saving:
        session.save(state, step, scores)
      if leaving:
        break
  return step


def run(session: Session) -> dict[str, Any]:
  """Resumes or starts, goes back where a number is not finite, and leaves everything written."""
  config, workdir, began = session.config, session.workdir, time.monotonic()
  state, step = session.restore()
  progress.banner(config.model, session.facts(step))
  with Interrupt() as interrupt:
    while step < config.total_steps and not interrupt.agreed:
      writer = writers.make_writer(workdir, resume_step=step or None)
      try:
        step = loop(session, state, step, writer, interrupt)
      except NonFinite as error:
        tries = config.retries
        if session.retries >= tries:
          said = health.close(workdir / 'health.json', error.step, str(error))
          raise TrainingError(
            f'{error}; gave up after {session.retries} new tries (retries={tries}); '
            f'{said.state}: try {said.advice}'
          ) from error
        session.retries += 1
        state, step = session.restore(going_back=True)
        progress.say(
          f'{error}; going back to step {step} with a new order of the data '
          f'(try {session.retries} of {tries})'
        )
      finally:
        writer.close()
        session.checkpoints.wait()
  session.checkpoints.close()
  if jax.process_index() == 0:
    session.draw()
  best = config.checkpoint.best
  if best and session.scores and best not in session.scores:
    progress.say(f'  no best checkpoint: no evaluator gives the score {best!r} (checkpoint.best)')
  seconds = time.monotonic() - began
  return {'step': step, 'signal': interrupt.agreed, 'seconds': seconds, 'scores': session.scores}


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
  try:
    workdir.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise configs.ConfigError(f'work folder {workdir} cannot be made: {error.strerror}') from error
  session = runs.make_session(config, workdir, dataset)
  if jax.process_index() == 0:
    (workdir / 'config.json').write_text(configs.to_json(config))
  return run(session)

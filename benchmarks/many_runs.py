"""Sixteen runs in one program beside the same sixteen one after the other, on a game in the plane.

  python -m benchmarks.many_runs
  python -m benchmarks.many_runs --hidden=128 --batch_size=256 --at_once=4

Both sides step in turns, so that a machine that gets slower does so for both, with the data fed as in
training. A side's start is all that comes before its second step; the one of a run alone is that of a second run,
which finds its program in the cache, times the number of runs. Seconds of the clock and of the
processor are told, the latter because other work beside the benchmark changes them less.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from jaxgan import config as configs
from jaxgan import parallel, runs

TURNS = 7


def make_config(given: Any) -> Any:
  """The mixture of eight Gaussians of `configs/mixture.py` with R1, and no judges."""
  config = configs.load('mixture')
  config.game.discriminator_penalties = {'r1': {'gamma': 0.1}}
  config.game.hidden, config.data.batch_size = given.hidden, given.batch_size
  config.total_steps, config.steps_per_call = 10**6, 1
  return config


def start(config: Any, folder: str) -> Callable[[int], None]:
  """A run (or many in one) after its first step: so many more steps at a call."""
  session = runs.make_session(config, Path(folder))
  state, step = session.restore()
  feed = session.feed(step)
  stride, batches = next(feed)
  program = session.program(step, stride, state, batches)
  box = [program(state, batches)[0]]
  jax.block_until_ready(box)

  def steps(count: int) -> None:
    for _ in range(count):
      box[0], _ = program(box[0], next(feed)[1])
    jax.block_until_ready(box)

  return steps


def timed(call: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
  """((seconds of the clock, of the processor), result)."""
  clock, processor = time.perf_counter(), time.process_time()
  result = call()
  return (time.perf_counter() - clock, time.process_time() - processor), result


def main(argv: list[str] | None = None) -> int:
  """The command; returns the exit code."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--runs', type=int, default=16)
  parser.add_argument('--steps', type=int, default=2000, help='of a run, for the whole time')
  parser.add_argument('--batch_size', type=int, default=64)
  parser.add_argument('--hidden', type=int, default=32)
  parser.add_argument('--at_once', type=int, default=0, help='runs computed at a time; 0 = all')
  given = parser.parse_args(argv)
  with tempfile.TemporaryDirectory() as folder:
    parallel.keep_programs(f'{folder}/programs')
    config = make_config(given)
    start(config, f'{folder}/first')
    before_one, one = timed(lambda: start(config, f'{folder}/one'))
    config.runs.seeds, config.runs.at_once = given.runs, given.at_once
    before_many, many = timed(lambda: start(config, f'{folder}/many'))
    turns = [(timed(lambda: one(400))[0], timed(lambda: many(100))[0]) for _ in range(TURNS)]
  print(f'\n{given.runs} runs of {given.steps} steps of {given.batch_size}, {given.hidden} units')
  print(f'{"":<10}{"side":<20}{"start":>9}{"a step of all":>16}{"whole":>10}')
  for i, unit in enumerate(('clock', 'processor')):
    alone = given.runs * statistics.median(a[i] for a, _ in turns) / 400
    together = statistics.median(b[i] for _, b in turns) / 100
    sides = (
      ('one after the other', given.runs * before_one[i], alone),
      ('in one', before_many[i], together),
    )
    whole = [before + given.steps * step for _, before, step in sides]
    for (side, before, step), all_of_it in zip(sides, whole):
      print(f'{unit:<10}{side:<20}{before:7.1f} s{1e3 * step:13.2f} ms{all_of_it:8.1f} s')
    print(
      f'{"":<10}in one: {alone / together:.1f} times (steps), {whole[0] / whole[1]:.1f} (whole)'
    )
  return 0


if __name__ == '__main__':
  raise SystemExit(main())

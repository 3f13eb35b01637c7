"""Sixteen runs in one program beside the same sixteen one after the other, on a game in the plane.

  python -m benchmarks.many_runs
  python -m benchmarks.many_runs --hidden=32 --batch_size=64

Each side is `jaxgan.train` as a user calls it. Printed are whole seconds, start and compilation counted in
(the runs one after the other find their program in the cache after the first), and the steps per
second once it is compiled.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan import config as configs
from jaxgan import train, writers


def make_config(given: Any, cache: str) -> Any:
  """The mixture of eight Gaussians of `configs/mixture.py` with R1, and no judges."""
  config = configs.load('mixture')
  config.game.discriminator_penalties = {'r1': {'gamma': 0.1}}
  config.game.hidden, config.data.batch_size = given.hidden, given.batch_size
  config.total_steps, config.steps_per_call = given.steps, 1
  config.log.every, config.checkpoint.every = max(given.steps // 10, 1), given.steps
  config.evaluators, config.health.every, config.cache.dir = {}, 0, cache
  return config


def rates(workdir: Path) -> Iterator[float]:
  """Steps per second after the first line, which holds the compilation."""
  for row in writers.scalars(workdir)[2:]:
    yield row['steps_per_second']


def main(argv: list[str] | None = None) -> int:
  """The command; returns the exit code."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--runs', type=int, default=16)
  parser.add_argument('--steps', type=int, default=2000)
  parser.add_argument('--batch_size', type=int, default=256)
  parser.add_argument('--hidden', type=int, default=128)
  given = parser.parse_args(argv)
  with tempfile.TemporaryDirectory() as folder:  # of both sides: jax keeps to its first cache
    config = make_config(given, f'{folder}/programs')
    began = time.perf_counter()
    config.runs.seeds = given.runs
    train.train(config, f'{folder}/all')
    middle = time.perf_counter()
    config.runs.seeds = 1
    for config.seed in range(given.runs):
      train.train(config, f'{folder}/{config.seed}')
    sides = {'in one': middle - began, 'one after the other': time.perf_counter() - middle}
    together = given.runs * float(np.median([*rates(Path(folder) / 'all')]))
    alone = [rate for seed in range(given.runs) for rate in rates(Path(folder) / str(seed))]
  speeds = {'in one': together, 'one after the other': float(np.median(alone))}
  print(f'\n{given.runs} runs of {given.steps} steps of {given.batch_size}, {given.hidden} units')
  print(f'{"":<20}  {"seconds":>8}  {"steps/s of all runs":>19}')
  for name in sides:
    print(f'{name:<20}  {sides[name]:8.1f}  {speeds[name]:19.0f}')
  ratio = lambda of, a, b: of[a] / of[b]
  print(f'whole time: {ratio(sides, "one after the other", "in one"):.1f} times as fast in one')
  print(f'steps only: {ratio(speeds, "in one", "one after the other"):.1f} times as fast in one')
  return 0


if __name__ == '__main__':
  raise SystemExit(main())

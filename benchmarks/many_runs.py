"""Sixteen runs in one program beside the same sixteen one after the other, on a 2-D-sized game of perceptrons.

  python -m benchmarks.many_runs
  python -m benchmarks.many_runs --runs=64 --steps=5000 --hidden=128

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
from jaxgan import datasets, train, writers
from jaxgan.datasets.dataset import from_arrays


def points(size: int = 10_000) -> datasets.Dataset:
  """A ring of eight Gaussians as 'pictures' of one row and two pixels."""
  rng = np.random.default_rng(0)
  angle = 2 * np.pi * rng.integers(0, 8, size) / 8
  xy = 0.7 * np.stack([np.cos(angle), np.sin(angle)], 1) + 0.03 * rng.standard_normal((size, 2))
  image = np.clip(np.round((xy + 1) * 127.5), 0, 255).astype(np.uint8)
  image = np.repeat(image.reshape(size, 1, 2, 1), 2, 1)  # the games take square pictures
  return from_arrays('ring', {'image': image, 'label': np.zeros(size, np.int32)}, (), 'made up')


def make_config(given: Any, cache: str) -> Any:
  """The game: R1, Adam, an average, as configs have them."""
  config = configs.base()
  config.model, config.total_steps, config.data.batch_size = 'gan', given.steps, given.batch_size
  config.game = {
    'loss': 'non_saturating',
    'dim_z': 2,
    'hidden': given.hidden,
    'layers': 2,
    'discriminator_penalties': {'r1': {'gamma': 1.0}},
  }
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 1e-3, 'b1': 0.5}
  config.log.every, config.checkpoint.every = max(given.steps // 10, 1), given.steps
  config.steps_per_call, config.cache.dir = given.steps_per_call, cache
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
  parser.add_argument('--batch_size', type=int, default=64)
  parser.add_argument('--hidden', type=int, default=64)
  parser.add_argument('--steps_per_call', type=int, default=1)
  given = parser.parse_args(argv)
  with tempfile.TemporaryDirectory() as folder:  # of both sides: jax keeps to its first cache
    config, data = make_config(given, f'{folder}/programs'), points()
    began = time.perf_counter()
    config.runs.seeds = given.runs
    train.train(config, f'{folder}/all', data)
    middle = time.perf_counter()
    config.runs.seeds = 1
    for config.seed in range(given.runs):
      train.train(config, f'{folder}/{config.seed}', data)
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

"""Our side: the train step of a config, compiled as training compiles it."""

import json
import sys
import time
from typing import Any

import jax
import numpy as np

from benchmarks import flops, pictures, process
from jaxgan import config as configs
from jaxgan import datasets, parallel, problem, progress
from jaxgan.train_step import several_steps


class Side:
  """One config.

  Args:
    given: path or name of the config.
    changes: dotted key -> value, set before anything is built.
    dtype: 'float32' or 'bfloat16', of the networks.
  """

  def __init__(self, given: str, changes: dict[str, Any], dtype: str = 'float32'):
    config = configs.load(given)
    config.update_from_flattened_dict(changes)
    if dtype != 'float32':
      config.game.dtype = dtype
    self.config = config
    parallel.keep_programs(changes.get('cache.dir', ''))
    self.problem = problem.make_problem(config, pictures.load(config))
    self.layout = parallel.make_layout(config.parallel.mode)
    self.state = self.layout.place(self.problem.init(jax.random.key(0)))
    batch = self.problem.dataset.fetch(
      np.arange(self.problem.batch_size) % self.problem.dataset.size
    )
    stride = config.steps_per_call
    self.batch = self.layout.shard(jax.tree.map(lambda x: np.stack([x] * stride), batch))
    start = time.perf_counter()
    self.program = parallel.ahead(
      self.layout.compile(several_steps(self.problem.step)), self.state, self.batch
    )
    self.compile_seconds = time.perf_counter() - start
    self.forwards: dict[int, Any] = {}
    self.built = process.resident()

  def facts(self) -> dict[str, Any]:
    """Versions, sizes and operation counts."""
    state = self.state
    one = jax.tree.map(lambda x: x[0], self.batch)
    return {
      'versions': f'jax {jax.__version__}',
      'device': jax.devices()[0].device_kind,
      'devices': jax.device_count(),
      'parameters': sum(progress.size_of(v['params']) for v in state.players.values()),
      'flops': flops.count(self.problem.step, state, one),
      'images': self.problem.batch_size,
      'batch': self.config.data.batch_size,
      'compile_seconds': self.compile_seconds,
      'program_mib': parallel.held(self.program) / 2**20,
    }

  def first(self) -> float:
    """Seconds from the start of the process to the end of a first step."""
    self.steps(1)
    return process.age()

  def steps(self, count: int) -> list[float]:
    """Seconds of each of so many calls, over the steps in a call."""

    def call():
      self.state, _ = self.program(self.state, self.batch)
      jax.block_until_ready(self.state)

    return [seconds / self.config.steps_per_call for seconds in process.timed(call, count)]

  def memory(self) -> float:
    """Peak MiB: the state and what steps add, not what compiling left behind; on a GPU of the whole run."""
    self.steps(2)
    stats = jax.local_devices()[0].memory_stats()
    if stats:
      return stats['peak_bytes_in_use'] / 2**20
    process.forget_peak()
    self.steps(2)
    held = sum(x.nbytes for x in jax.tree.leaves((self.state, self.batch)) if hasattr(x, 'nbytes'))
    return process.peak() - self.built + held / 2**20

  def product(self) -> float:
    """FLOP/s of a product of two large float32 matrices, the best of several."""
    n = 2048 if jax.default_backend() == 'cpu' else 8192
    x = jax.numpy.ones((n, n), self.config.game.get('dtype', 'float32'))
    function = jax.jit(lambda x: x @ x)
    call = lambda: jax.block_until_ready([function(x) for _ in range(4)])
    return 4 * 2 * n**3 / min(process.timed(call, 8))

  def forward(self, batch: int, count: int) -> list[float]:
    """Seconds of each of so many generator passes of a batch."""
    game, players = self.problem.game, self.state.playing()
    if batch not in self.forwards:
      label = jax.numpy.arange(batch) % max(len(self.problem.dataset.class_names), 1)
      z = game.predict['latent'](players, jax.random.key(0), n=batch)
      function = jax.jit(lambda p, z: game.predict['sample'](p, None, label=label, z=z))
      jax.block_until_ready(function(players, z))
      self.forwards[batch] = lambda: jax.block_until_ready(function(players, z))
    return process.timed(self.forwards[batch], count)

  def data(self, seconds: float) -> float:
    """Images a second that the input pipeline gives, up to the device."""
    data = self.problem.dataset
    sampler = datasets.Sampler(data.size, self.problem.batch_size, 0, domains=data.domains)
    stream = datasets.batches(data, sampler)
    next(stream)
    start, images = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
      batch = self.layout.shard(jax.tree.map(lambda x: x[None], next(stream)))
      jax.block_until_ready(batch)
      images += self.problem.batch_size
    return images / (time.perf_counter() - start)


if __name__ == '__main__':
  process.serve(lambda: Side(**json.loads(sys.argv[1])))

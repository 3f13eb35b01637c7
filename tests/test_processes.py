"""Several processes as one run: real ones, joined by jax.distributed over loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgan import config as configs
from jaxgan import train
from jaxgan.checkpoint import Checkpoints

CONFIG = '''"""The smallest BigGAN, for the commands and for this process alike."""

from jaxgan import config as configs


def get_config(variant=''):
  config = configs.base()
  config.model, config.data.name, config.data.batch_size = 'biggan', 'pixel_faces', 4
  config.game.update(channels=1, dim_z=6, shared_dim=2, attention=())
  config.optimizer = {
    player: {'name': 'sgd', 'learning_rate': 0.01} for player in ('generator', 'discriminator')
  }
  config.evaluators = {'samples': {'every': 100, 'columns': 2}}
  config.health.every = 0
  config.total_steps, config.log.every, config.checkpoint.every = 4, 2, 4
  config.cache.dir = CACHE
  return config
'''


@pytest.fixture(scope='module')
def config_file(tmp_path_factory):
  file = tmp_path_factory.mktemp('config') / 'small.py'
  file.write_text(CONFIG.replace('CACHE', repr(os.environ['JAX_COMPILATION_CACHE_DIR'])))
  return file


def free_port():
  with socket.socket() as listener:
    listener.bind(('127.0.0.1', 0))
    return listener.getsockname()[1]


def start(config_file, workdir, *words, count=2):
  """The processes of one run, one CPU device each."""
  port = free_port()
  environment = {
    **os.environ,
    'JAX_COORDINATOR_ADDRESS': f'127.0.0.1:{port}',
    'JAX_NUM_PROCESSES': str(count),
  }
  command = [sys.executable, '-m', 'jaxgan.main', f'--config={config_file}', f'--workdir={workdir}']
  return [
    subprocess.Popen(
      [*command, *words],
      env={**environment, 'JAX_PROCESS_ID': str(i)},
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      text=True,
    )
    for i in range(count)
  ]


def finish(processes, limit=300):
  """(exit codes, what was told) of all; none is left behind."""
  try:
    told = [process.communicate(timeout=limit)[1] for process in processes]
  finally:
    for process in processes:
      process.kill()
  return [process.returncode for process in processes], told


def rows(workdir):
  """The logged lines but for the times, which no two runs share."""
  lines = map(json.loads, (workdir / 'metrics.jsonl').read_text().splitlines())
  return [{k: v for k, v in row.items() if 'per_second' not in k} for row in lines]


def here(config_file, workdir, total_steps):
  """The same config in this process, on two devices."""
  assert jax.device_count() == 2
  config = configs.load(str(config_file))
  config.total_steps = total_steps
  return train.train(config, workdir)


def assert_alike(found, expected):
  assert [sorted(row) for row in found] == [sorted(row) for row in expected]
  for a, b in zip(found, expected):
    for name in b:
      np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_two_processes_train_save_leave_and_are_one_run(config_file, tmp_path):
  together, alone = tmp_path / 'together', tmp_path / 'alone'
  codes, told = finish(start(config_file, together))
  assert codes == [0, 0], told
  assert '2 × cpu' in told[0] and 'trained at step 4' in told[0]
  assert not told[1].strip()  # one of them speaks
  assert {'config.json', 'curves.png', 'grid.png', 'interpolation.png', 'samples', 'truncation.png'} <= set(os.listdir(together))  # fmt: skip
  assert len(list(together.glob('events.out.tfevents.*'))) == 1  # and one writes
  here(config_file, alone, 4)
  assert [row['step'] for row in rows(together)] == [2, 4]
  assert_alike(rows(together), rows(alone))

  # Both restore, each as a replica of a pmap this time, and go on until one is told to stop.
  copy = tmp_path / 'copy'
  subprocess.run(['cp', '-r', together, copy], check=True)
  processes = start(
    config_file,
    copy,
    *('--config.total_steps=100000', '--config.checkpoint.every=3'),
    '--config.parallel.mode=pmap',
  )
  until, steps = time.monotonic() + 240, Checkpoints(copy / 'checkpoints').steps
  while steps()[-1] < 6 and time.monotonic() < until and processes[0].poll() is None:
    time.sleep(0.1)
  processes[1].send_signal(signal.SIGTERM)
  codes, told = finish(processes)
  assert codes == [128 + signal.SIGTERM] * 2, told
  assert 'going on from 4' in told[0] and f'SIGTERM: saved step {steps()[-1]}' in told[0]
  assert rows(copy)[-1]['step'] == steps()[-1] >= 6

  # One process with two devices restores what two have written, and goes on as they did.
  summary = here(config_file, together, 6)
  assert summary['step'] == 6 and Checkpoints(together / 'checkpoints').steps()[-1] == 6
  longer = tmp_path / 'longer'
  here(config_file, longer, 6)
  assert_alike(rows(together), rows(longer))
  of_two = [row for row in rows(copy) if row['step'] == 6]
  assert_alike(of_two, [rows(longer)[-1]])


def test_forced_without_a_cluster_is_one_line(config_file, tmp_path):
  environment = {
    k: v for k, v in os.environ.items() if not k.startswith(('SLURM', 'OMPI', 'JAX_COORD'))
  }
  done = subprocess.run(
    [sys.executable, '-m', 'jaxgan.main', f'--config={config_file}', f'--workdir={tmp_path}', '--config.parallel.distributed=on'],
    capture_output=True,
    text=True,
    env=environment,
  )  # fmt: skip
  assert done.returncode == 2, done.stderr
  assert (
    done.stderr.startswith('jaxgan: no cluster found to join')
    and 'JAX_COORDINATOR_ADDRESS' in done.stderr
  )
  assert len(done.stderr.strip().splitlines()) == 1, done.stderr
  assert not (Path(tmp_path) / 'config.json').exists()

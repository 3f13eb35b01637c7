"""The loop: resume, signals, kills, damage, and never a silent NaN; on real processes where it matters."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgan import config as configs
from jaxgan import health, models, train
from jaxgan.checkpoint import Checkpoints
from jaxgan.session import Session
from tests import tiny


def tiny_config(**changes):
  config = configs.base()
  config.model, config.total_steps, config.data.batch_size = 'biggan', 12, 4
  config.optimizer = {
    p: {'name': 'adam', 'learning_rate': 1e-3} for p in ('generator', 'discriminator')
  }
  config.log.every, config.checkpoint.every, config.cache.dir = 2, 4, ''
  config.update_from_flattened_dict(changes)
  return config


@pytest.fixture
def game(monkeypatch):
  """The tiny game in place of whatever the config names."""
  box = {'game': tiny.game(loss='non_saturating')}
  monkeypatch.setattr(models, 'make', lambda *args, **kwargs: box['game'])
  return box


def final_state(workdir, step):
  config = tiny_config()
  session = Session(config, Path(workdir), tiny.dataset())
  state, found = session.restore()
  session.checkpoints.close()
  assert found == step
  return jax.device_get(jax.tree.leaves(state.replace(key=jax.random.key_data(state.key))))


def rows(workdir):
  return [json.loads(line) for line in (Path(workdir) / 'metrics.jsonl').read_text().splitlines()]


def test_every_fires_once_a_period_and_at_the_end():
  assert [s for s in range(1, 11) if train.every(s, 4, 10)] == [4, 8, 10]
  assert [s for s in range(3, 22, 3) if train.every(s, 4, 21, 3)] == [6, 9, 12, 18, 21]


def test_a_run_leaves_what_it_promises_and_resumes_exactly(game, tmp_path):
  whole, parts = tmp_path / 'whole', tmp_path / 'parts'
  summary = train.train(tiny_config(), whole, tiny.dataset())
  assert summary['step'] == 12 and summary['signal'] == 0
  assert {'checkpoints', 'config.json', 'curves.png', 'metrics.jsonl'} <= set(os.listdir(whole))
  assert any(name.startswith('events.out.tfevents') for name in os.listdir(whole))
  train.train(tiny_config(total_steps=7), parts, tiny.dataset())
  train.train(tiny_config(), parts, tiny.dataset())
  for a, b in zip(final_state(whole, 12), final_state(parts, 12)):
    np.testing.assert_array_equal(a, b)
  exact = lambda found: {
    r['step']: {k: v for k, v in r.items() if 'per_second' not in k} for r in found if r['step'] > 8
  }
  assert exact(rows(whole)) == exact(rows(parts))


def test_steps_per_call_change_nothing(game, tmp_path):
  train.train(tiny_config(), tmp_path / 'one', tiny.dataset())
  train.train(tiny_config(steps_per_call=5), tmp_path / 'five', tiny.dataset())  # 5 + 5 + 2
  for a, b in zip(final_state(tmp_path / 'one', 12), final_state(tmp_path / 'five', 12)):
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_a_finished_run_says_so_and_trains_no_further(game, tmp_path):
  train.train(tiny_config(), tmp_path, tiny.dataset())
  before = (tmp_path / 'metrics.jsonl').read_text()
  assert train.train(tiny_config(), tmp_path, tiny.dataset())['step'] == 12
  assert (tmp_path / 'metrics.jsonl').read_text() == before


def poisoned(steps):
  """A game whose discriminator loss is NaN when an example of class 2 comes first at those steps."""
  game = tiny.game(loss='non_saturating')
  plain = game.losses['discriminator']

  def loss(params, players, batch, key, step):
    value, aux = plain(params, players, batch, key, step)
    hit = (step >= steps[0]) & (step <= steps[1]) & (batch['label'][0] == 2)
    return value + jax.numpy.where(hit, jax.numpy.nan, 0.0), aux

  return game._replace(losses={**game.losses, 'discriminator': loss})


def test_a_nan_is_named_and_the_run_goes_back_and_gets_through(game, tmp_path, capsys):
  game['game'] = poisoned((5, 7))
  summary = train.train(tiny_config(retries=20), tmp_path, tiny.dataset())
  told = capsys.readouterr().err
  assert summary['step'] == 12
  assert (
    'loss of the discriminator (update 1 of 2 in the step) is not finite; going back to step 4'
    in told
  )
  assert [r['step'] for r in rows(tmp_path)] == sorted({r['step'] for r in rows(tmp_path)})
  assert all(np.isfinite(v) for row in rows(tmp_path) for v in row.values())


def test_a_nan_that_stays_ends_in_one_clear_line(game, tmp_path):
  game['game'] = poisoned((5, 10**6))
  bad = tiny.dataset()
  bad = bad._replace(
    fetch=lambda i, fetch=bad.fetch: {**fetch(i), 'label': np.full(len(i), 2, np.int32)}
  )
  with pytest.raises(
    train.TrainingError,
    match=r'^step 6: loss of the discriminator .* gave up after 2 new tries \(retries=2\); '
    'diverged: try lower learning rates',
  ) as error:
    train.train(tiny_config(retries=2), tmp_path, bad)
  assert '\n' not in str(error.value)
  assert Checkpoints(tmp_path / 'checkpoints').steps() == [4]  # nothing bad was ever saved
  (last,) = health.read(tmp_path / 'health.json')
  assert last['step'] == 6 and last['state'] == 'diverged' and 'is not finite' in last['evidence']


def test_a_config_that_does_not_fit_the_checkpoint_is_one_line(game, tmp_path):
  train.train(tiny_config(), tmp_path, tiny.dataset())
  config = tiny_config(total_steps=20)
  config.optimizer.generator = {'name': 'sgd', 'learning_rate': 1e-3}
  with pytest.raises(ValueError) as error:
    train.train(config, tmp_path, tiny.dataset())
  assert '\n' not in str(error.value) and 'opt_state' in str(error.value)


COMMAND = [
  *(sys.executable, '-m', 'jaxgan.main', '--config=gan', '--config.total_steps=1000000'),
  *('--config.game.hidden=8', '--config.game.dim_z=6', '--config.data.batch_size=2'),
  *('--config.checkpoint.every=5', '--config.log.every=5'),
  *(f'--config.evaluators.{name}.every=100000' for name in ('samples', 'class_score')),
]


def start(workdir, *more):
  environment = {**os.environ, 'PYTHONUNBUFFERED': '1'}
  return subprocess.Popen(
    [*COMMAND, f'--workdir={workdir}', *more], stderr=subprocess.PIPE, text=True, env=environment
  )


def wait_for_checkpoint(process, workdir, newer_than=0, limit=240):
  until = time.monotonic() + limit
  while time.monotonic() < until and process.poll() is None:
    steps = Checkpoints(workdir / 'checkpoints').steps()
    if steps and steps[-1] > newer_than:
      return steps[-1]
    time.sleep(0.05)
  raise AssertionError(
    f'no checkpoint came: {process.stderr.read() if process.poll() is not None else ""}'
  )


def test_sigterm_saves_kill_loses_little_and_damage_is_walked_around(tmp_path):
  process = start(tmp_path)
  wait_for_checkpoint(process, tmp_path)
  process.send_signal(signal.SIGTERM)
  told = process.communicate(timeout=120)[1]
  assert process.returncode == 128 + signal.SIGTERM
  saved = Checkpoints(tmp_path / 'checkpoints').steps()[-1]
  assert f'SIGTERM: saved step {saved}' in told and rows(tmp_path)[-1]['step'] == saved

  process = start(tmp_path)  # the same command goes on
  newest = wait_for_checkpoint(process, tmp_path, newer_than=saved + 10)
  process.kill()
  told = process.communicate()[1]
  assert f'going on from {saved}' in told
  whole = Checkpoints(tmp_path / 'checkpoints').steps()
  assert whole[-1] >= newest

  for file in (tmp_path / 'checkpoints' / str(whole[-1]) / 'state').rglob('d/*'):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
  process = start(tmp_path)
  wait_for_checkpoint(process, tmp_path, newer_than=whole[-1])
  process.kill()
  told = process.communicate()[1]
  assert f'going on from {whole[-2]}' in told and str(whole[-1]) in told  # the damaged one is named

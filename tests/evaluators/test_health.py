"""Looks at runs: what is written, what a resumed run does, and what is left out."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import config as configs
from jaxgan import datasets, evaluators, health, train
from jaxgan.config import ConfigError
from jaxgan.evaluators.health import Looks
from jaxgan.games import Game


def planted(**changes):
  """A mixture's config, small, with values at dotted paths."""
  config = configs.smoke(configs.load('mixture'))
  with config.unlocked():
    config.total_steps, config.health.every, config.log.every = 60, 10, 60
    config.data.batch_size, config.game.hidden, config.checkpoint.every = 64, 32, 60
    config.evaluators = {}
    for path, value in changes.items():
      configs.place(config, path.replace('__', '.'), value)
  return config


def test_a_run_leaves_its_looks_and_their_scalars(tmp_path, capsys):
  train.train(planted(), tmp_path)
  looks = health.read(tmp_path / 'health.json')
  assert looks[-1]['step'] == 60 and looks[-1]['progress'] == 1
  assert {'separation', 'diversity', 'duplicates', 'modes', 'sigma_max', 'stable_rank'} <= set(
    looks[-1]
  )
  assert looks[-1]['state'] in health.STATES
  assert 'health at step 60' in capsys.readouterr().err
  rows = [json.loads(line) for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()]
  assert rows[-1]['health/separation'] == pytest.approx(looks[-1]['separation'])


def test_a_generator_with_two_outputs_has_collapsed(tmp_path):
  train.train(planted(game__latent='bernoulli', game__dim_z=1, total_steps=40), tmp_path)
  last = health.read(tmp_path / 'health.json')[-1]
  assert last['duplicates'] == 1 and last['modes'] <= 2
  assert last['state'] in ('generator collapsed', 'discriminator too strong')


def test_learning_rates_that_are_far_too_large_diverge(tmp_path):
  rates = {f'optimizer__{p}__learning_rate': 10.0 for p in ('generator', 'discriminator')}
  train.train(planted(game__loss='wasserstein', **rates), tmp_path)
  assert health.read(tmp_path / 'health.json')[-1]['state'] == 'diverged'


def test_looks_take_no_more_than_their_share(tmp_path):
  config = planted(health__share=0.0)
  train.train(config, tmp_path)
  # the first two, which say how long one takes, and the last
  assert [row['step'] for row in health.read(tmp_path / 'health.json')] == [10, 20, 60]


def test_held_out_pictures_are_the_part_asked_for(tmp_path):
  train.train(planted(data__split='train[:50]', health__held_out='train[50:1000]'), tmp_path)
  assert 'overfitting' in health.read(tmp_path / 'health.json')[-1]


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'evaluators__health': {'every': 10, 'samples': 1}}, 'samples=1; expected 8 or more'),
    (
      {'health__held_out': 'train[90%:]'},
      r'train\[90%:\] has 10,000 examples of data.split=train,',
    ),
    ({'data__split': 'train[:91%]', 'health__held_out': 'train[90000:]'}, 'has 1,000 examples'),
  ],
)
def test_wrong_options_are_one_line(changes, says, tmp_path):
  with pytest.raises(ConfigError, match=says) as error:
    train.train(planted(**changes), tmp_path)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('scale, modes', [(1.0, 8), (0.5, 0), (3.0, 0)])
def test_a_sample_is_of_a_mode_only_near_it(scale, modes):
  data = datasets.load('points', 'ring8')
  ring = jnp.asarray(data.arrays['mean'][:8])
  game = Game(lambda: 0, {}, {
    'latent': lambda players, key, n: jax.random.normal(key, (n, 2)),
    'sample': lambda players, key, label, z: (
      scale * (ring[jnp.arange(len(z)) % 8] + 0.01 * z)[:, None, None]
    ),
    'score': lambda players, key, image, label: image.sum((1, 2, 3)),
  })  # fmt: skip
  players = {'discriminator': {'params': {'kernel': jnp.ones((2, 2))}}}
  row = Looks(evaluators.Run(game, data, None, None))(players)
  assert row['modes'] == modes and row['modes_known'] == 8
  assert health.verdict([row] * 3).state == {
    1.0: 'healthy', 0.5: 'generator collapsed', 3.0: 'diverged'
  }[scale]  # fmt: skip


def test_a_picture_that_is_not_finite_is_seen():
  class Data:
    size, arrays = 8, None  # of a data set

    @staticmethod
    def fetch(index):
      return {
        'image': np.zeros((len(index), 2, 2, 1), np.float32),
        'label': np.zeros(len(index), np.int32),
      }

  game = Game(lambda: 0, {}, {
    'latent': lambda players, key, n: jax.numpy.zeros((n, 1)),
    'sample': lambda players, key, label, z: z[:, None, None] + jax.numpy.nan,
    'score': lambda players, key, image, label: image.sum((1, 2, 3)),
  })  # fmt: skip
  row = Looks(evaluators.Run(game, Data, None, None), samples=8)({})
  assert row['finite'] == 0 and health.verdict([row]).state == 'diverged'

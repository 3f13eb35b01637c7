"""The worked example of CONTRIBUTING.md: one model file, one config file, as they stand there."""

import re
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgan import config as configs
from jaxgan import models, sample, train, writers

TEXT = (Path(__file__).parents[1] / 'CONTRIBUTING.md').read_text()
MODEL, CONFIG = re.findall(r'```python\n(.*?)```', TEXT, re.DOTALL)


@pytest.fixture
def config(tmp_path, monkeypatch):
  """The smoke form of the example's config, its two files lying beside those of the package."""
  (tmp_path / 'models').mkdir()
  (tmp_path / 'models' / 'scaled_gan.py').write_text(MODEL)
  (tmp_path / 'scaled_gan.py').write_text(CONFIG)
  monkeypatch.setattr(models, '__path__', [str(tmp_path / 'models'), *models.__path__])
  sys.modules.pop('jaxgan.models.scaled_gan', None)
  config = configs.smoke(configs.load(str(tmp_path / 'scaled_gan.py')))
  config.evaluators, config.cache.dir = {}, ''
  yield config
  sys.modules.pop('jaxgan.models.scaled_gan', None)


def test_trains_and_samples(config, tmp_path):
  assert train.train(config, tmp_path / 'run')['step'] == config.total_steps
  losses = [row['generator/loss'] for row in writers.scalars(tmp_path / 'run')]
  assert losses and np.isfinite(losses).all()
  trained = sample.load(tmp_path / 'run')
  images, _ = sample.draw(trained, np.arange(3))
  assert images.shape == (3, 16, 16, 3) and np.abs(images).max() <= 1
  assert len(np.unique(np.round(images, 4), axis=0)) == 3


def test_wasserstein_with_gradient_penalty_needs_no_model_file(config, tmp_path):
  config.game = {
    **config.game.to_dict(),
    'loss': 'wasserstein',
    'discriminator_penalties': {'gradient_penalty': {}},
  }
  config.updates = {'discriminator': 2}
  assert train.train(config, tmp_path / 'run')['step'] == config.total_steps
  (row, *_) = writers.scalars(tmp_path / 'run')
  assert np.isfinite(row['discriminator/gradient_penalty'])


def test_predictions_score_pictures(config):
  game = models.make('scaled_gan', image_shape=(16, 16, 3), num_classes=3, **config.game.to_dict())
  batch = {'image': np.zeros((2, 16, 16, 3), np.float32), 'label': np.zeros(2, np.int32)}
  players = game.init(jax.random.key(0), batch)
  logits = game.predict['score'](players, jax.random.key(1), **batch)
  assert logits.shape == (2,) and logits.dtype == np.float32

"""Distances in the loop: named as the metrics, recorded with stamps, and nothing where nothing can be said."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import datasets, evaluators, models, scores, scoring
from jaxgan.config import ConfigError
from jaxgan.metrics.features import Extractor


@pytest.fixture
def run(tmp_path, monkeypatch):
  pixels = lambda params, x: {'features': x.reshape(len(x), -1) / 127.5 - 1}
  network = Extractor('pixels', 64 * '0', 'none', {'features': 768}, 'features', pixels, None)
  monkeypatch.setattr(scoring, 'extractor_of', lambda *arguments: network)
  dataset = datasets.load('embedded', 'pixel_faces', split='train[:600]')
  game = models.make('gan', image_shape=dataset.image_shape, num_classes=9, hidden=8, dim_z=4)
  config = {'data': {'split': 'train[:600]'}, 'ema': {'players': ()}}
  part = lambda split: datasets.load('embedded', 'pixel_faces', split=split)
  return evaluators.Run(game, dataset, tmp_path, None, config=config, part=part)


def players_of(run):
  batch = {'image': jnp.zeros((2, 16, 16, 3)), 'label': jnp.zeros(2, jnp.int32)}
  return run.game.init(jax.random.key(0), batch)


def test_scores_and_records(run):
  evaluate = evaluators.make('distances', run, samples=200, metrics=('recall', 'frechet_distance'))
  found = evaluate(7, players_of(run), False)
  assert set(found) == {'recall', 'frechet_distance'} and found['recall'] < 0.1
  assert found['frechet_distance'] > 10
  lines = (run.workdir / 'scores.jsonl').read_text().splitlines()
  rows = [json.loads(line) for line in lines]
  assert [row.pop('step') for row in rows] == [7, 7]
  records = [scores.from_json(json.dumps(row)) for row in rows]
  assert {r.stamp.metric: r.value for r in records} == found
  assert {(r.stamp.count, r.stamp.reference_count) for r in records} == {(200, 200)}
  assert {(r.stamp.split, r.stamp.ema) for r in records} == {('train[:600]', False)}
  assert evaluate(8, players_of(run), False) == found  # the same latents


def test_pictures_that_training_did_not_see(run):
  options = {'samples': 50, 'metrics': ('copied', 'memorisation')}
  evaluate = evaluators.make('distances', run, held_out='train[600:700]', **options)
  found = evaluate(1, players_of(run), False)
  assert found['copied'] == 0 and found['memorisation'] > 3  # far off the data


def test_settings_that_cannot_be_measured_stop_the_run_at_its_start(run):
  for wrong, says in (
    ({'metrics': ('copied',)}, 'give --held_out='),
    ({'held_out': 'train[590:700]'}, r'has 10 examples of data.split=train\[:600\]'),
    ({'metrics': ('recall',), 'k': 0}, 'k=0 neighbours'),
    ({'samples': 1, 'metrics': ('frechet_distance',)}, '1 samples'),
    ({'metrics': ()}, 'no metrics'),
    ({'features': 'vgg'}, "no features 'vgg'"),
  ):
    with pytest.raises(ConfigError, match=says):
      evaluators.make('distances', run, **wrong)
  plain = models.make('gan', image_shape=run.dataset.image_shape, num_classes=0, hidden=8, dim_z=4)
  with pytest.raises(ConfigError, match='samples have none'):
    evaluators.make('distances', run._replace(game=plain), metrics=('intra_class_frechet',))


def test_missing_weights_stop_the_run_at_its_start(run, monkeypatch, tmp_path):
  monkeypatch.undo()
  monkeypatch.setenv('JAXGAN_INCEPTION', str(tmp_path / 'none.pth'))
  with pytest.raises(ConfigError, match='JAXGAN_INCEPTION'):
    evaluators.make('distances', run, features='inception')


def test_runs_of_two_seeds_compare(run):
  found = []
  for seed in (1, 2):
    made = evaluators.make('distances', run._replace(seed=seed), samples=60, metrics=('recall',))
    made(3, players_of(run), False)
    line = (run.workdir / 'scores.jsonl').read_text().splitlines()[-1]
    found.append(scores.from_json(line.replace('"step": 3, ', '', 1)))
  assert scores.difference(*found) == 0 and found[0].stamp.step == 3


def test_samples_that_are_not_finite_have_no_score(run):
  evaluate = evaluators.make('distances', run, samples=200)
  broken = jax.tree.map(lambda x: x * np.nan, players_of(run))
  assert evaluate(1, broken, False) == {}
  assert not (run.workdir / 'scores.jsonl').exists()


def test_an_unknown_metric_is_one_line(run):
  with pytest.raises(ConfigError, match="no metric 'fid'"):
    evaluators.make('distances', run, metrics=('fid',))

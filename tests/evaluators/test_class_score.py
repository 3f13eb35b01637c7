"""The judge tells obedient, disobedient, collapsed and broken generators apart."""

from functools import partial
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.datasets.dataset import from_arrays
from jaxgan.evaluators import Run, class_score
from jaxgan.games import Game
from jaxgan.metrics import classifier

COLORS = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200]])


def drawn(labels, seed):
  """A bar of the class's colour somewhere on a ground of some grey."""
  rng = np.random.default_rng(seed)
  images = np.repeat(rng.integers(90, 160, (len(labels), 1, 1, 3)), 256, 1)
  images = images.reshape(-1, 16, 16, 3).astype(np.uint8)
  for image, label in zip(images, labels):
    top, left = rng.integers(0, 12, 2)
    image[top : top + 4, left : left + rng.integers(2, 5)] = COLORS[label]
  return images


@pytest.fixture(scope='module')
def dataset():
  labels = np.random.default_rng(0).choice(3, 900, p=[0.6, 0.3, 0.1])
  columns = {'image': drawn(labels, 1), 'label': labels.astype(np.int32)}
  return from_arrays('bars', columns, ('red', 'green', 'blue'), 'drawn here')


@pytest.fixture(scope='module')
def score(dataset, tmp_path_factory):
  judge = class_score.ClassScore(dataset, samples=400, cache_dir=tmp_path_factory.mktemp('cache'))
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(classifier, 'train', partial(classifier.train, steps=120, batch_size=48))
    judge.prepare()
  return judge


def test_the_data_themselves_score_high(score, dataset):
  got = score(drawn)
  assert got['class_accuracy'] > 0.95
  assert got['precision'] > 0.75
  assert got['recall'] > 0.75
  assert got == score(drawn)


def test_labels_follow_the_data(score):
  frequencies = np.bincount(score.labels, minlength=3) / len(score.labels)
  np.testing.assert_allclose(frequencies, [0.6, 0.3, 0.1], atol=0.08)
  assert score.labels.dtype == np.int32


def test_disobedience_costs_class_accuracy_alone(score):
  asked, other = score(drawn), score(lambda labels, seed: drawn((labels + 1) % 3, seed))
  assert other['class_accuracy'] < 0.05
  assert other['precision'] > asked['precision'] - 0.15


def test_collapse_costs_recall_alone(score):
  collapsed = score(lambda labels, seed: drawn(labels, seed)[np.arange(len(labels)) % 8])
  assert collapsed['precision'] > 0.7
  assert collapsed['recall'] < 0.1


def test_noise_is_not_precise(score):
  noise = lambda labels, seed: np.random.default_rng(0).uniform(-1, 1, (len(labels), 16, 16, 3))
  assert score(noise)['precision'] < 0.05


def test_pictures_with_a_nan_are_wrong(score):
  def half(labels, seed):
    images = drawn(labels, seed) / 127.5 - 1
    images[::2, 3, 3, 0] = np.nan
    return images

  whole, broken = score(drawn), score(half)
  assert 0.4 < broken['class_accuracy'] / whole['class_accuracy'] < 0.6
  assert 0.35 < broken['precision'] / whole['precision'] < 0.6
  nothing = score(lambda labels, seed: np.full((len(labels), 16, 16, 3), np.nan))
  assert nothing == {'class_accuracy': 0, 'precision': 0, 'recall': 0}


def test_pictures_of_another_shape_are_refused(score):
  with pytest.raises(ValueError, match=r'\(16, 16, 3\) expected, not \(400, 8, 8, 3\)'):
    score(lambda labels, seed: np.zeros((len(labels), 8, 8, 3)))


def test_the_judge_is_trained_at_the_first_call_and_says_its_accuracy(
  dataset, tmp_path, monkeypatch, capsys
):
  made = classifier.Classifier(classifier._init((16, 16, 3), 3, 0), 0.875)
  calls = []
  monkeypatch.setattr(classifier, 'train', lambda *a, **k: calls.append(a) or made)
  judge = class_score.ClassScore(dataset, samples=50, cache_dir=tmp_path)
  assert not calls
  judge(drawn)
  judge(drawn)
  assert len(calls) == 1
  assert '87.5% of held-out' in capsys.readouterr().err


def test_classes_and_enough_pictures_are_needed(dataset):
  with pytest.raises(ValueError, match='has no classes'):
    class_score.ClassScore(dataset._replace(class_names=()))
  with pytest.raises(ValueError, match='more than 5 pictures'):
    class_score.ClassScore(dataset, samples=5)


def game(**predict):
  return Game(init=None, losses={}, predict=predict)


def test_as_an_evaluator_it_asks_the_players_for_the_classes(dataset, score, monkeypatch):
  def sample(players, key, *, label, z=None):
    rows = jnp.asarray(COLORS)[(label + players['shift']) % 3] / 127.5 - 1
    return jnp.broadcast_to(rows[:, None, None], (len(label), 16, 16, 3))

  latent = lambda players, key, *, n, truncation=0.0: jnp.zeros((n, 2))
  run = Run(game(sample=sample, latent=latent), dataset, Path('.'), None, cache_dir='')
  monkeypatch.setattr(class_score, 'ClassScore', lambda *a: score)
  evaluate = class_score.make(run, samples=400)
  got = evaluate(10, {'shift': jnp.zeros((), int)}, False)
  assert got['class_accuracy'] > 0.9
  assert set(got) == {'class_accuracy', 'precision', 'recall'}
  assert evaluate(20, {'shift': jnp.ones((), int)}, True)['class_accuracy'] < 0.1


def test_a_game_that_cannot_sample_is_refused(dataset):
  run = Run(game(translate=lambda: 0), dataset, Path('.'), None)
  with pytest.raises(ValueError, match='can translate but not sample'):
    class_score.make(run)

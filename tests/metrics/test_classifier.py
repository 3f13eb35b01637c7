"""The classifier learns, repeats itself, keeps its cache honest and refuses what it cannot learn."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.metrics import classifier
from jaxgan.metrics.prdc import prdc

COLORS = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200]])


def drawn(n=600, size=16, seed=0):
  """Pictures with a bar of one of three colours somewhere on a grey ground; the colour is the class."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, 3, n)
  images = np.full((n, size, size, 3), 128, np.uint8) + rng.integers(0, 8, (n, 1, 1, 3)).astype(
    np.uint8
  )
  for image, label in zip(images, labels):
    top, left = rng.integers(0, size - 4, 2)
    image[top : top + 4, left : left + rng.integers(2, 5)] = COLORS[label]
  return images, labels


@pytest.fixture(scope='module')
def trained():
  return classifier.train(*drawn(), 3, steps=120, batch_size=48)


def test_learns_and_its_accuracy_holds_on_new_pictures(trained):
  images, labels = drawn(300, seed=1)
  accuracy = np.mean(classifier.predict(trained, images) == labels)
  assert trained.accuracy > 0.95
  assert abs(accuracy - trained.accuracy) < 0.05


def test_accuracy_is_measured_on_pictures_it_has_not_seen():
  images, _ = drawn(400)
  labels = np.random.default_rng(9).integers(
    0, 3, len(images)
  )  # nothing to be learnt, only by heart
  by_heart = classifier.train(images, labels, 3, steps=120, batch_size=48)
  assert by_heart.accuracy < 0.65


@pytest.fixture
def one_core():
  """Everything started meanwhile has one core of the machine, where the system can limit it so."""
  if not hasattr(os, 'sched_setaffinity'):
    yield
    return
  cores = os.sched_getaffinity(0)
  os.sched_setaffinity(0, {min(cores)})
  yield
  os.sched_setaffinity(0, cores)


def test_is_the_same_on_one_core_as_on_all(trained, one_core):
  again = classifier.train(*drawn(), 3, steps=120, batch_size=48)
  for name, value in trained.params.items():
    np.testing.assert_array_equal(value, again.params[name])


def test_follows_its_seed():
  first, other = (classifier._init((16, 16, 3), 3, seed) for seed in (0, 1))
  assert np.any(first['head/kernel'] != other['head/kernel'])


def test_modules_come_from_where_the_caller_has_them(tmp_path, monkeypatch):
  (tmp_path / 'random.py').write_text("raise RuntimeError('not this one')")
  monkeypatch.chdir(tmp_path)
  classifier.train(*drawn(60), 3, steps=1)


def test_says_why_no_classifier_came_back(monkeypatch):
  monkeypatch.setitem(classifier.ONE_CORE, 'JAX_PLATFORMS', 'abacus')
  with pytest.raises(classifier.ClassifierError, match=r'trains the classifier failed: .*abacus'):
    classifier.train(*drawn(60), 3, steps=1)


def test_features_spread_within_a_class_and_keep_noise_away(trained):
  images, labels = drawn(400, seed=2)
  real, same = np.split(classifier.features(trained, images), 2)
  assert real.shape == (200, classifier.FEATURES)
  of_one = real[labels[:200] == 0]
  assert np.linalg.matrix_rank(of_one - of_one.mean(0), tol=1e-2) > 8
  noise = np.random.default_rng(0).integers(0, 256, (200, 16, 16, 3), dtype=np.uint8)
  precision = lambda x: float(prdc(real, x)['precision'])
  assert precision(same) > 0.75
  assert precision(classifier.features(trained, noise)) < precision(same) / 2


def test_uint8_and_floats_give_the_same_whatever_the_number(trained):
  images, _ = drawn(7, seed=3)
  whole = classifier.features(trained, images)
  np.testing.assert_allclose(classifier.features(trained, images / 127.5 - 1), whole, atol=1e-4)
  np.testing.assert_allclose(classifier.features(trained, images[:3]), whole[:3], atol=1e-5)


@pytest.mark.parametrize(
  'shape', [(28, 28, 1), (13, 18, 1), (32, 32, 3), (64, 64, 3), (150, 130, 3), (512, 512, 3)]
)
def test_pictures_of_any_size_fit_the_network(shape):
  params = classifier._init(shape, 5, 0)
  picture = jax.ShapeDtypeStruct((6, *shape), jnp.uint8)
  ready = jax.eval_shape(classifier._ready, picture)
  assert max(ready.shape[1:3]) < 128
  labels = jax.ShapeDtypeStruct((6,), jnp.int32)
  gradient = jax.eval_shape(jax.grad(classifier._loss), params, ready, labels)
  assert jax.tree.map(jnp.shape, gradient) == jax.tree.map(jnp.shape, params)
  found, classes = jax.eval_shape(classifier._forward, params, picture)
  assert found.shape == (6, classifier.FEATURES)
  assert classes.shape == (6,)


def test_large_pictures_are_averaged_and_small_ones_cut_into_patches():
  image = np.random.default_rng(0).uniform(-1, 1, (2, 128, 128, 3)).astype(np.float32)
  means = image.reshape(2, 64, 2, 64, 2, 3).mean((2, 4))
  np.testing.assert_allclose(classifier._ready(image), means, atol=1e-6)
  patches = classifier._patches(jnp.asarray(means))
  assert patches.shape == (2, 16, 16, 4 * 4 * 3)
  np.testing.assert_array_equal(patches[1, 2, 3].reshape(4, 4, 3), means[1, 8:12, 12:16])


@pytest.fixture
def calls(monkeypatch):
  """The settings of every training; a training itself is replaced by drawing the weights."""
  made = []

  def train(images, labels, num_classes, seed=0, **settings):
    made.append({'seed': seed, **settings})
    return classifier.Classifier(classifier._init(images.shape[1:], num_classes, seed), 0.75)

  monkeypatch.setattr(classifier, 'train', train)
  return made


def test_cache_gives_the_same_without_training(tmp_path, calls):
  images, labels = drawn(60)
  first = classifier.cached(images, labels, 3, tmp_path / 'new', steps=3)
  second = classifier.cached(images, labels, 3, tmp_path / 'new', steps=3)
  assert calls == [{'seed': 0, 'steps': 3}]
  assert first.accuracy == second.accuracy == 0.75
  assert first.params.keys() == second.params.keys()
  for name in first.params:
    np.testing.assert_array_equal(first.params[name], second.params[name])


def test_cache_mends_damaged_files(tmp_path, calls):
  images, labels = drawn(60)
  classifier.cached(images, labels, 3, tmp_path)
  (file,) = tmp_path.iterdir()
  whole = file.read_bytes()
  flipped = whole[:600] + bytes([whole[600] ^ 1]) + whole[601:]
  for damaged in (whole[: len(whole) // 2], b'', b'no archive', flipped):
    file.write_bytes(damaged)
    classifier.cached(images, labels, 3, tmp_path)
    with np.load(file) as mended:
      assert float(mended['accuracy']) == 0.75
      assert mended['head/kernel'].shape == (classifier.FEATURES, 3)
  assert len(calls) == 5


@pytest.mark.parametrize('how', ['shape', 'name', 'number', 'method'])
def test_cache_trains_again_where_it_holds_something_else(tmp_path, calls, how):
  images, labels = drawn(60)
  first = classifier.cached(images, labels, 3, tmp_path)
  (file,) = tmp_path.iterdir()
  whole, params = file.read_bytes(), dict(first.params)
  kernel = params.pop('head/kernel')
  params |= {
    'shape': {'head/kernel': kernel[:5]},
    'name': {'other': kernel},
    'number': {'head/kernel': kernel * np.nan},
    'method': {},
  }[how]
  np.savez(file, accuracy=0.75, **params)
  if how == 'method':  # of compression, that nobody knows: NotImplementedError
    at = whole.index(b'PK\x01\x02') + 10
    file.write_bytes(whole[:at] + b'\x63' + whole[at + 1 :])
  again = classifier.cached(images, labels, 3, tmp_path)
  assert len(calls) == 2
  np.testing.assert_array_equal(again.params['head/kernel'], kernel)


def test_cache_notices_other_data_and_settings(tmp_path, calls):
  images, labels = drawn(60)
  changed, relabelled = images.copy(), labels.copy()
  changed[5, 5, 5, 0] ^= 1
  relabelled[7] = (labels[7] + 1) % 3
  classifier.cached(images, labels, 3, tmp_path)
  classifier.cached(changed, labels, 3, tmp_path)
  classifier.cached(images, relabelled, 3, tmp_path)
  classifier.cached(images, labels, 4, tmp_path)
  classifier.cached(images, labels, 3, tmp_path, seed=1)
  classifier.cached(images, labels, 3, tmp_path, steps=2)
  assert len(calls) == 6
  assert len(list(tmp_path.iterdir())) == 6  # and no temporary file is left


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, calls):
  (tmp_path / 'file').write_text('')
  with pytest.warns(UserWarning, match='cannot keep'):
    found = classifier.cached(*drawn(60), 3, tmp_path / 'file' / 'below')
  assert found.accuracy == 0.75


@pytest.mark.parametrize(
  ('images', 'labels', 'classes', 'what'),
  [
    (np.zeros((30, 8, 8, 3)), np.zeros(30, int), 2, 'uint8'),
    (np.zeros((30, 8, 8), np.uint8), np.zeros(30, int), 2, 'uint8'),
    (np.zeros((30, 8, 8, 3), np.uint8), np.zeros(29, int), 2, 'integer labels'),
    (np.zeros((30, 8, 8, 3), np.uint8), np.zeros(30), 2, 'integer labels'),
    (np.zeros((30, 8, 8, 3), np.uint8), np.full(30, 2), 2, 'labels run from 2 to 2'),
    (np.zeros((30, 8, 8, 3), np.uint8), np.zeros(30, int), 1, '2 classes'),
    (np.zeros((4, 8, 8, 3), np.uint8), np.zeros(4, int), 2, '20 pictures'),
  ],
)
def test_what_cannot_be_learnt_is_refused_in_one_line(images, labels, classes, what):
  with pytest.raises(classifier.ClassifierError, match=what) as error:
    classifier.train(images, labels, classes)
  assert '\n' not in str(error.value)


@pytest.mark.slow
def test_pixel_faces_are_told_apart():
  """2.9 % of the faces hide all their hair under a hat; what can be seen is found."""
  from jaxgan import datasets

  faces = datasets.load('embedded', 'pixel_faces')
  images, labels = faces.arrays['image'], faces.arrays['label']
  found = classifier.train(images, labels, len(faces.class_names))
  assert found.accuracy > 0.945

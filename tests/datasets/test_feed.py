"""From arrays to batches on the host, and from uint8 to float32 on the device."""

import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import datasets
from jaxgan.datasets import dataset as dataset_module
from jaxgan.nn import replicas


@pytest.fixture
def ramp():
  """20 pictures of 2x3, number n filled with n, label n % 4."""
  images = np.broadcast_to(np.arange(20, dtype=np.uint8)[:, None, None, None], (20, 2, 3, 1))
  arrays = {'image': images, 'label': np.arange(20, dtype=np.int32) % 4}
  return dataset_module.from_arrays('ramp', arrays, ('a', 'b', 'c', 'd'), 'made here')


def take(iterator, n):
  return [next(iterator) for _ in range(n)]


def test_batches_are_the_samplers_examples(ramp):
  sampler = datasets.Sampler(20, 6, 0)
  for step, batch in enumerate(take(datasets.batches(ramp, sampler), 8)):
    indices = sampler.indices(step)
    np.testing.assert_array_equal(batch['image'][:, 0, 0, 0], indices)
    np.testing.assert_array_equal(batch['label'], indices % 4)
    assert batch['image'].shape == (6, 2, 3, 1)
    assert batch['image'].dtype == np.uint8 and batch['label'].dtype == np.int32


def test_a_resumed_feed_continues_where_the_first_one_was(ramp):
  sampler = datasets.Sampler(20, 6, 0)
  unbroken = take(datasets.batches(ramp, sampler), 7)
  resumed = take(datasets.batches(ramp, datasets.Sampler(20, 6, 0), start=4), 3)
  for a, b in zip(unbroken[4:], resumed):
    np.testing.assert_array_equal(a['image'], b['image'])


def test_streamed_batches_come_in_the_order_of_arrays(ramp):
  def slow(indices):  # later pieces overtake earlier ones unless the reader keeps the order
    time.sleep(0.02 if indices[0] % 2 else 0.0)
    return ramp.fetch(indices)

  streamed = ramp._replace(arrays=None, fetch=slow)
  for start in (0, 5):
    sampler = datasets.Sampler(20, 66, 2)  # 66 = 3 pieces of 22
    from_arrays = take(datasets.batches(ramp, sampler, start), 4)
    from_stream = take(datasets.batches(streamed, sampler, start), 4)
    for a, b in zip(from_arrays, from_stream):
      assert a.keys() == b.keys()
      for k in a:
        np.testing.assert_array_equal(a[k], b[k])
        assert a[k].dtype == b[k].dtype


def test_without_grain_the_error_names_the_extra(ramp, monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'grain', None)
  with pytest.raises(datasets.DataError, match=r"pip install 'jaxgan\[grain\]'"):
    datasets.batches(ramp._replace(arrays=None), datasets.Sampler(20, 4, 0))


def test_an_error_in_the_reading_thread_reaches_the_loop(ramp):
  def fetch(indices):
    raise OSError('the disk is gone')

  with pytest.raises(OSError, match='the disk is gone'):
    next(datasets.batches(ramp._replace(fetch=fetch), datasets.Sampler(20, 4, 0)))


def test_a_closed_feed_ends_its_thread(ramp):
  feed = datasets.batches(ramp, datasets.Sampler(20, 4, 0))
  next(feed)
  feed.close()
  deadline = time.time() + 5
  while any(t.name.startswith('batches') for t in threading.enumerate()):
    assert time.time() < deadline, 'the reading thread is still there'
    time.sleep(0.01)


def test_a_sampler_of_another_size_is_refused(ramp):
  with pytest.raises(datasets.DataError, match=r'20 examples .* made for 21'):
    datasets.batches(ramp, datasets.Sampler(21, 4, 0))


def test_preprocess_maps_bytes_to_minus_one_and_one():
  image = jnp.array([0, 51, 255], jnp.uint8).reshape(1, 1, 3, 1)
  batch = datasets.preprocess({'image': image, 'label': jnp.array([2])}, jax.random.key(0))
  assert batch['image'].dtype == jnp.float32
  np.testing.assert_allclose(batch['image'].ravel(), [-1.0, -0.6, 1.0], atol=1e-7)
  assert batch['image'].min() == -1 and batch['image'].max() == 1
  assert batch['label'].tolist() == [2]


def test_flip_mirrors_about_half_of_the_examples_and_pairs_alike():
  image = jnp.broadcast_to(jnp.array([0, 100, 255], jnp.uint8)[None, None, :, None], (400, 2, 3, 1))
  batch = {'image': image, 'target': image}
  plain = datasets.preprocess(batch, jax.random.key(1))['image'][0]
  flipped = datasets.preprocess(batch, jax.random.key(1), flip=True)
  np.testing.assert_array_equal(flipped['image'], flipped['target'])
  same = (flipped['image'] == plain).all((1, 2, 3))
  mirror = (flipped['image'] == plain[:, ::-1]).all((1, 2, 3))
  assert bool((same ^ mirror).all())
  assert 150 < int(mirror.sum()) < 250


def test_flip_is_the_same_on_replicas():
  """vmap with an axis name is pmap without the devices."""
  image = np.random.default_rng(0).integers(0, 256, (16, 2, 3, 1), np.uint8)
  key = jax.random.key(3)

  def step(x, k):
    return datasets.preprocess({'image': x}, k, flip=True)['image']

  whole = step(jnp.asarray(image), key)
  split = jax.vmap(step, (0, None), axis_name=replicas.AXIS)(image.reshape(4, 4, 2, 3, 1), key)
  np.testing.assert_array_equal(split.reshape(whole.shape), whole)
  np.testing.assert_array_equal(jax.jit(step)(image, key), whole)


def test_from_arrays_refuses_what_does_not_fit():
  image = np.zeros((3, 2, 2, 1), np.uint8)
  with pytest.raises(datasets.DataError, match=r'labels 0\.\.5 do not fit 2 class names'):
    dataset_module.from_arrays('x', {'image': image, 'label': np.array([0, 1, 5])}, ('a', 'b'), '')
  with pytest.raises(datasets.DataError, match='3 images, but label 2'):
    dataset_module.from_arrays('x', {'image': image, 'label': np.array([0, 1])}, ('a', 'b'), '')
  with pytest.raises(datasets.DataError, match='holds no example'):
    dataset_module.from_arrays('x', {'image': image[:0], 'label': np.zeros(0)}, (), '')


@pytest.mark.parametrize(
  'split, name, rows',
  [
    ('train', 'train', (0, 200)),
    ('test[:25%]', 'test', (0, 50)),
    ('train[25%:]', 'train', (50, 200)),
    ('train[10:20]', 'train', (10, 20)),
    ('train[-10:]', 'train', (190, 200)),
    ('train[300:]', 'train', (200, 200)),
  ],
)
def test_splits_are_read_as_tensorflow_datasets_does(split, name, rows):
  found, cut = dataset_module.parse_split(split)
  assert found == name
  assert cut(200) == slice(*rows)


@pytest.mark.parametrize('split', ['', 'train[', 'train[a:]', 'train+test', 'train[5]'])
def test_other_splits_are_refused(split):
  with pytest.raises(datasets.DataError, match='write it like train'):
    dataset_module.parse_split(split)

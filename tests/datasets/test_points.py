"""Points come from the mixture they say, in turn, within [-1, 1], and travel as floats."""

import jax
import numpy as np
import pytest

from jaxgan import datasets
from jaxgan.datasets import points


@pytest.mark.parametrize(
  'name, modes, distance, std', [('ring8', 8, 0.8, 0.008), ('grid25', 25, 0.4, 0.01)]
)
def test_named_mixtures_have_their_modes_and_widths(name, modes, distance, std):
  data = datasets.load('points', name)
  assert data.size == 100_000 and data.image_shape == (1, 1, 2) and not data.pictures
  x, label = data.arrays['image'][:, 0, 0], data.arrays['label']
  assert data.arrays['image'].dtype == np.float32 and np.abs(x).max() < 1
  assert len(data.class_names) == len(set(data.class_names)) == modes
  assert np.ptp(np.bincount(label)) <= 1
  means = np.stack([x[label == k].mean(0) for k in range(modes)])
  np.testing.assert_allclose(means, data.arrays['mean'][:modes], atol=5 * std / np.sqrt(4000))
  np.testing.assert_allclose((x - data.arrays['mean']).std(0), std, rtol=0.02)
  np.testing.assert_allclose(data.arrays['std'], std, rtol=1e-6)
  if name == 'ring8':
    np.testing.assert_allclose(np.linalg.norm(data.arrays['mean'], axis=1), distance, rtol=1e-6)
  else:
    axis = np.unique(np.round(data.arrays['mean'], 5))
    np.testing.assert_allclose(np.diff(axis), distance, rtol=1e-4)


def test_mixtures_can_be_written_out():
  data = datasets.load('points', '-3,0;1,.5@0.25')
  assert data.class_names == ('-3,0', '1,0.5')
  scale = 3 + 6 * 0.25
  expected = np.array([[-3, 0], [1, 0.5]]) / scale  # wide: six deviations stay inside
  np.testing.assert_allclose(data.arrays['mean'][:2], expected, rtol=1e-6)
  assert np.abs(data.arrays['image']).max() <= 1


def test_a_slice_has_every_mode_and_no_label_leaves_the_means_known():
  data = datasets.load('points', 'grid25', split='train[:1%]', label='none')
  assert data.size == 1000 and data.class_names == () and not data.arrays['label'].any()
  assert len(np.unique(data.arrays['mean'], axis=0)) == 25


def test_points_pass_through_the_feed_as_they_are():
  data = datasets.load('points', 'ring8')
  sampler = datasets.Sampler(data.size, 6, 0)
  batch = next(datasets.batches(data, sampler))
  ready = datasets.preprocess(batch, jax.random.key(0), flip=True)
  np.testing.assert_array_equal(ready['image'], data.arrays['image'][sampler.indices(0)])


@pytest.mark.parametrize(
  'arguments, words',
  [
    ({'name': 'ring9'}, 'there are: ring8, grid25'),
    ({'name': '0,0;1@0.1'}, 'write means and deviation out'),
    ({'name': '0,0@0'}, 'more than 0'),
    ({'name': 'ring8', 'split': 'test'}, 'only train'),
    ({'name': 'ring8', 'label': 'x'}, 'there are: label, none'),
    ({'name': 'ring8', 'resolution': 32}, 'leave both 0'),
  ],
)
def test_wrong_options_are_answered_in_one_line(arguments, words):
  with pytest.raises(datasets.DataError, match=words) as error:
    datasets.load('points', **arguments)
  assert '\n' not in str(error.value)


def test_the_ring_begins_on_the_right_and_the_grid_is_centred():
  np.testing.assert_allclose(points.ring(4).means[:2], [[1, 0], [0, 1]], atol=1e-12)
  np.testing.assert_allclose(points.grid(3, 2.0).means.mean(0), 0, atol=1e-12)

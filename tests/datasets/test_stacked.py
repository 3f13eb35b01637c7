"""Stacks are three pictures of the grey set, labelled by their classes, put together when fetched."""

import numpy as np
import pytest

from jaxgan import datasets


@pytest.fixture(scope='module')
def stacked():
  return datasets.load('stacked', 'fashion_mnist_10k', resolution=32)


def test_channels_are_the_pictures_of_the_grey_set(stacked):
  assert stacked.size == 128_000 and stacked.image_shape == (32, 32, 3) and stacked.pictures
  assert 'image' not in stacked.arrays  # nothing is laid out
  rows = np.array([7, 3, 127_999])
  batch, index = stacked.fetch(rows), stacked.arrays['index'][rows]
  assert batch['image'].dtype == np.uint8 and batch['label'].dtype == np.int32
  for c in range(3):
    one = stacked.grey.fetch(index[:, c])
    np.testing.assert_array_equal(batch['image'][..., c : c + 1], one['image'])
    np.testing.assert_array_equal(batch['label'] // 10 ** (2 - c) % 10, one['label'])


def test_all_thousand_modes_are_about_as_frequent(stacked):
  counts = np.bincount(stacked.arrays['label'], minlength=1000)
  assert len(stacked.class_names) == 1000 and counts.min() > 70 and counts.max() < 190
  names = [stacked.grey.class_names[k] for k in (3, 0, 7)]
  assert stacked.class_names[307] == ', '.join(names)


def test_the_draw_is_the_same_every_time_and_any_set_can_be_stacked(stacked):
  again = datasets.load('stacked', 'fashion_mnist_10k')
  np.testing.assert_array_equal(again.arrays['index'], stacked.arrays['index'])
  faces = datasets.load('stacked', 'pixel_faces', label='glasses')
  assert len(faces.class_names) == len(faces.grey.class_names) ** 3
  assert faces.image_shape == (16, 16, 3) and faces.grey.image_shape == (16, 16, 1)


def test_without_labels_the_grey_set_keeps_its_classes():
  data = datasets.load('stacked', 'fashion_mnist_10k', label='none')
  assert data.class_names == () and not data.fetch(np.arange(9))['label'].any()
  assert len(data.grey.class_names) == 10


@pytest.mark.parametrize(
  'arguments, words',
  [
    ({'name': 'fashion_mnist_10k', 'channels': 1}, 'stacks have three'),
    ({'name': 'fashion_mnist_10k', 'label': 'colour'}, 'there are: label, none'),
    ({'name': 'emoji_pairs', 'label': 'subcategory'}, 'classes; a stack needs 2 to 46'),
    ({'name': 'mnist', 'data_dir': '/nowhere'}, 'not prepared in /nowhere'),
  ],
)
def test_wrong_options_are_answered_in_one_line(arguments, words):
  with pytest.raises(datasets.DataError, match=words) as error:
    datasets.load('stacked', **arguments)
  assert '\n' not in str(error.value)

"""The data sets that are shipped: their pictures, labels, sizes and licences."""

import re
import time
from importlib import resources

import numpy as np
import pytest

from jaxgan import datasets

DATA = resources.files('jaxgan.datasets') / 'data'


def test_pixel_faces_are_what_their_attributes_say():
  faces = datasets.load('embedded', 'pixel_faces', label='hairColor')
  assert faces.size == 12_000 and faces.image_shape == (16, 16, 3)
  assert len(faces.class_names) == 11 and 'teal #009bbd' in faces.class_names
  images, labels = faces.arrays['image'], faces.arrays['label']
  assert images.dtype == np.uint8 and labels.dtype == np.int32
  assert len(np.unique(images.reshape(12_000, -1), axis=0)) == 12_000
  bare = faces.arrays['hat'] == 0
  colours = np.array([[int(n[-6:][i : i + 2], 16) for i in (0, 2, 4)] for n in faces.class_names])
  wanted = colours[labels][:, None, None]
  has = (images == wanted).all(-1).any((1, 2))
  assert has[bare].mean() > 0.95  # the colour of the class is in the picture


def test_hair_shades_are_the_colours_that_can_be_told_apart_and_seen():
  whole = datasets.load('embedded', 'pixel_faces', label='hairColor')
  shades = datasets.load('embedded', 'pixel_faces')
  assert len(shades.class_names) == 9 and shades.size == 11_650
  colour = lambda names: np.array([[int(n[-6:][i : i + 2], 16) for i in (0, 2, 4)] for n in names])
  exact = colour(whole.class_names)[shades.arrays['hairColor']]
  assert (shades.arrays['image'] == exact[:, None, None]).all(-1).any((1, 2)).all()  # seen
  apart = abs(exact - colour(shades.class_names)[shades.arrays['label']]).max(1)
  assert set(apart) == {0, 10}
  between = abs(colour(shades.class_names)[:, None] - colour(shades.class_names)[None]).max(-1)
  assert between[~np.eye(9, dtype=bool)].min() > 16


def test_background_is_another_label_of_the_same_faces():
  faces = datasets.load('embedded', 'pixel_faces', label='primaryBackgroundColor')
  corner = faces.arrays['image'][:, 0, 0]
  names = [f'#{r:02x}{g:02x}{b:02x}' for r, g, b in corner]
  given = [faces.class_names[i][-7:] for i in faces.arrays['label']]
  assert np.mean([a == b for a, b in zip(names, given)]) > 0.95


def test_faces_enlarge_by_whole_pixels():
  small = datasets.load('embedded', 'pixel_faces').arrays['image']
  large = datasets.load('embedded', 'pixel_faces', resolution=64).arrays['image']
  assert large.shape == (11_650, 64, 64, 3)
  np.testing.assert_array_equal(large[:, 3::4, 1::4], small)


def test_faces_load_quickly():
  start = time.perf_counter()
  datasets.load('embedded', 'pixel_faces')
  assert time.perf_counter() - start < 2.0  # 0.2 s on an idle core


@pytest.mark.parametrize('resolution', [32, 64])
def test_emoji_pairs_join_the_two_styles(resolution):
  pairs = datasets.load('embedded', 'emoji_pairs', resolution=resolution)
  fluent = datasets.load('embedded', 'fluent_emoji', resolution=resolution)
  noto = datasets.load('embedded', 'noto_emoji', resolution=resolution)
  np.testing.assert_array_equal(pairs.arrays['image'], fluent.arrays['image'])
  np.testing.assert_array_equal(pairs.arrays['target'], noto.arrays['image'])
  assert pairs.size == 1601 and pairs.image_shape == (resolution, resolution, 3)
  assert set(pairs.fetch(np.array([3, 1]))) == {'image', 'target', 'label'}
  captions = pairs.arrays['caption'].tolist()
  at = captions.index('red apple')
  assert pairs.class_names[pairs.arrays['label'][at]] == 'Food & Drink'
  for column in ('image', 'target'):
    middle = pairs.arrays[column][at, resolution // 2, resolution // 2].astype(int)
    assert middle[0] > middle[1] + 50 and middle[0] > middle[2] + 50  # the apple is red


def test_emoji_of_32_are_averages_of_those_of_64():
  small, large = (
    datasets.load('embedded', 'noto_emoji', resolution=r).arrays['image'].astype(float)
    for r in (32, 64)
  )
  means = large.reshape(-1, 32, 2, 32, 2, 3).mean((2, 4))
  assert abs(small - means).max() <= 0.5


def test_fashion_mnist_has_a_thousand_of_each_class():
  fashion = datasets.load('embedded', 'fashion_mnist_10k')
  assert fashion.image_shape == (28, 28, 1)
  assert np.bincount(fashion.arrays['label']).tolist() == [1000] * 10
  wide = datasets.load('embedded', 'fashion_mnist_10k', resolution=32).arrays['image']
  np.testing.assert_array_equal(wide[:, 2:-2, 2:-2], fashion.arrays['image'])
  assert wide[:, :2].max() == wide[:, :, -2:].max() == 0
  trousers = fashion.arrays['image'][fashion.arrays['label'] == 1, :, :4]
  assert trousers.mean() < 5 < fashion.arrays['image'].mean()  # narrow: the left edge is dark


def test_slices_cut_every_column_alike():
  whole = datasets.load('embedded', 'pixel_faces').arrays
  rest = datasets.load('embedded', 'pixel_faces', split='train[75%:]')
  assert rest.size == 2912
  for k, v in rest.arrays.items():
    np.testing.assert_array_equal(v, whole[k][8738:])


def test_no_label_means_zeros_and_no_names():
  faces = datasets.load('embedded', 'pixel_faces', label='none')
  assert faces.class_names == () and not faces.arrays['label'].any()


def test_channels_turn_colour_to_grey_and_grey_to_colour():
  grey = datasets.load('embedded', 'pixel_faces', channels=1)
  assert grey.image_shape == (16, 16, 1)
  colour = datasets.load('embedded', 'pixel_faces').arrays['image'].astype(float)
  luma = colour @ [0.299, 0.587, 0.114]
  assert abs(grey.arrays['image'][..., 0] - luma).max() <= 0.501
  assert datasets.load('embedded', 'fashion_mnist_10k', channels=3).image_shape == (28, 28, 3)


@pytest.mark.parametrize(
  'arguments, words',
  [
    ({'name': 'pixel_face'}, 'there are: pixel_faces, fluent_emoji'),
    ({'name': 'pixel_faces', 'label': 'hairs'}, 'there are: hair, hairColor'),
    ({'name': 'pixel_faces', 'resolution': 24}, '16 and its multiples'),
    ({'name': 'pixel_faces', 'split': 'test'}, 'only train'),
    ({'name': 'noto_emoji', 'resolution': 16}, 'comes in 32 and 64'),
    ({'name': 'noto_emoji', 'label': 'colour'}, 'category, subcategory, none'),
    ({'name': 'fashion_mnist_10k', 'resolution': 30}, '28, and 32'),
    ({'name': 'pixel_faces', 'channels': 2}, 'give 1'),
    ({'name': 'pixel_faces', 'crop': 'left'}, 'give center, pad or none'),
    ({'name': 'pixel_faces', 'resolution': -1}, 'native size'),
  ],
)
def test_wrong_options_are_answered_in_one_line(arguments, words):
  with pytest.raises(datasets.DataError, match=words) as error:
    datasets.load('embedded', **arguments)
  assert '\n' not in str(error.value)


def test_an_unknown_source_lists_the_sources():
  known = 'embedded, folder, pairs, points, reduced, stacked, tfds, unpaired'
  with pytest.raises(datasets.DataError, match=f'there are: {known}'):
    datasets.load('internet')


def test_every_data_file_has_a_notice_and_all_are_small():
  files = {f.name: len(f.read_bytes()) for f in DATA.iterdir()}
  assert sum(files.values()) < 8_000_000
  for name in files:
    notice = (DATA / re.sub(r'npz$', 'txt', name)).read_text()
    assert re.search('CC0|MIT', notice)

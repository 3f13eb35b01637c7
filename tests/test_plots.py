"""Sheets hold the pictures they were given, labels are drawn, curves take what a log holds."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from jaxgan import plots


def pictures(n, h=16, w=16, c=3, seed=0):
  return np.random.default_rng(seed).integers(0, 256, (n, h, w, c), dtype=np.uint8)


def find(sheet, picture):
  """Places (row, column) where the picture stands in the sheet, pixel for pixel."""
  windows = np.lib.stride_tricks.sliding_window_view(sheet, picture.shape)[:, :, 0]
  return [tuple(place) for place in np.argwhere((windows == picture).all((2, 3, 4)))]


@pytest.mark.parametrize('decoration', [False, True])
def test_every_picture_stands_in_its_place_enlarged(decoration):
  images, extra = pictures(5, 4, 6), {}
  if decoration:
    extra = {'row_labels': ['a #ff0000', 'b'], 'column_labels': list('xyz'), 'title': 'sheet'}
  sheet = plots.grid(images, 3, scale=3, **extra)
  assert sheet.dtype == np.uint8
  assert sheet.shape[2] == 3
  places = []
  for image in images:
    (place,) = find(sheet, image.repeat(3, 0).repeat(3, 1))
    places.append(place)
  rows, columns = zip(*places)
  assert rows[0] == rows[1] == rows[2] < rows[3] == rows[4]
  assert columns[0] == columns[3] < columns[1] == columns[4] < columns[2]
  assert rows[3] - rows[0] >= 4 * 3 + 1
  assert columns[1] - columns[0] >= 6 * 3 + 1


@pytest.mark.parametrize(('size', 'columns'), [(16, 10), (32, 8), (128, 4)])
def test_small_pictures_are_made_large_enough_to_see(size, columns):
  images = pictures(columns, size, size)
  sheet = plots.grid(images, columns)
  assert sheet.shape[0] > 60
  assert sheet.shape[1] < 1700
  enlarged = 16 // size * 4 or 1
  assert find(sheet[:, :250], images[0].repeat(enlarged, 0)[:1, :1])


def test_labels_swatches_and_title_are_drawn():
  images = pictures(4)
  plain = plots.grid(images, 2, scale=4)
  labelled = plots.grid(images, 2, scale=4, row_labels=['teal #009bbd', 'other'])
  assert labelled.shape[1] > plain.shape[1] + 40
  teal = (labelled == (0, 0x9B, 0xBD)).all(-1)
  assert teal.sum() > 60
  assert teal[: len(teal) // 2].sum() == teal.sum()  # in the first row
  assert plots.grid(images, 2, scale=4, title='t').shape[0] > plain.shape[0]
  assert plots.grid(images, 2, scale=4, column_labels=['0', '1']).shape[0] > plain.shape[0]
  one = plots.grid(images, 2, scale=4, column_labels=['0', '1'])
  assert np.any(one != plots.grid(images, 2, scale=4, column_labels=['0', '2']))


def test_a_label_too_long_does_not_stretch_the_sheet():
  images = pictures(2)
  assert plots.grid(images, 1, row_labels=['long ' * 80, 'b']).shape[1] < 450
  assert plots.grid(images, 2, title='long ' * 80).shape[1] < 700


def test_floats_grey_and_bfloat16():
  import jax.numpy as jnp

  assert plots.to_uint8(np.array([-1.0, 0.0, 1.0, -9.0, 9.0]).reshape(1, 5, 1))[0, :, 0].tolist() == [
    0, 128, 255, 0, 255,
  ]  # fmt: skip
  assert plots.to_uint8(np.zeros((2, 3, 4, 1), np.uint8)).shape == (2, 3, 4, 3)
  assert plots.to_uint8(jnp.ones((4, 4, 3), jnp.bfloat16)).min() == 255
  whole = pictures(6)
  np.testing.assert_array_equal(plots.to_uint8(whole / 127.5 - 1), whole)


def test_non_finite_pixels_are_seen():
  images = np.zeros((2, 4, 4, 3), np.float32)
  images[1, 2, 1, 0], images[0, 0, 0, 1] = np.nan, np.inf
  found = (plots.to_uint8(images) == (255, 0, 255)).all(-1)
  assert np.argwhere(found).tolist() == [[0, 0, 0], [1, 2, 1]]


@pytest.mark.parametrize(
  ('images', 'options', 'what'),
  [
    (np.zeros((2, 4, 4, 2), np.uint8), {}, 'must be'),
    (np.zeros((2, 4, 4, 3), np.int32), {}, 'uint8 or float'),
    (np.zeros((0, 4, 4, 3), np.uint8), {}, 'N > 0'),
    (np.zeros((4, 4, 3), np.uint8), {}, 'N, H, W, C'),
    (np.zeros((4, 4, 4, 3), np.uint8), {'row_labels': ['a']}, '1 row labels for 2 rows'),
    (np.zeros((4, 4, 4, 3), np.uint8), {'column_labels': ['a']}, '1 column labels for 2 columns'),
    (np.zeros((4, 4, 4, 3), np.uint8), {'scale': 0}, 'at least 1'),
  ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(images, options, what):
  with pytest.raises(plots.PlotError, match=what) as error:
    plots.grid(images, 2, **options)
  assert '\n' not in str(error.value)


def test_save_is_exact_makes_folders_and_leaves_nothing_half_done(tmp_path, monkeypatch):
  path, image = tmp_path / 'new' / 'sheet.png', pictures(1)[0]
  plots.save(path, image)
  np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
  assert path.stat().st_mode & 0o777 == 0o644

  def fail(self, file, *_):
    file.write(b'half')
    raise OSError('disk full')

  monkeypatch.setattr(Image.Image, 'save', fail)
  with pytest.raises(OSError, match='disk full'):
    plots.save(path, 255 - image)
  np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
  assert [p.name for p in path.parent.iterdir()] == ['sheet.png']


def rows(n):
  rng = np.random.default_rng(0)
  for step in range(n):
    row = {'step': 10 * step, 'time': 1e9, 'note': 'text', 'steps_per_second': 5.0}
    for player in ('discriminator', 'generator'):
      row |= {f'{player}/loss': rng.normal(), f'{player}/grad_norm': np.exp(3 * rng.normal())}
    row |= {'discriminator/real_logit': 1.0, 'discriminator/fake_logit': -1.0}
    if step % 5 == 4:
      row |= {'class_accuracy': step / n, 'precision': 0.5, 'recall': 0.25}
    yield row


def test_metrics_fall_into_their_panels():
  panels = dict(plots._panels(plots._series(rows(6))))
  assert list(panels) == ['Scores', 'Losses', 'Logits', 'Gradient norms', 'Speed']
  assert panels['Scores'] == ['class_accuracy', 'precision', 'recall']
  assert panels['Losses'] == ['discriminator/loss', 'generator/loss']
  signs = {f'health/{name}': None for name in ('real_accuracy', 'logit', 'sigma_max', 'movement')}
  assert [title for title, _ in plots._panels(signs)] == ['Logits', 'Singular values', 'Health']
  crowded = plots._panels({f'loss_{i}': None for i in range(13)})
  assert [name for _, names in crowded for name in names] == [f'loss_{i}' for i in range(13)]
  assert max(len(names) for _, names in crowded) <= 6


def test_series_are_sorted_merged_and_keep_non_finite_values():
  steps, values = plots._series(
    [{'step': 2, 'a': 'NaN'}, {'step': 1, 'a': 1, 'b': 'text', 'c': True}, {'step': 3, 'a': 'Infinity'},
     {'a': 7}, {'step': 1, 'a': 4}]
  )['a']  # fmt: skip
  assert steps.tolist() == [1, 2, 3]
  np.testing.assert_array_equal(values, [4, np.nan, np.inf])
  assert set(plots._series([{'step': 1, 'a': 1, 'b': 'text', 'c': True}])) == {'a'}


def test_smoothing_keeps_a_constant_and_a_line_and_gaps():
  line = np.arange(200.0)
  np.testing.assert_allclose(plots._smooth(line, 5)[20:-20], line[20:-20], atol=1e-9)
  constant = np.full(50, 3.0)
  constant[7] = np.nan
  smooth = plots._smooth(constant, 4)
  assert np.isnan(smooth[7])
  np.testing.assert_allclose(np.delete(smooth, 7), 3.0)


@pytest.mark.parametrize('n', [1, 3, 120])
def test_curves_of_few_and_many_points(tmp_path, n):
  path = tmp_path / 'curves.png'
  plots.curves(rows(n), path, title='a run')
  drawn = np.asarray(Image.open(path).convert('RGB'))
  assert min(drawn.shape[:2]) > 300
  blue = (np.abs(drawn.astype(int) - (0x2F, 0x6F, 0xDB)) < 12).all(-1)
  assert blue.sum() > 30


def test_non_finite_values_are_marked(tmp_path):
  def red(values):
    plots.curves([{'step': i, 'x_loss': v} for i, v in enumerate(values)], tmp_path / 'c.png')
    drawn = np.asarray(Image.open(tmp_path / 'c.png').convert('RGB')).astype(int)
    return (np.abs(drawn - (0xD0, 0, 0)) < 12).all(-1).sum()

  assert red([1, 2, 3]) == 0
  assert red([1, 'NaN', 3]) > 5
  assert red(['NaN', 'NaN']) > 5


def test_nothing_to_draw_is_said(tmp_path):
  with pytest.raises(plots.PlotError, match='no curve'):
    plots.curves([{'step': 1}, {'loss': 2}], tmp_path / 'c.png')
  assert not list(tmp_path.iterdir())


def test_matplotlib_is_imported_for_curves_only_and_its_backend_is_left_alone(tmp_path):
  code = f"""
import sys
from jaxgan import plots
import numpy as np
plots.save(r'{tmp_path / 'a.png'}', plots.grid(np.zeros((1, 4, 4, 3), np.uint8), 1, title='t'))
assert 'matplotlib' not in sys.modules and 'jax' not in sys.modules
plots.curves([{{'step': 1, 'loss': 2}}], r'{tmp_path / 'b.png'}')
assert 'matplotlib.pyplot' not in sys.modules
"""
  subprocess.run([sys.executable, '-c', code], check=True)

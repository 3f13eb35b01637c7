"""The sheets: which files are written when, what is on them, and the path from latent to latent."""

import numpy as np
import pytest
from PIL import Image

from jaxgan import evaluators
from jaxgan.config import ConfigError
from jaxgan.evaluators import samples
from jaxgan.games import Game

NAMES = ('red #ff0000', 'green', 'blue')
COLUMNS = 4
COLOURS = np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1]], np.float32)


class Data:
  class_names = NAMES
  pictures = True


class Writer:
  """Keeps what is written."""

  def __init__(self):
    self.images = {}

  def write_images(self, step, images):
    self.images[step] = images


def latent(players, key, *, n, truncation=0.0, convention='scaled'):
  """Every latent of a truncated call is its truncation; otherwise numbers of the key."""
  import jax

  z = jax.random.normal(key, (n, 3))
  return z * 0 + truncation if truncation else z


def sample(players, key, *, label, z=None):
  """2x2 pictures of the class's colour, dimmed by the first number of the latent."""
  import jax
  import jax.numpy as jnp

  shade = jax.nn.sigmoid(z[:, :1]) * players['bright']
  return jnp.broadcast_to((jnp.asarray(COLOURS)[label] * shade)[:, None, None], (len(z), 2, 2, 3))


GAME = Game(init=None, losses={}, predict={'sample': sample, 'latent': latent})
PLAYERS = {'bright': np.float32(1.0)}


@pytest.fixture
def run(tmp_path):
  return evaluators.Run(GAME, Data, tmp_path, Writer(), 0)


def files(run):
  return sorted(str(p.relative_to(run.workdir)) for p in run.workdir.rglob('*.png'))


def test_a_grid_at_every_call_and_all_sheets_at_the_end(run):
  evaluate = evaluators.make('samples', run, columns=COLUMNS)
  assert evaluate(10, PLAYERS, False) == {}
  assert files(run) == ['samples/0000010.png']
  evaluate(20, {'bright': np.float32(0.5)}, True)
  assert files(run) == ['grid.png', 'interpolation.png', 'samples/0000010.png', 'samples/0000020.png', 'truncation.png']  # fmt: skip
  opened = {name: np.asarray(Image.open(run.workdir / name)) for name in files(run)}
  assert np.array_equal(opened['grid.png'], opened['samples/0000020.png'])
  assert opened['grid.png'].shape == opened['samples/0000010.png'].shape
  assert not np.array_equal(opened['grid.png'], opened['samples/0000010.png'])
  assert set(run.writer.images) == {10, 20}
  assert np.array_equal(run.writer.images[20]['samples'][0], opened['grid.png'])


def shown(run, monkeypatch):
  """What `plots.grid` is given: (pictures, columns, options) of each sheet."""
  given = []
  real = samples.plots.grid
  monkeypatch.setattr(
    samples.plots,
    'grid',
    lambda images, columns, **rest: given.append((images, columns, rest)) or real(images, columns, **rest),
  )  # fmt: skip
  evaluators.make('samples', run, columns=COLUMNS)(1, PLAYERS, True)
  return given


def test_what_is_on_the_sheets(run, monkeypatch):
  grid, truncation, interpolation = shown(run, monkeypatch)
  classes = lambda images: np.argmax(np.asarray(images)[:, 0, 0], -1)
  np.testing.assert_array_equal(classes(grid[0]), np.repeat([0, 1, 2], COLUMNS))  # a row a class
  assert grid[1] == COLUMNS and list(grid[2]['row_labels']) == list(NAMES)
  assert len(np.unique(np.asarray(grid[0]).reshape(3 * COLUMNS, -1), axis=0)) == 3 * COLUMNS
  wide = len(samples.TRUNCATIONS)
  np.testing.assert_array_equal(classes(truncation[0]), np.repeat([0, 1, 2], wide))
  shade = np.abs(np.asarray(truncation[0])[:, 0, 0, 0]).reshape(3, wide)
  expected = 1 / (1 + np.exp(-np.array(samples.TRUNCATIONS)))
  np.testing.assert_allclose(shade, np.tile(expected, (3, 1)), rtol=1e-5)
  assert truncation[2]['column_labels'] == [f'{t:g}' for t in samples.TRUNCATIONS]
  np.testing.assert_array_equal(classes(interpolation[0]), np.repeat([0, 1, 2], COLUMNS))


def test_the_latents_of_the_grid_stay_the_same_over_time_and_follow_the_seed(run):
  sheets = samples.Sheets(GAME, NAMES, COLUMNS, seed=0)
  assert np.array_equal(sheets.grid(PLAYERS), sheets.grid(PLAYERS))
  other = samples.Sheets(GAME, NAMES, COLUMNS, seed=1)
  assert not np.array_equal(sheets.grid(PLAYERS), other.grid(PLAYERS))


def test_an_interpolation_ends_at_the_latents_of_its_seeds():
  import jax

  seen = []
  spying = lambda players, key, *, label, z: (
    seen.append(z) or sample(players, key, label=label, z=z)
  )
  sheets = samples.Sheets(GAME, NAMES, COLUMNS)
  sheets.sample = spying
  sheets.interpolation(PLAYERS, (3, 8))
  path = np.asarray(seen[0]).reshape(3, COLUMNS, 3)
  for seed, at in ((3, 0), (8, -1)):
    expected = latent(PLAYERS, jax.random.key(seed), n=3)
    np.testing.assert_allclose(path[:, at], expected, rtol=1e-4, atol=1e-5)


def test_slerp_keeps_the_norm_and_turns_evenly():
  a, b = np.random.default_rng(0).standard_normal((2, 6, 5)).astype(np.float32)
  b *= np.linalg.norm(a, axis=-1, keepdims=True) / np.linalg.norm(b, axis=-1, keepdims=True)
  path = samples.slerp(a, b, 9)
  assert path.shape == (6, 9, 5) and path.dtype == np.float32
  np.testing.assert_allclose(path[:, 0], a, atol=1e-5)
  np.testing.assert_allclose(path[:, -1], b, atol=1e-5)
  norms = np.linalg.norm(path, axis=-1)
  np.testing.assert_allclose(norms, np.broadcast_to(norms[:, :1], norms.shape), rtol=1e-4)
  cosines = (path[:, 1:] * path[:, :-1]).sum(-1) / norms[:, 1:] ** 2
  np.testing.assert_allclose(cosines, np.broadcast_to(cosines[:, :1], cosines.shape), atol=1e-4)


def test_slerp_between_equal_latents_stays_there():
  a = np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)
  np.testing.assert_allclose(samples.slerp(a, a, 4), np.repeat(a[:, None], 4, 1), rtol=1e-3)


def test_many_classes_are_spread_over_twelve_rows():
  sheets = samples.Sheets(GAME, [f'c{i}' for i in range(1000)])
  assert len(sheets.classes) == 12 and sheets.classes[0] == 0 and sheets.classes[-1] == 999
  assert sheets.rows[-1] == 'c999' and samples.Sheets(GAME).rows is None


def test_a_game_that_cannot_sample_is_one_line(run):
  blind = run._replace(game=GAME._replace(predict={'score': None}))
  with pytest.raises(
    ConfigError, match="evaluator 'samples': this game can score but not sample"
  ) as error:
    evaluators.make('samples', blind)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'name, options, says',
  [
    ('sample', {}, "did you mean 'samples'"),
    ('samples', {'column': 3}, "no option 'column'; did you mean 'columns'"),
  ],
)
def test_wrong_names_are_one_line(run, name, options, says):
  with pytest.raises(ConfigError, match=says):
    evaluators.make(name, run, **options)

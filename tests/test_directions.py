"""Directions: found where they are known, measured as they are, and the command from a work folder alone."""

import numpy as np
import pytest
from absl import flags
from PIL import Image

from jaxgan import command, config, directions, models
from jaxgan.config import ConfigError
from jaxgan.errors import UserError
from jaxgan.games import Game
from jaxgan.games.adversarial import adversarial
from jaxgan.metrics import classifier
from jaxgan.session import Session
from tests import tiny


def test_the_direction_is_the_difference_of_means():
  z = np.arange(40, dtype=np.float32).reshape(20, 2)
  has = np.arange(20) >= 8
  expected = z[8:].mean(0) - z[:8].mean(0)
  np.testing.assert_allclose(directions.direction(z, has), expected)
  np.testing.assert_allclose(directions.direction(z, ~has), -expected)


def test_it_is_that_of_a_linear_attribute():
  """has = (w . z > 0) of normal z: E[z | has] - E[z | not] = 2 sqrt(2 / pi) w / |w|."""
  z = np.random.default_rng(0).standard_normal((200_000, 4))
  w = np.array([3.0, 0.0, -4.0, 0.0])
  found = directions.direction(z, z @ w > 0)
  np.testing.assert_allclose(found, 2 * np.sqrt(2 / np.pi) * w / 5, atol=0.02)


def test_what_changes_other_attributes_is_left_out():
  """has = (z_0 + z_1 > 0) and other = the sign of z_1: the step is along z_0, and as far along d as d."""
  z = np.random.default_rng(0).standard_normal((50_000, 6)).astype(np.float32)
  has, other, unrelated = z[:, 0] + z[:, 1] > 0, np.sign(z[:, 1]), np.arange(50_000) % 3
  plain, step = directions.direction(z, has), directions.direction(z, has, [other, unrelated])
  np.testing.assert_allclose(
    np.abs(directions.entangled(z, [other, unrelated])), [[0, 1, 0, 0, 0, 0]], atol=0.03
  )
  assert abs(step[1]) < 0.03 * step[0] and abs(plain[1]) > 0.9 * plain[0]
  np.testing.assert_allclose(step @ plain, plain @ plain, rtol=1e-5)
  np.testing.assert_allclose(directions.direction(z, has, [unrelated]), plain, atol=1e-6)


def test_an_attribute_that_is_another_one_has_no_direction_of_its_own():
  z = np.random.default_rng(0).standard_normal((5000, 4)).astype(np.float32)
  with pytest.raises(ValueError, match='latents are those of other attributes; watch fewer'):
    directions.direction(z, z[:, 0] > 0, [z[:, 0] > 0.1])


@pytest.mark.parametrize('shown', [0, 7, 33, 40])
def test_too_few_on_a_side_are_told(shown):
  with pytest.raises(ValueError, match=f'^{shown} of 40 pictures show .* draw more, or train'):
    directions.direction(np.zeros((40, 2)), np.arange(40) < shown)


def test_shapes_are_told():
  with pytest.raises(ValueError, match=r'z \[4, 2\] and has \[3\]; expected'):
    directions.direction(np.zeros((4, 2)), np.ones(3, bool))


def test_a_random_direction_is_as_long_and_another():
  step = np.array([3.0, 0, 4.0, 0, 0])
  one, again, two = (directions.random_direction(step, seed) for seed in (0, 0, 1))
  np.testing.assert_allclose([np.linalg.norm(one), np.linalg.norm(two)], 5, rtol=1e-6)
  np.testing.assert_array_equal(one, again)
  assert abs(one @ two) < 24.9 and abs(one @ step) < 24.9


def test_changes_count_what_was_gained_and_what_moved_along():
  before = {'hat': [0, 0, 0, 1], 'hair': [0, 1, 2, 3]}
  after = {'hat': [1, 1, 0, 0], 'hair': [0, 1, 2, 5]}
  chance = {'hat': [0, 0, 1, 1], 'hair': [1, 0, 2, 3]}
  found = directions.changes('hat', before, after, chance)
  assert found['hat'] == directions.Change(3, 2 / 3, 1 / 3)  # the one that had a hat is not counted
  assert found['hair'] == directions.Change(4, 1 / 4, 2 / 4)
  lines = directions.table('hat', found, {'hat': 0.9, 'hair': 1.0})
  assert [line.split()[0] for line in lines] == ['attribute', 'hat', 'hair']
  assert lines[1].split()[1:] == ['(gained)', '90.0%', '66.7%', '33.3%']


def test_attributes_are_the_columns_that_tell_pictures_apart():
  n = 100
  arrays = {
    'image': np.zeros((n, 2, 2, 1), np.uint8),
    'label': np.arange(n) % 3,
    'glasses': np.where(np.arange(n) < 60, 4, np.arange(n) % 4),  # 4 is the usual: none
    'shade': 10 * (np.arange(n) % 3) + 5,  # the label again
    'hair': np.arange(n) % 5,
    'same': np.zeros(n, int),
    'number': np.arange(n),
    'caption': np.array(['a'] * n),
  }
  found = directions.attributes(arrays)
  assert list(found) == ['glasses', 'shade', 'hair']
  np.testing.assert_array_equal(found['glasses'], np.arange(n) >= 60)
  np.testing.assert_array_equal(found['shade'], np.arange(n) % 3)
  assert directions.asked_for('glasses', found)[1].sum() == 40
  name, has = directions.asked_for('hair=2', found)
  assert name == 'hair' and has.sum() == 20
  for given, says in (
    ('glases', "no attribute 'glases'; did you mean 'glasses'"),
    ('hair', "attribute 'hair'; expected one of its values, --attribute=hair=0 to hair=4"),
    ('hair=5', 'hair=0 to hair=4'),
    ('hair=²', 'hair=0 to hair=4'),
  ):
    with pytest.raises(ConfigError, match=says):
      directions.asked_for(given, found)


def painted() -> Game:
  """A game whose pictures are as bright on the left as z_0 says and on the right as z_1 does."""
  import jax.numpy as jnp
  from flax import linen as nn

  class Generator(nn.Module):
    @nn.compact
    def __call__(self, z, labels, train=False):
      gain = self.param('gain', nn.initializers.ones, ())
      halves = jnp.repeat(jnp.tanh(4 * gain * z[:, :2]), 2, axis=1)
      return jnp.broadcast_to(halves[:, None, :, None], (len(z), 4, 4, 1))

  return adversarial(Generator(), tiny.Discriminator(), dim_z=16)


@pytest.fixture(scope='module')
def data():
  """Pictures of two halves, bright or dark; the columns say which are bright."""
  rng = np.random.default_rng(0)
  left, right = rng.integers(0, 2, (2, 400))
  halves = np.stack([left, left, right, right], 1)[:, None, :, None]
  image = np.clip(255 * halves + rng.integers(-9, 9, (400, 4, 4, 1)), 0, 255).astype(np.uint8)
  return tiny.from_arrays(
    'halves',
    {'image': image, 'label': np.zeros(400, np.int32), 'left': left, 'right': right},
    (),
    'made up',
  )


@pytest.fixture(scope='module', autouse=True)
def _flags():
  before = set(flags.FLAGS)
  directions.define_flags()
  yield
  for name in set(flags.FLAGS) - before:
    delattr(flags.FLAGS, name)


@pytest.fixture(scope='module')
def written(tmp_path_factory, data):
  folder = tmp_path_factory.mktemp('run')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(models, 'make', lambda *a, **k: painted())
    session = Session(config.smoke(config.load('dcgan')), folder, data)
    session.save(session.restore()[0], 3, {})
    session.checkpoints.close()
  return folder


@pytest.fixture
def run(written, data, monkeypatch, tmp_path):
  """The command in this process, with that data and a classifier trained for a moment."""
  from jaxgan import datasets

  monkeypatch.setattr(models, 'make', lambda *a, **k: painted())
  monkeypatch.setattr(datasets, 'load', lambda **k: data)
  train = classifier.train
  monkeypatch.setattr(classifier, 'train', lambda *a: train(*a, steps=40, batch_size=32))

  def command_line(*words):
    flags.FLAGS.unparse_flags()
    for name in flags.FLAGS:
      flags.FLAGS[name].unparse()
    fixed = [f'--workdir={written}', f'--cache_dir={tmp_path}', '--n=256', '--fresh=128']
    return directions.main(command.parse(['directions', *fixed, *words]))

  return command_line


def test_the_command_moves_the_attribute_and_leaves_the_other(run, written, capsys):
  """The left half hangs on z_0 alone, the right one on z_1."""
  assert run('--attribute=left') == 0
  said = capsys.readouterr().out
  rows = {line.split()[0]: line.split() for line in said.splitlines() if '%' in line}
  percent = lambda text: float(text.rstrip('%'))
  assert percent(rows['left'][-2]) > 80 > 60 > percent(rows['left'][-1])
  assert percent(rows['right'][-2]) < 15
  assert 'left shows in' in said and 'step 3' in said
  sheet = np.asarray(Image.open(written / 'direction_left.png'))
  assert sheet.ndim == 3 and len(np.unique(sheet)) > 10


def test_strength_others_and_output(run, tmp_path, capsys):
  target = tmp_path / 'deep' / 'sheet.png'
  words = ('--attribute=right=1', '--others=right', '--strength=0', f'--output={target}')
  assert run(*words) == 0
  rows = [line.split() for line in capsys.readouterr().out.splitlines() if '%' in line]
  (row,) = [row for row in rows if row[0] == 'right']
  assert row[-2:] == ['0.0%', '0.0%'] and target.exists()
  assert not any(row[0] == 'left' for row in rows)


@pytest.mark.parametrize(
  ('words', 'says'),
  [
    ((), 'no attribute given; halves has left, right'),
    (('--attribute=lef',), "no attribute 'lef'; did you mean 'left'"),
    (('--attribute=left', '--others=rihgt'), "no attribute 'rihgt' to watch; did you mean 'right'"),
    (('--attribute=left', '--checkpoint=9'), 'no checkpoint 9'),
    (('--attribute=left', '--n=3'), 'n=3'),
    (('--attribute=left', 'more'), "unexpected argument 'more'"),
  ],
)
def test_mistakes_are_one_line(run, words, says):
  with pytest.raises(UserError, match=says) as error:
    run(*words)
  assert '\n' not in str(error.value)

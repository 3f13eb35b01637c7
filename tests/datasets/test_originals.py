"""Training crops come of originals scaled once; whatever else looks at the data sees its resolution."""

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan import config as configs
from jaxgan import datasets, problem, train, train_step
from jaxgan.session import Session

RNG = np.random.default_rng(0)
SIDE, LARGE = 16, 20


def original(path):
  """A picture of 40x48, written."""
  path.parent.mkdir(parents=True, exist_ok=True)
  found = Image.fromarray(RNG.integers(0, 256, (48, 40, 3), np.uint8))
  found.save(path)
  return found


def made(monkeypatch, name, **data):
  """(problem, its preprocess) of a config with other data."""
  config = configs.load(name)
  config.update(configs.smoke(config))
  config.data.update(name='', resolution=SIDE, load_size=LARGE, flip=False, crop='none', **data)
  kept = {}
  make = lambda *args, **options: kept.update(options) or (lambda state, batch: (state, {}))
  monkeypatch.setattr(train_step, 'make_train_step', make)
  return problem.make_problem(config), kept['preprocess']


def corner(crop, whole):
  """Where in a picture uint8 its crop in [-1, 1] is, exactly."""
  ready = (2 * np.asarray(whole).astype(np.int32) - 255).astype(np.float32) * np.float32(1 / 255)
  return [
    (top, left)
    for top in range(LARGE - SIDE + 1)
    for left in range(LARGE - SIDE + 1)
    if np.array_equal(crop, ready[top : top + SIDE, left : left + SIDE])
  ]


@pytest.mark.parametrize('in_memory', [True, False])
@pytest.mark.parametrize('source, config', [('pairs', 'pix2pix'), ('unpaired', 'cyclegan')])
def test_crops_are_of_the_original_scaled_once(tmp_path, monkeypatch, source, config, in_memory):
  where = '{side}/{n}.png' if source == 'pairs' else 'train{side}/{n}.png'
  files = {s: [original(tmp_path / where.format(side=s, n=n)) for n in range(4)] for s in 'AB'}
  own = {'data_dir': str(tmp_path), 'cache_dir': str(tmp_path / 'cache'), 'in_memory': in_memory}
  found, preprocess = made(monkeypatch, config, source=source, **own)
  batch = next(datasets.batches(found.dataset, datasets.Sampler(4, 4, 0)))
  crops = preprocess(batch, jax.random.key(1))
  scaled = lambda x, side: x.resize((side, side), Image.Resampling.LANCZOS)
  places = set()
  for column, side in (('image', 'A'), ('target', 'B')):
    assert crops[column].shape == (4, SIDE, SIDE, 3)
    for i, crop in enumerate(np.asarray(crops[column])):
      [at] = [at for file in files[side] for at in corner(crop, scaled(file, LARGE))]
      places.add((i, at))
  alike = len(places) == 4  # A and B
  assert alike == (source == 'pairs') and len({at for _, at in places}) > 1
  for view in (found.dataset, found.part('train')):
    assert view.image_shape == (SIDE, SIDE, 3)
    seen = view.fetch(np.arange(4))['image']
    small = [np.asarray(scaled(file, SIDE)) for file in files['A']]
    assert all(any(np.array_equal(x, y) for y in small) for x in seen)
  assert found.part('train').large is None


def test_what_comes_in_one_size_is_enlarged_on_the_device(monkeypatch):
  assert not datasets.scales('pairs', 'edges_emoji') and not datasets.scales('embedded', '')
  config = configs.load('pix2pix')
  assert config.data.load_size > 64
  found = problem.make_problem(config)
  assert found.dataset.large is None
  batch = next(datasets.batches(found.dataset, datasets.Sampler(found.dataset.size, 2, 0)))
  assert batch['image'].shape == (2, 64, 64, 3)


def test_pictures_of_their_own_size_or_of_no_larger_one_have_no_second_view(tmp_path, monkeypatch):
  original(tmp_path / 'A' / 'a.png'), original(tmp_path / 'B' / 'a.png')
  own = {'source': 'pairs', 'data_dir': str(tmp_path), 'cache_dir': str(tmp_path / 'cache')}
  for resolution, load_size in ((0, 50), (16, 16), (16, 8)):
    config = configs.load('pix2pix:folder')
    config.data.update(resolution=resolution, load_size=load_size, **own)
    config.game.update(channels=2, layers=1)
    assert problem.make_problem(config).dataset.large is None


@pytest.mark.slow  # the parts have tests of their own, and so has the resume of two domains
def test_a_run_on_folders_resumes_exactly(tmp_path):
  """Crops of larger pictures, two domains of different sizes: 4 steps equal 2 and 2, bit for bit."""
  for side, count in (('A', 5), ('B', 3)):
    for n in range(count):
      original(tmp_path / f'train{side}' / f'{n}.png')
  config = configs.smoke(configs.load('cyclegan'))
  own = {'data_dir': str(tmp_path), 'cache_dir': str(tmp_path / 'cache')}
  config.data.update(name='', resolution=SIDE, load_size=LARGE, batch_size=2, **own)
  config.evaluators, config.checkpoint.best = {}, ''
  config.cache.dir = str(tmp_path / 'programs')
  for name, ends in (('whole', (4,)), ('parts', (2, 4))):
    for config.total_steps in ends:
      train.train(config, tmp_path / name)
  states = []
  for name in ('whole', 'parts'):
    session = Session(config, tmp_path / name)
    state, step = session.restore()
    session.checkpoints.close()
    assert step == 4
    states.append(jax.tree.leaves(state.replace(key=jax.random.key_data(state.key))))
  for a, b in zip(*states):
    np.testing.assert_array_equal(a, b)

"""The contract that every config joins by itself: it builds, trains, resumes, shards and predicts."""

import functools
import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import config as configs
from jaxgan import datasets, parallel, problem, train_step
from jaxgan.checkpoint import Checkpoints

FILES = sorted((Path(__file__).parents[1] / 'configs').glob('*.py'))
# Every variant of every file is built at its full size; these are also trained, in their smoke form.
VARIANTS = [
  (path, variant) for path in FILES for variant in runpy.run_path(str(path)).get('VARIANTS', ('',))
]
# The others differ from these in a loss, a penalty or a head: they are built, and trained if slow.
OWN = ('biggan', 'dcgan', 'gan', 'acgan', 'infogan', 'pacgan', 'r3gan', 'unrolled_gan', 'wgan_gp')
# `tests/test_parallel.py` compares layouts at length; of these the cheaper ones are enough.
LAYOUTS = ('dcgan', 'gan', 'infogan', 'pacgan', 'unrolled_gan')


def trained(quick):
  """Every file, BigGAN-deep and CUT; those not among `quick` are slow."""
  return [
    pytest.param(
      path, variant, marks=() if path.stem in quick and not variant else pytest.mark.slow
    )
    for path, variant in VARIANTS
    if variant in ('', 'cut') or 'deep' in variant
  ]


name_of = lambda value: value.stem if isinstance(value, Path) else value or 'default'


def get_config(path, variant):
  return configs.load(f'{path}:{variant}')


def with_sgd(config):
  """Plain gradient descent in float32: equal gradients give equal parameters (Adam divides by noise).

  A step is at most 1 long: CUT's first gradient has a norm of a million in its smoke form, after whose
  step nothing is left but rounding. What is logged are the norms before they are cut.
  """
  with config.unlocked():
    if 'dtype' in config.game:
      config.game.dtype = 'float32'
    config.optimizer = {
      player: {'name': 'sgd', 'learning_rate': 1e-3, 'clip': 1e3} for player in config.optimizer
    }
  return config


class Small:
  """The smoke form of a config, compiled once for all tests that look at it."""

  def __init__(self, path, variant):
    self.config = configs.smoke(get_config(path, variant))
    configs.validate(self.config)
    self.problem = problem.make_problem(self.config)
    self.first = self.problem.init(jax.random.key(self.config.seed))
    self.layout = parallel.make_layout(devices=jax.devices()[:1])
    self.traces = 0
    self.step = self.layout.compile(train_step.several_steps(self.counted))

  def counted(self, state, batch):
    self.traces += 1
    return self.problem.step(state, batch)

  def batch(self, step):
    data, size, seed = self.problem.dataset, self.problem.batch_size, self.config.seed
    sampler = datasets.Sampler(data.size, size, seed, domains=data.domains)
    return jax.tree.map(lambda x: x[None], data.fetch(sampler.indices(step)))

  def run(self, state, start, stop, layout=None, step=None):
    layout = layout or self.layout
    state = layout.place(jax.tree.map(lambda x: x.copy(), state))
    for i in range(start, stop):
      state, metrics = (step or self.step)(state, layout.shard(self.batch(i)))
    return state, metrics


small = functools.cache(Small)


def equal(a, b):
  """Whether two trees are bit for bit the same."""
  raw = lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
  same = jax.tree.map(
    lambda x, y: np.array_equal(np.asarray(raw(x)), np.asarray(raw(y)), equal_nan=True), a, b
  )
  return jax.tree.all(same)


@pytest.mark.parametrize('path', FILES, ids=name_of)
def test_docstring_names_paper_command_and_score(path):
  text = runpy.run_path(str(path))['__doc__']
  assert (
    'arXiv' in text
    and f'python -m jaxgan.main --config=configs/{path.name}' in text
    and 'score' in text
  )


def built():
  """Every variant; the largest are slow."""
  return [
    pytest.param(path, variant, marks=pytest.mark.slow if 'imagenet' in variant else ())
    for path, variant in VARIANTS
  ]


@pytest.mark.parametrize('path, variant', built(), ids=name_of)
def test_builds_at_full_size(path, variant):
  config = get_config(path, variant)
  configs.validate(config)
  stand_in = configs.smoke(get_config(path, variant))
  if config.data.source == 'tfds':  # its shape and classes without its pictures
    channels, classes = {
      'imagenet2012': (3, 1000),
      'imagenet_resized/32x32': (3, 1000),
      'cifar10': (3, 10),
      'fashion_mnist': (1, 10),
      'mnist': (1, 10),
      'celeb_a': (3, 0),
      'lsun/bedroom': (3, 0),
    }[config.data.name]
    classes = 0 if config.data.label == 'none' else classes
    shape = (config.data.resolution, config.data.resolution, channels)
    fetch = lambda i: {
      'image': np.zeros((len(i), *shape), np.uint8),
      'label': np.zeros(len(i), np.int32),
    }
    data = datasets.Dataset(
      config.data.name, 100, shape, tuple(map(str, range(classes))), fetch, None, ''
    )
  else:
    data = datasets.load(**{k: v for k, v in stand_in.data.items() if k not in configs.BATCHING})
  whole = problem.make_problem(config, data)
  state = jax.eval_shape(whole.init, jax.random.key(0))
  batch = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct((whole.batch_size, *x.shape[1:]), x.dtype),
    data.fetch(np.zeros(1, np.int64)),
  )
  new, metrics = jax.eval_shape(whole.step, state, batch)
  assert jax.tree.map(lambda x: (x.shape, x.dtype), new) == jax.tree.map(
    lambda x: (x.shape, x.dtype), state
  )
  assert all(
    x.dtype == jnp.float32 for x in jax.tree.leaves([v['params'] for v in new.players.values()])
  )
  assert all(x.shape == () for x in metrics.values())


@pytest.mark.parametrize('path, variant', trained(OWN), ids=name_of)
def test_trains_and_stays_finite(path, variant):
  it = small(path, variant)
  state, metrics = it.run(it.first, 0, 4)
  assert metrics['nonfinite'][0] == train_step.FINITE and state.step == 4
  for player in it.problem.game.losses:
    assert not equal(state.players[player]['params'], it.first.players[player]['params'])
  for player in it.config.ema.players:
    assert not equal(state.ema[player]['params'], state.players[player]['params'])
  before = it.traces
  it.run(it.first, 0, 2)
  assert it.traces == before == 1


@pytest.mark.parametrize('path, variant', trained(OWN), ids=name_of)
def test_two_and_two_steps_with_a_restore_between_equal_four(path, variant, tmp_path):
  it = small(path, variant)
  four, _ = it.run(it.first, 0, 4)
  two, _ = it.run(it.first, 0, 2)
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(2, two, meta={})
  checkpoints.wait()
  restored, _, step = checkpoints.restore(it.layout.abstract(it.first))
  checkpoints.close()
  again, _ = it.run(restored, step, 4)
  assert equal(four, again)


@pytest.mark.parametrize('path, variant', trained(OWN), ids=name_of)
def test_updating_one_player_leaves_the_others_alone(path, variant):
  it = small(path, variant)
  batch = datasets.preprocess(
    it.problem.dataset.fetch(np.arange(it.config.data.batch_size)), jax.random.key(0)
  )
  for player, loss in it.problem.game.losses.items():
    tx = problem.optim.make_optimizer(it.config.optimizer[player].to_dict())
    update = jax.jit(functools.partial(train_step.update_player, name=player, loss=loss, tx=tx))
    new, metrics = update(it.first, batch=batch, key=jax.random.key(1))
    assert np.isfinite(metrics[f'{player}/loss'])
    assert not equal(new.players[player], it.first.players[player])
    others = lambda state, player=player: {k: v for k, v in state.players.items() if k != player}
    assert equal(others(new), others(it.first)) and equal(new.ema, it.first.ema)


@pytest.mark.parametrize('path, variant', trained(LAYOUTS), ids=name_of)
def test_two_devices_equal_one(path, variant):
  it = small(path, variant)
  config = with_sgd(configs.smoke(get_config(path, variant)))
  same = problem.make_problem(config, it.problem.dataset)
  first = same.init(jax.random.key(0))
  results = []
  for count in (1, 2):
    layout = parallel.make_layout(devices=jax.devices()[:count])
    step = layout.compile(train_step.several_steps(same.step))
    state, metrics = it.run(first, 0, 2, layout, step)
    results.append((jax.device_get(state.players), metrics))
  for a, b in zip(jax.tree.leaves(results[0]), jax.tree.leaves(results[1])):
    np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize('path, variant', trained(OWN), ids=name_of)
def test_predictions_have_their_shape_and_range(path, variant):
  it = small(path, variant)
  game, players, data = it.problem.game, it.first.playing(), it.problem.dataset
  label = jnp.arange(3) % max(len(data.class_names), 1)
  if 'sample' in game.predict:
    image = jax.jit(game.predict['sample'])(players, jax.random.key(0), label=label)
    assert image.shape == (3, *data.image_shape) and image.dtype == jnp.float32
    assert np.isfinite(image).all() and (np.abs(image).max() <= 1 or not data.pictures)
    if 'score' in game.predict:
      logits = game.predict['score'](players, jax.random.key(0), image=image, label=label)
      assert logits.shape == (3,) and logits.dtype == jnp.float32
  if 'translate' in game.predict:
    batch = data.fetch(np.arange(3))
    image = batch['image'] / 127.5 - 1
    image = jax.jit(game.predict['translate'])(players, jax.random.key(0), image=image)
    assert image.shape == batch['target'].shape and image.dtype == jnp.float32
    assert np.isfinite(image).all() and np.abs(image).max() <= 1
  assert set(game.predict) & {'sample', 'translate', 'reconstruct', 'score'}

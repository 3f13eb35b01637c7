"""One step gives the same numbers on every layout of devices, and states move between layouts."""

import functools
import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import config as configs
from jaxgan import datasets, models, parallel, problem, train, train_step, writers
from jaxgan.checkpoint import Checkpoints
from jaxgan.errors import UserError
from jaxgan.nn import replicas
from tests import tiny

CONFIG = Path(__file__).parents[1] / 'configs' / 'biggan.py'
STEPS = 3
CLOSE = 1e-10  # float64 rounding stays below 1e-12; anything in float32 would be above 1e-8
MOVED = 1e-4
FSDP_MIN_SIZE = 32  # so that the small arrays here are worth sharding
LAYOUTS = {
  'jit on 1': ('jit', False, 1),
  'jit on 2': ('jit', False, 2),
  'pmap on 1': ('pmap', False, 1),
  'pmap on 2': ('pmap', False, 2),
  'fsdp on 2': ('jit', True, 2),
}


@pytest.fixture(scope='module', autouse=True)
def _float64_and_small_shards():
  with pytest.MonkeyPatch.context() as patch, jax.enable_x64(True):
    patch.setattr(parallel, 'FSDP_MIN_SIZE', FSDP_MIN_SIZE)
    yield
    small_biggan.cache_clear()
    trained.cache_clear()
    whole_run.cache_clear()


def tiny_config(batch_size, accumulate=1):
  """Of the tiny game."""
  config = configs.base()
  config.model, config.cache.dir = 'biggan', ''
  config.data.batch_size, config.accumulate = batch_size, accumulate
  config.optimizer = {p: {'name': 'sgd', 'learning_rate': 0.1} for p in tiny.game().losses}
  return config


def layout_of(name):
  mode, fsdp, count = LAYOUTS[name]
  return parallel.make_layout(mode, fsdp, jax.devices()[:count])


@functools.cache
def small_biggan():
  """The smallest BigGAN with everything in it, in float64: (problem, state off its special points)."""
  config = configs.smoke(runpy.run_path(str(CONFIG))['get_config']())
  config.game.dtype = 'float64'
  config.optimizer = {
    player: {'name': 'sgd', 'learning_rate': 0.01, 'momentum': 0.9} for player in config.optimizer
  }
  it = problem.make_problem(config)
  state = it.init(jax.random.key(0))
  noise = np.random.default_rng(0)  # attention's gate is 0 at the start, and its kernels idle

  def shaken(x):
    real = jnp.issubdtype(x.dtype, jnp.floating)
    return x + 0.1 * noise.standard_normal(x.shape) if real else x

  params = lambda v: {**v, 'params': jax.tree.map(shaken, v['params'])}
  wide = lambda x: x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x
  players = {name: params(variables) for name, variables in state.players.items()}
  return it, jax.tree.map(wide, state.replace(players=players))


def advance(it, layout, step, state, start, stop):
  sampler = datasets.Sampler(it.dataset.size, it.batch_size, 0)
  for i in range(start, stop):
    batch = jax.tree.map(lambda x: x[None], it.dataset.fetch(sampler.indices(i)))
    state, metrics = step(state, layout.shard(batch))
  return state, metrics


@functools.cache
def trained(name):
  """(layout, compiled step, state and metrics after some steps) of a layout by name."""
  it, first = small_biggan()
  layout = layout_of(name)
  step = layout.compile(train_step.several_steps(it.step))
  state = layout.place(jax.tree.map(lambda x: x.copy(), first))
  return layout, step, *advance(it, layout, step, state, 0, STEPS)


def numbers(tree):
  """Path -> float64 array of everything in a tree."""
  raw = lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
  leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(jax.tree.map(raw, tree)))
  return {jax.tree_util.keystr(path): np.asarray(leaf, np.float64) for path, leaf in leaves}


def apart(a, b):
  """The largest difference of two trees of the same structure, and where it is."""
  a, b = numbers(a), numbers(b)
  assert a.keys() == b.keys()
  return max((float(np.abs(a[path] - b[path]).max(initial=0)), path) for path in a)


@pytest.mark.slow
def test_the_numbers_compared_are_float64_and_have_moved():
  layout, _, state, metrics = trained('jit on 1')
  narrow = [
    x.dtype for x in jax.tree.leaves((state, metrics)) if x.dtype in ('float32', 'bfloat16')
  ]
  assert not narrow
  _, first = small_biggan()
  then, now = (numbers({**s.players, 'ema': s.ema}) for s in (first, layout.logical(state)))
  still = [path for path in then if np.abs(now[path] - then[path]).max() < MOVED]
  # A bias in front of a batch norm has no gradient, and attention's keys have little.
  assert len(still) < 0.2 * len(now)
  for kind in ('params', 'batch_stats', 'spectral', "['ema']"):
    assert any(kind in path for path in now if path not in still)


@pytest.mark.parametrize(
  'name',
  [
    'jit on 2',
    pytest.param('pmap on 1', marks=pytest.mark.slow),  # what is left of pmap on 2 without a sum
    'pmap on 2',
    'fsdp on 2',
  ],
)
def test_every_layout_gives_the_same_numbers(name):
  expected_layout, _, expected, expected_metrics = trained('jit on 1')
  layout, _, state, metrics = trained(name)
  assert len(layout.devices) == LAYOUTS[name][2]
  difference, where = apart(layout.logical(state), expected_layout.logical(expected))
  assert difference < CLOSE, where
  difference, where = apart(metrics, expected_metrics)
  assert difference < CLOSE, where


def test_a_wrong_gradient_scale_would_be_seen(monkeypatch):
  """Sums or nothing where replicas should take means: far above what counts as equal."""
  monkeypatch.setattr(models, 'make', lambda *a, **k: tiny.game(loss='non_saturating'))
  config = tiny_config(batch_size=4)
  it = problem.make_problem(config, tiny.dataset())

  def players_after(name):
    layout = layout_of(name)
    step = layout.compile(train_step.several_steps(it.step))
    state = layout.place(it.init(jax.random.key(0)))
    return layout.logical(advance(it, layout, step, state, 0, STEPS)[0]).players

  expected = players_after('jit on 1')
  assert apart(players_after('pmap on 2'), expected)[0] < 1e-6
  for wrong in (lambda tree: jax.lax.psum(tree, replicas.AXIS), lambda tree: tree):
    monkeypatch.setattr(replicas, 'mean', wrong)
    assert apart(players_after('pmap on 2'), expected)[0] > MOVED


def test_game_optimisers_are_alike_on_every_layout(monkeypatch):
  """What the losses make of gradients is made of the gradients of the whole batch."""
  monkeypatch.setattr(models, 'make', lambda *a, **k: tiny.game(loss='non_saturating'))
  config = tiny_config(batch_size=4)
  config.play = 'extragradient'
  config.adjust.update(consensus=0.5, symplectic=0.5)
  it = problem.make_problem(config, tiny.dataset())

  def players_after(name):
    layout = layout_of(name)
    step = layout.compile(train_step.several_steps(it.step))
    state = layout.place(it.init(jax.random.key(0)))
    return layout.logical(advance(it, layout, step, state, 0, STEPS)[0]).players

  expected = players_after('jit on 1')
  for name in ('jit on 2', 'pmap on 2'):
    assert apart(players_after(name), expected)[0] < 1e-6, name


def test_fsdp_spreads_parameters_averages_and_optimiser_state():
  _, _, state, _ = trained('fsdp on 2')
  parts = {'params': state.players, 'ema': state.ema, 'momentum': state.opt_state}
  for kind, tree in parts.items():
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    for path, x in leaves:
      shard = x.addressable_shards[0].data
      large = x.size >= FSDP_MIN_SIZE and any(n % 2 == 0 for n in x.shape)
      assert shard.size == (x.size // 2 if large else x.size), jax.tree_util.keystr(path)
    held = sum(x.addressable_shards[0].data.size for _, x in leaves)
    assert held < 0.6 * sum(x.size for _, x in leaves), kind


@pytest.mark.parametrize(
  'written, read', [('fsdp on 2', 'jit on 1'), ('pmap on 2', 'jit on 1'), ('jit on 1', 'fsdp on 2')]
)
def test_a_checkpoint_moves_from_layout_to_layout(written, read, tmp_path):
  layout, _, state, _ = trained(written)
  saved = layout.logical(state)
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(STEPS, saved, meta={})
  checkpoints.wait()
  other, step, end, _ = trained(read)
  restored, _, at = checkpoints.restore(other.abstract(small_biggan()[1]))
  checkpoints.close()
  assert at == STEPS and apart(restored, saved)[0] == 0
  of = lambda x: (x.sharding, jnp.shape(x))
  assert jax.tree.map(of, other.place(restored)) == jax.tree.map(of, end)
  # ... and training goes on as it would have
  it, _ = small_biggan()
  again, _ = advance(it, other, step, other.place(restored), STEPS, STEPS + 1)
  expected, _ = advance(it, other, step, jax.tree.map(lambda x: x.copy(), end), STEPS, STEPS + 1)
  assert apart(again, expected)[0] < CLOSE


def unlucky():
  """The tiny game, whose generator's loss at step 4 is NaN for most keys, alike on every device."""
  game = tiny.game(loss='non_saturating')
  plain = game.losses['generator']

  def loss(params, players, batch, key, step):
    value, aux = plain(params, players, batch, key, step)
    hit = (step == 4) & (jax.random.uniform(key) < 0.8)
    return jnp.where(hit, jnp.nan, value), aux

  return game._replace(losses={**game.losses, 'generator': loss})


@functools.cache
def whole_run(mode, fsdp, folder):
  """The logged rows of a run that goes back, judges, ends, and is gone on with."""
  config = tiny_config(batch_size=4)
  config.parallel.mode, config.parallel.fsdp, config.retries = mode, fsdp, 30
  config.log.every = config.checkpoint.every = 2
  config.evaluators = {'samples': {'every': 3, 'columns': 2}, 'spectra': {'every': 3}}
  for config.total_steps in (6, 8):
    assert train.train(config, folder, tiny.dataset())['step'] == config.total_steps
  return [
    {k: v for k, v in row.items() if 'per_second' not in k} for row in writers.scalars(folder)
  ]


@pytest.mark.parametrize(
  'mode, fsdp', [pytest.param('jit', True, marks=pytest.mark.slow), ('pmap', False)]
)
def test_the_loop_is_the_same_in_every_layout(mode, fsdp, monkeypatch, tmp_path, capsys):
  monkeypatch.setattr(models, 'make', lambda *a, **k: unlucky())
  expected = whole_run('jit', False, tmp_path.parent / 'jit')
  found = whole_run(mode, fsdp, tmp_path / mode)
  told = capsys.readouterr().err
  assert 'going back to step 4' in told and 'going on from 6' in told
  assert (tmp_path / mode / 'grid.png').exists()
  assert [list(row) for row in found] == [list(row) for row in expected] and len(found) == 5
  for a, b in zip(found, expected):
    for name in b:
      np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_batch_that_devices_cannot_share_is_one_line(monkeypatch, tmp_path):
  monkeypatch.setattr(models, 'make', lambda *a, **k: tiny.game())
  config = tiny_config(batch_size=6, accumulate=2)
  with pytest.raises(
    UserError, match=r'^batch_size / accumulate = 3 .* 2 devices; .* of 2$'
  ) as error:
    train.train(config, tmp_path, tiny.dataset())
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('mode, fsdp', [('pmap', True), ('pjit', False)])
def test_layouts_that_do_not_exist(mode, fsdp):
  with pytest.raises(
    UserError, match=f"parallel.mode='{mode}' with fsdp={fsdp}; expected"
  ) as error:
    parallel.make_layout(mode, fsdp)
  assert '\n' not in str(error.value)

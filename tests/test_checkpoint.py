"""Checkpoints: exact, the right ones kept, and a line for those that do not fit."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import struct

from jaxgan.checkpoint import CheckpointError, Checkpoints


class State(struct.PyTreeNode):
  """A small TrainState."""

  step: jax.Array
  key: jax.Array
  players: dict
  opt_state: dict


def make_state(seed: int = 0, width: int = 16) -> State:
  params = {
    'Dense_0': {'kernel': jax.random.normal(jax.random.key(seed), (64, width))},
    'a/b.c%2F': {'u': jnp.arange(5.0) + seed},
  }
  return State(
    step=jnp.int32(seed),
    key=jax.random.key(seed + 7),
    players={'generator': {'params': params, 'batch_stats': {}}},
    opt_state={'generator': optax.adam(1e-3).init(params)},
  )


def raw(leaf):
  """Dtype, shape and bytes of any leaf."""
  if hasattr(leaf, 'dtype') and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
    return (str(leaf.dtype), leaf.shape, np.asarray(jax.random.key_data(leaf)).tobytes())
  array = np.asarray(leaf)
  return (array.dtype.name, array.shape, array.tobytes())


def assert_same(found, wanted):
  assert jax.tree.structure(found) == jax.tree.structure(wanted)
  assert [raw(x) for x in jax.tree.leaves(found)] == [raw(x) for x in jax.tree.leaves(wanted)]


def saved(directory, steps=(1, 2), generator=True, **options):
  """Checkpoints of `make_state(step)` for every step, all whole on disk."""
  checkpoints = Checkpoints(directory, **options)
  for step in steps:
    state = make_state(step)
    extra = {'generator': {'params': state.players['generator']['params']}} if generator else {}
    checkpoints.save(step, state, meta={'n': step}, **extra)
  checkpoints.wait()
  return checkpoints


# ---- exactness ----


def test_every_kind_of_leaf_comes_back_bit_for_bit(tmp_path):
  floats = [0.0, -0.0, np.nan, np.inf, 1e-8, -3.0]
  state = {
    **{name: jnp.asarray(floats, name) for name in ('bfloat16', 'float16', 'float32')},
    'float8': jnp.asarray([0.5, -2.0], 'float8_e4m3fn'),
    'complex64': jnp.asarray([1 + 2j]),
    'ints': [jnp.asarray([-1, 5], t) for t in ('int8', 'int16', 'int32')],
    'uints': (jnp.asarray([200], 'uint8'), jnp.asarray([2**32 - 1], 'uint32')),
    'bool': jnp.asarray([True, False]),
    'payload': jnp.asarray(np.asarray([0x7FC00123], np.uint32).view(np.float32)),
    'empty': jnp.zeros((0, 3), jnp.bfloat16),
    'key': jax.random.key(3),
    'keys': jax.random.split(jax.random.key(4), (2, 3)),
    'rbg': jax.random.key(5, impl='rbg'),
    'nothing': None,
    'optimiser': optax.chain(optax.clip(1.0), optax.adam(1e-3)).init({'w': jnp.ones(3)}),
    'numpy': np.arange(6.0).reshape(2, 3)[:, ::2],
    'scalar': np.float64(1 / 3),
    'number': 7,
  }
  with_numbers = Checkpoints(tmp_path)
  with_numbers.save(5, state, meta={})
  found, meta, step = with_numbers.restore(state)
  assert (meta, step) == ({}, 5)
  assert_same(found, state)
  for have, want in zip(jax.tree.leaves(found), jax.tree.leaves(state)):
    assert isinstance(have, np.ndarray | np.generic) == isinstance(want, np.ndarray | np.generic)
    assert isinstance(have, jax.Array) == isinstance(want, jax.Array)
  with_numbers.close()


def test_the_template_needs_no_arrays(tmp_path):
  checkpoints = saved(tmp_path)
  found, meta, step = checkpoints.restore(jax.eval_shape(make_state))
  assert (meta, step) == ({'n': 2}, 2)
  assert_same(found, make_state(2))
  assert jax.random.normal(found.key) == jax.random.normal(make_state(2).key)


def test_nothing_saved_is_none_and_no_folder_is_made(tmp_path):
  assert Checkpoints(tmp_path / 'none').restore(make_state()) is None
  assert not (tmp_path / 'none').exists()


def test_training_goes_on_with_donated_buffers_while_it_is_saved(tmp_path):
  advance = jax.jit(lambda s: jax.tree.map(lambda x: x * 1.5 + 1, s), donate_argnums=0)
  state = {str(i): jnp.full((256, 1024), float(i)) for i in range(8)}
  wanted = jax.tree.map(np.array, state)
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(1, state, meta={})
  for _ in range(20):
    state = advance(state)
  found, _, _ = checkpoints.restore(wanted)
  assert_same(found, wanted)
  checkpoints.close()


def test_a_restored_state_can_be_donated(tmp_path):
  state = make_state(1).players
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(1, state, meta={})
  found, _, _ = checkpoints.restore(state)
  double = jax.jit(lambda s: jax.tree.map(lambda x: 2 * x, s), donate_argnums=0)
  assert_same(double(double(found)), jax.tree.map(lambda x: 4 * x, state))


def test_meta_is_copied_and_must_be_json(tmp_path):
  checkpoints = Checkpoints(tmp_path)
  meta = {'config': {'lr': 0.1, 'shape': (1, 2)}, 'bad': float('nan')}
  checkpoints.save(1, make_state(), meta=meta)
  meta['config']['lr'] = 0.2
  found = checkpoints.restore(make_state())[1]
  assert found['config'] == {'lr': 0.1, 'shape': [1, 2]}
  assert np.isnan(found['bad'])
  with pytest.raises(CheckpointError, match='meta of step 2 must hold JSON values only'):
    checkpoints.save(2, make_state(), meta={'array': np.ones(2)})
  assert checkpoints.steps() == [1]


# ---- which steps are kept ----


def test_the_last_two_and_the_best_are_kept(tmp_path):
  scores = {10: 50.0, 20: 90.0, 30: float('nan'), 40: 60.0, 50: 55.0, 60: 80.0}
  checkpoints = Checkpoints(tmp_path, keep=2, best='recall')
  for step, score in scores.items():
    checkpoints.save(step, make_state(step), meta={}, scores={'recall': score, 'other': -score})
    checkpoints.wait()
    assert step in checkpoints.steps()
  assert checkpoints.steps() == [20, 50, 60]
  assert checkpoints.best_step() == 20
  again = Checkpoints(tmp_path, keep=1, best='recall')  # a resumed run knows the old scores
  again.save(70, make_state(70), meta={})
  again.wait()
  assert again.steps() == [20, 70]
  assert Checkpoints(tmp_path).best_step() == 20  # a reader learns the score's name from the files


def test_the_best_can_be_the_lowest(tmp_path):
  checkpoints = Checkpoints(tmp_path, keep=1, best='fid', best_mode='min')
  for step, score in [(1, 5.0), (2, 3.0), (3, 4.0), (4, 9.0)]:
    checkpoints.save(step, make_state(step), meta={}, scores={'fid': score})
  checkpoints.close()
  assert checkpoints.steps() == [2, 4]


def test_options_out_of_range(tmp_path):
  with pytest.raises(CheckpointError, match='keep is 0'):
    Checkpoints(tmp_path, keep=0)
  with pytest.raises(CheckpointError, match="'max' or 'min'"):
    Checkpoints(tmp_path, best_mode='lowest')


def test_a_step_saved_again_replaces_the_old_one_only_when_whole(tmp_path):
  checkpoints = saved(tmp_path, (1, 2))
  checkpoints.save(2, make_state(9), meta={'again': True})
  checkpoints.wait()
  assert sorted(os.listdir(tmp_path)) == ['1', '2']
  found, meta, step = checkpoints.restore(make_state())
  assert (meta, step) == ({'again': True}, 2)
  assert_same(found, make_state(9))
  # Killed while the new copy was being written: the old one still counts.
  (tmp_path / '2').rename(tmp_path / '2.replaced')
  for leftover in ('2.orbax-checkpoint-tmp', '7.orbax-checkpoint-tmp', '8.removed'):
    (tmp_path / leftover / 'half').mkdir(parents=True)
  resumed = Checkpoints(tmp_path)
  assert resumed.steps() == [1, 2]
  assert_same(resumed.restore(make_state())[0], make_state(9))
  resumed.save(2, make_state(10), meta={})
  resumed.wait()
  assert sorted(os.listdir(tmp_path)) == ['1', '2']
  assert_same(resumed.restore(make_state())[0], make_state(10))


def test_a_save_that_fails_leaves_the_step_that_it_was_to_replace(tmp_path, monkeypatch):
  checkpoints = saved(tmp_path, (1, 2))

  def no_space(*args):
    raise OSError(28, 'No space left on device')

  with monkeypatch.context() as patch:
    patch.setattr(checkpoints, '_start', no_space)
    checkpoints.save(2, make_state(9), meta={})
    with pytest.raises(CheckpointError, match=r'checkpoint 2 cannot be written .* No space left'):
      checkpoints.wait()
  assert_same(checkpoints.restore(make_state())[0], make_state(2))


def test_the_step_just_saved_stays_though_its_number_is_lower(tmp_path):
  saved(tmp_path, (10, 20, 30), keep=2).close()
  checkpoints = saved(tmp_path, (5,), keep=2)
  assert checkpoints.steps() == [5, 20, 30]


def test_numpy_leaves_may_be_written_to_after_the_save(tmp_path):
  state = {'pool': np.zeros((64, 1024, 16), np.float32)}
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(1, state, meta={})
  state['pool'] += 1
  assert not checkpoints.restore(state)[0]['pool'].any()


# ---- the generator alone ----


def test_the_generator_alone(tmp_path):
  checkpoints = Checkpoints(tmp_path, best='score')
  for step, score in [(1, 1.0), (2, 3.0), (3, 2.0), (4, 0.0)]:
    variables = {'params': make_state(step).players['generator']['params']}
    checkpoints.save(step, {'x': 1}, meta={'n': step}, generator=variables, scores={'score': score})
  checkpoints.close()
  reader = Checkpoints(tmp_path)
  for which, step in [('latest', 4), ('best', 2), (3, 3), ('3', 3)]:
    found, meta, got = reader.restore_generator(which)
    assert (meta, got) == ({'n': step}, step)
    assert_same(found, {'params': make_state(step).players['generator']['params']})
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(found))


def test_the_generator_that_is_not_there(tmp_path):
  with pytest.raises(CheckpointError, match='train first'):
    Checkpoints(tmp_path).restore_generator()
  checkpoints = saved(tmp_path, generator=False)
  with pytest.raises(CheckpointError, match='was saved with a generator'):
    checkpoints.restore_generator()
  with pytest.raises(CheckpointError, match=r'no checkpoint 7 in .*; it has 1, 2'):
    checkpoints.restore_generator(7)
  with pytest.raises(CheckpointError, match='has a score'):
    checkpoints.restore_generator('best')
  checkpoints.save(3, make_state(3), meta={})  # whole steps are not set aside for lacking one
  checkpoints.wait()
  assert not (tmp_path / 'damaged').exists()


# ---- a checkpoint of another network ----


@pytest.mark.parametrize(
  ('change', 'said'),
  [
    (
      lambda s: make_state(2, width=8),
      'players/generator/params/Dense_0/kernel is float32[64,16] in the checkpoint and float32[64,8]',
    ),
    (
      lambda s: s.replace(step=jnp.float32(0)),
      'step is int32[] in the checkpoint and float32[] here',
    ),
    (
      lambda s: s.replace(key=jax.random.key(0, impl='rbg')),
      'key is key<threefry2x32>[2] in the checkpoint and key<rbg>[4] here',
    ),
    (
      lambda s: s.replace(players={**s.players, 'critic': jnp.ones(2)}),
      'players/critic is absent in the checkpoint and float32[2] here',
    ),
    (lambda s: s.replace(opt_state={}), 'opt_state/generator/0/count is int32[] in the checkpoint'),
  ],
)
def test_a_misfit_is_one_line_and_no_damage(tmp_path, caplog, change, said):
  older_that_would_fit = change(make_state(2))
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(1, older_that_would_fit, meta={})
  checkpoints.save(2, make_state(2), meta={})
  with pytest.raises(CheckpointError) as caught:
    checkpoints.restore(change(make_state(2)))
  message = str(caught.value)
  assert said in message
  assert 'checkpoint 2' in message
  assert '\n' not in message
  assert 'damaged' not in caplog.text
  assert_same(checkpoints.restore(make_state())[0], make_state(2))

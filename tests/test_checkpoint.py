"""Checkpoints: exact, whole, checked, and the right ones kept; with real damage and real kills."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time

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


def run_python(source: str, *args, env=None, **kwargs) -> subprocess.Popen:
  root = pathlib.Path(__file__).resolve().parent.parent
  path = os.pathsep.join([str(root), os.environ.get('PYTHONPATH', '')])
  return subprocess.Popen(
    [sys.executable, '-c', textwrap.dedent(source), *map(str, args)],
    env={**os.environ, 'PYTHONPATH': path, 'JAX_PLATFORMS': 'cpu', **(env or {})},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    **kwargs,
  )


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


def test_going_back_removes_what_came_after(tmp_path):
  checkpoints = saved(tmp_path, (1, 2, 3), keep=3)
  checkpoints.delete_after(1)
  assert checkpoints.steps() == [1]
  checkpoints.save(2, make_state(20), meta={})
  assert_same(checkpoints.restore(make_state())[0], make_state(20))
  assert sorted(os.listdir(tmp_path)) == ['1', '2']


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
  (tmp_path / '2.orbax-checkpoint-tmp').mkdir()
  resumed = Checkpoints(tmp_path)
  assert resumed.steps() == [1, 2]
  assert_same(resumed.restore(make_state())[0], make_state(9))
  resumed.save(2, make_state(10), meta={})
  resumed.wait()
  assert sorted(os.listdir(tmp_path)) == ['1', '2']
  assert_same(resumed.restore(make_state())[0], make_state(10))


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


# ---- damage ----

DAMAGES = {
  'truncated': lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
  'flipped': lambda file: file.write_bytes(flip(file.read_bytes())),
  'deleted': lambda file: file.unlink(),
}


def flip(data: bytes) -> bytes:
  """One bit of the middle byte turned."""
  middle = len(data) // 2
  return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


@pytest.mark.parametrize('damage', DAMAGES)
def test_no_file_can_be_damaged_unnoticed(tmp_path, caplog, damage):
  saved(tmp_path / 'good').close()
  files = sorted(
    p for p in (tmp_path / 'good' / '2').rglob('*') if p.is_file() and p.stat().st_size
  )
  noticed = set()
  for file in files:
    name = file.relative_to(tmp_path / 'good' / '2')
    directory = tmp_path / 'hurt'
    shutil.copytree(tmp_path / 'good', directory)
    DAMAGES[damage](directory / '2' / name)
    caplog.clear()
    found, meta, step = Checkpoints(directory).restore(make_state())
    assert_same(
      found, make_state(step)
    )  # the newest where the file does not matter, else the other
    assert meta == {'n': step}
    if step == 1:
      noticed.add(name)
      assert f'checkpoint 2 is damaged and passed over: {directory / "2"}' in caplog.text
    generator, _, step = Checkpoints(directory).restore_generator()
    assert_same(generator, {'params': make_state(step).players['generator']['params']})
    shutil.rmtree(directory)
  arrays = {f.relative_to(tmp_path / 'good' / '2') for f in files if f.parent.name == 'd'}
  assert pathlib.Path('meta/meta.json') in noticed
  assert pathlib.Path('state/manifest.ocdbt') in noticed
  assert len([name for name in noticed & arrays if name.parts[0] == 'state']) >= 2


def hurt(directory, step):
  """Turns a bit in every data file of a step's state."""
  for file in (directory / str(step) / 'state').rglob('d/*'):
    DAMAGES['flipped'](file)


def test_all_damaged_is_one_line_that_names_each(tmp_path):
  saved(tmp_path).close()
  hurt(tmp_path, 1)
  (tmp_path / '2' / 'meta' / 'meta.json').write_text('{"crc": 3}')
  with pytest.raises(CheckpointError) as caught:
    Checkpoints(tmp_path).restore(make_state())
  message = str(caught.value)
  assert 'step 1: ' in message
  assert 'step 2: ' in message
  assert 'meta.json: its checksum differs' in message
  assert '\n' not in message


def test_after_damage_the_run_goes_on_and_keeps_its_new_steps(tmp_path):
  saved(tmp_path, (10, 20, 30), keep=3).close()
  hurt(tmp_path, 20)
  hurt(tmp_path, 30)
  resumed = Checkpoints(tmp_path, keep=2)
  assert resumed.restore(make_state())[2] == 10
  assert resumed.steps() == [10, 20, 30]  # reading changes nothing
  resumed.save(15, make_state(15), meta={})
  resumed.wait()
  assert resumed.steps() == [10, 15]
  assert sorted(os.listdir(tmp_path / 'damaged')) == ['20', '30']
  resumed.save(20, make_state(20), meta={})
  found, _, step = resumed.restore(make_state())
  assert step == 20
  assert_same(found, make_state(20))


def test_a_generator_asked_for_by_number_is_never_another(tmp_path):
  saved(tmp_path).close()
  for file in (tmp_path / '2' / 'generator').rglob('d/*'):
    DAMAGES['flipped'](file)
  reader = Checkpoints(tmp_path)
  assert reader.restore_generator()[2] == 1
  with pytest.raises(CheckpointError, match='step 2: '):
    reader.restore_generator(2)


def test_a_format_of_the_future(tmp_path):
  saved(tmp_path, (1,)).close()
  file = tmp_path / '1' / 'meta' / 'meta.json'
  body = json.loads(file.read_text())
  del body['crc']
  from jaxgan import manifest

  body['format'] = 99
  file.write_text(json.dumps({**body, 'crc': manifest.crc_of_json(body)}))
  with pytest.raises(CheckpointError, match='of format 99'):
    Checkpoints(tmp_path).restore(make_state())


# ---- kills and full disks ----

SAVES_FOREVER = """
  import sys, numpy as np, jax
  from jaxgan.checkpoint import Checkpoints
  rng = np.random.default_rng(0)
  noise = rng.random((16, 512, 512), np.float32)  # 16 MB that does not compress
  checkpoints = Checkpoints(sys.argv[1])
  for step in range(int(sys.argv[2]), 10**6):
    checkpoints.save(step, {'noise': noise, 'step': np.full(4, step)}, meta={'n': step})
    print('saving', step, flush=True)
    if step % 2:
      checkpoints.wait()
      print('saved', step, flush=True)
"""


def test_kill_loses_at_most_the_save_under_way(tmp_path):
  template = {'noise': jax.ShapeDtypeStruct((16, 512, 512), jnp.float32), 'step': np.zeros(4, int)}
  noise = np.random.default_rng(0).random((16, 512, 512), np.float32)
  start = 1
  for seed in range(4):
    process = run_python(SAVES_FOREVER, tmp_path, start)
    last = start - 1
    for line in process.stdout:
      word, step = line.split()
      last = (
        int(step) if word == 'saved' else max(last, int(step) - 1)
      )  # save waits for the one before
      if int(step) >= start + 2 + seed:
        break
    else:
      pytest.fail(process.stderr.read())
    time.sleep(random.Random(seed).random() * 0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    resumed = Checkpoints(tmp_path)
    state, meta, step = resumed.restore(template)
    assert step >= last
    assert meta == {'n': step}
    assert (state['step'] == step).all()
    assert raw(state['noise']) == raw(noise)
    start = step + 1
  (tmp_path / '77.orbax-checkpoint-tmp').mkdir()
  (tmp_path / '77.orbax-checkpoint-tmp' / 'half').write_text('a save that was killed')
  resumed.save(start, state, meta={})
  resumed.close()
  assert sorted(os.listdir(tmp_path)) == sorted(map(str, resumed.steps()))


FILLS_THE_DISK = """
  import resource, signal, sys, numpy as np
  from jaxgan.checkpoint import CheckpointError, Checkpoints
  signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
  checkpoints = Checkpoints(sys.argv[1])
  noise = np.random.default_rng(0).random(10**6, np.float32)
  checkpoints.save(1, {'noise': noise[:100]}, meta={})
  checkpoints.wait()
  resource.setrlimit(resource.RLIMIT_FSIZE, (10**5, 10**7))
  try:
    checkpoints.save(2, {'noise': noise}, meta={})
    checkpoints.wait()
  except CheckpointError as error:
    print(error)
  print(checkpoints.steps(), checkpoints.restore({'noise': noise[:100]})[2])
  resource.setrlimit(resource.RLIMIT_FSIZE, (10**7, 10**7))
  checkpoints.save(2, {'noise': noise}, meta={})
  checkpoints.close()
  print(checkpoints.steps())
"""


def test_a_disk_that_takes_no_more_is_one_line_and_the_next_save_works(tmp_path):
  out, err = run_python(FILLS_THE_DISK, tmp_path).communicate(timeout=300)
  lines = out.splitlines()
  assert len(lines) == 3, err
  assert lines[0].startswith(f'checkpoint 2 cannot be written to {tmp_path}: ')
  assert lines[1:] == ['[1] 1', '[1, 2]']
  assert sorted(os.listdir(tmp_path)) == ['1', '2']


# ---- devices and processes ----

SHARDED = """
  import sys, numpy as np, jax, jax.numpy as jnp
  from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
  from jaxgan.checkpoint import Checkpoints
  devices = jax.devices()
  mesh = jax.make_mesh((len(devices),), ('data',), axis_types=(AxisType.Auto,))
  specs = {'kernel': P('data'), 'bias': P(), 'key': P()}
  def make(x):
    state = {'kernel': jnp.arange(24.).reshape(8, 3) + x, 'bias': jnp.ones(3) * x, 'key': jax.random.key(int(x))}
    return {k: jax.device_put(v, NamedSharding(mesh, specs[k])) for k, v in state.items()}
  template = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding), make(0.))
  checkpoints = Checkpoints(sys.argv[1])
  found = checkpoints.restore(template)
  if found:
    state, meta, step = found
    want = make(float(step))
    for k in want:
      assert state[k].sharding.is_equivalent_to(want[k].sharding, want[k].ndim), k
      a, b = (jax.random.key_data(x) if k == 'key' else x for x in (state[k], want[k]))
      assert np.array_equal(np.asarray(a), np.asarray(b)), k
    print('restored', step, 'saved on', meta['devices'], 'devices, here', len(devices), flush=True)
    jax.jit(lambda s: jax.random.normal(s['key']) + s['kernel'].sum(), donate_argnums=0)(state)
  step = found[2] + 1 if found else 1
  checkpoints.save(step, make(float(step)), meta={'devices': len(devices)})
  checkpoints.close()
"""


def test_a_sharded_state_moves_between_one_device_and_several(tmp_path):
  said = []
  for count in (2, 1, 4, 2):
    flags = f'--xla_force_host_platform_device_count={count}'
    process = run_python(SHARDED, tmp_path, env={'XLA_FLAGS': flags})
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    said += out.splitlines()
  assert said == [
    'restored 1 saved on 2 devices, here 1',
    'restored 2 saved on 1 devices, here 4',
    'restored 3 saved on 4 devices, here 2',
  ]


TWO_PROCESSES = """
  import sys, numpy as np, jax, jax.numpy as jnp
  jax.config.update('jax_cpu_collectives_implementation', 'gloo')
  jax.distributed.initialize(f'localhost:{sys.argv[2]}', 2, int(sys.argv[3]))
  from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
  from jaxgan.checkpoint import CheckpointError, Checkpoints
  mesh = jax.make_mesh((4,), ('data',), axis_types=(AxisType.Auto,))
  def put(x, spec):
    return jax.make_array_from_callback(x.shape, NamedSharding(mesh, spec), lambda i: x[i])
  def make(x):
    return {
      'kernel': put(np.arange(24, dtype=np.float32).reshape(8, 3) + x, P('data')),
      'bias': put(np.full(3, x, np.float32), P()),
      'key': jax.random.wrap_key_data(put(np.asarray([0, x], np.uint32), P())),
    }
  def values(s):
    return {k: [np.asarray(jax.random.key_data(v.data) if k == 'key' else v.data).tolist() for v in s[k].addressable_shards] for k in s}
  checkpoints = Checkpoints(sys.argv[1])
  assert checkpoints.restore(make(0)) is None
  for step in (1, 2, 3):
    checkpoints.save(step, make(step), meta={'n': step})
  checkpoints.wait()
  if jax.process_index() == 0:
    from pathlib import Path
    for file in (Path(sys.argv[1]) / '3' / 'state').rglob('d/*'):
      data = bytearray(file.read_bytes()); data[len(data) // 2] ^= 4; file.write_bytes(data)
  jax.experimental.multihost_utils.sync_global_devices('hurt')
  state, meta, step = checkpoints.restore(make(0))
  assert meta == {'n': step}
  assert values(state) == values(make(step))
  try:
    checkpoints.restore({**make(0), 'more': put(np.ones(2), P())})
  except CheckpointError as error:
    assert 'more is absent in the checkpoint' in str(error)
  checkpoints.save(3, make(3), meta={'n': 3})
  assert values(checkpoints.restore(make(0))[0]) == values(make(3))
  checkpoints.delete_after(2)
  print('restored', step, 'of', checkpoints.steps(), flush=True)
  checkpoints.close()
"""


def test_two_processes_save_together_and_go_back_together(tmp_path):
  import socket

  with socket.socket() as s:
    s.bind(('localhost', 0))
    port = s.getsockname()[1]
  flags = {'XLA_FLAGS': '--xla_force_host_platform_device_count=2'}
  both = [run_python(TWO_PROCESSES, tmp_path, port, rank, env=flags) for rank in (0, 1)]
  ends = [process.communicate(timeout=300) for process in both]
  assert [process.returncode for process in both] == [0, 0], ends[0][1] + ends[1][1]
  assert [out.splitlines()[-1] for out, _ in ends] == ['restored 2 of [2]'] * 2
  # What two processes with four devices wrote, one process with one device reads.
  one = {'kernel': np.zeros((8, 3), np.float32), 'bias': np.zeros(3, np.float32)}
  found, _, step = Checkpoints(tmp_path).restore({**one, 'key': jax.random.key(0)})
  assert step == 2
  assert np.array_equal(found['kernel'], np.arange(24).reshape(8, 3) + 2)

"""Checkpoints under attack: damaged files, killed processes, full disks; several devices and processes."""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import manifest
from jaxgan.checkpoint import CheckpointError, Checkpoints
from tests.test_checkpoint import assert_same, make_state, raw, saved


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
  print('restored', step, flush=True)
  checkpoints.close()
"""


def test_two_processes_save_together_and_go_back_together(tmp_path):
  with socket.socket() as s:
    s.bind(('localhost', 0))
    port = s.getsockname()[1]
  flags = {'XLA_FLAGS': '--xla_force_host_platform_device_count=2'}
  both = [run_python(TWO_PROCESSES, tmp_path, port, rank, env=flags) for rank in (0, 1)]
  ends = [process.communicate(timeout=300) for process in both]
  assert [process.returncode for process in both] == [0, 0], ends[0][1] + ends[1][1]
  assert [out.splitlines()[-1] for out, _ in ends] == ['restored 2'] * 2
  # What two processes with four devices wrote, one process with one device reads.
  one = {'kernel': np.zeros((8, 3), np.float32), 'bias': np.zeros(3, np.float32)}
  found, _, step = Checkpoints(tmp_path).restore({**one, 'key': jax.random.key(0)})
  assert step == 3
  assert np.array_equal(found['kernel'], np.arange(24).reshape(8, 3) + 3)

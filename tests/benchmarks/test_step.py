"""The benchmark itself: its counts against closed forms, its table, its mistakes."""

import json

import jax
import jax.numpy as jnp
import pytest

from benchmarks import flops, step
from jaxgan.nn.convolution import conv, conv_transpose


def test_operations_are_those_of_the_closed_forms():
  x, w = jnp.ones((2, 8, 8, 3)), jnp.ones((4, 4, 3, 5))
  plain = 2 * (2 * 4 * 4 * 5) * (4 * 4 * 3)
  down = lambda x, w: conv(x, w, stride=2, padding=1)
  assert flops.count(down, x, w) == plain
  assert flops.count(jax.grad(lambda x, w: (down(x, w) ** 2).sum(), (0, 1)), x, w) == 3 * plain
  up = lambda x, w: conv_transpose(x, w, stride=2, padding=1)
  assert flops.count(up, jnp.ones((2, 4, 4, 5)), jnp.ones((4, 4, 5, 3))) == plain
  native = lambda x, w: jax.lax.conv_general_dilated(
    x, w, (2, 2), ((1, 1), (1, 1)), dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )
  assert flops.count(native, x, w) == plain
  a, b = jnp.ones((3, 4)), jnp.ones((4, 5))
  assert flops.count(jnp.matmul, a, b) == 2 * 3 * 4 * 5
  assert flops.count(jax.jit(jnp.matmul), a, b) == 2 * 3 * 4 * 5
  assert flops.count(jnp.matmul, a, b[:, 0]) == 0  # a product with a vector
  scanned = lambda a: jax.lax.scan(lambda c, _: (c @ jnp.ones((4, 4)), None), a, length=7)[0]
  assert flops.count(scanned, a) == 7 * 2 * 3 * 4 * 4


def test_other_numbers_are_refused():
  facts = {'parameters': 10, 'images': 4, 'flops': 100_000}
  step.check_equal({'jaxgan': facts, 'torch': {**facts, 'flops': 100_050}})
  with pytest.raises(step.Failed, match='flops: ours 100,000, torch 101,000'):
    step.check_equal({'jaxgan': facts, 'torch': {**facts, 'flops': 101_000}})
  with pytest.raises(step.Failed, match='parameters'):
    step.check_equal({'jaxgan': facts, 'torch': {**facts, 'parameters': 11}})


@pytest.mark.slow
def test_one_command_writes_the_table(tmp_path, monkeypatch, capsys):
  small = tmp_path / 'small.py'
  small.write_text(
    'from jaxgan import config as configs\n\n'
    "get_config = lambda: configs.smoke(configs.load('dcgan'))\n"
  )
  monkeypatch.setattr(step, 'TURN', 0.05)
  output = tmp_path / 'out'
  flags = [f'--config={small}', '--against=none', f'--output={output}', '--rounds=2']
  assert step.main([*flags, '--measure=step,forward,data']) == 0
  report = json.loads((output / 'step.json').read_text())
  found = {(row['measure'], row.get('batch')): row for row in report['rows']}
  assert set(found) == {('step', None), ('forward', 1), ('forward', 64), ('data', None)}
  assert found['step', None]['seconds'] > 0 and found['step', None]['gflop'] > 0
  assert found['data', None]['times_the_step'] > 1
  assert '### forward' in capsys.readouterr().out


@pytest.mark.parametrize(
  'flags, told',
  [
    (['--measure=speed'], "unknown measure 'speed'; there are: step"),
    (['--against=tensorflow'], "unknown side 'tensorflow'"),
    ([], 'torch is not installed; pip install torch, or give --against=none'),
    (['--rounds=0'], '--rounds=0; expected 1 or more'),
  ],
)
def test_mistakes_are_one_line(flags, told, capsys, monkeypatch):
  monkeypatch.setattr(step.importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(SystemExit) as end:
    step.main(flags)
  assert end.value.code == 2 and told in capsys.readouterr().err


def test_a_worker_that_fails_is_told(tmp_path, capsys):
  flags = ['--config=nothing_like_it', '--against=none', f'--output={tmp_path}']
  assert step.main(flags) == 1
  assert "no config file 'nothing_like_it'" in capsys.readouterr().err


def test_what_is_computed_twice_counts_once():
  a, b = jnp.ones((3, 4)), jnp.ones((4, 5))
  once = 2 * 3 * 4 * 5
  product = jax.jit(jnp.matmul)
  assert flops.count(lambda a, b: (product(a, b), a @ b), a, b) == once
  assert flops.count(lambda a, b: (product(a, b), (a + 1) @ b), a, b) == 2 * once
  loss = lambda b, a: ((a @ b) ** 2).sum()
  both = lambda a, b: (
    jax.grad(loss)(b, a),
    product(a, b),
  )  # the product is known from the gradient
  assert flops.count(both, a, b) == 2 * once
  again = lambda a, b: jax.grad(jax.checkpoint(loss))(b, a)  # computed again on purpose
  assert flops.count(again, a, b) == 3 * once
  assert flops.count(jax.grad(loss), b, a) == 2 * once


@pytest.mark.parametrize(
  'name, changes',
  [
    ('dcgan64', {'data.batch_size': 4}),
    ('biggan32', {'data.batch_size': 4}),
    ('pix2pix256', {'data.batch_size': 2, 'data.resolution': 64, 'game.channels': 4}),
    (
      'cyclegan256',
      {'data.batch_size': 2, 'data.resolution': 64, 'game.channels': 4, 'game.blocks': 1},
    ),
  ],
)
def test_torch_twin_has_our_parameters_and_operations(name, changes):
  pytest.importorskip('torch')
  from benchmarks.sides.ours import Side as Ours
  from benchmarks.sides.pytorch import Side as Theirs

  given = {'given': f'benchmarks/configs/{name}.py', 'changes': changes}
  step.check_equal({'jaxgan': Ours(**given).facts(), 'torch': Theirs(**given).facts()})


def test_twins_learn():
  """Of the image-to-image twins: losses fall, and the pool holds what it may."""
  pytest.importorskip('torch')
  from benchmarks.sides import torch_games
  from benchmarks.sides.pytorch import Side

  small = {'data.resolution': 64, 'game.channels': 4, 'game.layers': 1}
  fast = {'optimizer.generator.learning_rate': 1e-2}
  paired = Side('benchmarks/configs/pix2pix256.py', small | fast)
  told = []
  kept, paired.update = (
    paired.update,
    lambda name, loss: (told.append(loss.item()), kept(name, loss)),
  )
  paired.steps(12)
  assert told[-1] < 0.8 * told[1]  # 100 * L1, most of it
  cyclic = Side('benchmarks/configs/cyclegan256.py', {**small, 'game.blocks': 1, 'game.pool': 2})
  assert cyclic.steps(4) and {k: len(v) for k, v in cyclic.pools.items()} == {'A': 2, 'B': 2}
  shown = [torch_games.pooled(pool := [], x, 2) for x in cyclic.pictures('image').split(1)]
  assert (shown[0] == pool[0]).all()


def test_emoji_are_enlarged_for_large_networks():
  from benchmarks import pictures

  config = step.configs.load('benchmarks/configs/pix2pix256.py')
  large = pictures.load(config)
  assert large.image_shape == (256, 256, 3)
  batch = large.fetch(jnp.arange(2))
  assert batch['image'].shape == batch['target'].shape == (2, 256, 256, 3)
  config.data.resolution = 64
  small = pictures.load(config).fetch(jnp.arange(2))
  assert (batch['target'][:, 2::4, 1::4] == small['target']).all()

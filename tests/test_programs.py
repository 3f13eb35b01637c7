"""What the compiled train steps are made of: operations, loops, collectives, memory. No seconds."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import flops
from jaxgan import config as configs
from jaxgan import datasets, parallel, problem, train_step

CONFIGS = Path(__file__).parents[1] / 'benchmarks' / 'configs'
# products counted as a plain convolution has them (PyTorch's count is the same but for what is computed
# twice from the same operands, a hundred-thousandth of it), peak MiB planned
KNOWN = {'dcgan64': (158_968_315_904, 331), 'biggan32': (246_161_085_952, 278)}


def made(config, devices=1):
  """(problem, layout, state and batch as shapes with their shardings)."""
  whole = problem.make_problem(config)
  layout = parallel.make_layout(devices=jax.devices()[:devices])
  state = layout.abstract(jax.eval_shape(whole.init, jax.random.key(0)))
  rows = whole.dataset.fetch(np.arange(whole.batch_size))
  batch = layout.shard(jax.tree.map(lambda x: np.stack([x] * config.steps_per_call), rows))
  return whole, layout, state, batch


def program(config, devices=1):
  """The compiled call of a config's train step."""
  whole, layout, state, batch = made(config, devices)
  compiled = layout.compile(train_step.several_steps(whole.step))
  return parallel.ahead(compiled, state, batch)


@pytest.mark.parametrize('name', ['dcgan64', pytest.param('biggan32', marks=pytest.mark.slow)])
def test_operations_and_memory_have_not_grown(name):
  config = configs.load(str(CONFIGS / f'{name}.py'))
  count, mib = KNOWN[name]
  whole, _, state, batch = made(config)
  one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), batch)
  assert flops.count(whole.step, state, one) == count
  compiled = program(config)
  assert 0.5 * mib < parallel.held(compiled) / 2**20 < 1.1 * mib
  # fewer products are computed than a plain convolution has: the transforms are in use
  assert compiled.cost_analysis()['flops'] < 0.75 * count


def looped(text):
  """The computations that a while loop of an HLO text runs, with all they call."""
  bodies = dict(re.findall(r'^(?:ENTRY )?%?([\w.-]+) [^\n]*\{\n(.*?)^\}', text, re.M | re.S))
  todo = re.findall(r' while\(.*?body=%?([\w.-]+)', text)
  seen = set()
  while todo:
    name = todo.pop()
    if name in bodies and name not in seen:
      seen.add(name)
      todo += re.findall(r'(?:calls|to_apply|body|condition)=%?([\w.-]+)', bodies[name])
  return [bodies[name] for name in seen]


@pytest.mark.parametrize(
  'name, steps, accumulate',
  [
    ('dcgan', 2, 1),
    ('dcgan', 1, 2),
    ('biggan', 1, 2),
    pytest.param('biggan', 2, 1, marks=pytest.mark.slow),
  ],
)
def test_no_loop_hides_a_convolution(name, steps, accumulate):
  """XLA's CPU backend runs a convolution in a loop fifty times slower than outside."""
  config = configs.smoke(configs.load(name))
  config.steps_per_call, config.accumulate = steps, accumulate
  text = program(config).as_text()
  assert ' convolution(' in text
  assert not any(' convolution(' in body for body in looped(text))


def test_the_search_for_loops_finds_one():
  def body(_, x):
    return jax.lax.conv_general_dilated(x, jnp.ones((3, 3, 8, 8)), (1, 1), 'SAME',
                                        dimension_numbers=('NHWC', 'HWIO', 'NHWC'))  # fmt: skip

  x = jnp.ones((1, 8, 8, 8))
  text = jax.jit(lambda x: jax.lax.fori_loop(0, 3, body, x)).lower(x).compile().as_text()
  assert any(' convolution(' in body for body in looped(text))


@pytest.mark.parametrize('name', ['dcgan', 'biggan'])
def test_two_devices_reduce_and_gather_nothing(name):
  config = configs.smoke(configs.load(name))
  text = program(config, devices=2).as_text()
  reduces = len(re.findall(r' all-reduce(?:-start)?\(', text))
  assert 0 < reduces <= ALL_REDUCES[name]
  assert ' all-gather' not in text and ' all-to-all' not in text


ALL_REDUCES = {'dcgan': 25, 'biggan': 11}  # gradients, batch statistics, metrics; R1 in the former


@pytest.mark.parametrize('batch', [16, 6, 12])
def test_examples_stay_on_their_device_when_a_batch_goes_in_parts(batch, monkeypatch):
  from jax.sharding import NamedSharding, PartitionSpec

  from jaxgan.nn import bilinear
  from jaxgan.nn.convolution import conv

  monkeypatch.setattr(bilinear, 'WORTH', 0)
  monkeypatch.setattr(bilinear, 'PART', dict.fromkeys('yxw', 2**16))
  mesh = jax.make_mesh((2,), ('data',), axis_types=(jax.sharding.AxisType.Auto,))
  rows, whole = NamedSharding(mesh, PartitionSpec('data')), NamedSharding(mesh, PartitionSpec())
  x = jax.ShapeDtypeStruct((batch, 16, 16, 16), jnp.float32, sharding=rows)
  w = jax.ShapeDtypeStruct((4, 4, 16, 16), jnp.float32, sharding=whole)
  both = jax.jit(
    jax.value_and_grad(lambda x, w: (conv(x, w, stride=2, padding=1) ** 2).sum(), (0, 1))
  )
  text = both.lower(x, w).compile().as_text()
  assert ' while(' in text
  assert not re.search(r' (all-gather|all-to-all|collective-permute)', text)


def test_datasets_feed_is_not_traced():
  """The input pipeline is NumPy: it hands out arrays without compiling anything."""
  whole, *_ = made(configs.smoke(configs.load('dcgan')))
  sampler = datasets.Sampler(whole.dataset.size, whole.batch_size, 0)
  assert isinstance(next(datasets.batches(whole.dataset, sampler))['image'], np.ndarray)

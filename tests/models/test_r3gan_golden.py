"""R3GAN against numbers recorded from the authors' PyTorch code (golden/r3gan)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import penalties
from jaxgan.models import r3gan
from tests import recorded
from tests.recorded import Sums, close, nchw, nhwc

# fields of the networks, from 4 pixels up, and the strength of R1 and R2
CASES = {
  'r3gan32_uncond': (
    {
      'resolution': 32,
      'channels': (24, 16, 12, 12),
      'group_size': 8,  # hidden channels 48, 32, 24, 24 in 6, 4, 3, 3 groups
      'blocks': (2, 2, 1, 1),
      'expansion': 2,
    },
    0.5,
  ),
  'r3gan16_cond': (
    {
      'resolution': 16,
      'channels': (16, 16, 8),
      'group_size': (4, 2, 4),
      'blocks': (2, 1, 2),
      'expansion': 1,
      'num_classes': 5,
      'embed_dim': 6,
    },
    2.0,
  ),
}

# Unoptimised programs, which the other tests use, sum naively and lose a digit.
jit = functools.partial(jax.jit, compiler_options={'xla_backend_optimization_level': 3})


def block(part, prefix):
  """Parameters of a block."""
  kernel = lambda i: part[f'{prefix}.LinearLayer{i}.Layer.weight'].transpose(2, 3, 1, 0)
  return {
    'conv1': {'kernel': kernel(1)},
    'conv2': kernel(2),
    'conv3': {'kernel': kernel(3)},
    'bias1': part[f'{prefix}.NonLinearity1.Bias'],
    'bias2': part[f'{prefix}.NonLinearity2.Bias'],
  }


def converted(part, fields, which):
  """The reference's arrays by name as our parameters of 'G' or 'D'."""
  pointwise = lambda name: {'kernel': part[name].transpose(2, 3, 1, 0)}
  count = len(fields['channels'])
  blocks = np.broadcast_to(fields['blocks'], count)
  params = {}
  if 'EmbeddingLayer.weight' in part:
    params['embed'] = {'embedding': part['EmbeddingLayer.weight'].T}
  if which == 'G':
    params['images'] = pointwise('AggregationLayer.Layer.weight')
    params['basis'] = part['MainLayers.0.Layers.0.Basis'].transpose(1, 2, 0)
    params['linear'] = {'kernel': part['MainLayers.0.Layers.0.LinearLayer.weight'].T}
  else:
    end = f'MainLayers.{count - 1}.Layers.{blocks[0]}'
    params['images'] = pointwise('ExtractionLayer.Layer.weight')
    params['basis'] = part[f'{end}.Basis.weight'][:, 0].transpose(1, 2, 0)
    params['linear'] = {'kernel': part[f'{end}.LinearLayer.weight'].T}
  for i in range(count):
    stage = f'MainLayers.{i if which == "G" else count - 1 - i}.Layers'
    for j in range(blocks[i]):
      params[f'block_{i}_{j}'] = block(part, f'{stage}.{j + (which == "G")}')
    change = f'{stage}.{0 if which == "G" else blocks[i]}.LinearLayer.Layer.weight'
    if i and change in part:
      params[f'{"up" if which == "G" else "down"}_{i}'] = pointwise(change)
  return params


class Case:
  """One recorded case."""

  def __init__(self, name, dtype=np.float32):
    self.fields, self.gamma = CASES[name]
    cast = lambda x: x if isinstance(x, Sums) else x.astype(dtype)
    self.numbers = {k: cast(x) for k, x in recorded.read(f'r3gan/{name}').items()}
    self.z, self.real = self.numbers['in/z'], nhwc(self.numbers['in/real'])
    self.y = self.numbers.get('in/y', np.zeros(len(self.z), np.int32))
    fields = {**self.fields, 'dtype': jnp.dtype(dtype)}
    self.generator = r3gan.Generator(**fields, dim_z=self.z.shape[1])
    self.discriminator = r3gan.Discriminator(**fields)

  def tree(self, which):
    """The parameters of 'G' or 'D'."""
    return converted(recorded.part(self.numbers, f'{which}/'), self.fields, which)

  def check(self, which, gradient, group):
    """Whether our gradient has the arrays of a group."""
    convert = lambda part: converted(part, self.fields, which)
    theirs = recorded.part(self.numbers, group)
    assert len(theirs) == len(jax.tree.leaves(gradient))
    ours = recorded.undo(convert, theirs)(gradient)
    for name, x in theirs.items():
      close(ours[name], x, name=name)

  def fake(self, params):
    return self.generator.apply({'params': params}, self.z, self.y, train=True)

  def judge(self, params, x):
    return self.discriminator.apply({'params': params}, x, self.y, train=True)


@pytest.fixture(scope='module', params=[(n, d) for n in CASES for d in ('float32', 'float64')])
def case(request):
  name, dtype = request.param
  with jax.enable_x64(dtype == 'float64'), jax.default_matmul_precision('highest'):
    yield Case(name, np.dtype(dtype).type)


def test_every_variable_has_its_recorded_one(case):
  for module, which, x in ((case.generator, 'G', case.z), (case.discriminator, 'D', case.real)):
    ours = jax.eval_shape(module.init, jax.random.key(0), x, case.y)['params']
    assert jax.tree.map(jnp.shape, ours) == jax.tree.map(jnp.shape, case.tree(which))


def test_images_and_logits(case):
  image = jit(case.fake)(case.tree('G'))
  assert image.dtype == case.z.dtype
  close(nchw(image), case.numbers['out/img'])
  judge = jit(case.judge)
  close(judge(case.tree('D'), image), case.numbers['out/d_fake'])
  # The recorded out/d_real repeats out/d_fake, in both cases; the difference of the two logits, which
  # was recorded apart, tells what it should have been.
  np.testing.assert_array_equal(case.numbers['out/d_real'], case.numbers['out/d_fake'])
  real = case.numbers['out/d_fake'] - case.numbers['gen/relativistic_logits']
  close(judge(case.tree('D'), case.real), real)


def test_generator_step(case):
  """softplus(-(D(G(z)) - D(x))), and its gradient."""
  d = case.tree('D')

  @jit
  def step(params):
    def loss(params):
      fake = case.judge(d, case.fake(params))
      logits = fake - case.judge(d, case.real)
      each = jax.nn.softplus(-logits)
      return each.mean(), (each, logits)

    return jax.grad(loss, has_aux=True)(params)

  gradient, (each, logits) = step(case.tree('G'))
  close(each, case.numbers['gen/adversarial_loss'])
  close(logits, case.numbers['gen/relativistic_logits'])
  case.check('G', gradient, 'gen/grad/')


def test_discriminator_step(case):
  """softplus(-(D(x) - D(G(z)))) + gamma / 2 (|grad D(x)|^2 + |grad D(G(z))|^2), and its gradient."""

  @jit
  def step(params, fake):
    def loss(params):
      critic = lambda x: case.judge(params, x)
      logits = critic(case.real) - critic(fake)
      each = jax.nn.softplus(-logits)
      r1, r2 = (
        penalties.find('r1')(critic, case.real, gamma=1.0),
        penalties.find('r2')(critic, fake, gamma=1.0),
      )
      total = (each + case.gamma * (r1 + r2)).mean()
      return total, (each, logits, 2 * r1, 2 * r2)

    return jax.grad(loss, has_aux=True)(params)

  gradient, found = step(case.tree('D'), nhwc(case.numbers['out/img']))
  names = ('adversarial_loss', 'relativistic_logits', 'R1', 'R2')
  for ours, name in zip(found, names):
    close(ours, case.numbers[f'dis/{name}'])
  case.check('D', gradient, 'dis/grad/')


@pytest.mark.parametrize('taps', [(1, 2, 1), (1,), (1, 3, 5, 3, 1)])
def test_resampling(taps):
  numbers = recorded.read('r3gan/resamplers_init')
  name = '_'.join(map(str, taps))
  x = nhwc(numbers['x'])
  kernel = numbers[f'InterpolativeUpsampler/{name}/Kernel']
  np.testing.assert_allclose(np.outer(*[r3gan.taps_of(taps)] * 2), kernel, rtol=1e-6)
  up, down = r3gan.upsample(x, taps), r3gan.downsample(x, taps)
  close(nchw(up), numbers[f'InterpolativeUpsampler/{name}/Reference'])
  close(nchw(down), numbers[f'InterpolativeDownsampler/{name}/Reference'])
  assert up.dtype == down.dtype == jnp.float32

"""U-Net, residual generator and PatchGAN against numbers recorded from CUT's networks.py.

Weights go in through the importer; outputs in training and in use, gradients of the recorded loss, running
statistics come out. Ours in float64: in float32 a single ReLU that rounding turns over moves the gradients of all
the layers before it by a hundredth.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.importers import cyclegan_pytorch
from jaxgan.nn import dropout
from tests import recorded
from tests.recorded import nchw, nhwc, part

# name -> arguments of the importer
GENERATORS = {
  'resnet6_instance': {'netG': 'resnet_6blocks', 'ngf': 6},
  'resnet6_batch_dropout': {
    'netG': 'resnet_6blocks',
    'ngf': 6,
    'norm': 'batch',
    'use_dropout': True,
  },
  'resnet6_instance_zero_pad': {'netG': 'resnet_2blocks', 'ngf': 6, 'padding_type': 'zero'},
  'resnet6_instance_replicate_pad': {
    'netG': 'resnet_2blocks',
    'ngf': 6,
    'padding_type': 'replicate',
  },
  'resnet6_antialias_CUT': {'netG': 'resnet_2blocks', 'ngf': 6, 'no_antialias': False},
  'unet128_batch_dropout': {'netG': 'unet_128', 'ngf': 3, 'norm': 'batch', 'use_dropout': True},
  'unet256_batch': {'netG': 'unet_256', 'ngf': 2, 'norm': 'batch'},
}
DISCRIMINATORS = {
  'patchgan70_instance': {'ndf': 4},
  'patchgan70_batch': {'ndf': 4, 'norm': 'batch'},
  'patchgan_antialias_CUT': {'ndf': 4, 'no_antialias': False},
  'pixel_batch': {'netD': 'pixel', 'ndf': 4, 'norm': 'batch'},
}


@pytest.fixture(autouse=True)
def exact():
  with jax.enable_x64(True):
    yield


@pytest.fixture
def masks(monkeypatch):
  """What dropout keeps, in the order of its layers, as recorded."""
  kept = []
  drawn = lambda sampler, key, shape: jnp.asarray(kept.pop(0)).reshape(shape)
  monkeypatch.setattr(dropout.replicas, 'draw', drawn)
  return kept


def images(x):
  return jnp.asarray(nhwc(x) / 127.5 - 1)


def double(made):
  """(module, variables) of the importer in float64."""
  module, variables = made
  return module.clone(dtype=jnp.float64), jax.tree.map(lambda x: x.astype(jnp.float64), variables)


def check_gradients(tree, numbers, convert):
  """Every recorded gradient, in the reference's layout; returns how many."""
  largest = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(tree))
  ours = recorded.undo(convert, part(numbers['all'], 'param/'))(tree)
  theirs = {k: v for k, v in numbers['gradients'].items() if k in ours}
  for name, x in theirs.items():
    mine = ours[name]
    assert not np.isnan(mine).any(), name
    if np.abs(mine).max() < 1e-6 * largest:  # biases that a norm takes out again
      assert isinstance(x, recorded.Sums) or np.abs(x).max() < 1e-5 * largest, name
    else:
      recorded.close(mine, x, rtol=2e-4, atol=1e-5 * max(1, np.abs(mine).max()), name=name)
  return len(theirs)


@pytest.mark.parametrize(
  'name',
  [pytest.param(n, marks=[pytest.mark.slow] if n == 'unet256_batch' else []) for n in GENERATORS],
)
def test_generator(name, masks):
  numbers = recorded.read(f'cyclegan/{name}')
  state = part(numbers, 'param/')
  make = lambda state: double(cyclegan_pytorch.generator(state, **GENERATORS[name]))
  module, variables = make(state)
  x, target = images(numbers['in/x_uint8']), nhwc(numbers['train/l1_target_8x8'])
  batched = {k: v for k, v in variables.items() if k != 'params'}
  masks += [nhwc(v) for k, v in numbers.items() if k.startswith('dropout_mask/')]

  def loss(params):
    out, new = module.apply(
      {**batched, 'params': params},
      x,
      train=True,
      mutable=list(batched),
      rngs={'dropout': jax.random.key(0)},
    )
    value = jnp.abs(out[:, :8, :8] - target).mean() + jnp.square(out).mean()
    return value, (out, new)

  (value, (out, new)), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(
    variables['params']
  )
  assert not masks
  recorded.close(nchw(out), numbers['train/out'])
  np.testing.assert_allclose(value, numbers['train/loss'], rtol=1e-5)
  checked = {'all': numbers, 'gradients': part(numbers, 'grad_param/')}
  convert = lambda state: make(state)[1]['params']
  count = check_gradients(gradient, checked, convert)
  assert count == len(part(numbers, 'grad_param/')) > 10
  _, after = make(state | part(numbers, 'param_after/'))
  if batched:
    jax.tree.map(recorded.close, new['batch_stats'], after['batch_stats'])
  if 'eval/out' in numbers:
    out = jax.jit(lambda variables: module.apply(variables, x))(after)
    recorded.close(nchw(out), numbers['eval/out'])


@pytest.mark.parametrize('name', DISCRIMINATORS)
def test_discriminator(name):
  numbers = recorded.read(f'cyclegan/{name}')
  state = part(numbers, 'param/')
  make = lambda state: double(
    cyclegan_pytorch.discriminator(state, input_nc=6, **DISCRIMINATORS[name])
  )
  module, variables = make(state)
  real, fake = images(numbers['in/real_uint8']), images(numbers['in/fake_uint8'])
  batched = {k: v for k, v in variables.items() if k != 'params'}
  run = lambda params, x: module.apply(
    {**batched, 'params': params}, x, train=True, mutable=list(batched)
  )[0]

  def loss(params):
    logits = run(params, real), run(params, fake)
    flat = [x.reshape(-1) for x in logits]
    return losses.least_squares_discriminator(*flat).mean(), logits

  (value, logits), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(variables['params'])
  for ours, kind in zip(logits, ('real', 'fake')):
    recorded.close(ours[:, None], numbers[f'out/{kind}'], atol=2e-5)
  np.testing.assert_allclose(value, numbers['lsgan/d_loss'], rtol=1e-5)
  checked = {'all': numbers, 'gradients': part(numbers, 'lsgan/grad_param/')}
  count = check_gradients(gradient, checked, lambda state: make(state)[1]['params'])
  assert count == len(checked['gradients']) > 5

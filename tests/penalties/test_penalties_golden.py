"""Penalties against PyTorch-StudioGAN and CycleGAN: values and gradients, from their recorded draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import penalties
from jaxgan.importers import cyclegan_pytorch
from jaxgan.nn import replicas
from jaxgan.penalties.consistency import flipped_and_shifted
from tests import recorded, studiogan
from tests.recorded import nhwc, part

NUMBERS = recorded.read('studiogan/penalties_latentopt')
LABELS = NUMBERS['in/y']
KEY = jax.random.key(0)


@pytest.fixture(autouse=True)
def _float64():
  with jax.enable_x64(True):
    yield


@pytest.fixture
def draws(monkeypatch):
  """A list of arrays that are given out in turn instead of random draws."""
  waiting = []

  def draw(sampler, key, shape, *args, **kwargs):
    given = jnp.asarray(waiting.pop(0))
    assert given.shape == shape and sampler is jax.random.uniform
    return given

  monkeypatch.setattr(replicas, 'draw', draw)
  yield waiting
  assert not waiting


def check(name, penalty):
  """A penalty (critic) -> array, its mean and its gradient in the critic's parameters."""

  def loss(params):
    return penalty(lambda x: studiogan.discriminator(params, x, LABELS)).mean()

  params = jax.tree.map(jnp.float64, part(NUMBERS, 'D/'))
  value, gradient = jax.value_and_grad(loss)(params)
  np.testing.assert_allclose(value, NUMBERS[f'{name}/value'], rtol=1e-5)
  gradients = part(NUMBERS, f'{name}/grad/')
  assert len(gradients) == 4
  assert not gradient.pop('lin.bias').any()  # and the reference has none
  for key, theirs in gradients.items():
    np.testing.assert_allclose(gradient[key], theirs, rtol=1e-4, atol=1e-6)


def real():
  return nhwc(NUMBERS['in/real']).astype(float)


def fake():
  return nhwc(NUMBERS['in/fake']).astype(float)


def test_gradient_penalty(draws):
  draws.append(1 - NUMBERS['gp/draws/00_rand'][:, 0].astype(float))  # theirs is the share of reals
  check('gp', lambda c: penalties.gradient_penalty(c, real(), fake(), KEY, weight=1.0))


def test_max_gradient_penalty(draws):
  draws.append(1 - NUMBERS['maxgp/draws/00_rand'][:, 0].astype(float))
  check('maxgp', lambda c: penalties.max_gradient_penalty(c, real(), fake(), KEY))


def test_dragan(draws):
  noise, share = NUMBERS['dra/draws/01_rand'], NUMBERS['dra/draws/00_rand']
  draws.extend([nhwc(noise), share])
  check('dra', lambda c: penalties.dragan(c, real(), KEY, weight=1.0, convention='studiogan'))


@pytest.mark.parametrize('name', ['r1', 'stylegan_r1'])
def test_r1(name):
  check(name, lambda c: penalties.r1(c, real(), gamma=1.0))


@pytest.mark.parametrize('kind', ['real', 'fake', 'mixed'])
@pytest.mark.parametrize(
  ('case', 'arguments'),
  [('patchgan70_instance', {}), ('pixel_batch', {'netD': 'pixel', 'norm': 'batch'})],
)
def test_gradient_penalty_of_patches(draws, case, arguments, kind):
  """Gradients of all patches of a picture, together; at reals, at fakes and between the two."""
  numbers = recorded.read(f'cyclegan/{case}')
  picture = lambda name: nhwc(numbers[f'in/{name}_uint8']) / 127.5 - 1
  pair = [picture(kind)] * 2 if kind != 'mixed' else [picture('real'), picture('fake')]
  share = numbers[f'gp_{kind}/draws/00_rand'][:, 0] if kind == 'mixed' else np.zeros(2)
  draws.append(1 - share.astype(float))  # theirs is the share of reals

  weights = part(numbers, 'param/')
  make = lambda weights: cyclegan_pytorch.discriminator(weights, ndf=4, input_nc=6, **arguments)
  module, variables = make(weights)
  module, variables = module.clone(dtype=jnp.float64), jax.tree.map(jnp.float64, variables)

  def loss(params):
    variables_ = {**variables, 'params': params}
    critic = lambda x: module.apply(variables_, x, train=True, mutable=['batch_stats'])[0].sum(
      (1, 2)
    )
    return penalties.gradient_penalty(critic, *map(jnp.asarray, pair), KEY).mean()

  value, gradient = jax.jit(jax.value_and_grad(loss))(variables['params'])
  gradient = recorded.undo(lambda weights: make(weights)[1]['params'], weights)(gradient)
  gradient = {name: x for name, x in gradient.items() if not np.isnan(x).any()}
  np.testing.assert_allclose(value, numbers[f'gp_{kind}/value'], rtol=1e-5)
  theirs = part(numbers, f'gp_{kind}/grad_param/')
  assert set(gradient) - set(theirs) <= {'model.11.bias'}  # which no gradient in x knows of
  largest = max(float(np.abs(x).max()) for x in gradient.values())
  for name, x in gradient.items():
    if np.abs(x).max() > 1e-9 * largest:
      recorded.close(x, theirs[name], atol=1e-6 * np.abs(x).max(), name=name)
    else:  # biases that a norm takes out again are 0 but for rounding, theirs in float32
      assert np.abs(theirs.get(name, 0.0)).max() < 1e-6 * largest


def test_lecam_and_its_means():
  """Means that start anywhere, follow the batch for two updates (decay 0) and then with decay 0.9."""
  numbers = recorded.read('studiogan/losses')
  means = (jnp.array(7777.0), jnp.array(7777.0))
  for i in range(5):
    logits = [numbers[f'lecam/{i}/{kind}'] for kind in ('real', 'fake')]
    means = penalties.lecam_means(means, *logits, 0.0 if i < 2 else 0.9)
    np.testing.assert_allclose(means, numbers[f'lecam/{i}/ema'], rtol=1e-6, atol=1e-7)
    value = penalties.lecam(*map(jnp.asarray, logits), *means, weight=1.0, one_sided=True)
    np.testing.assert_allclose(value.mean(), numbers[f'lecam/{i}/reg'], rtol=1e-6)


@pytest.mark.parametrize('case', ['flip1_trans0', 'flip0_trans1', 'flip1_trans1'])
def test_flip_and_shift(case):
  numbers = part(recorded.read('studiogan/augment_diffaug_cr_apa'), f'cr/{case}/')
  drawn = [numbers[k].reshape(-1) for k in sorted(numbers) if k.startswith('draws/')]
  flip, down, right = np.zeros(5, bool), np.zeros(5, int), np.zeros(5, int)
  if 'flip1' in case:
    flip = drawn.pop(0) < 0.5
  if drawn:
    down, right = drawn
  x = nhwc(numbers['x'])
  moved = flipped_and_shifted(x, *map(jnp.asarray, (flip, down, right)))
  np.testing.assert_array_equal(moved, nhwc(numbers['out']))

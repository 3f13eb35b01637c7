"""Spectral normalisation: BigGAN's recorded numbers, and what must hold whatever the numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn.spectral_norm import SNConv, SNDense, SNEmbed, power_iteration
from tests.recorded import read

NUMBERS = read('biggan/layers_sn_power_iteration')


@pytest.fixture(autouse=True)
def _highest():
  with jax.default_matmul_precision('highest'):
    yield


def nhwc(x):
  return np.transpose(x, (0, 2, 3, 1))


def hwio(w):
  return np.transpose(w, (2, 3, 1, 0))


def close(ours, theirs, rtol=1e-4, atol=1e-5):
  np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


def stacked(prefix, name, suffix, count):
  return np.stack([NUMBERS[f'{prefix}{name}{i}{suffix}'].ravel() for i in range(count)])


@pytest.mark.parametrize('svs', [1, 2, 3])
@pytest.mark.parametrize('itrs', [1, 2])
def test_conv_golden(svs, itrs):
  """Three training steps, the gradient in the third, and evaluation."""
  case = f'sv{svs}_it{itrs}/'
  layer = SNConv(features=7, num_svs=svs, num_itrs=itrs)
  x = nhwc(NUMBERS[case + 'in'])
  u = stacked(case, 'p0/u', '', svs)
  params = {'kernel': hwio(NUMBERS[case + 'p0/weight']), 'bias': NUMBERS[case + 'p0/bias']}
  spectral = {'u': u, 'sv': stacked(case, 'p0/sv', '', svs)[:, 0]}
  for step in range(3):

    def run(params, spectral=spectral):
      variables = {'params': params, 'spectral': spectral}
      return layer.apply(variables, x, True, mutable=['spectral'])

    out, gradient, new = jax.vjp(run, params, has_aux=True)
    close(out, nhwc(NUMBERS[f'{case}out_step{step}']))
    spectral = new['spectral']
    close(spectral['u'], stacked(case, 'u', f'_step{step}', svs))
    close(spectral['sv'], stacked(case, 'sv', f'_step{step}', svs)[:, 0])
  (gradient,) = gradient(jnp.asarray(nhwc(NUMBERS[case + 'cotangent_step2'])))
  close(gradient['kernel'], hwio(NUMBERS[case + 'grad_weight_step2']))
  out = layer.apply({'params': params, 'spectral': spectral}, x, False)
  close(out, nhwc(NUMBERS[case + 'out_eval']))


@pytest.mark.parametrize('case', ['lin', 'emb'])
def test_dense_and_embedding_golden(case):
  weight = NUMBERS[f'{case}/p0/weight']
  if case == 'lin':
    layer, params = SNDense(features=4), {'kernel': weight.T, 'bias': NUMBERS['lin/p0/bias']}
  else:
    layer, params = SNEmbed(num_embeddings=9, features=5), {'embedding': weight}
  spectral = {'u': NUMBERS[f'{case}/p0/u0'], 'sv': NUMBERS[f'{case}/p0/sv0']}
  for step in range(2):
    variables = {'params': params, 'spectral': spectral}
    out, new = layer.apply(variables, NUMBERS[f'{case}/in'], True, mutable=['spectral'])
    spectral = new['spectral']
    close(out, NUMBERS[f'{case}/out_step{step}'])
    close(spectral['u'], NUMBERS[f'{case}/u0_step{step}'])


@pytest.mark.parametrize(
  ('layer', 'x'),
  [
    (SNConv(features=6, kernel_init='normal'), jnp.ones((1, 4, 4, 5))),
    (SNDense(features=6, kernel_init='normal'), jnp.ones((1, 5))),
    (SNEmbed(num_embeddings=6, features=5, kernel_init='normal'), jnp.zeros(1, jnp.int32)),
  ],
  ids=['conv', 'dense', 'embed'],
)
def test_largest_singular_value_becomes_one(layer, x):
  variables = layer.init(jax.random.key(0), x)
  for _ in range(60):
    _, new = layer.apply(variables, x, True, mutable=['spectral'])
    variables |= new
  (kernel,) = (v for k, v in variables['params'].items() if k != 'bias')
  matrix = kernel.T if isinstance(layer, SNEmbed) else kernel.reshape(-1, 6)
  true = np.linalg.svd(matrix, compute_uv=False)[0]
  close(variables['spectral']['sv'][0], true)
  assert abs(np.linalg.svd(matrix / variables['spectral']['sv'][0])[1][0] - 1) < 1e-4


def test_several_singular_values_are_those_of_the_svd():
  matrix = jax.random.normal(jax.random.key(0), (20, 8))
  u = jax.random.normal(jax.random.key(1), (3, 8))
  values, u = power_iteration(matrix, u, num_itrs=400)
  close(values, np.linalg.svd(matrix, compute_uv=False)[:3])
  close(u @ u.T, np.eye(3))


def test_gradient_is_that_of_dividing_by_the_true_norm():
  """At convergence u and v are the singular vectors, and d sigma = u v^T."""
  matrix = jax.random.normal(jax.random.key(0), (9, 4))
  _, u = power_iteration(matrix, jnp.ones((1, 4)), num_itrs=300)
  weights = jax.random.normal(jax.random.key(2), (9, 4))
  ours = jax.grad(lambda m: (weights * m / power_iteration(m, u)[0][0]).sum())(matrix)
  true = jax.grad(lambda m: (weights * m / jnp.linalg.norm(m, 2)).sum())(matrix)
  close(ours, true)


def test_state_moves_only_when_training_and_mutable():
  layer, x = SNDense(features=3, kernel_init='normal'), jnp.ones((1, 4))
  variables = layer.init(jax.random.key(0), x)
  before = variables['spectral']['u']
  for train, moves in ((True, True), (False, False)):
    _, new = layer.apply(variables, x, train, mutable=['spectral'])
    assert bool(jnp.any(new['spectral']['u'] != before)) == moves
  frozen = layer.apply(variables, x, True)  # a penalty's critic: nothing mutable, no error
  close(frozen, layer.apply(variables, x, False))


def test_plain_layer_has_no_state_and_is_the_matrix_product():
  layer, x = SNConv(features=3, kernel_size=1, spectral=False), jnp.arange(24.0).reshape(1, 2, 3, 4)
  variables = layer.init(jax.random.key(0), x)
  assert set(variables) == {'params'}
  close(layer.apply(variables, x), x @ variables['params']['kernel'][0, 0])


def test_one_by_one_convolution_is_a_convolution():
  x = jax.random.normal(jax.random.key(0), (2, 3, 5, 4))
  layer = SNConv(features=6, kernel_size=1, spectral=False)
  variables = layer.init(jax.random.key(1), x)
  kernel = variables['params']['kernel']
  expected = jax.lax.conv_general_dilated(
    x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )
  close(layer.apply(variables, x), expected)


def test_embedding_of_mixtures_and_of_wrong_labels():
  layer = SNEmbed(num_embeddings=3, features=4, spectral=False)
  variables = layer.init(jax.random.key(0), jnp.zeros(1, jnp.int32))
  rows = layer.apply(variables, jnp.array([0, 2]))
  mixed = layer.apply(variables, jnp.array([[0.25, 0.0, 0.75]]))
  close(mixed[0], 0.25 * rows[0] + 0.75 * rows[1])
  assert np.isnan(layer.apply(variables, jnp.array([3]))).all()


def test_bfloat16_computes_in_bfloat16_and_keeps_float32_state():
  layer, x = SNConv(features=4, dtype=jnp.bfloat16), jnp.ones((1, 4, 4, 3))
  variables = layer.init(jax.random.key(0), x)
  out, new = layer.apply(variables, x, True, mutable=['spectral'])
  assert out.dtype == jnp.bfloat16
  assert {leaf.dtype for leaf in jax.tree.leaves((variables, new))} == {jnp.dtype('float32')}
  exact = SNConv(features=4).apply(variables, x)
  close(out.astype(jnp.float32), exact, rtol=0.03, atol=0.03)

"""Batch normalisation: BigGAN's recorded numbers, standing statistics, and identities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn import replicas
from jaxgan.nn.batch_norm import BatchNorm, ConditionalBatchNorm, standing_statistics
from tests.recorded import read

NUMBERS = read('biggan/layers_bn_attention')


def nhwc(x):
  return np.transpose(x, (0, 2, 3, 1))


def close(ours, theirs, rtol=1e-4, atol=1e-5):
  np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


def recorded(case):
  """(layer, variables, condition) of a recorded case."""
  get = lambda name: NUMBERS[f'{case}/p0/{name}']
  inner = 'bn.' if 'mybn' in case else ''
  stats = {}
  if case != 'ccbn_in':
    names = ('mean', 'var')
    stats = {'batch_stats': {n: get(f'{inner}stored_{n}') for n in names}}
  unbiased = 'mybn' not in case
  if not case.startswith('ccbn'):
    params = {'scale': get('gain'), 'bias': get('bias')}
    return BatchNorm(unbiased=unbiased), {'params': params, **stats}, ()
  params = {
    name: {'kernel': get(f'{name}.weight').T, 'bias': get(f'{name}.bias')}
    for name in ('gain', 'bias')
  }
  norm = 'none' if case == 'ccbn_in' else 'batch'
  layer = ConditionalBatchNorm(unbiased=unbiased, norm=norm, use_bias=True, spectral=False)
  return layer, {'params': params, **stats}, (NUMBERS['y'],)


@pytest.mark.parametrize('case', ['ccbn', 'ccbn_mybn', 'ccbn_in', 'bn', 'bn_mybn'])
def test_golden(case):
  """Two training steps, the running statistics after them, and evaluation."""
  layer, variables, condition = recorded(case)
  x = nhwc(NUMBERS['x'])
  for step in range(2):
    out, new = layer.apply(variables, x, *condition, True, mutable=['batch_stats'])
    close(out, nhwc(NUMBERS[f'{case}/out_step{step}']))
    variables = {**variables, **new}
  inner = 'bn.' if 'mybn' in case else ''
  for name in ('mean', 'var') if case != 'ccbn_in' else ():
    close(variables['batch_stats'][name], NUMBERS[f'{case}/p_after2/{inner}stored_{name}'])
  close(layer.apply(variables, x, *condition, False), nhwc(NUMBERS[f'{case}/out_eval']))


def test_standing_statistics_golden():
  """Sums over three batches, divided, and evaluation with them."""
  params = {'scale': NUMBERS['standing/p_after3/gain'], 'bias': NUMBERS['standing/p_after3/bias']}
  layer = BatchNorm(unbiased=False)
  stats = {'mean': jnp.full(8, 7.0), 'var': jnp.full(8, 7.0)}
  variables = {'params': params, 'batch_stats': stats}
  for x in NUMBERS['standing/xs']:
    variables |= layer.apply(variables, nhwc(x), True, mutable=['standing'])[1]
  for name in ('mean', 'var'):
    close(variables['standing'][name], NUMBERS[f'standing/p_after3/bn.stored_{name}'])
  close(variables['standing']['count'], NUMBERS['standing/p_after3/bn.accumulation_counter'][0])
  close(variables['batch_stats']['mean'], 7.0)  # was not mutable
  variables = standing_statistics(variables)
  assert set(variables) == {'params', 'batch_stats'}
  close(variables['batch_stats']['mean'], NUMBERS['standing/p_after3/bn.stored_mean'] / 3)
  close(layer.apply(variables, nhwc(NUMBERS['x']), False), nhwc(NUMBERS['standing/out_eval']))


def test_standing_statistics_without_any():
  with pytest.raises(ValueError, match="no 'standing' collection"):
    standing_statistics({'params': {}})


def test_fused_arithmetic_golden():
  """Gain and bias of each example, moments of the batch."""
  x, gain, bias = (NUMBERS[name] for name in ('x', 'manual_bn/gain', 'manual_bn/bias'))
  table = {
    'gain': {'embedding': gain[:, :, 0, 0] - 1},
    'bias': {'embedding': bias[:, :, 0, 0]},
  }
  stats = {'mean': jnp.zeros(8), 'var': jnp.ones(8)}
  layer = ConditionalBatchNorm(num_classes=6, momentum=1.0, unbiased=False)
  variables = {'params': table, 'batch_stats': stats}
  out, new = layer.apply(variables, nhwc(x), jnp.arange(6), True, mutable=['batch_stats'])
  close(out, nhwc(NUMBERS['manual_bn/out']))
  close(new['batch_stats']['mean'], NUMBERS['manual_bn/mean'])
  close(new['batch_stats']['var'], NUMBERS['manual_bn/var'])


X = 3 + 2 * jax.random.normal(jax.random.key(0), (4, 5, 6, 8))


@pytest.mark.parametrize('spectral', [True, False])
def test_a_zero_condition_only_normalises(spectral):
  layer, condition = ConditionalBatchNorm(spectral=spectral), jnp.zeros((4, 5))
  variables = layer.init(jax.random.key(1), X, condition, False)
  out, _ = layer.apply(variables, X, condition, True, mutable=['batch_stats'])
  close(out.mean((0, 1, 2)), np.zeros(8), atol=1e-4)
  close(out.std((0, 1, 2)), np.ones(8), atol=1e-4)
  close(layer.apply(variables, X, condition, False), X)  # fresh statistics are mean 0, variance 1


def test_the_condition_moves_gain_and_bias_of_its_own_example():
  layer = ConditionalBatchNorm(num_classes=3)
  variables = layer.init(jax.random.key(1), X, jnp.zeros(4, jnp.int32), False)
  one = layer.apply(variables, X, jnp.array([0, 0, 1, 2]), False)
  two = layer.apply(variables, X, jnp.array([0, 1, 1, 2]), False)
  changed = jnp.any(one != two, axis=(1, 2, 3))
  np.testing.assert_array_equal(changed, [False, True, False, False])


def test_instance_norm_uses_each_examples_moments():
  layer = BatchNorm(norm='instance', momentum=0.5)
  variables = layer.init(jax.random.key(1), X)
  out, new = layer.apply(variables, X, True, mutable=['batch_stats'])
  close(out.mean((1, 2)), np.zeros((4, 8)), atol=1e-4)
  close(out.std((1, 2)), np.ones((4, 8)), atol=1e-3)
  close(new['batch_stats']['mean'], 0.5 * X.mean((0, 1, 2)))
  close(new['batch_stats']['var'], 0.5 + 0.5 * X.var((1, 2), ddof=1).mean(0))


def test_unknown_norm():
  with pytest.raises(ValueError, match="unknown norm 'group'; expected one of batch"):
    BatchNorm(norm='group').init(jax.random.key(0), X)


def test_pmap_has_global_statistics():
  """Over a pmap (here of one device per replica, vmapped) as over the whole batch."""
  layer = BatchNorm()
  variables = layer.init(jax.random.key(1), X)
  run = lambda x: layer.apply(variables, x, True, mutable=['batch_stats'])
  whole, whole_new = run(X)
  parts, new = jax.vmap(run, axis_name=replicas.AXIS)(X.reshape(2, 2, *X.shape[1:]))
  close(parts.reshape(X.shape), whole)
  for name in ('mean', 'var'):
    close(new['batch_stats'][name][1], whole_new['batch_stats'][name])


def test_bfloat16_result_with_float32_statistics():
  layer = BatchNorm(dtype=jnp.bfloat16)
  x = (100 + X).astype(jnp.bfloat16)
  variables = layer.init(jax.random.key(1), x)
  out, new = layer.apply(variables, x, True, mutable=['batch_stats'])
  assert out.dtype == jnp.bfloat16
  assert {leaf.dtype for leaf in jax.tree.leaves((variables, new))} == {jnp.dtype('float32')}
  exact = x.astype(jnp.float32)
  close(new['batch_stats']['mean'], 0.1 * exact.mean((0, 1, 2)))


def test_no_statistics_move_in_evaluation():
  layer = BatchNorm()
  variables = layer.init(jax.random.key(1), X)
  _, new = layer.apply(variables, X, False, mutable=['batch_stats', 'standing'])
  close(new['batch_stats']['mean'], np.zeros(8), atol=0)
  assert 'standing' not in new


def test_added_gain_is_added():
  """The one-device arithmetic of the reference's cross-replica norm."""
  layer = BatchNorm(additive=True)
  params = {'scale': jnp.full(8, 3.0), 'bias': jnp.full(8, 0.5)}
  stats = {'mean': X.mean((0, 1, 2)), 'var': X.var((0, 1, 2))}
  plain = BatchNorm().apply(
    {'params': {'scale': jnp.ones(8), 'bias': jnp.zeros(8)}, 'batch_stats': stats}, X
  )
  close(layer.apply({'params': params, 'batch_stats': stats}, X), plain + 3.5)


def test_layer_norm_uses_each_examples_moments_over_everything_and_keeps_none():
  layer = BatchNorm(norm='layer', epsilon=1e-5)
  x = 3 + 2 * np.random.default_rng(0).normal(size=(3, 4, 4, 5)).astype(np.float32)
  out, variables = layer.init_with_output(jax.random.key(0), x, True)
  mean, var = x.mean((1, 2, 3), keepdims=True), x.var((1, 2, 3), keepdims=True)
  np.testing.assert_allclose(out, (x - mean) / np.sqrt(var + 1e-5), atol=1e-5)
  np.testing.assert_array_equal(layer.apply(variables, x, False), out)
  assert set(variables) == {'params'}

"""Self-attention against BigGAN's recorded numbers, and its identity at the start."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.nn.attention import Attention
from tests.recorded import read

NUMBERS = read('biggan/layers_bn_attention')
PARTS = ('theta', 'phi', 'g', 'o')


def nhwc(x):
  return np.transpose(x, (0, 2, 3, 1))


def hwio(w):
  return np.transpose(w, (2, 3, 1, 0))


def close(ours, theirs, rtol=1e-4, atol=1e-5):
  np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


def variables():
  get = lambda name: NUMBERS[f'attn/p0/{name}']
  params = {part: {'kernel': hwio(get(f'{part}.weight'))} for part in PARTS}
  spectral = {part: {'u': get(f'{part}.u0'), 'sv': get(f'{part}.sv0')} for part in PARTS}
  return {'params': {**params, 'gamma': get('gamma')}, 'spectral': spectral}


def test_golden():
  """Output and every gradient, on a map that is not square."""
  given = variables()

  def run(params, x):
    return Attention().apply({**given, 'params': params}, x, True, mutable=['spectral'])[0]

  with jax.default_matmul_precision('highest'):
    out, gradient = jax.vjp(run, given['params'], nhwc(NUMBERS['attn/in']))
    params, x = gradient(jnp.asarray(nhwc(NUMBERS['attn/cot'])))
  close(out, nhwc(NUMBERS['attn/out']))
  close(x, nhwc(NUMBERS['attn/grad_in']))
  close(params['gamma'], NUMBERS['attn/grad_gamma'])
  for part in PARTS:
    close(params[part]['kernel'], hwio(NUMBERS[f'attn/grad_{part}']))


def test_starts_as_the_identity_with_a_gradient_for_gamma():
  x = jax.random.normal(jax.random.key(0), (2, 4, 6, 16))
  fresh = Attention().init(jax.random.key(1), x)
  close(Attention().apply(fresh, x), x, rtol=0, atol=0)
  loss = lambda params: jnp.square(Attention().apply({**fresh, 'params': params}, x)).sum()
  assert jax.grad(loss)(fresh['params'])['gamma'] != 0


def test_bfloat16_keeps_float32_parameters():
  x = jax.random.normal(jax.random.key(0), (2, 4, 6, 16))
  half = Attention(dtype=jnp.bfloat16)
  fresh = half.init(jax.random.key(1), x.astype(jnp.bfloat16))
  assert {leaf.dtype for leaf in jax.tree.leaves(fresh)} == {jnp.dtype('float32')}
  fresh['params']['gamma'] = jnp.ones(())
  assert half.apply(fresh, x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_fewer_than_eight_channels_still_attend():
  x = jax.random.normal(jax.random.key(0), (2, 4, 4, 4))
  given = Attention().init(jax.random.key(1), x)
  assert given['params']['theta']['kernel'].shape[-1] == 1
  moved = {**given, 'params': {**given['params'], 'gamma': jnp.ones(())}}
  assert jnp.abs(Attention().apply(moved, x) - x).max() > 1e-3

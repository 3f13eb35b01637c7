"""The two tiny networks that penalties and latent optimisation of PyTorch-StudioGAN were recorded with."""

import jax
import jax.numpy as jnp

from tests.recorded import nhwc


def discriminator(params, images, labels):
  """conv 3x3, softplus, flattened as NCHW to h; linear(h) + 0.1 <emb[y], h>: logits [B]."""
  kernel = jnp.transpose(jnp.asarray(params['conv.weight']), (2, 3, 1, 0))
  h = jax.lax.conv_general_dilated(
    images, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )
  h = jax.nn.softplus(h + params['conv.bias'])
  h = jnp.transpose(h, (0, 3, 1, 2)).reshape(len(h), -1)
  projected = 0.1 * (jnp.asarray(params['emb.weight'])[labels] * h).sum(1)
  return (h @ jnp.asarray(params['lin.weight']).T)[:, 0] + params['lin.bias'][0] + projected


def generator(params, z, labels):
  """tanh(linear(z) + e[y]) as images [B, 6, 6, 3]."""
  h = z @ jnp.asarray(params['l.weight']).T + params['l.bias']
  return nhwc(jnp.tanh(h + jnp.asarray(params['e.weight'])[labels]).reshape(-1, 3, 6, 6))

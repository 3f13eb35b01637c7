"""Self-attention over the pixels of a feature map, as in SAGAN and BigGAN."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn.initialize import zeros
from jaxgan.nn.precision import wide
from jaxgan.nn.resample import max_pool
from jaxgan.nn.spectral_norm import SNConv


class Attention(nn.Module):
  """x + gamma * o(softmax(theta(x) phi(x)^T) g(x)); [B, H, W, C] -> the same, H and W even.

  theta, phi (C/8 channels, at least 1), g (C/2) and o are 1x1 convolutions without bias; phi and g are 2x2
  max-pooled, there is no 1/sqrt(d), and the scalar gamma starts at 0, so the layer starts as the
  identity. The softmax is at least float32 whatever the dtype.

  Attributes:
    conv: makes the convolutions, called with `features`, `kernel_size`, `use_bias`, `dtype` and `name`.
    dtype: dtype of the computation.

  Source: Zhang et al. 2018, arXiv 1805.08318, after the released code (which pools and leaves out
  the scale, unlike the paper's text).
  """

  conv: Callable[..., Any] = SNConv
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    b, h, w, c = x.shape
    project = lambda name, features, value: self.conv(
      features=features, kernel_size=1, use_bias=False, dtype=self.dtype, name=name
    )(value, train)
    theta = project('theta', max(c // 8, 1), x).reshape(b, h * w, -1)
    phi = max_pool(project('phi', max(c // 8, 1), x)).reshape(b, h * w // 4, -1)
    g = max_pool(project('g', c // 2, x)).reshape(b, h * w // 4, -1)
    scores = jnp.einsum('bqd,bkd->bqk', theta, phi, preferred_element_type=wide(self.dtype))
    weights = jax.nn.softmax(scores, axis=-1).astype(self.dtype)
    mixed = jnp.einsum('bqk,bkd->bqd', weights, g).reshape(b, h, w, -1)
    gamma = self.param('gamma', zeros, ())
    return x + gamma.astype(self.dtype) * project('o', c, mixed)

"""The norms of image-to-image networks: batch, instance with and without gain, none."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn.batch_norm import BatchNorm
from jaxgan.nn.initialize import ones, zeros
from jaxgan.nn.precision import widen

NORMS = ('batch', 'instance', 'instance_affine', 'none')


class InstanceNorm(nn.Module):
  """(x - mean) / sqrt(var + eps) of every channel of every example, [B, H, W, C]; alike in training and use.

  Attributes:
    affine: a learned gain ('scale', from 1) and bias (from 0).
    epsilon: added to the variance, which is the biased one.
    dtype: of the result; the arithmetic is at least float32.

  Source: Ulyanov, Vedaldi, Lempitsky 2016, arXiv 1607.08022.
  """

  affine: bool = False
  epsilon: float = 1e-5
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    y = widen(x)
    y = y - y.mean((1, 2), keepdims=True)
    y = y * jax.lax.rsqrt(jnp.square(y).mean((1, 2), keepdims=True) + self.epsilon)
    if self.affine:
      y = y * self.param('scale', ones, x.shape[-1:]) + self.param('bias', zeros, x.shape[-1:])
    return y.astype(self.dtype)


def normalise(x: jax.Array, norm: str, train: bool, dtype: Any, name: str) -> jax.Array:
  """A layer of the norm of that name, within a compact module; 'none' leaves x as it is.

  Raises:
    ValueError: there is no such norm.
  """
  if norm not in NORMS:
    raise ValueError(f'norm={norm!r}; expected one of {", ".join(NORMS)}')
  if norm == 'none':
    return x
  if norm == 'batch':
    return BatchNorm(dtype=dtype, name=name)(x, train)
  return InstanceNorm(affine=norm == 'instance_affine', dtype=dtype, name=name)(x)

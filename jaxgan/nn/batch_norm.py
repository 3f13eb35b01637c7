"""Batch normalisation, plain and conditional, with running and with standing statistics.

y = (x - mean) / sqrt(var + eps) * gain + bias, per channel. Moments are taken in float32 as E[x] and
E[x^2] - E[x]^2 over the whole batch: under `jit` a sharded batch is global by construction, under
`pmap` the moments are averaged over the replicas.

Collections: 'batch_stats' {mean, var} are the running statistics used when not training; 'standing'
{mean, var, count}, if mutable in a training forward, gathers sums of batch moments, which
`standing_statistics` turns into statistics (Brock et al. 2018, arXiv 1809.11096, appendix D).

Source: Ioffe & Szegedy 2015, arXiv 1502.03167; conditional: Dumoulin et al. 2016, arXiv 1610.07629.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn import replicas
from jaxgan.nn.initialize import ones, zeros
from jaxgan.nn.precision import wide, widen
from jaxgan.nn.spectral_norm import SNDense, SNEmbed

NORMS = ('batch', 'instance', 'layer', 'none')


class Normalization(nn.Module):
  """What the two layers below share: the options, the moments and their running averages.

  Attributes:
    epsilon: added to the variance.
    momentum: weight of the new moments in the running average.
    unbiased: the running variance takes n/(n-1) times the batch's (F.batch_norm); False keeps the
      biased one (BigGAN-PyTorch's mybn).
    norm: 'batch', 'instance' (moments of each example when training), 'layer' (moments of each example
      over all its pixels and channels, always; Ba et al. 2016, arXiv 1607.06450) or 'none' (gain and
      bias only).
    additive: add the gain instead of multiplying by it. Nobody wants this, but BigGAN-PyTorch's
      cross-replica batch norm does it whenever it runs on one device; for its checkpoints only.
    dtype: dtype of the result; the arithmetic is at least float32.
  """

  epsilon: float = 1e-5
  momentum: float = 0.1
  unbiased: bool = True
  norm: str = 'batch'
  additive: bool = False
  dtype: Any = jnp.float32

  def normalised(self, x: jax.Array, gain: jax.Array, bias: jax.Array, train: bool) -> jax.Array:
    """`x` [B, H, W, C] normalised; gain and bias at least float32, broadcastable to it."""
    if self.norm not in NORMS:
      raise ValueError(f'unknown norm {self.norm!r}; expected one of {", ".join(NORMS)}')
    y = widen(x)
    if self.norm == 'none':
      return (y * gain + bias).astype(self.dtype)
    mean, var = self.per_example(y) if self.norm == 'layer' else self.statistics(y, train)
    scale = jax.lax.rsqrt(var + self.epsilon)
    if self.additive:
      return ((y - mean) * scale + gain + bias).astype(self.dtype)
    scale = scale * gain
    return (y * scale + (bias - mean * scale)).astype(self.dtype)

  def per_example(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(mean, variance) of each example, [B, 1, 1, 1]."""
    axes = (1, 2, 3)
    return x.mean(axes, keepdims=True), x.var(axes, keepdims=True)

  def statistics(self, x: jax.Array, train: bool) -> tuple[jax.Array, jax.Array]:
    """(mean, variance) to normalise with; updates the collections that are mutable when training."""
    shape = x.shape[-1:]
    running_mean = self.variable('batch_stats', 'mean', zeros, None, shape)
    running_var = self.variable('batch_stats', 'var', ones, None, shape)
    if not train:
      return running_mean.value, running_var.value
    axes = (0, 1, 2) if self.norm == 'batch' else (1, 2)
    first, second = x.mean(axes), jnp.square(x).mean(axes)
    count = x.size // x.shape[-1]
    if self.norm == 'batch':
      first, second = replicas.mean((first, second))
      count *= replicas.size()
      mean, var = first, jnp.maximum(second - jnp.square(first), 0)
      new_mean, new_var = mean, var
    else:
      count //= x.shape[0]
      mean = first[:, None, None]
      var = jnp.maximum(second - jnp.square(first), 0)[:, None, None]
      new_mean, new_var = replicas.mean((first.mean(0), var.mean((0, 1, 2))))
    new_mean, new_var = jax.lax.stop_gradient((new_mean, new_var))
    self.record(running_mean, running_var, new_mean, new_var, count)
    return mean, var

  def record(
    self, mean: Any, var: Any, new_mean: jax.Array, new_var: jax.Array, count: int
  ) -> None:
    """Moves the running average and the standing sums, whichever is mutable."""
    if self.is_initializing():
      return
    if self.is_mutable_collection('batch_stats'):
      kept = new_var * (count / max(count - 1, 1)) if self.unbiased else new_var
      mean.value = (1 - self.momentum) * mean.value + self.momentum * new_mean
      var.value = (1 - self.momentum) * var.value + self.momentum * kept
    if self.is_mutable_collection('standing'):
      for name, value in (('mean', new_mean), ('var', new_var), ('count', jnp.ones(()))):
        total = self.variable('standing', name, jnp.zeros_like, value)
        total.value = total.value + value


class BatchNorm(Normalization):
  """Batch normalisation with a learned gain ('scale', from 1) and bias (from 0), [B, H, W, C]."""

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    gain = self.param('scale', ones, x.shape[-1:])
    bias = self.param('bias', zeros, x.shape[-1:])
    return self.normalised(x, gain, bias, train)


class ConditionalBatchNorm(Normalization):
  """Batch normalisation whose gain 1 + A(c) and bias B(c) depend on a condition c.

  A and B are dense layers of a float condition [B, F], or embeddings of int labels [B].

  Attributes:
    num_classes: rows of the embeddings; 0 when the condition is a float vector.
    use_bias: give the dense layers a bias.
    spectral, num_svs, num_itrs, sn_eps, kernel_init: of the dense layers, see `spectral_norm`; the
      embeddings are never spectrally normalised.
  """

  num_classes: int = 0
  use_bias: bool = False
  spectral: bool = True
  num_svs: int = 1
  num_itrs: int = 1
  sn_eps: float = 1e-12
  kernel_init: str = 'orthogonal'

  @nn.compact
  def __call__(self, x: jax.Array, condition: jax.Array, train: bool = False) -> jax.Array:
    gain = 1 + self.modulation('gain', x.shape[-1], condition, train)
    bias = self.modulation('bias', x.shape[-1], condition, train)
    return self.normalised(x, gain[:, None, None], bias[:, None, None], train)

  def modulation(self, name: str, features: int, condition: jax.Array, train: bool) -> jax.Array:
    """A(c) or B(c), at least float32 [B, features]."""
    if self.num_classes:
      layer = SNEmbed(
        num_embeddings=self.num_classes,
        features=features,
        spectral=False,
        kernel_init=self.kernel_init,
        dtype=wide(self.dtype),
        name=name,
      )
      return layer(condition, train)
    dense = SNDense(
      features=features,
      use_bias=self.use_bias,
      spectral=self.spectral,
      num_svs=self.num_svs,
      num_itrs=self.num_itrs,
      eps=self.sn_eps,
      kernel_init=self.kernel_init,
      dtype=wide(self.dtype),
      name=name,
    )
    return dense(condition, train)


def standing_statistics(variables: dict[str, Any]) -> dict[str, Any]:
  """Variables whose running statistics are the means gathered in the 'standing' collection.

  Args:
    variables: a network's collections, among them 'standing', filled by one or more forwards
      `apply(variables, ..., train=True, mutable=['standing'])` each given the last one's sums.

  Returns:
    The variables without 'standing', 'batch_stats' replaced.

  Raises:
    ValueError: there is no 'standing' collection.
  """
  if 'standing' not in variables:
    raise ValueError(
      "no 'standing' collection in the variables; gather it by apply(..., train=True, mutable=['standing'])"
    )

  def divide(node: dict[str, Any]) -> dict[str, Any]:
    if 'count' in node:
      return {'mean': node['mean'] / node['count'], 'var': node['var'] / node['count']}
    return {name: divide(child) for name, child in node.items()}

  rest = {name: value for name, value in variables.items() if name != 'standing'}
  return {**rest, 'batch_stats': divide(variables['standing'])}

"""Convolution, dense and embedding layers with BigGAN's variant of spectral normalisation.

W_SN = W / sigma(W), sigma by power iteration from a stored left singular vector u. There are several
variants of this in the world; this one is BigGAN-PyTorch's:

- with K the kernel flattened to [fan_in, out]: v = normalise(K u), then u' = normalise(K^T v), and
  sigma = v . K u' with u' and v held constant in the gradient;
- normalise(x) = x / max(|x|, eps);
- `num_svs` vectors are followed, kept orthogonal by Gram-Schmidt within each iteration; only the
  first singular value divides the kernel, the others are there to be watched;
- in training `num_itrs` iterations run and u' is stored (collection 'spectral': u [num_svs, out],
  sv [num_svs]); otherwise one iteration runs on a copy, so sigma is never that of the stored u.

Source: Miyato et al. 2018, arXiv 1802.05957; Brock, Donahue, Simonyan 2018, arXiv 1809.11096.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn import convolution, initializers
from jaxgan.nn.initialize import Initializer, normal, ones, zeros


def power_iteration(
  matrix: jax.Array, u: jax.Array, *, num_itrs: int = 1, eps: float = 1e-12
) -> tuple[jax.Array, jax.Array]:
  """Leading singular values of a matrix, by `num_itrs` power iterations from u.

  Args:
    matrix: float [n, out].
    u: float [k, out], estimates of the k leading singular vectors, in order.
    num_itrs: iterations, >= 1.
    eps: floor of the norms that are divided by.

  Returns:
    (values [k], new u [k, out]); gradients of the values flow through the matrix alone.
  """
  fixed = jax.lax.stop_gradient(matrix)
  for _ in range(num_itrs):
    us: list[jax.Array] = []
    vs: list[jax.Array] = []
    for row in jax.lax.stop_gradient(u):
      vs.append(_normalise(_orthogonal_to(fixed @ row, vs), eps))
      us.append(_normalise(_orthogonal_to(vs[-1] @ fixed, us), eps))
    u = jnp.stack(us)
  values = jnp.einsum('kn,no,ko->k', jnp.stack(vs), matrix, u)
  return values, u


def _normalise(x: jax.Array, eps: float) -> jax.Array:
  return x / jnp.maximum(jnp.linalg.norm(x), eps)


def _orthogonal_to(x: jax.Array, others: list[jax.Array]) -> jax.Array:
  for y in others:
    x = x - (x @ y) / (y @ y) * y
  return x


class SpectralLayer(nn.Module):
  """What the layers below share: the options and the normalised kernel.

  Attributes:
    spectral: divide the kernel by its largest singular value; False is a plain layer.
    num_svs: singular values followed.
    num_itrs: power iterations per training step.
    eps: floor of the norms in the power iteration.
    kernel_init: the kernel's initialiser or its name, see `initializers.find`.
    dtype: dtype of the computation; parameters, u and the power iteration stay float32.
  """

  spectral: bool = True
  num_svs: int = 1
  num_itrs: int = 1
  eps: float = 1e-12
  kernel_init: str | Initializer = 'orthogonal'
  dtype: Any = jnp.float32

  def normalised(self, kernel: jax.Array, matrix: jax.Array, train: bool) -> jax.Array:
    """The kernel over the first singular value of `matrix` [n, out], which is the kernel reshaped."""
    if not self.spectral:
      return kernel.astype(self.dtype)
    shape = (self.num_svs, matrix.shape[-1])
    u = self.variable('spectral', 'u', lambda: normal()(self.make_rng('params'), shape))
    sv = self.variable('spectral', 'sv', lambda: ones(None, shape[:1]))
    itrs = self.num_itrs if train else 1
    values, new = power_iteration(matrix, u.value, num_itrs=itrs, eps=self.eps)
    if train and self.is_mutable_collection('spectral') and not self.is_initializing():
      u.value, sv.value = new, jax.lax.stop_gradient(values)
    return (kernel / values[0]).astype(self.dtype)


class SNConv(SpectralLayer):
  """2-D convolution [B, H, W, C] -> [B, h, w, features], see `convolution.conv`.

  Attributes:
    features: output channels.
    kernel_size: a side of the kernel.
    stride, padding: as in `convolution.conv`; by default the size is kept.
    use_bias: add a bias [features].
  """

  features: int = 1
  kernel_size: int = 3
  stride: int = 1
  padding: convolution.Padding = 'SAME'
  use_bias: bool = True

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
    kernel = self.param('kernel', initializers.find(self.kernel_init), shape)
    weight = self.normalised(kernel, kernel.reshape(-1, self.features), train)
    x = self.convolve(x.astype(self.dtype), weight)
    if self.use_bias:
      x = x + self.param('bias', zeros, (self.features,)).astype(self.dtype)
    return x

  def convolve(self, x: jax.Array, weight: jax.Array) -> jax.Array:
    return convolution.conv(x, weight, stride=self.stride, padding=self.padding)


class SNConvTranspose(SNConv):
  """2-D transposed convolution [B, H, W, C] -> [B, h, w, features], see `convolution.conv_transpose`.

  By default the 4x4 kernel at stride 2 of DCGAN, which doubles the size. The fields are those of
  `SNConv`; the kernel is [k, k, C, features] here too.
  """

  kernel_size: int = 4
  stride: int = 2
  padding: convolution.Padding = 1

  def convolve(self, x: jax.Array, weight: jax.Array) -> jax.Array:
    return convolution.conv_transpose(x, weight, stride=self.stride, padding=self.padding)


class SNDense(SpectralLayer):
  """Dense layer on the last axis, [B, F] -> [B, features].

  Attributes:
    features: output features.
    use_bias: add a bias [features].
  """

  features: int = 1
  use_bias: bool = True

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    kernel = self.param('kernel', initializers.find(self.kernel_init), (x.shape[-1], self.features))
    x = x.astype(self.dtype) @ self.normalised(kernel, kernel, train)
    if self.use_bias:
      x = x + self.param('bias', zeros, (self.features,)).astype(self.dtype)
    return x


class SNEmbed(SpectralLayer):
  """Embedding of labels, int [B] -> [B, features]; u has one entry a class.

  Float labels [B, num_embeddings] are weights of a mixture of the embeddings, which makes
  interpolation between classes possible. A label out of range gives NaN, never a wrong row.

  Attributes:
    num_embeddings: classes.
    features: size of an embedding.
  """

  num_embeddings: int = 1
  features: int = 1

  @nn.compact
  def __call__(self, labels: jax.Array, train: bool = False) -> jax.Array:
    shape = (self.num_embeddings, self.features)
    table = self.param('embedding', initializers.find(self.kernel_init), shape)
    table = self.normalised(table, table.T, train)
    if jnp.issubdtype(labels.dtype, jnp.floating):
      return labels.astype(self.dtype) @ table
    known = jnp.where(labels < 0, self.num_embeddings, labels)  # a negative index would wrap
    return jnp.take(table, known, axis=0)

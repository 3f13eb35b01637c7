"""DCGAN: transposed convolutions against strided ones, with batch normalisation in both.

The paper's guidelines for stable convolutional GANs: strided convolutions instead of pooling, batch
normalisation except at the images, no hidden dense layers, ReLU in the generator and leaky ReLU in
the discriminator.

Source: Radford, Metz, Chintala 2015, arXiv 1511.06434. Kernels are 4x4 and the widths 64 to 512, as in
the PyTorch code that became the standard form; the paper's figure has 5x5 and 128 to 1,024.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.games import Game
from jaxgan.games.networks import from_networks
from jaxgan.nn.batch_norm import BatchNorm
from jaxgan.nn.heads import head
from jaxgan.nn.precision import widen
from jaxgan.nn.spectral_norm import SNConv, SNConvTranspose, SNDense


def doublings(resolution: int) -> int:
  """How often a 4x4 map is doubled to have that size.

  Raises:
    ValueError: it never has.
  """
  times = resolution.bit_length() - 3
  if times < 1 or 4 << times != resolution:
    raise ValueError(f'resolution={resolution}; expected a power of two from 8 on')
  return times


class Generator(nn.Module):
  """z [B, dim_z] -> images [B, H, W, image_channels] in [-1, 1]; takes no notice of labels.

  Attributes:
    resolution: a power of two from 8 on.
    image_channels: 1, 3 or any other.
    dim_z: size of the latent.
    channels: width of the layer before the images; each one before it is twice as wide.
    spectral: spectral normalisation of all layers (not in the paper).
    norm, bn_eps: see `jaxgan.nn.batch_norm`.
    kernel_init: name of the kernel initialiser.
    image_bias: a bias at the images, which the standard form has not.
    dtype: dtype of the computation; parameters, statistics and images are float32.
  """

  resolution: int = 64
  image_channels: int = 3
  dim_z: int = 100
  channels: int = 64
  spectral: bool = False
  norm: str = 'batch'
  bn_eps: float = 1e-5
  kernel_init: str = 'normal'
  image_bias: bool = False
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, z: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
    if z.shape[-1] != self.dim_z:
      raise ValueError(f'z has shape {z.shape}; expected [batch, dim_z={self.dim_z}]')
    options: dict[str, Any] = {
      'spectral': self.spectral,
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }
    times = doublings(self.resolution)
    width = self.channels << (times - 1)

    def activate(x: jax.Array, i: int) -> jax.Array:
      norm = BatchNorm(epsilon=self.bn_eps, norm=self.norm, dtype=self.dtype, name=f'norm_{i}')
      return nn.relu(norm(x, train))

    x = SNDense(features=16 * width, use_bias=False, **options, name='linear')(z, train)
    x = activate(x.reshape(-1, 4, 4, width), 0)
    for i in range(1, times):
      up = SNConvTranspose(features=width >> i, use_bias=False, **options, name=f'up_{i}')
      x = activate(up(x, train), i)
    last = SNConvTranspose(
      features=self.image_channels, use_bias=self.image_bias, **options, name='images'
    )
    return jnp.tanh(widen(last(x, train)))


class Discriminator(nn.Module):
  """Images [B, H, W, C] -> logits [B], larger for real; only some heads take notice of labels.

  Attributes:
    resolution: a power of two from 8 on.
    channels: width of the first layer; each one after it is twice as wide.
    slope: of the leaky ReLU for negative values.
    num_classes: for heads that take notice of them.
    head: kind of the last layers, see `jaxgan.nn.heads`; they see the last feature map, flat.
    embed_dim, normalize, info_discrete, info_categories, info_continuous: of the head.
    spectral, norm, bn_eps, kernel_init, dtype: as in `Generator`.
  """

  resolution: int = 64
  channels: int = 64
  slope: float = 0.2
  num_classes: int = 0
  head: str = 'none'
  embed_dim: int = 512
  normalize: bool | None = None
  info_discrete: int = 0
  info_categories: int = 10
  info_continuous: int = 0
  spectral: bool = False
  norm: str = 'batch'
  bn_eps: float = 1e-5
  kernel_init: str = 'normal'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, x: jax.Array, labels: jax.Array, train: bool = False
  ) -> jax.Array | dict[str, jax.Array]:
    options: dict[str, Any] = {
      'spectral': self.spectral,
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }
    for i in range(doublings(self.resolution)):
      down = SNConv(
        features=self.channels << i,
        kernel_size=4,
        stride=2,
        padding=1,
        use_bias=False,
        **options,
        name=f'down_{i}',
      )
      x = down(x, train)
      if i:
        norm = BatchNorm(epsilon=self.bn_eps, norm=self.norm, dtype=self.dtype, name=f'norm_{i}')
        x = norm(x, train)
      x = nn.leaky_relu(x, self.slope)
    last = head(self, self.head, use_bias=False, **options)
    return last(x.reshape(x.shape[0], -1), labels, train)


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The DCGAN game for images of the given shape; options as in `from_networks`."""
  return from_networks(Generator, Discriminator, image_shape, num_classes, **options)

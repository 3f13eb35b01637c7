"""GAN: the first one, two multilayer perceptrons.

z [B, dim_z] -> dense layers -> images, and images -> dense layers -> logit. Labels are taken no
notice of.

Source: Goodfellow et al. 2014, arXiv 1406.2661. The paper's networks for MNIST (pylearn2, two layers of
1,200 ReLU units; two layers of 240 maxout units of 5 pieces, with dropout) are options: hidden=1200,
layers=2, discriminator_hidden=240, discriminator_layers=2, discriminator_maxout=5,
discriminator_dropout=0.5, latent 'uniform'. The defaults are those of later work with perceptrons
(Arjovsky et al. 2017, arXiv 1701.07875): 512 units, and leaky ReLU in the discriminator. Images are
tanh instead of sigmoid, since they lie in [-1, 1]. Maxout: Goodfellow et al. 2013, arXiv 1302.4389.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.games import Game
from jaxgan.games.networks import from_networks
from jaxgan.nn import dropout
from jaxgan.nn.precision import widen
from jaxgan.nn.spectral_norm import SNDense


class Generator(nn.Module):
  """z [B, dim_z] -> images [B, H, W, image_channels]; takes no notice of labels.

  Attributes:
    resolution: any size.
    image_channels: 1, 3 or any other.
    dim_z: size of the latent.
    hidden: units of a layer.
    layers: hidden layers.
    slope: of the leaky ReLU for negative values; 0 is ReLU.
    output: 'tanh' keeps images in [-1, 1]; 'linear' does not, for points.
    spectral: spectral normalisation of all layers (not in the paper).
    kernel_init: name of the kernel initialiser.
    dtype: dtype of the computation; parameters and images are float32.
  """

  resolution: int = 28
  image_channels: int = 1
  dim_z: int = 100
  hidden: int = 512
  layers: int = 3
  slope: float = 0.0
  output: str = 'tanh'
  spectral: bool = False
  kernel_init: str = 'glorot'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, z: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
    if z.shape[-1] != self.dim_z:
      raise ValueError(f'z has shape {z.shape}; expected [batch, dim_z={self.dim_z}]')
    if self.output not in ('tanh', 'linear'):
      raise ValueError(f'output={self.output!r}; expected tanh or linear')
    options = {'spectral': self.spectral, 'kernel_init': self.kernel_init, 'dtype': self.dtype}
    x = z
    for i in range(self.layers):
      x = SNDense(features=self.hidden, **options, name=f'layer_{i}')(x, train)
      x = nn.leaky_relu(x, self.slope)
    shape = (self.resolution, self.resolution, self.image_channels)
    x = SNDense(features=math.prod(shape), **options, name='images')(x, train)
    x = widen(x).reshape(-1, *shape)
    return jnp.tanh(x) if self.output == 'tanh' else x


class Discriminator(nn.Module):
  """Images [B, H, W, C] -> logits [B], larger for real; takes no notice of labels.

  Attributes:
    hidden: units of a layer.
    layers: hidden layers.
    slope: of the leaky ReLU for negative values.
    maxout: pieces of a maxout unit, max_j (W_j x + b_j), in place of the leaky ReLU; 0 for none.
    dropout: share of the units of each hidden layer that are dropped in training.
    spectral, kernel_init, dtype: as in `Generator`.
  """

  hidden: int = 512
  layers: int = 3
  slope: float = 0.2
  maxout: int = 0
  dropout: float = 0.0
  spectral: bool = False
  kernel_init: str = 'glorot'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
    dropout.check(self.dropout)
    options = {'spectral': self.spectral, 'kernel_init': self.kernel_init, 'dtype': self.dtype}
    x = x.reshape(x.shape[0], -1)
    for i in range(self.layers):
      units = self.hidden * max(self.maxout, 1)
      x = SNDense(features=units, **options, name=f'layer_{i}')(x, train)
      if self.maxout:
        x = x.reshape(-1, self.hidden, self.maxout).max(-1)
      else:
        x = nn.leaky_relu(x, self.slope)
      if self.dropout and train:
        x = dropout.dropout(x, self.dropout, self.make_rng('dropout'))
    return widen(SNDense(features=1, **options, name='linear')(x, train))[:, 0]


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The GAN game for images of the given shape; options as in `from_networks`."""
  return from_networks(Generator, Discriminator, image_shape, num_classes, **options)

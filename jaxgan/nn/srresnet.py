"""SRResNet: pictures enlarged by residual blocks at the small size and pixel shuffles.

Source: Ledig et al. 2016, "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network", arXiv 1609.04802, figure 4. Ours ends in a tanh, so that pictures stay in their range.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn.instance_norm import normalise
from jaxgan.nn.precision import widen
from jaxgan.nn.resample import pixel_shuffle
from jaxgan.nn.spectral_norm import SNConv, SNDense


class PReLU(nn.Module):
  """max(x, 0) + a min(x, 0), a learned number a channel, from 1/4.

  Source: He et al. 2015, arXiv 1502.01852.
  """

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    a = self.param('a', nn.initializers.constant(0.25), x.shape[-1:]).astype(x.dtype)
    return jnp.where(x > 0, x, a * x)


class SRResNetGenerator(nn.Module):
  """Images [B, H, W, C] -> images [B, factor H, factor W, image_channels] in [-1, 1]; any H and W.

  Attributes:
    factor: of both sides, a power of two from 2 on.
    image_channels: of the result.
    channels: features.
    blocks: residual blocks; the paper has 16.
    norm: see `jaxgan.nn.instance_norm`; after the convolutions of the blocks and the one behind them.
    spectral: spectral normalisation of all layers.
    kernel_init: name of the kernel initialiser.
    dtype: dtype of the computation; parameters, statistics and images are float32.
  """

  factor: int = 4
  image_channels: int = 3
  channels: int = 64
  blocks: int = 16
  norm: str = 'batch'
  spectral: bool = False
  kernel_init: str = 'normal'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    if self.factor < 2 or self.factor & (self.factor - 1):
      raise ValueError(f'factor={self.factor}; expected a power of two from 2 on')

    def conv(x, features, name, kernel_size=3):
      options = {'spectral': self.spectral, 'kernel_init': self.kernel_init, 'dtype': self.dtype}
      return SNConv(features=features, kernel_size=kernel_size, **options, name=name)(x, train)

    normal = lambda x, name: normalise(x, self.norm, train, self.dtype, name)
    x = first = PReLU(name='first_prelu')(conv(x, self.channels, 'first', 9))
    for i in range(self.blocks):
      y = normal(conv(x, self.channels, f'block_{i}_conv_0'), f'block_{i}_norm_0')
      y = conv(PReLU(name=f'block_{i}_prelu')(y), self.channels, f'block_{i}_conv_1')
      x = x + normal(y, f'block_{i}_norm_1')
    x = first + normal(conv(x, self.channels, 'last'), 'last_norm')
    for i in range(self.factor.bit_length() - 1):
      x = PReLU(name=f'up_{i}_prelu')(pixel_shuffle(conv(x, 4 * self.channels, f'up_{i}')))
    return jnp.tanh(widen(conv(x, self.image_channels, 'images', 9)))


class StridedDiscriminator(nn.Module):
  """Images [B, H, W, C] -> logits [B, 1, 1], one a picture, larger for real; takes no notice of labels.

  Pairs of 3x3 convolutions, the second of each at stride 2, with twice the features in every pair up to
  8 times, and two dense layers: the discriminator of SRGAN.

  Attributes:
    channels: features of the first layer.
    layers: pairs, which are halvings of the size.
    hidden: units between the dense layers, in multiples of `channels`.
    norm: see `jaxgan.nn.instance_norm`; after every convolution but the first.
    spectral: spectral normalisation of all layers.
    kernel_init: name of the kernel initialiser.
    dtype: dtype of the computation; parameters, statistics and logits are float32.
  """

  channels: int = 64
  layers: int = 4
  hidden: int = 16
  norm: str = 'batch'
  spectral: bool = False
  kernel_init: str = 'normal'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, labels: Any = None, train: bool = False) -> jax.Array:
    if self.layers < 1 or min(x.shape[1:3]) < 2**self.layers:
      raise ValueError(
        f'layers={self.layers} for images of {x.shape[1]}x{x.shape[2]}; expected 1 or more, and few '
        'enough to leave a pixel after so many halvings'
      )
    options: dict[str, Any] = {
      'spectral': self.spectral,
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }
    for i in range(2 * self.layers):
      features = self.channels * min(2 ** (i // 2), 8)
      x = SNConv(features=features, stride=1 + i % 2, padding=1, **options, name=f'conv_{i}')(
        x, train
      )
      x = normalise(x, self.norm, train, self.dtype, f'norm_{i}') if i else x
      x = nn.leaky_relu(x, 0.2)
    x = x.reshape(len(x), -1)
    x = SNDense(features=self.hidden * self.channels, **options, name='hidden')(x, train)
    x = SNDense(features=1, **options, name='logits')(nn.leaky_relu(x, 0.2), train)
    return widen(x)[..., None]

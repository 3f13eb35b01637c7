"""PatchGAN: discriminators that judge every patch of a picture, or every pixel.

Source: Isola et al. 2016, arXiv 1611.07004, section 3.2.2; without aliasing as in CUT (Park et al. 2020,
arXiv 2007.15651).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn.instance_norm import normalise
from jaxgan.nn.precision import widen
from jaxgan.nn.resample import blur_downsample
from jaxgan.nn.spectral_norm import SNConv


class PatchDiscriminator(nn.Module):
  """Images [B, H, W, C] -> logits [B, h, w], larger for real, one a patch; takes no notice of labels.

  4x4 kernels: `layers` halvings, one convolution more and one to the logits. A patch has 16, 34, 70, 142
  pixels for 1, 2, 3, 4 layers.

  Attributes:
    channels: features of the first layer; each one after it has twice as many, up to 8 times.
    layers: halvings.
    norm: see `jaxgan.nn.instance_norm`; not after the first layer nor the last.
    antialias: blur where the size halves.
    use_bias: biases of the layers before norms; None: where the norm is not 'batch'.
    spectral: spectral normalisation of all layers.
    kernel_init: name of the kernel initialiser.
    dtype: dtype of the computation; parameters, statistics and logits are float32.
  """

  channels: int = 64
  layers: int = 3
  norm: str = 'batch'
  antialias: bool = False
  use_bias: bool | None = None
  spectral: bool = False
  kernel_init: str = 'normal'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, labels: Any = None, train: bool = False) -> jax.Array:
    if self.layers < 1 or min(x.shape[1:3]) < 3 * 2**self.layers:
      raise ValueError(
        f'layers={self.layers} for images of {x.shape[1]}x{x.shape[2]}; expected 1 or more, and few '
        'enough to leave 3 pixels after so many halvings'
      )
    bias = self.norm != 'batch' if self.use_bias is None else self.use_bias
    options: dict[str, Any] = {
      'kernel_size': 4,
      'padding': 1,
      'spectral': self.spectral,
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }
    for i in range(self.layers + 1):
      halves = i < self.layers
      conv = SNConv(
        features=self.channels * min(2**i, 8),
        stride=2 if halves and not self.antialias else 1,
        use_bias=bias or i == 0,
        **options,
        name=f'conv_{i}',
      )
      x = conv(x, train)
      if i:
        x = normalise(x, self.norm, train, self.dtype, f'norm_{i}')
      x = nn.leaky_relu(x, 0.2)
      x = blur_downsample(x) if halves and self.antialias else x
    return widen(SNConv(features=1, **options, name='logits')(x, train))[..., 0]


class PixelDiscriminator(nn.Module):
  """Images [B, H, W, C] -> logits [B, H, W], one a pixel, by 1x1 convolutions.

  The fields are those of `PatchDiscriminator`.
  """

  channels: int = 64
  norm: str = 'batch'
  use_bias: bool | None = None
  spectral: bool = False
  kernel_init: str = 'normal'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, labels: Any = None, train: bool = False) -> jax.Array:
    bias = self.norm != 'batch' if self.use_bias is None else self.use_bias
    options: dict[str, Any] = {
      'kernel_size': 1,
      'spectral': self.spectral,
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }
    x = nn.leaky_relu(SNConv(features=self.channels, **options, name='conv_0')(x, train), 0.2)
    x = SNConv(features=2 * self.channels, use_bias=bias, **options, name='conv_1')(x, train)
    x = nn.leaky_relu(normalise(x, self.norm, train, self.dtype, 'norm_1'), 0.2)
    last = SNConv(features=1, use_bias=bias, **options, name='logits')
    return widen(last(x, train))[..., 0]

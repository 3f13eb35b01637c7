"""U-Net: an encoder and a decoder of the same depth, each decoder layer seeing the encoder's of its size.

Source: Ronneberger, Fischer, Brox 2015, arXiv 1505.04597, in the form of pix2pix (Isola et al. 2016, arXiv
1611.07004): 4x4 kernels at stride 2, down to one pixel.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn import dropout
from jaxgan.nn.instance_norm import normalise
from jaxgan.nn.precision import widen
from jaxgan.nn.spectral_norm import SNConv, SNConvTranspose


class UNetGenerator(nn.Module):
  """Images [B, H, W, C] -> images [B, H, W, image_channels] in [-1, 1]; H and W multiples of 2^depth.

  Layer i of the encoder has channels * min(2^i, 8) features and halves the size; layer i of the
  decoder doubles it, and its result goes to layer i - 1 beside what encoder layer i - 1 gave.

  Attributes:
    depth: halvings; log2 of the size leaves one pixel.
    image_channels: of the result.
    channels: features of the first layer.
    norm: see `jaxgan.nn.instance_norm`; the first and the innermost layer of the encoder have none.
    dropout: share dropped in training after the decoder layers from 4 on but the innermost.
    use_bias: biases of the layers before norms; None: where the norm is not 'batch'.
    spectral: spectral normalisation of all layers.
    kernel_init: name of the kernel initialiser.
    dtype: dtype of the computation; parameters, statistics and images are float32.
  """

  depth: int = 8
  image_channels: int = 3
  channels: int = 64
  norm: str = 'batch'
  dropout: float = 0.5
  use_bias: bool | None = None
  spectral: bool = False
  kernel_init: str = 'normal'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    dropout.check(self.dropout)
    size = f'{x.shape[1]}x{x.shape[2]}'
    if self.depth < 2:
      raise ValueError(
        f'depth={self.depth} for images of {size}; expected 2 or more, and sides that can be halved as '
        'often, such as 64'
      )
    if x.shape[1] % 2**self.depth or x.shape[2] % 2**self.depth:
      raise ValueError(f'images of {size}; expected multiples of 2^depth = {2**self.depth}')
    bias = self.norm != 'batch' if self.use_bias is None else self.use_bias
    options: dict[str, Any] = {
      'spectral': self.spectral,
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }
    width = lambda i: self.channels * min(2**i, 8)
    normal = lambda x, name: normalise(x, self.norm, train, self.dtype, name)
    skips = []
    for i in range(self.depth):
      down = SNConv(
        features=width(i), kernel_size=4, stride=2, padding=1, use_bias=bias, **options,
        name=f'down_{i}',
      )  # fmt: skip
      x = down(nn.leaky_relu(x, 0.2) if i else x, train)
      if 0 < i < self.depth - 1:
        x = normal(x, f'down_norm_{i}')
      skips.append(x)
    skips.pop()
    for i in range(self.depth - 1, 0, -1):
      up = SNConvTranspose(features=width(i - 1), use_bias=bias, **options, name=f'up_{i}')
      x = normal(up(nn.relu(x), train), f'up_norm_{i}')
      if train and self.dropout and 4 <= i < self.depth - 1:
        x = dropout.dropout(x, self.dropout, self.make_rng('dropout'))
      x = jnp.concatenate([skips.pop(), x], -1)
    last = SNConvTranspose(features=self.image_channels, **options, name='images')
    return jnp.tanh(widen(last(nn.relu(x), train)))

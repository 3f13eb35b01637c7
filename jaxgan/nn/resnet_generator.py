"""The residual generator of CycleGAN: two halvings, residual blocks at a quarter of the size, two doublings.

Source: Johnson, Alahi, Fei-Fei 2016, arXiv 1603.08155, in the form of CycleGAN (Zhu et al. 2017, arXiv
1703.10593); sampling without aliasing as in CUT (Park et al. 2020, arXiv 2007.15651).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn import dropout
from jaxgan.nn.instance_norm import normalise
from jaxgan.nn.padding import pad
from jaxgan.nn.precision import widen
from jaxgan.nn.resample import blur_downsample, blur_upsample
from jaxgan.nn.spectral_norm import SNConv, SNConvTranspose


class ResNetGenerator(nn.Module):
  """Images [B, H, W, C] -> images [B, H, W, image_channels] in [-1, 1]; H and W multiples of 4.

  What the encoder makes on its way is sown in the collection 'features', for PatchNCE: the padded
  input 'pixels', what the convolutions to 'half' and to 'quarter' the size give, and the results of the
  blocks, 'block_0' and so on.

  Attributes:
    image_channels: of the result.
    channels: features of the first layer; 4 times as many in the blocks.
    blocks: residual blocks; CycleGAN has 6 for 128 pixels and 9 for 256.
    norm: see `jaxgan.nn.instance_norm`; after every convolution but the last.
    padding: 'reflect', 'replicate' or 'zero', within the blocks.
    dropout: share dropped in training between the two convolutions of a block.
    antialias: blur where the size halves and doubles.
    use_bias: biases of the layers before norms; None: where the norm is not 'batch'.
    spectral: spectral normalisation of all layers.
    kernel_init: name of the kernel initialiser.
    dtype: dtype of the computation; parameters, statistics and images are float32.
  """

  image_channels: int = 3
  channels: int = 64
  blocks: int = 9
  norm: str = 'instance'
  padding: str = 'reflect'
  dropout: float = 0.0
  antialias: bool = False
  use_bias: bool | None = None
  spectral: bool = False
  kernel_init: str = 'normal'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    dropout.check(self.dropout)
    if x.shape[1] % 4 or x.shape[2] % 4:
      raise ValueError(f'images of {x.shape[1]}x{x.shape[2]}; expected multiples of 4')
    bias = self.norm != 'batch' if self.use_bias is None else self.use_bias
    options: dict[str, Any] = {
      'spectral': self.spectral,
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }

    def remember(name, x):
      if not self.is_initializing():  # features are no variables
        self.sow('features', name, x)

    def conv(x, features, name, **others):
      settings = {'padding': 0, 'use_bias': bias, **options, **others}
      return SNConv(features=features, **settings, name=name)(x, train)

    normal = lambda x, name: normalise(x, self.norm, train, self.dtype, name)
    x = pad(x, 3)
    remember('pixels', x)
    x = nn.relu(normal(conv(x, self.channels, 'first', kernel_size=7), 'first_norm'))
    for i in range(2):
      stride = 1 if self.antialias else 2
      x = conv(x, self.channels * 2 ** (i + 1), f'down_{i}', stride=stride, padding=1)
      remember(('half', 'quarter')[i], x)
      x = nn.relu(normal(x, f'down_norm_{i}'))
      x = blur_downsample(x) if self.antialias else x
    for i in range(self.blocks):
      y = conv(pad(x, 1, self.padding), 4 * self.channels, f'block_{i}_conv_0')
      y = nn.relu(normal(y, f'block_{i}_norm_0'))
      if train and self.dropout:
        y = dropout.dropout(y, self.dropout, self.make_rng('dropout'))
      y = conv(pad(y, 1, self.padding), 4 * self.channels, f'block_{i}_conv_1')
      x = x + normal(y, f'block_{i}_norm_1')
      remember(f'block_{i}', x)
    for i in range(2):
      features = self.channels * 2 ** (1 - i)
      if self.antialias:
        x = conv(blur_upsample(x), features, f'up_{i}', padding=1)
      else:  # the odd row and column at the end
        up = SNConvTranspose(
          features=features, kernel_size=3, padding=((1, 0), (1, 0)), use_bias=bias, **options,
          name=f'up_{i}',
        )  # fmt: skip
        x = up(x, train)
      x = nn.relu(normal(x, f'up_norm_{i}'))
    x = conv(pad(x, 3), self.image_channels, 'images', kernel_size=7, use_bias=True)
    return jnp.tanh(widen(x))

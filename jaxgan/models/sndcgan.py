"""The standard convolutional network of SN-GAN, the SNDCGAN of studies of losses and normalisation.

Not DCGAN with spectral normalisation: a 3x3 convolution stands before every 4x4 one of the
discriminator and at both networks' thin ends, the first layer of the generator is not normalised, and
all convolutions have biases. Weak enough that what a loss, a penalty or a norm does is seen.

Source: Miyato et al. 2018, arXiv 1802.05957 (table 3); Kurach et al. 2019, arXiv 1807.04720, compare
much with it. Conditional norms, attention and pooling are those that StudioGAN offers.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgan.games import Game
from jaxgan.games.networks import from_networks
from jaxgan.nn.attention import Attention
from jaxgan.nn.batch_norm import BatchNorm, ConditionalBatchNorm
from jaxgan.nn.heads import head, pooled
from jaxgan.nn.labels import conditions as class_conditions
from jaxgan.nn.precision import widen
from jaxgan.nn.spectral_norm import SNConv, SNConvTranspose, SNDense

Layer = Callable[..., Any]


class Network(nn.Module):
  """What the two networks share.

  Attributes:
    resolution: a power of two from 8 on.
    channels: width of the maps of the images' size; it doubles with every halving. Or a width for
      each map, from 4 pixels up, as (512, 256, 128, 64) at 32 pixels.
    num_classes: of the data; 0 where there are no labels.
    attention: sizes of maps behind which self-attention is put.
    slope: of the leaky ReLU for negative values; 0 is ReLU.
    spectral: spectral normalisation of all layers.
    sn_eps: see `jaxgan.nn.spectral_norm`.
    norm, bn_eps: see `jaxgan.nn.batch_norm`; 'none' is none.
    kernel_init: name of the kernel initialiser.
    dtype: dtype of the computation; parameters, statistics and images are float32.
  """

  resolution: int = 32
  channels: int | tuple[int, ...] = 64
  num_classes: int = 0
  attention: tuple[int, ...] = ()
  slope: float = 0.0
  spectral: bool = False
  sn_eps: float = 1e-6
  norm: str = 'batch'
  bn_eps: float = 1e-5
  kernel_init: str = 'normal'
  dtype: Any = jnp.float32

  def widths(self) -> list[int]:
    """Of the maps, from 4 pixels up.

    Raises:
      ValueError: a resolution that no doubling of 4 reaches, or widths that do not fit it.
    """
    count = self.resolution.bit_length() - 2
    if count < 2 or 2 << count != self.resolution:
      raise ValueError(f'resolution={self.resolution}; expected a power of two from 8 on')
    widths = [int(width) for width in np.atleast_1d(self.channels)]
    if np.ndim(self.channels) == 0:
      widths = [widths[0] << i for i in reversed(range(count))]
    if len(widths) != count or min(widths) < 1:
      raise ValueError(
        f'channels={self.channels}; expected a positive number, or {count} of them at resolution '
        f'{self.resolution}: one for each map from 4 pixels up'
      )
    return widths

  def layers(self) -> dict[str, Any]:
    """Options of every layer."""
    options = {'spectral': self.spectral, 'eps': self.sn_eps}
    return {**options, 'kernel_init': self.kernel_init, 'dtype': self.dtype}

  def normalised(self) -> dict[str, Any]:
    """Options of every norm."""
    return {'norm': self.norm, 'epsilon': self.bn_eps, 'dtype': self.dtype}

  def activated(self, x: jax.Array) -> jax.Array:
    """ReLU, leaky or not."""
    return nn.leaky_relu(x, self.slope) if self.slope else nn.relu(x)

  def attended(self, x: jax.Array, i: int, train: bool) -> jax.Array:
    """Self-attention behind map i, if it is wanted there."""
    if x.shape[1] not in self.attention:
      return x
    conv = partial(SNConv, **self.layers())
    return Attention(conv=conv, dtype=self.dtype, name=f'attention_{i}')(x, train)


class Generator(Network):
  """z [B, dim_z] and labels -> images [B, H, W, image_channels] in [-1, 1].

  Attributes:
    image_channels: 1, 3 or any other.
    dim_z: size of the latent.
    condition: how labels enter: 'batch_norm' (gain and bias of the norms are linear in the class) or
      'none'; '' is the former where there are labels.
    The others: see `Network`.
  """

  image_channels: int = 3
  dim_z: int = 128
  condition: str = ''

  @nn.compact
  def __call__(self, z: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
    """Images of the given latents and classes.

    Args:
      z: float [B, dim_z].
      labels: int [B], or float [B, num_classes] as weights of a mixture of classes.
      train: batch statistics instead of running ones, and updates of the mutable collections.

    Returns:
      float32 [B, H, W, image_channels].

    Raises:
      ValueError: options that do not fit each other, or a z of another size.
    """
    if z.shape[-1] != self.dim_z:
      raise ValueError(f'z has shape {z.shape}; expected [batch, dim_z={self.dim_z}]')
    first, *widths = self.widths()
    layers = self.layers()
    norm, condition = self.norms(labels)
    x = SNDense(features=16 * first, **layers, name='linear')(z, train).reshape(-1, 4, 4, first)
    for i, width in enumerate(widths):
      x = SNConvTranspose(features=width, **layers, name=f'up_{i}')(x, train)
      x = self.activated(norm(name=f'norm_{i}')(x, *condition, train))
      x = self.attended(x, i, train)
    return jnp.tanh(widen(SNConv(features=self.image_channels, **layers, name='images')(x, train)))

  def norms(self, labels: jax.Array) -> tuple[Layer, tuple[jax.Array, ...]]:
    """The norm, ready to be named, and its condition: (float [B, num_classes],) or ()."""
    condition = class_conditions(labels, self.num_classes, self.condition, self.dtype)
    if not condition:
      return partial(BatchNorm, **self.normalised()), ()
    spectral: dict[str, Any] = {'spectral': self.spectral, 'sn_eps': self.sn_eps}
    options = {**spectral, **self.normalised(), 'kernel_init': self.kernel_init}
    return partial(ConditionalBatchNorm, **options), condition


class Discriminator(Network):
  """Images [B, H, W, C] -> logits [B], larger for real, or whatever its head has to say.

  Attributes:
    head: kind of the last layers, see `jaxgan.nn.heads`; '' is 'projection' where there are classes.
    embed_dim, normalize, info_discrete, info_categories, info_continuous: of the head.
    pool: what the head sees of the last map: all of it, flat ('none', the paper), or its 'sum' or
      'mean' over the positions.
    The others: see `Network`.
  """

  slope: float = 0.1
  spectral: bool = True
  norm: str = 'none'
  head: str = ''
  embed_dim: int = 512
  normalize: bool | None = None
  info_discrete: int = 0
  info_categories: int = 10
  info_continuous: int = 0
  pool: str = 'none'

  @nn.compact
  def __call__(
    self, x: jax.Array, labels: jax.Array, train: bool = False
  ) -> jax.Array | dict[str, jax.Array]:
    """Logits, larger for real.

    Args:
      x: float [B, H, W, C] in [-1, 1].
      labels: int [B], or float [B, num_classes] as weights of a mixture of classes.
      train: batch statistics instead of running ones, and updates of the mutable collections.

    Returns:
      float32 [B], or what else the head has to say.

    Raises:
      ValueError: an option that does not exist, or a head that does not fit the data.
    """
    last, *widths = self.widths()

    def layer(x: jax.Array, features: int, name: str, **options: Any) -> jax.Array:
      x = SNConv(features=features, **options, **self.layers(), name=f'conv_{name}')(x, train)
      if self.norm != 'none':
        x = BatchNorm(**self.normalised(), name=f'norm_{name}')(x, train)
      return self.activated(x)

    x = x.astype(self.dtype)
    for i, width in enumerate(reversed(widths)):
      x = layer(x, width, f'{i}')
      x = layer(x, width, f'down_{i}', kernel_size=4, stride=2, padding=1)
      x = self.attended(x, i, train)
    h, positions = pooled(widen(layer(x, last, 'last')), self.pool)
    return head(self, self.head, positions=positions, **self.layers())(h, labels, train)


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The game of the two for images of the given shape; options as in `from_networks`."""
  return from_networks(Generator, Discriminator, image_shape, num_classes, **options)

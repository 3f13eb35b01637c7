"""The residual network of SN-GAN, which WGAN-GP, SAGAN, AC-GAN, ContraGAN, ReACGAN and others share.

What sets those systems apart are options here: spectral normalisation or not, the norm of each
network, how the classes enter, self-attention, the head of the discriminator.

Source: Miyato et al. 2018, arXiv 1802.05957 (appendix B.4); WGAN-GP, Gulrajani et al. 2017, arXiv
1704.00028; SAGAN, Zhang et al. 2018, arXiv 1805.08318. Widths at 64 pixels, and the two quirks that
`shortcut` offers, are those of StudioGAN.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.games import Game
from jaxgan.games.networks import from_networks
from jaxgan.nn.attention import Attention
from jaxgan.nn.batch_norm import BatchNorm, ConditionalBatchNorm
from jaxgan.nn.heads import head, pooled
from jaxgan.nn.labels import conditions as class_conditions
from jaxgan.nn.precision import widen
from jaxgan.nn.resample import average_pool
from jaxgan.nn.residual import GeneratorBlock, widths_at
from jaxgan.nn.spectral_norm import SNConv, SNDense

# Channel multipliers: a generator block goes from one entry to the next and doubles the size. The
# papers have 32 and 128; 16 is ours.
GENERATOR_WIDTHS = {
  16: (4, 4, 4),
  32: (4, 4, 4, 4),
  64: (16, 8, 4, 2, 1),
  128: (16, 16, 8, 4, 2, 1),
  256: (16, 16, 8, 8, 4, 2, 1),
}
# Output multiplier of each discriminator block, and how many of the first blocks halve the size.
DISCRIMINATOR_WIDTHS = {
  16: ((2, 2, 2), 1),
  32: ((2, 2, 2, 2), 2),
  64: ((1, 2, 4, 8, 16), 4),
  128: ((1, 2, 4, 8, 16, 16), 5),
  256: ((1, 2, 4, 8, 8, 16, 16), 6),
}
SHORTCUTS = ('raw', 'activated', 'normalised')
Layer = Callable[..., Any]


class DiscriminatorBlock(nn.Module):
  """(norm-act)-conv-norm-act-conv-(down), plus a shortcut; [B, H, W, C] -> [B, H', W', features].

  Attributes:
    features: output channels.
    down: halve the size by average pooling at the end.
    first: the block sees the image itself: no norm and activation before its first convolution.
    shortcut: what the shortcut sees, see `Discriminator`.
    conv: makes the convolutions.
    norm: makes the norms; None for none.
    activation: elementwise.
  """

  features: int
  down: bool
  first: bool
  shortcut: str
  conv: Layer
  norm: Layer | None
  activation: Callable[[jax.Array], jax.Array]

  @nn.compact
  def __call__(self, x: jax.Array, train: bool) -> jax.Array:
    normalise = lambda name, h: h if self.norm is None else self.norm(name=name)(h, train)
    h = x if self.first else self.activation(normalise('norm1', x))
    short = h if self.shortcut == 'activated' else x
    h = self.conv(features=self.features, name='conv1')(h, train)
    h = self.activation(normalise('norm2', h))
    h = self.conv(features=self.features, name='conv2')(h, train)
    if self.down:
      h = average_pool(h)
    if not self.down and x.shape[-1] == self.features:
      return h + short
    # Pooling commutes with a 1x1 convolution, but not with a norm, which the first block has after it.
    norms = self.shortcut == 'normalised'
    if norms and not self.first:
      short = normalise('shortcut_norm', short)
    if self.down:
      short = average_pool(short)
    if norms and self.first:
      short = normalise('shortcut_norm', short)
    return h + self.conv(features=self.features, kernel_size=1, name='shortcut')(short, train)


class Generator(nn.Module):
  """Latents, and labels or codes or both, to images.

  Attributes:
    resolution: 16, 32, 64, 128 or 256.
    image_channels: 1 or 3, or any other.
    dim_z: size of the latent, without codes.
    channels: width multiplier (64 in the papers).
    num_classes: of the data; 0 where there are no labels.
    condition: how the labels enter: 'batch_norm' (gain and bias of the blocks' norms are linear in
      the class) or 'none'; '' is the former where there are labels.
    info_discrete, info_categories, info_continuous: number of discrete codes, values of each, and
      number of continuous codes (InfoGAN); they come behind z, one-hot and flat.
    info_injection: how codes enter: 'concat' (a layer mixes [z, codes] to a new z) or 'batch_norm' (a
      layer of the codes is a condition of the norms, before the class).
    attention: sizes after whose block self-attention is put.
    slope: of the leaky ReLU for negative values; 0 is ReLU.
    spectral: spectral normalisation of all layers, those of the condition too (SAGAN).
    sn_eps: see `jaxgan.nn.spectral_norm`.
    norm, bn_eps: of the blocks and before the images, see `jaxgan.nn.batch_norm`.
    kernel_init: name of the kernel initialiser.
    dtype: dtype of the computation; parameters, statistics and images are float32.
  """

  resolution: int = 32
  image_channels: int = 3
  dim_z: int = 128
  channels: int = 64
  num_classes: int = 0
  condition: str = ''
  info_discrete: int = 0
  info_categories: int = 10
  info_continuous: int = 0
  info_injection: str = 'concat'
  attention: tuple[int, ...] = ()
  slope: float = 0.0
  spectral: bool = False
  sn_eps: float = 1e-6
  norm: str = 'batch'
  bn_eps: float = 1e-5
  kernel_init: str = 'orthogonal'
  dtype: Any = jnp.float32

  @property
  def dim_codes(self) -> int:
    """Numbers that the codes add to z."""
    return self.info_discrete * self.info_categories + self.info_continuous

  @nn.compact
  def __call__(self, z: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
    """Images of the given latents and classes.

    Args:
      z: float [B, dim_z + dim_codes].
      labels: int [B], or float [B, num_classes] as weights of a mixture of classes.
      train: batch statistics instead of running ones, and updates of the mutable collections.

    Returns:
      float32 [B, H, W, image_channels] in [-1, 1].

    Raises:
      ValueError: options that do not fit each other, or a z of another size.
    """
    widths = widths_at(GENERATOR_WIDTHS, self.resolution)
    layers: dict[str, Any] = {
      'spectral': self.spectral,
      'eps': self.sn_eps,
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }
    conv, activation = partial(SNConv, **layers), _activation(self.slope)
    z, condition = self.inputs(z, labels, train, partial(SNDense, **layers))
    options: dict[str, Any] = {'epsilon': self.bn_eps, 'norm': self.norm, 'dtype': self.dtype}
    norm: Layer = partial(BatchNorm, **options)
    if condition:
      spectral: dict[str, Any] = {'spectral': self.spectral, 'sn_eps': self.sn_eps}
      norm = partial(ConditionalBatchNorm, kernel_init=self.kernel_init, **spectral, **options)

    x = SNDense(features=16 * self.channels * widths[0], **layers, name='linear')(z, train)
    x = x.reshape(-1, 4, 4, self.channels * widths[0])
    for i, multiple in enumerate(widths[1:]):
      block = GeneratorBlock(
        features=self.channels * multiple,
        conv=conv,
        norm=norm,
        activation=activation,
        name=f'block_{i}',
      )
      x = block(x, condition, train)
      if 2 ** (i + 3) in self.attention:
        x = Attention(conv=conv, dtype=self.dtype, name=f'attention_{i}')(x, train)
    x = activation(BatchNorm(**options, name='output_norm')(x, train))
    x = conv(features=self.image_channels, name='output_conv')(x, train)
    return jnp.tanh(widen(x))

  def inputs(
    self, z: jax.Array, labels: jax.Array, train: bool, dense: Layer
  ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """(input of the first layer, condition of the norms: (float [B, F],) or ())."""
    _one_of('info_injection', self.info_injection, ('concat', 'batch_norm'))
    if z.shape[-1] != self.dim_z + self.dim_codes:
      size = f'dim_z={self.dim_z}' + (f' + {self.dim_codes} codes' if self.dim_codes else '')
      raise ValueError(f'z has shape {z.shape}; expected [batch, {size}]')
    conditions = []
    if self.dim_codes and self.info_injection == 'concat':
      z = dense(features=self.dim_z, name='info_mix')(z, train)
    elif self.dim_codes:
      z, codes = jnp.split(z, [self.dim_z], axis=-1)
      conditions.append(dense(features=self.dim_z, name='info_project')(codes, train))
    conditions += class_conditions(labels, self.num_classes, self.condition, self.dtype)
    return z, (jnp.concatenate(conditions, -1),) if conditions else ()


class Discriminator(nn.Module):
  """Images and labels to logits, or to whatever its head has to say.

  Attributes:
    resolution: 16, 32, 64, 128 or 256.
    channels: width multiplier (64 in the papers).
    num_classes: of the data; 0 where there are no labels.
    head: kind of the last layers, see `jaxgan.nn.heads`; '' is 'projection' where there are classes.
    embed_dim, normalize, info_discrete, info_categories, info_continuous: of the head.
    attention: sizes after whose block self-attention is put (the block that makes the size).
    pool: 'sum' (SN-GAN) or 'mean' (WGAN-GP) over the last feature map, or 'none', all of it flat.
    norm: 'none', or 'batch' or 'layer' (WGAN-GP) and others of `jaxgan.nn.batch_norm`, before the
      activations of the blocks.
    shortcut: what a block's shortcut sees of the block's input x: x itself ('raw', the papers), or as
      in StudioGAN act(x) ('activated'; its activation works in place) or norm(x) ('normalised', where
      the shortcut has a convolution).
    slope, spectral, sn_eps, bn_eps, kernel_init, dtype: as in `Generator`.
  """

  resolution: int = 32
  channels: int = 64
  num_classes: int = 0
  head: str = ''
  embed_dim: int = 512
  normalize: bool | None = None
  info_discrete: int = 0
  info_categories: int = 10
  info_continuous: int = 0
  attention: tuple[int, ...] = ()
  pool: str = 'sum'
  slope: float = 0.0
  spectral: bool = True
  sn_eps: float = 1e-6
  norm: str = 'none'
  shortcut: str = 'raw'
  bn_eps: float = 1e-5
  kernel_init: str = 'orthogonal'
  dtype: Any = jnp.float32

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
    widths, downs = widths_at(DISCRIMINATOR_WIDTHS, self.resolution)
    _one_of('shortcut', self.shortcut, SHORTCUTS)
    layers: dict[str, Any] = {
      'spectral': self.spectral,
      'eps': self.sn_eps,
      'kernel_init': self.kernel_init,
      'dtype': self.dtype,
    }
    conv, activation = partial(SNConv, **layers), _activation(self.slope)
    norm = partial(BatchNorm, epsilon=self.bn_eps, norm=self.norm, dtype=self.dtype)
    h = x.astype(self.dtype)
    for i, multiple in enumerate(widths):
      block = DiscriminatorBlock(
        features=self.channels * multiple,
        down=i < downs,
        first=i == 0,
        shortcut=self.shortcut,
        conv=conv,
        norm=None if self.norm == 'none' else norm,
        activation=activation,
        name=f'block_{i}',
      )
      h = block(h, train)
      if i < downs and h.shape[1] in self.attention:
        h = Attention(conv=conv, dtype=self.dtype, name=f'attention_{i}')(h, train)
    h, positions = pooled(widen(activation(h)), self.pool)
    return head(self, self.head, positions=positions, **layers)(h, labels, train)


def _activation(slope: float) -> Callable[[jax.Array], jax.Array]:
  return partial(nn.leaky_relu, negative_slope=slope) if slope else nn.relu


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
  if value not in known:
    raise ValueError(f'{name}={value!r}; expected one of {", ".join(map(repr, known))}')


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The SN-GAN game for images of the given shape; options as in `from_networks`."""
  return from_networks(Generator, Discriminator, image_shape, num_classes, **options)

"""BigGAN: a class-conditional residual GAN with spectral norm, shared embedding and hierarchical z.

Source: Brock, Donahue, Simonyan 2018, arXiv 1809.11096 (appendix B, architectures); where the paper
is silent the choices are those of the authors' PyTorch code.
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
from jaxgan.nn.heads import head
from jaxgan.nn.precision import wide, widen
from jaxgan.nn.resample import average_pool
from jaxgan.nn.residual import GeneratorBlock, widths_at
from jaxgan.nn.spectral_norm import SNConv, SNDense, SNEmbed

# Channel multipliers: a generator block goes from one entry to the next and doubles the size. The
# paper has 128 to 512; 32 and 64 are its PyTorch code's; 16 is ours, with the widths of 64's end.
GENERATOR_WIDTHS = {
  16: (8, 4, 2),
  32: (4, 4, 4, 4),
  64: (16, 16, 8, 4, 2),
  128: (16, 16, 8, 4, 2, 1),
  256: (16, 16, 8, 8, 4, 2, 1),
  512: (16, 16, 8, 8, 4, 2, 1, 1),
}
# Output multiplier of each discriminator block, and how many of the first blocks halve the size.
DISCRIMINATOR_WIDTHS = {
  16: ((2, 4, 8), 2),
  32: ((4, 4, 4, 4), 2),
  64: ((1, 2, 4, 8, 16), 4),
  128: ((1, 2, 4, 8, 16, 16), 5),
  256: ((1, 2, 4, 8, 8, 16, 16), 6),
  512: ((1, 1, 2, 4, 8, 8, 16, 16), 7),
}


class DiscriminatorBlock(nn.Module):
  """(relu)-conv-act-conv-(down), plus a shortcut; [B, H, W, C] -> [B, H', W', features].

  Attributes:
    features: output channels.
    hidden: channels between the convolutions.
    down: halve the size by average pooling at the end.
    first: the block sees the image itself and has no activation before its first convolution.
    conv: makes the convolutions.
    activation: elementwise; the one before the first convolution is always ReLU, as in the
      reference.
  """

  features: int
  hidden: int
  down: bool
  first: bool
  conv: Callable[..., Any]
  activation: Callable[[jax.Array], jax.Array]

  @nn.compact
  def __call__(self, x: jax.Array, train: bool) -> jax.Array:
    h = x if self.first else nn.relu(x)
    h = self.conv(features=self.hidden, name='conv1')(h, train)
    h = self.conv(features=self.features, name='conv2')(self.activation(h), train)
    shortcut = x
    if self.down:
      # Pooling and a 1x1 convolution commute, so the shortcut is pooled first in every block.
      h, shortcut = average_pool(h), average_pool(x)
    if self.down or x.shape[-1] != self.features:
      shortcut = self.conv(features=self.features, kernel_size=1, name='shortcut')(shortcut, train)
    return h + shortcut


class Generator(nn.Module):
  """Latents and labels to images.

  Attributes:
    resolution: 16, 32, 64, 128, 256 or 512.
    channels: width multiplier ('ch'; 96 in the paper).
    num_classes: 0 is unconditional.
    dim_z: size of the latent; with `hierarchical` a multiple of the number of blocks + 1.
    shared_dim: size of the class embedding shared by all norms; 0 gives every norm its own
      embeddings of the labels (not possible with `hierarchical`).
    hierarchical: split z; the first chunk feeds the first layer, chunk i is appended to the
      condition of block i.
    attention: sizes after whose block self-attention is put.
    image_channels: 1 or 3, or any other.
    bottom_width: size of the first feature map; the image is `resolution * bottom_width / 4`.
    activation: elementwise.
    spectral: spectral normalisation of all but the embeddings.
    num_svs, num_itrs, sn_eps: see `jaxgan.nn.spectral_norm`.
    norm, bn_eps, unbiased, additive: see `jaxgan.nn.batch_norm`; `norm` is that of the blocks.
    output_bn_eps: of the norm before the images; None is `bn_eps`.
    kernel_init: name of the kernel initialiser.
    dtype: dtype of the computation; parameters, statistics and images are float32.
    remat: recompute each block in the backward pass: less memory, the same numbers and the same
      parameter tree.
  """

  resolution: int = 128
  channels: int = 96
  num_classes: int = 1000
  dim_z: int = 120
  shared_dim: int = 128
  hierarchical: bool = True
  attention: tuple[int, ...] = (64,)
  image_channels: int = 3
  bottom_width: int = 4
  activation: Callable[[jax.Array], jax.Array] = nn.relu
  spectral: bool = True
  num_svs: int = 1
  num_itrs: int = 1
  sn_eps: float = 1e-6
  norm: str = 'batch'
  bn_eps: float = 1e-5
  output_bn_eps: float | None = None
  unbiased: bool = True
  additive: bool = False
  kernel_init: str = 'orthogonal'
  dtype: Any = jnp.float32
  remat: bool = False

  @nn.compact
  def __call__(self, z: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
    """Images of the given latents and classes.

    Args:
      z: float [B, dim_z].
      labels: int [B], or float [B, num_classes] as weights of a mixture of classes.
      train: batch statistics instead of running ones, and updates of the mutable collections.

    Returns:
      float32 [B, H, W, image_channels] in [-1, 1].

    Raises:
      ValueError: options that do not fit each other, or a z of another size.
    """
    widths = widths_at(GENERATOR_WIDTHS, self.resolution)
    first, conditions = self.conditions(z, labels, len(widths) - 1)
    spectral: dict[str, Any] = {
      'spectral': self.spectral,
      'num_svs': self.num_svs,
      'num_itrs': self.num_itrs,
      'kernel_init': self.kernel_init,
    }
    conv = partial(SNConv, **spectral, eps=self.sn_eps, dtype=self.dtype)
    norm = self.norms(spectral)
    block = nn.remat(GeneratorBlock, static_argnums=(3,)) if self.remat else GeneratorBlock
    attend = nn.remat(Attention, static_argnums=(2,)) if self.remat else Attention

    width, bottom = self.channels * widths[0], self.bottom_width
    dense = SNDense(
      features=width * bottom**2, **spectral, eps=self.sn_eps, dtype=self.dtype, name='linear'
    )
    x = dense(first, train).reshape(-1, bottom, bottom, width)
    for i, (multiple, condition) in enumerate(zip(widths[1:], conditions)):
      options: dict[str, Any] = {'conv': conv, 'norm': norm, 'activation': self.activation}
      x = block(features=self.channels * multiple, **options, name=f'block_{i}')(
        x, condition, train
      )
      if 2 ** (i + 3) in self.attention:
        x = attend(conv=conv, dtype=self.dtype, name=f'attention_{i}')(x, train)
    moments: dict[str, Any] = {'unbiased': self.unbiased, 'additive': self.additive}
    eps = self.bn_eps if self.output_bn_eps is None else self.output_bn_eps
    x = BatchNorm(epsilon=eps, **moments, dtype=self.dtype, name='output_norm')(x, train)
    x = conv(features=self.image_channels, name='output_conv')(self.activation(x), train)
    return jnp.tanh(widen(x))

  def conditions(self, z: jax.Array, labels: jax.Array, blocks: int) -> tuple[jax.Array, list[Any]]:
    """(input of the first layer, condition of each block: (float [B, F],), (int labels,) or ())."""
    if z.shape[-1] != self.dim_z:
      raise ValueError(f'z has shape {z.shape}; expected [batch, dim_z={self.dim_z}]')
    slots = blocks + 1
    if self.hierarchical and self.dim_z % slots:
      low = self.dim_z // slots * slots
      raise ValueError(
        f'dim_z={self.dim_z} cannot be split into {slots} chunks; at resolution {self.resolution} '
        f'hierarchical z needs a multiple of {slots}, such as {low or slots} or {low + slots}'
      )
    if self.hierarchical and self.num_classes and not self.shared_dim:
      raise ValueError(
        'hierarchical z needs a shared embedding: give shared_dim > 0 or hierarchical=False'
      )
    condition = (labels,) if self.num_classes else ()
    if self.num_classes and self.shared_dim:
      # Plain on purpose: the reference found that spectral norm here cripples the generator.
      embed = SNEmbed(
        num_embeddings=self.num_classes,
        features=self.shared_dim,
        spectral=False,
        kernel_init=self.kernel_init,
        dtype=wide(self.dtype),
        name='shared',
      )
      condition = (embed(labels),)
    if not self.hierarchical:
      return z, [condition] * blocks
    first, *chunks = jnp.split(z, slots, axis=-1)
    return first, [(jnp.concatenate([*condition, chunk], -1),) for chunk in chunks]

  def norms(self, spectral: dict[str, Any]) -> Callable[..., Any]:
    """The norm of the blocks, ready to be named."""
    options = {
      'epsilon': self.bn_eps,
      'unbiased': self.unbiased,
      'norm': self.norm,
      'additive': self.additive,
      'dtype': self.dtype,
    }
    if not self.num_classes and not self.hierarchical:
      return partial(BatchNorm, **options)
    own = 0 if self.shared_dim or self.hierarchical else self.num_classes
    return partial(ConditionalBatchNorm, num_classes=own, sn_eps=self.sn_eps, **spectral, **options)


class Discriminator(nn.Module):
  """Images and labels to logits: a residual network, with a projection of the class by default.

  logit = linear(h) + embed(y) . h, with h the sum over the last feature map; other heads by choice.

  Attributes:
    resolution: 16, 32, 64, 128, 256 or 512.
    channels: width multiplier.
    num_classes: 0 is unconditional.
    attention: sizes after whose block self-attention is put.
    attention_blocks: numbers of the blocks instead, for checkpoints that have them elsewhere.
    wide: the hidden width of a block is that of its output (BigGAN), not of its input (SN-GAN).
    outputs: size of the linear layer, 1 but for other uses.
    head: kind of the last layers, see `jaxgan.nn.heads`; '' is 'projection' where there are classes.
    embed_dim, normalize, info_discrete, info_categories, info_continuous: of the head.
    activation, spectral, num_svs, num_itrs, sn_eps, kernel_init, dtype, remat: as in `Generator`.
  """

  resolution: int = 128
  channels: int = 96
  num_classes: int = 1000
  attention: tuple[int, ...] = (64,)
  attention_blocks: tuple[int, ...] | None = None
  wide: bool = True
  outputs: int = 1
  head: str = ''
  embed_dim: int = 512
  normalize: bool | None = None
  info_discrete: int = 0
  info_categories: int = 10
  info_continuous: int = 0
  activation: Callable[[jax.Array], jax.Array] = nn.relu
  spectral: bool = True
  num_svs: int = 1
  num_itrs: int = 1
  sn_eps: float = 1e-6
  kernel_init: str = 'orthogonal'
  dtype: Any = jnp.float32
  remat: bool = False

  @nn.compact
  def __call__(
    self, x: jax.Array, labels: jax.Array, train: bool = False
  ) -> jax.Array | dict[str, jax.Array]:
    """Logits, larger for real.

    Args:
      x: float [B, H, W, C] in [-1, 1].
      labels: int [B], or float [B, num_classes] as weights of a mixture of classes.
      train: store the new spectral vectors where that collection is mutable.

    Returns:
      float32 [B] ([B, outputs] where that is not 1), or what else the head has to say.
    """
    widths, downs = widths_at(DISCRIMINATOR_WIDTHS, self.resolution)
    spectral: dict[str, Any] = {
      'spectral': self.spectral,
      'num_svs': self.num_svs,
      'num_itrs': self.num_itrs,
      'eps': self.sn_eps,
      'kernel_init': self.kernel_init,
    }
    conv = partial(SNConv, **spectral, dtype=self.dtype)
    block = nn.remat(DiscriminatorBlock, static_argnums=(2,)) if self.remat else DiscriminatorBlock
    attend = nn.remat(Attention, static_argnums=(2,)) if self.remat else Attention

    size, h = self.resolution, x.astype(self.dtype)
    for i, multiple in enumerate(widths):
      features, down = self.channels * multiple, i < downs
      hidden = features if self.wide else h.shape[-1]
      options: dict[str, Any] = {
        'down': down,
        'first': i == 0,
        'conv': conv,
        'activation': self.activation,
      }
      h = block(features=features, hidden=hidden, **options, name=f'block_{i}')(h, train)
      size //= 1 + down
      here = size in self.attention if self.attention_blocks is None else i in self.attention_blocks
      if here:
        h = attend(conv=conv, dtype=self.dtype, name=f'attention_{i}')(h, train)
    options = {'positions': h.shape[1] * h.shape[2], 'outputs': self.outputs, 'dtype': self.dtype}
    return head(self, self.head, **options, **spectral)(
      widen(self.activation(h)).sum((1, 2)), labels, train
    )


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The BigGAN game for images of the given shape; options as in `from_networks`."""
  return from_networks(Generator, Discriminator, image_shape, num_classes, **options)

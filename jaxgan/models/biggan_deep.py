"""BigGAN-deep: BigGAN with bottleneck blocks, twice as many of them, and the whole z in every condition.

Source: Brock, Donahue, Simonyan 2018, arXiv 1809.11096 (appendix B, BigGAN-deep); where the paper is
silent the choices are those of the authors' PyTorch code.
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
from jaxgan.nn.precision import wide, widen
from jaxgan.nn.resample import average_pool, upsample
from jaxgan.nn.residual import widths_at
from jaxgan.nn.spectral_norm import SNConv, SNDense, SNEmbed

# Channel multipliers: a stage goes from one entry to the next and doubles (or halves) the size. The
# paper has 128 to 512; 32 and 64 are its PyTorch code's, 16 follows 32.
GENERATOR_WIDTHS = {
  16: (4, 4, 4),
  32: (4, 4, 4, 4),
  64: (16, 16, 8, 4, 2),
  128: (16, 16, 8, 4, 2, 1),
  256: (16, 16, 8, 8, 4, 2, 1),
  512: (16, 16, 8, 8, 4, 2, 1, 1),
}
# Multipliers of the first convolution and of each stage, and how many of the first stages halve the size.
DISCRIMINATOR_WIDTHS = {
  16: ((4, 4, 4), 2),
  32: ((4, 4, 4, 4), 2),
  64: ((1, 2, 4, 8, 16), 4),
  128: ((1, 2, 4, 8, 16, 16), 5),
  256: ((1, 2, 4, 8, 8, 16, 16), 6),
  512: ((1, 1, 2, 4, 8, 8, 16, 16), 7),
}
BOTTLENECK = 4  # the inner convolutions have a quarter of the channels


class GeneratorBlock(nn.Module):
  """1x1, 3x3, 3x3, 1x1 convolutions, each after norm and activation; the skip drops channels.

  [B, H, W, C] -> [B, H', W', features], features <= C.

  Attributes:
    features: output channels; the skip keeps the first so many of its input.
    up: double the size before the 3x3 convolutions.
    conv, norm: make the layers; `norm` is called with (x, condition, train).
    activation: elementwise.
  """

  features: int
  up: bool
  conv: Callable[..., Any]
  norm: Callable[..., Any]
  activation: Callable[[jax.Array], jax.Array]

  @nn.compact
  def __call__(self, x: jax.Array, condition: jax.Array, train: bool) -> jax.Array:
    hidden = x.shape[-1] // BOTTLENECK
    active = lambda i, h: self.activation(self.norm(name=f'norm{i}')(h, condition, train))
    h = self.conv(features=hidden, kernel_size=1, name='conv1')(active(1, x), train)
    h, skip = active(2, h), x[..., : self.features]
    if self.up:
      h, skip = upsample(h), upsample(skip)
    h = self.conv(features=hidden, name='conv2')(h, train)
    h = self.conv(features=hidden, name='conv3')(active(3, h), train)
    return (
      self.conv(features=self.features, kernel_size=1, name='conv4')(active(4, h), train) + skip
    )


class DiscriminatorBlock(nn.Module):
  """1x1, 3x3, 3x3, (down), 1x1 convolutions, each after the activation; the skip gains channels.

  [B, H, W, C] -> [B, H', W', features], features >= C.

  Attributes:
    features: output channels; those the input lacks come from a 1x1 convolution of it.
    down: halve the size by average pooling.
    conv: makes the convolutions.
    activation: elementwise; the one before the first convolution is always ReLU, as in the
      reference.
  """

  features: int
  down: bool
  conv: Callable[..., Any]
  activation: Callable[[jax.Array], jax.Array]

  @nn.compact
  def __call__(self, x: jax.Array, train: bool) -> jax.Array:
    hidden = self.features // BOTTLENECK
    h = self.conv(features=hidden, kernel_size=1, name='conv1')(nn.relu(x), train)
    h = self.conv(features=hidden, name='conv2')(self.activation(h), train)
    h = self.activation(self.conv(features=hidden, name='conv3')(self.activation(h), train))
    if self.down:
      h, x = average_pool(h), average_pool(x)
    h = self.conv(features=self.features, kernel_size=1, name='conv4')(h, train)
    missing = self.features - x.shape[-1]
    if missing:
      more = self.conv(features=missing, kernel_size=1, name='shortcut')(x, train)
      x = jnp.concatenate([x, more], -1)
    return h + x


class Generator(nn.Module):
  """Latents and labels to images.

  Attributes:
    resolution: 16, 32, 64, 128, 256 or 512.
    channels: width multiplier ('ch'; 128 in the paper).
    depth: blocks per stage; the last of a stage doubles the size and changes the width.
    num_classes: 0 is unconditional.
    dim_z: size of the latent; the whole of it is part of every condition.
    shared_dim: size of the shared class embedding, > 0 where there are classes.
    attention: sizes after whose stage self-attention is put.
    image_channels: 1 or 3, or any other.
    bottom_width: size of the first feature map; the image is `resolution * bottom_width / 4`.
    activation: elementwise.
    spectral: spectral normalisation of all but the embedding.
    num_svs, num_itrs, sn_eps: see `jaxgan.nn.spectral_norm`.
    norm, bn_eps, unbiased, additive: see `jaxgan.nn.batch_norm`; `norm` is that of the blocks.
    output_bn_eps: of the norm before the images; None is `bn_eps`.
    kernel_init: name of the kernel initialiser.
    dtype: dtype of the computation; parameters, statistics and images are float32.
    remat: recompute each block in the backward pass: less memory, the same numbers and the same
      parameter tree.
  """

  resolution: int = 128
  channels: int = 128
  depth: int = 2
  num_classes: int = 1000
  dim_z: int = 128
  shared_dim: int = 128
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
      ValueError: classes without a shared embedding, or a z of another size.
    """
    widths = widths_at(GENERATOR_WIDTHS, self.resolution)
    condition = self.condition(z, labels)
    spectral: dict[str, Any] = {
      'spectral': self.spectral,
      'num_svs': self.num_svs,
      'num_itrs': self.num_itrs,
      'kernel_init': self.kernel_init,
    }
    conv = partial(SNConv, **spectral, eps=self.sn_eps, dtype=self.dtype)
    moments: dict[str, Any] = {
      'unbiased': self.unbiased,
      'additive': self.additive,
      'dtype': self.dtype,
    }
    norm = partial(
      ConditionalBatchNorm,
      norm=self.norm,
      epsilon=self.bn_eps,
      sn_eps=self.sn_eps,
      **moments,
      **spectral,
    )
    block = nn.remat(GeneratorBlock, static_argnums=(3,)) if self.remat else GeneratorBlock
    attend = nn.remat(Attention, static_argnums=(2,)) if self.remat else Attention

    width, bottom = self.channels * widths[0], self.bottom_width
    dense = partial(SNDense, **spectral, eps=self.sn_eps, dtype=self.dtype)
    x = dense(features=width * bottom**2, name='linear')(condition, train)
    x = x.reshape(-1, bottom, bottom, width)
    for i, multiple in enumerate(widths[1:]):
      for j in range(self.depth):
        last = j == self.depth - 1
        features = self.channels * multiple if last else x.shape[-1]
        options: dict[str, Any] = {
          'up': last,
          'conv': conv,
          'norm': norm,
          'activation': self.activation,
        }
        x = block(features=features, **options, name=f'block_{i}_{j}')(x, condition, train)
      if 2 ** (i + 3) in self.attention:
        x = attend(conv=conv, dtype=self.dtype, name=f'attention_{i}')(x, train)
    eps = self.bn_eps if self.output_bn_eps is None else self.output_bn_eps
    x = self.activation(BatchNorm(epsilon=eps, **moments, name='output_norm')(x, train))
    x = conv(features=self.image_channels, name='output_conv')(x, train)
    return jnp.tanh(widen(x))

  def condition(self, z: jax.Array, labels: jax.Array) -> jax.Array:
    """What every norm and the first layer see: [embedding of the label, z], float32 [B, F]."""
    if z.shape[-1] != self.dim_z:
      raise ValueError(f'z has shape {z.shape}; expected [batch, dim_z={self.dim_z}]')
    if not self.num_classes:
      return z
    if not self.shared_dim:
      raise ValueError('BigGAN-deep needs a shared embedding: give shared_dim > 0')
    embed = SNEmbed(
      num_embeddings=self.num_classes,
      features=self.shared_dim,
      spectral=False,
      kernel_init=self.kernel_init,
      dtype=wide(self.dtype),
      name='shared',
    )
    return jnp.concatenate([embed(labels), z], -1)


class Discriminator(nn.Module):
  """Images and labels to logits: a residual network with a projection of the class.

  logit = linear(h) + embed(y) . h, with h the sum over the last feature map.

  Attributes:
    resolution: 16, 32, 64, 128, 256 or 512.
    channels: width multiplier.
    depth: blocks per stage; the first of a stage halves the size and changes the width.
    num_classes: 0 is unconditional.
    attention: sizes after whose stage self-attention is put.
    attention_blocks: numbers of the stages instead, for checkpoints that have them elsewhere.
    outputs: size of the linear layer, 1 but for other uses.
    activation, spectral, num_svs, num_itrs, sn_eps, kernel_init, dtype, remat: as in `Generator`.
  """

  resolution: int = 128
  channels: int = 128
  depth: int = 2
  num_classes: int = 1000
  attention: tuple[int, ...] = (64,)
  attention_blocks: tuple[int, ...] | None = None
  outputs: int = 1
  activation: Callable[[jax.Array], jax.Array] = nn.relu
  spectral: bool = True
  num_svs: int = 1
  num_itrs: int = 1
  sn_eps: float = 1e-6
  kernel_init: str = 'orthogonal'
  dtype: Any = jnp.float32
  remat: bool = False

  @nn.compact
  def __call__(self, x: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
    """Logits, larger for real.

    Args:
      x: float [B, H, W, C] in [-1, 1].
      labels: int [B], or float [B, num_classes] as weights of a mixture of classes.
      train: store the new spectral vectors where that collection is mutable.

    Returns:
      float32 [B] ([B, outputs] where that is not 1).
    """
    (stem, *widths), downs = widths_at(DISCRIMINATOR_WIDTHS, self.resolution)
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

    h = conv(features=self.channels * stem, name='input_conv')(x, train)
    size = self.resolution
    for i, multiple in enumerate(widths):
      for j in range(self.depth):
        options: dict[str, Any] = {
          'down': i < downs and j == 0,
          'conv': conv,
          'activation': self.activation,
        }
        h = block(features=self.channels * multiple, **options, name=f'block_{i}_{j}')(h, train)
      size //= 1 + (i < downs)
      here = size in self.attention if self.attention_blocks is None else i in self.attention_blocks
      if here:
        h = attend(conv=conv, dtype=self.dtype, name=f'attention_{i}')(h, train)
    h = widen(self.activation(h)).sum((1, 2))
    spectral['dtype'] = wide(self.dtype)
    logits = SNDense(features=self.outputs, **spectral, name='linear')(h, train)
    if self.num_classes:
      embed = SNEmbed(
        num_embeddings=self.num_classes, features=h.shape[-1], **spectral, name='embed'
      )
      logits = logits + (embed(labels, train) * h).sum(-1, keepdims=True)
    return logits[:, 0] if self.outputs == 1 else logits


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The BigGAN-deep game for images of the given shape; options as in `from_networks`."""
  return from_networks(Generator, Discriminator, image_shape, num_classes, **options)

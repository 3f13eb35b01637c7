"""R3GAN: plain residual networks of grouped convolutions, without normalisation, attention or style.

What trains them is a relativistic loss with zero-centred gradient penalties on real and on fake
pictures (loss 'relativistic', penalties 'r1' and 'r2'); the networks themselves are what remains of
StyleGAN2 when every trick is taken out and the blocks are made as ResNeXt and ConvNeXt make theirs.

Source: Huang, Gokaslan, Kuleshov, Tompkin 2024, arXiv 2501.05441, section 4 (config E) and appendix.
Departures: out of training the generator's pictures are cut to [-1, 1]; the authors cut them when
they are written.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgan.games import Game
from jaxgan.games.networks import from_networks
from jaxgan.nn.convolution import conv
from jaxgan.nn.initialize import fan_in, normal, zeros
from jaxgan.nn.precision import wide, widen
from jaxgan.nn.spectral_norm import SNConv, SNDense, SNEmbed

SLOPE = 0.2  # of the leaky ReLU
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps the variance through it; of initialisers only
WIDE_UNTIL = 32  # pixels; maps larger than this halve the width with every doubling
TAPS = (1, 2, 1)  # the filter of all resampling


def grouped_conv(x: jax.Array, w: jax.Array) -> jax.Array:
  """2-D convolution of odd side within groups of channels, zeros outside, as a few matrix products.

  y[b, i, j, g d + o] = sum_{p, q, c} x[b, i + p - m, j + q - m, g C + c] w[p, q, c, g d + o]

  with C input and d output channels in each group g, and m = (k - 1) / 2. XLA's own form, with
  `feature_group_count`, has a backward pass that runs far below the speed of a matrix product on
  the CPU; these are plain products whose derivatives of every order are plain products too, the
  same on every platform.

  Args:
    x: [B, H, W, groups * C].
    w: [k, k, C, groups * d], of the dtype of x.

  Returns:
    [B, H, W, groups * d].

  Raises:
    ValueError: channels that do not fall into whole groups, or an even side.
  """
  b, height, width, channels = x.shape
  k, _, inner, outer = w.shape
  groups = channels // inner
  if groups * inner != channels or outer % groups or k % 2 == 0:
    raise ValueError(
      f'x {list(x.shape)} and w {list(w.shape)}; expected [B, H, W, groups * C] and '
      '[k, k, C, groups * d] with an odd k'
    )
  if groups == 1:
    return conv(x, w)
  x = x.reshape(b, height, width, groups, inner).transpose(3, 0, 1, 2, 4)
  edge = (k // 2, k // 2)
  x = jnp.pad(x, [(0, 0), (0, 0), edge, edge, (0, 0)])
  # One row of a window at a time: laid out whole, windows would take k times as much memory.
  x = jnp.concatenate([x[:, :, :, q : q + width] for q in range(k)], -1)
  w = w.reshape(k, k, inner, groups, -1).transpose(0, 3, 1, 2, 4).reshape(k, groups, k * inner, -1)
  rows = lambda p: x[:, :, p : p + height].reshape(groups, -1, k * inner)
  y = functools.reduce(jnp.add, [rows(p) @ w[p] for p in range(k)])
  y = y.reshape(groups, b, height, width, -1).transpose(1, 2, 3, 0, 4)
  return y.reshape(b, height, width, outer)


def taps_of(filter_taps: tuple[int, ...]) -> np.ndarray:
  """The taps of an interpolating filter, smoothed by [1, 1] to an even number of them, of sum 1."""
  taps = np.convolve(filter_taps, [1, 1])
  return taps / taps.sum()


def upsample(x: jax.Array, filter_taps: tuple[int, ...] = TAPS) -> jax.Array:
  """Twice the size by zeros between the pixels and a low-pass filter, [B, H, W, C] -> [B, 2H, 2W, C].

  Args:
    x: [B, H, W, C]; zeros lie outside.
    filter_taps: odd in number; convolved with [1, 1] on either axis. [1, 2, 1] gives the weights
      1/4 and 3/4 of linear interpolation, [1] repeats pixels.
  """
  taps = 2 * taps_of(filter_taps)
  half = len(taps) // 2

  def along(x: jax.Array, axis: int) -> jax.Array:
    size = x.shape[axis]
    x = jnp.pad(x, [(half // 2 + 1,) * 2 if d == axis else (0, 0) for d in range(4)])
    phases = []
    for phase in (0, 1):
      total: Any = 0
      for j, tap in enumerate(taps):
        away = j - half + phase  # from the pixel of the result, which lies between zeros
        if away % 2 == 0:
          first = half // 2 + 1 + away // 2
          total = total + float(tap) * jax.lax.slice_in_dim(x, first, first + size, 1, axis)
      phases.append(total)
    shape = [*phases[0].shape]
    shape[axis] *= 2
    return jnp.stack(phases, axis + 1).reshape(shape)

  return along(along(x, 1), 2)


def downsample(x: jax.Array, filter_taps: tuple[int, ...] = TAPS) -> jax.Array:
  """Half the size by a low-pass filter and every second pixel, [B, 2H, 2W, C] -> [B, H, W, C].

  Args:
    x: [B, 2H, 2W, C]; zeros lie outside.
    filter_taps: as in `upsample`, of whose gradient this is a quarter.
  """
  taps = taps_of(filter_taps)
  margin = len(taps) // 2 - 1

  def along(x: jax.Array, axis: int) -> jax.Array:
    size = x.shape[axis]
    x = jnp.pad(x, [(margin, margin) if d == axis else (0, 0) for d in range(4)])
    parts = (jax.lax.slice_in_dim(x, j, j + size - 1, 2, axis) for j in range(len(taps)))
    return sum(float(tap) * part for tap, part in zip(taps, parts))  # type: ignore[return-value]

  return along(along(x, 1), 2)


def pointwise(features: int, gain: float = 1.0, dtype: Any = jnp.float32, **named: Any) -> SNConv:
  """1x1 convolution without bias, whose kernel starts as N(0, gain^2 / C), or at zero."""
  return SNConv(
    features=features,
    kernel_size=1,
    use_bias=False,
    spectral=False,
    kernel_init=fan_in(gain) if gain else zeros,
    dtype=dtype,
    **named,
  )


class Block(nn.Module):
  """x + 1x1(act(3x3 in groups(act(1x1(x))))), act(h) = leaky ReLU(h + bias); [B, H, W, C] stays.

  Attributes:
    hidden: channels between the 1x1 convolutions.
    group_size: of them that the 3x3 convolution lets see each other.
    depth: blocks in the whole network, L. The first two kernels start L^(-1/4) times as large as
      usual and the last one at zero, so that the network starts as its shortcuts alone and the
      size of an update does not grow with L (Fixup: Zhang, Dauphin, Ma 2019, arXiv 1901.09321).
    dtype: of the computation.
  """

  hidden: int
  group_size: int
  depth: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    scale = GAIN * self.depth**-0.25

    def activate(h: jax.Array, name: str) -> jax.Array:
      bias = self.param(name, zeros, (self.hidden,))
      return nn.leaky_relu(h + bias.astype(self.dtype), SLOPE)

    h = activate(pointwise(self.hidden, scale, self.dtype, name='conv1')(x), 'bias1')
    init = normal(scale / math.sqrt(9 * self.group_size))
    kernel = self.param('conv2', init, (3, 3, self.group_size, self.hidden))
    h = activate(grouped_conv(h, kernel.astype(self.dtype)), 'bias2')
    return x + pointwise(x.shape[-1], 0.0, self.dtype, name='conv3')(h)


def dense(features: int, x: jax.Array, name: str) -> jax.Array:
  """x W, without bias, W ~ N(0, 1 / F); [B, F] -> [B, features], at least float32."""
  options: dict[str, Any] = {'use_bias': False, 'spectral': False, 'dtype': wide(x.dtype)}
  return SNDense(features=features, kernel_init=fan_in(), **options, name=name)(x)


def embed(num_classes: int, features: int, labels: jax.Array, gain: float = 1.0) -> jax.Array:
  """Embedding of labels, which counts as a layer of the one-hot label: N(0, gain^2 / num_classes)."""
  layer = SNEmbed(
    num_embeddings=num_classes,
    features=features,
    spectral=False,
    kernel_init=fan_in(gain),
    name='embed',
  )
  return layer(labels)


class Network(nn.Module):
  """What the two networks share: their fields, and what these say of each map.

  Attributes:
    resolution: a power of two from 4 on.
    num_classes: 0 is unconditional.
    channels: width of the maps of 4 to 32 pixels; it halves with every doubling beyond. Or a width
      for each map, from 4 pixels up.
    expansion: the hidden width of a block is that many times as large.
    group_size: hidden channels in a group, likewise one or one for each map.
    blocks: residual blocks at each map, likewise.
    embed_dim: size of the class embedding; 0 = dim_z in the generator, the width of the map of 4
      pixels in the discriminator.
    dtype: dtype of the blocks; parameters, the ends of the networks and images are float32.
    remat: recompute each block in the backward pass: less memory, the same numbers.
  """

  resolution: int = 32
  num_classes: int = 0
  channels: int | tuple[int, ...] = 768
  expansion: int = 2
  group_size: int | tuple[int, ...] = 16
  blocks: int | tuple[int, ...] = 2
  embed_dim: int = 0
  dtype: Any = jnp.float32
  remat: bool = False

  def stages(self) -> list[dict[str, int]]:
    """width, group_size and blocks of each map, from 4 pixels up.

    Raises:
      ValueError: a resolution that no doubling of 4 reaches, or numbers that do not fit.
    """
    count = self.resolution.bit_length() - 2
    if count < 1 or 2 << count != self.resolution:
      raise ValueError(f'resolution={self.resolution}; expected a power of two from 4 on')
    each: dict[str, list[int]] = {}
    for name in ('channels', 'group_size', 'blocks'):
      given = getattr(self, name)
      values = [int(v) for v in np.atleast_1d(given)]
      if np.ndim(given) == 0:
        beyond = [max(1, (4 << i) // WIDE_UNTIL) if name == 'channels' else 1 for i in range(count)]
        values = [values[0] // times for times in beyond]
      if len(values) != count or min(values) < 1:
        raise ValueError(
          f'{name}={given}; expected a positive number, or {count} of them at resolution '
          f'{self.resolution}: one for each map from 4 pixels up'
        )
      each[name] = values
    for width, size in zip(each['channels'], each['group_size']):
      if width * self.expansion % size:
        raise ValueError(
          f'group_size={size} does not divide the {width * self.expansion} hidden channels '
          f'(channels {width} times expansion {self.expansion})'
        )
    return [dict(zip(each, values)) for values in zip(*each.values())]

  def residual(self, x: jax.Array, stages: list[dict[str, int]], i: int) -> jax.Array:
    """The blocks of map i."""
    block = nn.remat(Block) if self.remat else Block
    depth = sum(stage['blocks'] for stage in stages)
    hidden = stages[i]['channels'] * self.expansion
    for j in range(stages[i]['blocks']):
      x = block(hidden, stages[i]['group_size'], depth, self.dtype, name=f'block_{i}_{j}')(x)
    return x


class Generator(Network):
  """z [B, dim_z] and labels [B] -> images [B, H, W, image_channels].

  A learned 4x4 map, its channels weighted by a linear function of (z, embedding of the label), then
  blocks, enlargements and blocks; at the end a 1x1 convolution. In training images are as they come,
  otherwise cut to [-1, 1].

  Attributes:
    image_channels: 1, 3 or any other.
    dim_z: size of the latent.
    The others: see `Network`.
  """

  image_channels: int = 3
  dim_z: int = 64

  @nn.compact
  def __call__(self, z: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
    if z.shape[-1] != self.dim_z:
      raise ValueError(f'z has shape {z.shape}; expected [batch, dim_z={self.dim_z}]')
    stages = self.stages()
    if self.num_classes:
      size = self.embed_dim or self.dim_z
      z = jnp.concatenate([z, embed(self.num_classes, size, labels)], -1)
    width = stages[0]['channels']
    basis = self.param('basis', normal(), (4, 4, width))
    x = (basis * dense(width, z, 'linear')[:, None, None]).astype(self.dtype)
    for i, stage in enumerate(stages):
      if i:
        # A 1x1 convolution and resampling commute: the convolution is done on the smaller map.
        if stage['channels'] != x.shape[-1]:
          x = pointwise(stage['channels'], dtype=self.dtype, name=f'up_{i}')(x)
        x = upsample(x)
      x = self.residual(x, stages, i)
    images = pointwise(self.image_channels, dtype=self.dtype, name='images')(x)
    images = widen(images)
    return images if train else jnp.clip(images, -1, 1)


class Discriminator(Network):
  """Images [B, H, W, C] and labels [B] -> logits [B], larger for real.

  The generator turned round: a 1x1 convolution, blocks and reductions down to a 4x4 map, its channels
  summed with learned weights, then a linear layer to the logit, or to a vector whose product with the
  label's embedding is the logit.

  Attributes: see `Network`; `channels` and the like are from 4 pixels up here too.
  """

  @nn.compact
  def __call__(self, x: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
    stages = self.stages()
    x = pointwise(stages[-1]['channels'], dtype=self.dtype, name='images')(x)
    for i in reversed(range(len(stages))):
      x = self.residual(x, stages, i)
      if i:
        x = downsample(x)
        if stages[i - 1]['channels'] != x.shape[-1]:
          x = pointwise(stages[i - 1]['channels'], dtype=self.dtype, name=f'down_{i}')(x)
    basis = self.param('basis', normal(1 / 4), (4, 4, x.shape[-1]))
    h = jnp.einsum('bijc,ijc->bc', widen(x), basis.astype(wide(x.dtype)))
    if not self.num_classes:
      return dense(1, h, 'linear')[:, 0]
    size = self.embed_dim or stages[0]['channels']
    label = embed(self.num_classes, size, labels, 1 / math.sqrt(size))
    return (dense(size, h, 'linear') * label).sum(-1)


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The R3GAN game for images of the given shape; options as in `from_networks`."""
  return from_networks(Generator, Discriminator, image_shape, num_classes, **options)

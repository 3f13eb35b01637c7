"""Generators of the PyTorch DCGAN tutorial, and of the many that were made after it, to jaxgan variables.

Read a file with `torch_file.read`, then

  module, variables = generator(state_dict)
  images = module.apply(variables, z, labels, train=False)   # NHWC in [-1, 1]

The layout is one `nn.Sequential` called main, of ConvTranspose2d, BatchNorm2d, ReLU in turn and a last
ConvTranspose2d with Tanh, so that layer i is main.{3 i} and its norm main.{3 i + 1}:

  main.0.weight   [nz, ngf * 2^n, 4, 4]       stride 1, padding 0: z as a 1x1 map becomes 4x4
  main.3.weight   [ngf * 2^n, ..., 4, 4]      stride 2, padding 1: doubles the size, halves the width
  ...
  main.{3n+3}     [ngf, nc, 4, 4]             the images

The number of doublings is counted from the names: four is the tutorial's 64 pixels. z is what the first
layer takes: where a class went in as a one-hot vector after the latent, z is both of them, and
nz = latent + classes. The labels that the module is called with change nothing.
"""

import re
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgan.importers.state_dict import array, listed, strip
from jaxgan.importers.torch_file import WeightsError
from jaxgan.models import dcgan

NORM = {'weight': 'scale', 'bias': 'bias'}
STATISTICS = {'running_mean': 'mean', 'running_var': 'var'}


def generator(
  state_dict: Mapping[str, Any], ngf: int = 64, nz: int = 100, nc: int = 3
) -> tuple[dcgan.Generator, dict[str, Any]]:
  """The generator of a checkpoint.

  Args:
    state_dict: names -> arrays (NumPy, JAX or torch), with or without DataParallel's 'module.'.
    ngf: width of the layer before the images; each one before it is twice as wide.
    nz: size of what the first layer takes: the latent, with the classes where they are given.
    nc: channels of the images.

  Returns:
    (module, variables): `module.apply(variables, z [B, nz], labels [B], train=False)` gives images
    [B, H, W, nc] in [-1, 1]; variables hold 'params' and 'batch_stats'.

  Raises:
    WeightsError: weights that are missing, superfluous or of another shape; one line that names the
      key, its shape and the one expected.

  Source: Radford, Metz, Chintala 2015, arXiv 1511.06434, in the form of PyTorch's tutorial (kernels of
  4x4, epsilon 1e-5).
  """
  sizes = {'ngf': ngf, 'nz': nz, 'nc': nc}
  if not all(isinstance(size, int) and size > 0 for size in sizes.values()):
    raise WeightsError(f'{sizes}; expected whole numbers, 1 or more')
  given = strip(state_dict)
  layers = [int(found[1]) for k in given if (found := re.match(r'main\.(\d+)\.', k))]
  if not layers or max(layers) < 3:
    raise WeightsError(
      "no weights 'main.0.weight', 'main.3.weight' and so on; expected the layout of the PyTorch "
      f'tutorial, given {listed(list(given)) or "nothing"}'
    )
  doublings = -(-max(layers) // 3)
  expected = _shapes(doublings, ngf, nz, nc)
  optional = {f'main.{3 * i}.bias' for i in range(doublings + 1)}  # the tutorial leaves them out
  for name, shape in expected.items():
    if f'{name}_orig' in given:
      raise WeightsError(f'{name}_orig: spectral norm, which the tutorial does not have')
    if name not in given:
      if name in optional:
        continue
      raise WeightsError(f'{name} is missing; expected an array of shape {shape}')
    if tuple(given[name].shape) != shape:
      raise WeightsError(
        f'{name} has shape {tuple(given[name].shape)}; expected {shape} '
        f'for ngf={ngf}, nz={nz}, nc={nc} and {4 << doublings} pixels'
      )
  unknown = [k for k in given if k not in expected and not k.endswith('.num_batches_tracked')]
  if unknown:
    raise WeightsError(
      f'no place for {listed(unknown)}; {4 << doublings} pixels have main.0 to main.{3 * doublings}'
    )
  module = dcgan.Generator(
    resolution=4 << doublings,
    image_channels=nc,
    dim_z=nz,
    channels=ngf,
    bn_eps=1e-5,
    image_bias=f'main.{3 * doublings}.bias' in given,
  )
  return module, _variables({k: array(given[k]) for k in expected if k in given}, doublings)


def _shapes(doublings: int, ngf: int, nz: int, nc: int) -> dict[str, tuple[int, ...]]:
  """Every name with its shape, those that may be absent too."""
  widths = [nz, *(ngf << i for i in reversed(range(doublings))), nc]
  shapes: dict[str, tuple[int, ...]] = {}
  for i in range(doublings + 1):
    shapes[f'main.{3 * i}.weight'] = (widths[i], widths[i + 1], 4, 4)
    shapes[f'main.{3 * i}.bias'] = (widths[i + 1],)
    if i < doublings:
      shapes |= {f'main.{3 * i + 1}.{name}': (widths[i + 1],) for name in (*NORM, *STATISTICS)}
  return shapes


def _variables(given: Mapping[str, np.ndarray], doublings: int) -> dict[str, Any]:
  """The arrays in our layout."""
  params: dict[str, Any] = {}
  statistics: dict[str, Any] = {}
  for i in range(doublings + 1):
    weight, bias = given[f'main.{3 * i}.weight'], given.get(f'main.{3 * i}.bias')
    name = 'linear' if i == 0 else f'up_{i}' if i < doublings else 'images'
    if i == 0:
      # on a 1x1 map with no padding, pixel (p, q) of the 4x4 result is z times the kernel at (p, q)
      kernel = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
    else:
      # [in, out, kh, kw]; a transposed convolution here is torch's, without a flip
      kernel = weight.transpose(2, 3, 0, 1)
    params[name] = {'kernel': kernel}
    if i == doublings:
      if bias is not None:
        params[name]['bias'] = bias
      continue
    of_norm = lambda leaf, i=i: given[f'main.{3 * i + 1}.{leaf}']
    params[f'norm_{i}'] = {ours: of_norm(leaf) for leaf, ours in NORM.items()}
    moments = {ours: of_norm(leaf) for leaf, ours in STATISTICS.items()}
    if bias is not None:
      moments['mean'] = moments['mean'] - bias  # a shift before the norm is one of its mean
    statistics[f'norm_{i}'] = moments
  to_jax = lambda tree: {
    name: {leaf: jnp.asarray(value) for leaf, value in node.items()} for name, node in tree.items()
  }
  return {'params': to_jax(params), 'batch_stats': to_jax(statistics)}

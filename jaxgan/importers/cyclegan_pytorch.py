"""Networks of pytorch-CycleGAN-and-pix2pix, and of its descendant CUT, to jaxgan variables.

Read a file (`latest_net_G_A.pth`) with `torch_file.read`, then

  module, variables = generator(state_dict, netG='resnet_9blocks')
  images = module.apply(variables, x, train=False)   # NHWC in [-1, 1]

The arguments are the reference's and have its defaults. Whether layers have biases, and instance norms
a gain, is seen from the names. Running statistics of instance norms, which checkpoints of before 2018
hold, are left out, as the reference leaves them out: pictures are normalised by their own.

A batch norm in use has its running statistics. pix2pix was published with those of the picture itself and
with dropout: `module.apply(variables, x, train=True, rngs={'dropout': key}, mutable=False)`, one picture
at a time.
"""

import numbers
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgan.importers.state_dict import array, listed, strip
from jaxgan.importers.torch_file import WeightsError
from jaxgan.nn.patchgan import PatchDiscriminator, PixelDiscriminator
from jaxgan.nn.resnet_generator import ResNetGenerator
from jaxgan.nn.unet import UNetGenerator

NORMS = ('batch', 'instance', 'none')
PADDINGS = ('reflect', 'replicate', 'zero')
IGNORED = re.compile(r'\.(num_batches_tracked|filt)$')  # counters; the fixed filters of CUT's blurs
RUNNING = re.compile(r'\.running_(mean|var)$')
# the axes of [out, in, kh, kw] and of a transposed convolution's [in, out, kh, kw] as [kh, kw, in, out]
AXES = {'conv': (2, 3, 1, 0), 'transposed': (2, 3, 0, 1)}


class Layer(NamedTuple):
  """One layer of theirs: its name, ours, and what it is.

  Attributes:
    theirs, ours: the names.
    kind: 'conv', 'transposed' or 'norm'.
    inner, outer: features that go in and come out.
    size: side of the kernel.
    bias: True, False, or None where it depends on the norm.
  """

  theirs: str
  ours: str
  kind: str
  inner: int
  outer: int
  size: int = 1
  bias: bool | None = None


def generator(
  state_dict: Mapping[str, Any],
  netG: str = 'resnet_9blocks',
  ngf: int = 64,
  norm: str = 'instance',
  input_nc: int = 3,
  output_nc: int = 3,
  use_dropout: bool = False,
  padding_type: str = 'reflect',
  no_antialias: bool = True,
) -> tuple[nn.Module, dict[str, Any]]:
  """The generator of a checkpoint.

  Args:
    state_dict: names -> arrays (NumPy, JAX or torch), with or without DataParallel's 'module.'.
    netG: 'resnet_Nblocks' (6 and 9 in the reference) or 'unet_SIZE' (128 and 256), a power of two.
    ngf: features of the first layer.
    norm: 'batch', 'instance' or 'none'.
    input_nc, output_nc: channels of the pictures.
    use_dropout: dropout of one half in training; the reference's `not no_dropout`.
    padding_type: within residual blocks, 'reflect', 'replicate' or 'zero'.
    no_antialias: False for CUT's blurred sampling, down and up.

  Returns:
    (module, variables): `module.apply(variables, x [B, H, W, input_nc], train=False)` gives images
    [B, H, W, output_nc] in [-1, 1].

  Raises:
    WeightsError: an unknown argument, or weights that are missing, superfluous or of another shape; one
      line.

  Source: Isola et al. 2016, arXiv 1611.07004; Zhu et al. 2017, arXiv 1703.10593; Park et al. 2020, arXiv
  2007.15651, in the authors' PyTorch code.
  """
  _check_whole(ngf=ngf, input_nc=input_nc, output_nc=output_nc)
  _check_bool(use_dropout=use_dropout, no_antialias=no_antialias)
  if padding_type not in PADDINGS:
    raise WeightsError(f'padding_type={padding_type!r}; expected one of {", ".join(PADDINGS)}')
  rate = 0.5 if use_dropout else 0.0
  shared: dict[str, Any] = {'channels': ngf, 'image_channels': output_nc, 'dropout': rate}
  found = re.fullmatch(r'resnet_(\d+)blocks|unet_(\d+)', str(netG))
  if found and found[1]:
    blocks = int(found[1])
    _check_blocks(strip(state_dict), padding_type, use_dropout)
    layers = _resnet(blocks, ngf, input_nc, output_nc, padding_type, use_dropout, not no_antialias)
    module: nn.Module = ResNetGenerator(
      blocks=blocks, padding=padding_type, antialias=not no_antialias, **shared
    )
  elif found and int(found[2]).bit_count() == 1 and int(found[2]) > 2:
    depth = int(found[2]).bit_length() - 1
    layers = _unet(depth, ngf, input_nc, output_nc)
    module = UNetGenerator(depth=depth, **shared)
  else:
    raise WeightsError(f'netG={netG!r}; expected resnet_9blocks, resnet_6blocks, unet_256, ...')
  biases = {'instance': True, 'none': False}
  return _filled(module, layers, state_dict, norm, biases, f'netG={netG}, ngf={ngf}, norm={norm}')


def discriminator(
  state_dict: Mapping[str, Any],
  netD: str = 'basic',
  ndf: int = 64,
  n_layers_D: int = 3,
  norm: str = 'instance',
  input_nc: int = 3,
  no_antialias: bool = True,
) -> tuple[nn.Module, dict[str, Any]]:
  """The discriminator of a checkpoint.

  Args:
    state_dict: as in `generator`.
    netD: 'basic' (patches of 70 pixels), 'n_layers' or 'pixel'.
    ndf: features of the first layer.
    n_layers_D: halvings, of 'n_layers' alone.
    norm: 'batch', 'instance' or 'none'.
    input_nc: channels of what is judged: of pix2pix those of input and output together.
    no_antialias: False for CUT's blurred sampling.

  Returns:
    (module, variables): `module.apply(variables, x [B, H, W, input_nc], train=False)` gives logits
    [B, h, w], one a patch.

  Raises:
    WeightsError: as in `generator`.

  Source: as `generator`.
  """
  _check_whole(ndf=ndf, n_layers_D=n_layers_D, input_nc=input_nc)
  _check_bool(no_antialias=no_antialias)
  if netD == 'pixel':
    layers = [
      Layer('net.0', 'conv_0', 'conv', input_nc, ndf, 1, True),
      Layer('net.2', 'conv_1', 'conv', ndf, 2 * ndf),
      Layer('net.3', 'norm_1', 'norm', 2 * ndf, 2 * ndf),
      Layer('net.5', 'logits', 'conv', 2 * ndf, 1),
    ]
    module: nn.Module = PixelDiscriminator(channels=ndf)
    # Those of the reference and of its descendants contradict one another.
    biases: dict[str, bool] = {}
  elif netD in ('basic', 'n_layers'):
    count = n_layers_D if netD == 'n_layers' else 3
    layers = _patches(count, ndf, input_nc, not no_antialias)
    module = PatchDiscriminator(channels=ndf, layers=count, antialias=not no_antialias)
    biases = {'instance': True}  # without norms some descendants have them
  else:
    raise WeightsError(f'netD={netD!r}; expected basic, n_layers or pixel')
  return _filled(module, layers, state_dict, norm, biases, f'netD={netD}, ndf={ndf}, norm={norm}')


def _check_whole(**arguments: Any) -> None:
  for name, value in arguments.items():
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
      raise WeightsError(f'{name}={value!r}; expected a whole number, 1 or more')


def _check_bool(**arguments: Any) -> None:
  for name, value in arguments.items():
    if not isinstance(value, bool):
      raise WeightsError(f'{name}={value!r}; expected True or False')


def _places(padding_type: str, use_dropout: bool) -> tuple[int, int]:
  """Numbers of the convolutions of a residual block."""
  padded = int(padding_type != 'zero')
  return padded, 2 * padded + 3 + use_dropout


def _check_blocks(given: Mapping[str, Any], padding_type: str, use_dropout: bool) -> None:
  """Whether the residual blocks of the weights have the paddings and the dropout of the arguments."""
  found = {
    int(match[1])
    for name, value in given.items()
    if (match := re.search(r'\.conv_block\.(\d+)\.weight$', name)) and len(value.shape) == 4
  }
  for padding in (padding_type, *PADDINGS):
    for dropout in (use_dropout, not use_dropout):
      if found == set(_places(padding, dropout)):
        if (padding, dropout) != (padding_type, use_dropout):
          raise WeightsError(
            f'residual blocks of padding_type={padding!r}, use_dropout={dropout}; give these'
          )
        return


def _unet(depth: int, ngf: int, input_nc: int, output_nc: int) -> list[Layer]:
  """Every block lies in the one around it: model.model.1.model.3.model.3..."""
  width = lambda i: ngf * min(2**i, 8)
  layers = [
    Layer('model.model.0', 'down_0', 'conv', input_nc, ngf, 4),
    Layer('model.model.3', 'images', 'transposed', 2 * ngf, output_nc, 4, True),
  ]
  block = 'model.model.1.model'
  for i in range(1, depth):
    inner, outer, last = width(i), width(i - 1), i == depth - 1
    up = 3 if last else 5  # the innermost block has no norm on its way down and no block inside
    layers += [
      Layer(f'{block}.1', f'down_{i}', 'conv', outer, inner, 4),
      Layer(f'{block}.{up}', f'up_{i}', 'transposed', inner * (1 if last else 2), outer, 4),
      Layer(f'{block}.{up + 1}', f'up_norm_{i}', 'norm', outer, outer),
    ]
    if not last:
      layers.append(Layer(f'{block}.2', f'down_norm_{i}', 'norm', inner, inner))
    block = f'{block}.3.model'
  return layers


def _resnet(
  blocks: int,
  ngf: int,
  input_nc: int,
  output_nc: int,
  padding_type: str,
  use_dropout: bool,
  antialias: bool,
) -> list[Layer]:
  """model.1, model.4, ...: paddings, activations and blurs count in the numbers too."""
  layers = [
    Layer('model.1', 'first', 'conv', input_nc, ngf, 7),
    Layer('model.2', 'first_norm', 'norm', ngf, ngf),
  ]
  place = 4
  for i in range(2):
    wide = ngf * 2 ** (i + 1)
    layers.append(Layer(f'model.{place}', f'down_{i}', 'conv', wide // 2, wide, 3))
    layers.append(Layer(f'model.{place + 1}', f'down_norm_{i}', 'norm', wide, wide))
    place += 3 + antialias
  wide = 4 * ngf
  for i in range(blocks):
    inside = f'model.{place + i}.conv_block'
    for j, at in enumerate(_places(padding_type, use_dropout)):
      layers.append(Layer(f'{inside}.{at}', f'block_{i}_conv_{j}', 'conv', wide, wide, 3))
      layers.append(Layer(f'{inside}.{at + 1}', f'block_{i}_norm_{j}', 'norm', wide, wide))
  place += blocks
  for i in range(2):
    place += antialias  # the blur comes first here
    kind, outer = 'conv' if antialias else 'transposed', wide // 2
    layers.append(Layer(f'model.{place}', f'up_{i}', kind, wide, outer, 3))
    layers.append(Layer(f'model.{place + 1}', f'up_norm_{i}', 'norm', outer, outer))
    place, wide = place + 3, outer
  return [*layers, Layer(f'model.{place + 1}', 'images', 'conv', ngf, output_nc, 7, True)]


def _patches(count: int, ndf: int, input_nc: int, antialias: bool) -> list[Layer]:
  layers = [Layer('model.0', 'conv_0', 'conv', input_nc, ndf, 4, True)]
  place, inner = 2 + antialias, ndf
  for i in range(1, count + 1):
    outer = ndf * min(2**i, 8)
    layers.append(Layer(f'model.{place}', f'conv_{i}', 'conv', inner, outer, 4))
    layers.append(Layer(f'model.{place + 1}', f'norm_{i}', 'norm', outer, outer))
    place, inner = place + 3 + (antialias and i < count), outer
  return [*layers, Layer(f'model.{place}', 'logits', 'conv', inner, 1, 4, True)]


def _filled(
  module: nn.Module,
  layers: list[Layer],
  state_dict: Mapping[str, Any],
  norm: str,
  biases: Mapping[str, bool],
  told: str,
) -> tuple[nn.Module, dict[str, Any]]:
  """The module with the norm and the biases that the weights have, and its variables.

  `biases` has the norms without parameters for which biases before them are sure, or sure to be missing.

  Raises:
    WeightsError: see `generator`.
  """
  if norm not in NORMS:
    raise WeightsError(f'norm={norm!r}; expected one of {", ".join(NORMS)}')
  given = {k: v for k, v in strip(state_dict).items() if not IGNORED.search(k)}
  biased = any(f'{x.theirs}.bias' in given for x in layers if x.kind != 'norm' and x.bias is None)
  gains = any(f'{x.theirs}.weight' in given for x in layers if x.kind == 'norm')
  if gains and any(
    map(RUNNING.search, given)
  ):  # the reference's convolutions have one or the other
    if norm == 'instance' and not biased:
      raise WeightsError(
        "running statistics and no biases: these are batch norms; give norm='batch'"
      )
    if norm == 'batch' and biased:
      raise WeightsError("biases before the norms: these are instance norms; give norm='instance'")
  if norm == 'instance':
    given = {k: v for k, v in given.items() if not RUNNING.search(k)}
  kind = 'instance_affine' if norm == 'instance' and gains else norm
  expected: dict[str, tuple[tuple[str, str, str], tuple[int, ...], tuple[int, ...] | None]] = {}
  for x in layers:
    if x.kind == 'norm':
      leaves = {'weight': 'scale', 'bias': 'bias'} if kind in ('batch', 'instance_affine') else {}
      for theirs, ours in leaves.items():
        expected[f'{x.theirs}.{theirs}'] = ('params', x.ours, ours), (x.outer,), None
      for moment in ('mean', 'var') if kind == 'batch' else ():
        expected[f'{x.theirs}.running_{moment}'] = ('batch_stats', x.ours, moment), (x.outer,), None
      continue
    ends = (x.inner, x.outer) if x.kind == 'transposed' else (x.outer, x.inner)
    path = ('params', x.ours, 'kernel')
    expected[f'{x.theirs}.weight'] = path, (*ends, x.size, x.size), AXES[x.kind]
    if biased if x.bias is None else x.bias:
      expected[f'{x.theirs}.bias'] = ('params', x.ours, 'bias'), (x.outer,), None
  missing = [name for name in expected if name not in given]
  unknown = [name for name in given if name not in expected]
  if missing or unknown:
    parts = [f'without {listed(missing)}'] * bool(missing)
    parts += [f'and no place for {listed(unknown)}'] * bool(unknown)
    raise WeightsError(f'weights {" ".join(parts)}; expected those of {told}')
  if not gains and biased != biases.get(norm, biased):
    found, right = ('biases', 'instance') if biased else ('no biases and no gains', 'none')
    raise WeightsError(
      f'{found} where norm={norm!r} would be; this looks like norm={right!r}: give it'
    )
  variables: dict[str, Any] = {}
  for name, (path, shape, axes) in expected.items():
    if tuple(given[name].shape) != shape:
      raise WeightsError(
        f'{name} has shape {tuple(given[name].shape)}; expected {shape} for {told}'
      )
    value = array(given[name])
    node = variables.setdefault(path[0], {}).setdefault(path[1], {})
    node[path[2]] = jnp.asarray(value if axes is None else np.transpose(value, axes))
  return module.clone(norm=kind, use_bias=biased), variables

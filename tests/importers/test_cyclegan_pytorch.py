"""The importer of pytorch-CycleGAN-and-pix2pix: outputs of torch modules of the same names, and its errors.

`tests/nn/test_translators_golden.py` compares recorded outputs and gradients; here are the networks as they
are published, narrow, the checkpoints of before 2018 and the mistakes.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.importers import WeightsError, cyclegan_pytorch, torch_file
from tests import recorded
from tests.recorded import close, nchw, nhwc, part

from .torch_files import Tensor, save

torch = pytest.importorskip('torch')
NUMBERS = recorded.read('cyclegan/resnet6_instance_zero_pad')
ARGS = {'netG': 'resnet_2blocks', 'ngf': 6, 'padding_type': 'zero'}


def state():
  return part(NUMBERS, 'param/')


def norm_of(kind, width):
  nn = torch.nn
  return {
    'batch': lambda: nn.BatchNorm2d(width),
    'instance': lambda: nn.InstanceNorm2d(width),
    'early': lambda: nn.InstanceNorm2d(width, track_running_stats=True),
    'affine': lambda: nn.InstanceNorm2d(width, affine=True),
    'early affine': lambda: nn.InstanceNorm2d(width, affine=True, track_running_stats=True),
    'none': lambda: nn.Identity(),
  }[kind]()


class Block(torch.nn.Module):
  """A residual block: its layers under the name conv_block."""

  def __init__(self, width, kind, bias):
    super().__init__()
    half = lambda: [
      torch.nn.ReflectionPad2d(1),
      torch.nn.Conv2d(width, width, 3, bias=bias),
      norm_of(kind, width),
    ]
    self.conv_block = torch.nn.Sequential(*half(), torch.nn.ReLU(), *half())

  def forward(self, x):
    return x + self.conv_block(x)


class ResNet(torch.nn.Module):
  """Layers under the name model."""

  def __init__(self, width, blocks, kind):
    super().__init__()
    nn, bias = torch.nn, kind not in ('batch', 'none')
    layers = [
      nn.ReflectionPad2d(3),
      nn.Conv2d(3, width, 7, bias=bias),
      norm_of(kind, width),
      nn.ReLU(),
    ]
    for _ in range(2):
      layers += [
        nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias),
        norm_of(kind, 2 * width),
        nn.ReLU(),
      ]
      width *= 2
    layers += [Block(width, kind, bias) for _ in range(blocks)]
    for _ in range(2):
      up = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1, bias=bias)
      layers += [up, norm_of(kind, width // 2), nn.ReLU()]
      width //= 2
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()]
    self.model = nn.Sequential(*layers)

  def forward(self, x):
    return self.model(x)


class Skip(torch.nn.Module):
  """A level of a U-Net with all levels inside it, its layers under the name model."""

  def __init__(self, outer, inner, kind, inside=None, outermost=False, given=None):
    super().__init__()
    nn, bias = torch.nn, kind not in ('batch', 'none')
    down = nn.Conv2d(given or outer, inner, 4, 2, 1, bias=bias)
    up = nn.ConvTranspose2d(inner * (2 if inside else 1), outer, 4, 2, 1, bias=outermost or bias)
    if outermost:
      layers = [down, inside, nn.ReLU(), up, nn.Tanh()]
    elif inside is None:
      layers = [nn.LeakyReLU(0.2), down, nn.ReLU(), up, norm_of(kind, outer)]
    else:
      layers = [
        nn.LeakyReLU(0.2),
        down,
        norm_of(kind, inner),
        inside,
        nn.ReLU(),
        up,
        norm_of(kind, outer),
      ]
    self.model, self.outermost = nn.Sequential(*layers), outermost

  def forward(self, x):
    return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class UNet(torch.nn.Module):
  """The outermost level under the name model."""

  def __init__(self, width, depth, kind):
    super().__init__()
    block = None
    for i in reversed(range(1, depth)):
      block = Skip(width * min(2 ** (i - 1), 8), width * min(2**i, 8), kind, block)
    self.model = Skip(3, width, kind, block, outermost=True)

  def forward(self, x):
    return self.model(x)


def patchgan(width, layers, kind):
  nn, bias = torch.nn, kind not in ('batch', 'none')
  inside = [nn.Conv2d(6, width, 4, 2, 1), nn.LeakyReLU(0.2)]
  before = width
  for i in range(1, layers + 1):
    after = width * min(2**i, 8)
    conv = nn.Conv2d(before, after, 4, 2 if i < layers else 1, 1, bias=bias)
    inside += [conv, norm_of(kind, after), nn.LeakyReLU(0.2)]
    before = after
  module = nn.Module()
  module.model = nn.Sequential(*inside, nn.Conv2d(before, 1, 4, 1, 1))
  module.forward = lambda x: module.model(x)
  return module


def randomised(module):
  """Every entry random, of a size that keeps the activations."""
  torch.manual_seed(0)
  with torch.no_grad():
    for name, x in module.state_dict().items():
      if name.endswith('running_var'):
        x.uniform_(0.5, 1.5)
      elif x.dtype.is_floating_point:
        x.normal_(0, (2 / x[0].numel()) ** 0.5 if x.dim() == 4 else 0.3)
  return module


def compared(module, made, channels, training=False):
  """Whether ours gives what torch gives for 32x64 pixels."""
  x = torch.randn(2, channels, 32, 64)
  with torch.no_grad():
    theirs = module.train(training)(x).numpy()
  ours, variables = made
  out = jax.jit(ours.apply)(variables, nhwc(x.numpy()))
  assert theirs.std() > 0.05
  close(nchw(out) if theirs.shape[1] != 1 else out[:, None], theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('kind', ['batch', 'instance', 'affine', 'none'])
def test_residual_generators(kind):
  module = randomised(ResNet(4, 3, kind))
  norm = {'affine': 'instance'}.get(kind, kind)
  made = cyclegan_pytorch.generator(module.state_dict(), 'resnet_3blocks', ngf=4, norm=norm)
  compared(module, made, 3)


@pytest.mark.parametrize('kind', ['batch', 'instance'])
def test_unets(kind):
  module = randomised(UNet(4, 5, kind))
  made = cyclegan_pytorch.generator(module.state_dict(), 'unet_32', ngf=4, norm=kind)
  compared(module, made, 3)


@pytest.mark.parametrize(
  'layers, net, kind',
  [(3, 'basic', 'instance'), (2, 'n_layers', 'batch'), (1, 'n_layers', 'affine')],
)
def test_discriminators(layers, net, kind):
  module = randomised(patchgan(4, layers, kind))
  norm = {'affine': 'instance'}.get(kind, kind)
  made = cyclegan_pytorch.discriminator(
    module.state_dict(), net, ndf=4, n_layers_D=layers, norm=norm, input_nc=6
  )
  compared(module, made, 6)


def test_early_checkpoints_have_statistics_that_are_left_out():
  """As in the reference, which normalises pictures by their own: torch's module in training."""
  module = randomised(ResNet(4, 2, 'early'))
  weights = module.state_dict()
  assert any('running_mean' in name for name in weights)
  made = cyclegan_pytorch.generator(weights, 'resnet_2blocks', ngf=4)
  assert 'batch_stats' not in made[1]
  compared(module, made, 3, training=True)


@pytest.mark.parametrize(
  'kind, norm, right', [('batch', 'instance', 'batch'), ('early affine', 'batch', 'instance')]
)
def test_one_norm_is_not_taken_for_the_other(kind, norm, right):
  made = [
    (
      cyclegan_pytorch.generator,
      randomised(ResNet(4, 2, kind)),
      {'netG': 'resnet_2blocks', 'ngf': 4},
    ),
    (cyclegan_pytorch.generator, randomised(UNet(4, 5, kind)), {'netG': 'unet_32', 'ngf': 4}),
    (cyclegan_pytorch.discriminator, randomised(patchgan(4, 3, kind)), {'ndf': 4, 'input_nc': 6}),
  ]
  for make, module, options in made:
    with pytest.raises(WeightsError, match=f"give norm='{right}'"):
      make(module.state_dict(), norm=norm, **options)
    make(module.state_dict(), norm=right, **options)


@pytest.mark.parametrize('kind, norm', [('none', 'instance'), ('instance', 'none')])
def test_no_norm_and_one_without_parameters_are_told_by_the_biases(kind, norm):
  make = cyclegan_pytorch.generator
  for module, net in ((ResNet(4, 2, kind), 'resnet_2blocks'), (UNet(4, 5, kind), 'unet_32')):
    with pytest.raises(WeightsError, match=f"looks like norm='{kind}': give it") as error:
      make(module.state_dict(), net, ngf=4, norm=norm)
    assert '\n' not in str(error.value)
    make(module.state_dict(), net, ngf=4, norm=kind)
  patch = patchgan(4, 3, kind).state_dict()
  if norm == 'instance':
    with pytest.raises(WeightsError, match="looks like norm='none': give it"):
      cyclegan_pytorch.discriminator(patch, ndf=4, input_nc=6)
  else:  # some descendants have biases there
    cyclegan_pytorch.discriminator(patch, ndf=4, input_nc=6, norm=norm)


@pytest.mark.parametrize('norm', ['instance', 'none'])
@pytest.mark.parametrize('bias', [False, True])
def test_pixel_discriminators_have_biases_or_not(norm, bias):
  nn = torch.nn
  layers = [nn.Conv2d(3, 4, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 8, 1, bias=bias), nn.Identity()]
  net = nn.Sequential(*layers, nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 1, bias=bias))
  weights = {f'net.{k}': v for k, v in net.state_dict().items()}
  cyclegan_pytorch.discriminator(weights, 'pixel', ndf=4, norm=norm)


def test_the_published_networks_have_a_place():
  """Every weight of the networks as they are published, by shape alone."""
  with torch.device('meta'):
    nine, unet, patch = ResNet(64, 9, 'instance'), UNet(64, 8, 'batch'), patchgan(64, 3, 'instance')
  zeros = lambda m: {k: np.zeros(v.shape, np.float32) for k, v in m.state_dict().items()}
  module, variables = cyclegan_pytorch.generator(zeros(nine))
  size = lambda variables: sum(x.size for x in jax.tree.leaves(variables['params']))
  assert (module.blocks, size(variables)) == (9, 11_378_179)
  module, variables = cyclegan_pytorch.generator(
    zeros(unet), 'unet_256', norm='batch', use_dropout=True
  )
  assert (module.depth, module.dropout, size(variables)) == (8, 0.5, 54_413_955)
  _, variables = cyclegan_pytorch.discriminator(zeros(patch), input_nc=6)
  assert size(variables) == 2_767_809


@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])
def test_from_a_file_with_a_prefix(tmp_path, legacy):
  given = {f'module.{k}': Tensor(v) for k, v in state().items()}
  save(tmp_path / 'latest_net_G.pth', given, legacy)
  module, variables = cyclegan_pytorch.generator(
    torch_file.read(tmp_path / 'latest_net_G.pth'), **ARGS
  )
  image = jnp.asarray(nhwc(NUMBERS['in/x_uint8']).astype(np.float32) / 127.5 - 1)
  close(nchw(jax.jit(module.apply)(variables, image)), NUMBERS['eval/out'], atol=1e-4)


@pytest.mark.parametrize(
  'change, given, message',
  [
    ({'ngf': 8}, {}, r'model\.1\.weight has shape \(6, 3, 7, 7\); expected \(8, 3, 7, 7\)'),
    ({'netG': 'resnet_3blocks'}, {}, r'without model\.12\.conv_block\.0\.weight'),
    ({'netG': 'resnet9'}, {}, "netG='resnet9'; expected resnet_9blocks"),
    ({'netG': 'unet_100'}, {}, "netG='unet_100'; expected resnet_9blocks"),
    ({'norm': 'batch'}, {}, r'without model\.2\.weight, .* more; expected those of netG=resnet_2'),
    ({'norm': 'layer'}, {}, "norm='layer'; expected one of batch, instance, none"),
    ({}, {'model.1.weight': None}, r'weights without model\.1\.weight; expected'),
    ({}, {'fc.weight': np.zeros(3)}, r'no place for fc\.weight; expected those of netG'),
    ({'padding_type': 'reflect'}, {}, "blocks of padding_type='zero', use_dropout=False; give"),
    ({'use_dropout': True}, {}, "blocks of padding_type='zero', use_dropout=False; give these"),
    ({'padding_type': None}, {}, 'padding_type=None; expected one of reflect, replicate, zero'),
    ({'padding_type': 'same'}, {}, "padding_type='same'; expected one of reflect"),
    ({'netG': None}, {}, 'netG=None; expected resnet_9blocks'),
    ({'ngf': '8'}, {}, "ngf='8'; expected a whole number, 1 or more"),
    ({'output_nc': 0}, {}, 'output_nc=0; expected a whole number, 1 or more'),
    ({'use_dropout': 'no'}, {}, "use_dropout='no'; expected True or False"),
  ],
)
def test_one_clear_line(change, given, message):
  weights = {k: v for k, v in {**state(), **given}.items() if v is not None}
  with pytest.raises(WeightsError, match=message) as error:
    cyclegan_pytorch.generator(weights, **{**ARGS, **change})
  assert '\n' not in str(error.value)


def test_dropout_that_is_not_asked_for():
  moved = {re.sub(r'(conv_block)\.3\.', r'\1.4.', k): v for k, v in state().items()}
  with pytest.raises(WeightsError, match=r"padding_type='zero', use_dropout=True; give these"):
    cyclegan_pytorch.generator(moved, **ARGS)
  cyclegan_pytorch.generator(moved, **ARGS, use_dropout=True)


def test_the_prefixes_of_compiled_and_parallel_networks():
  plain = cyclegan_pytorch.generator(state(), **ARGS)[1]
  for prefix in ('_orig_mod.', 'module._orig_mod.', '_orig_mod.module.'):
    given = {f'{prefix}{k}': v for k, v in state().items()}
    jax.tree.map(np.testing.assert_array_equal, plain, cyclegan_pytorch.generator(given, **ARGS)[1])


@pytest.mark.parametrize('layers', [2.5, True, 0, None])
def test_a_count_of_layers_that_is_none(layers):
  with pytest.raises(WeightsError, match=f'n_layers_D={layers}; expected a whole number'):
    cyclegan_pytorch.discriminator({}, 'n_layers', n_layers_D=layers)


def test_an_unknown_discriminator():
  with pytest.raises(WeightsError, match="netD='patch'; expected basic, n_layers or pixel"):
    cyclegan_pytorch.discriminator({}, 'patch')

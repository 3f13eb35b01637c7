"""The importer of the PyTorch tutorial's DCGAN: pictures as torch draws them, and its errors."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.importers import WeightsError, dcgan_pytorch, torch_file
from tests import recorded
from tests.recorded import close, nchw, nhwc

from .torch_files import Tensor, save

# Random weights of the tutorial's layers (latent 7 and 3 classes, ngf 4, 32 pixels, 3 channels), a
# batch of z and its pictures in evaluation and, with the new running statistics, in training.
NUMBERS = recorded.read('dcgan_pytorch/generator32')
ARGS = {'ngf': 4, 'nz': 10, 'nc': 3}
LABELS = jnp.zeros(len(NUMBERS['z']), jnp.int32)


def state(prefix='G/'):
  return recorded.part(NUMBERS, prefix)


def drawn(made, z=NUMBERS['z']):
  module, variables = made
  return jax.jit(module.apply)(variables, z, LABELS)


def test_pictures_are_torchs():
  module, variables = dcgan_pytorch.generator(state(), **ARGS)
  assert (module.resolution, module.dim_z, module.image_bias) == (32, 10, False)
  image = drawn((module, variables))
  assert image.std() > 0.3
  close(nchw(image), NUMBERS['eval'])


def test_training_is_torchs():
  """Batch statistics, and what becomes of the running ones."""
  module, variables = dcgan_pytorch.generator(state(), **ARGS)
  image, new = module.apply(variables, NUMBERS['z'], LABELS, train=True, mutable=['batch_stats'])
  close(nchw(image), NUMBERS['train'])
  _, expected = dcgan_pytorch.generator(state() | state('new/'), **ARGS)
  jax.tree.map(close, new['batch_stats'], expected['batch_stats'])


@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])
def test_from_a_file(tmp_path, legacy):
  save(tmp_path / 'G.pth', {k: Tensor(v) for k, v in state().items()}, legacy)
  made = dcgan_pytorch.generator(torch_file.read(tmp_path / 'G.pth'), **ARGS)
  close(nchw(drawn(made)), NUMBERS['eval'])


def test_prefix_counters_and_kind_of_array_make_no_difference():
  plain = dcgan_pytorch.generator(state(), **ARGS)[1]
  given = {f'module.{k}': jnp.asarray(v) for k, v in state().items()}
  given['module.main.1.num_batches_tracked'] = np.array(7)
  jax.tree.map(np.testing.assert_array_equal, dcgan_pytorch.generator(given, **ARGS)[1], plain)


def torchs(torch, doublings, ngf, nz, nc, bias):
  """The tutorial's layers with random weights, as a module without the name main before its keys."""
  nn = torch.nn
  widths = [nz, *(ngf << i for i in reversed(range(doublings))), nc]
  layers = []
  for i, (inner, outer) in enumerate(itertools.pairwise(widths)):
    step = (4, 2, 1) if i else (4, 1, 0)
    layers.append(nn.ConvTranspose2d(inner, outer, *step, bias=bias))
    layers += [nn.BatchNorm2d(outer), nn.ReLU(True)] if i < doublings else [nn.Tanh()]
  module = nn.Sequential(*layers)
  with torch.no_grad():
    for name, value in module.state_dict().items():
      if name.endswith('running_var'):
        value.uniform_(0.5, 1.5)
      elif value.dtype.is_floating_point:
        fan_in = value.shape[0] * (16 if name.startswith('0.') else 4) if value.dim() == 4 else 4
        value.normal_(0, (2 / fan_in) ** 0.5)
  return module.eval()


@pytest.mark.parametrize('doublings', [1, 3, 4, 5])
@pytest.mark.parametrize('bias', [False, True])
def test_other_sizes_and_biases_are_torchs(doublings, bias):
  torch = pytest.importorskip('torch')
  torch.manual_seed(doublings)
  theirs = torchs(torch, doublings, ngf=2, nz=6, nc=1 if bias else 3, bias=bias)
  z = torch.randn(len(LABELS), 6)
  with torch.no_grad():
    expected = nhwc(theirs(z[:, :, None, None]).numpy())
  given = {f'main.{k}': v for k, v in theirs.state_dict().items()}  # torch's own tensors
  made = dcgan_pytorch.generator(given, ngf=2, nz=6, nc=1 if bias else 3)
  assert made[0].resolution == 4 << doublings and made[0].image_bias == bias
  assert expected.std() > 0.05  # there is something to compare
  close(drawn(made, z.numpy()), expected)


@pytest.mark.parametrize(
  ('change', 'given', 'message'),
  [
    ({'ngf': 8}, {}, r'main\.0\.weight has shape \(10, 16, 4, 4\); expected \(10, 32, 4, 4\) for'),
    ({'nz': 7}, {}, r'main\.0\.weight has shape \(10, 16, 4, 4\); expected \(7, 16, 4, 4\)'),
    (
      {'nc': 1},
      {},
      r'main\.9\.weight has shape \(4, 3, 4, 4\); expected \(4, 1, 4, 4\).*32 pixels',
    ),
    ({}, {'main.4.running_var': None}, r'main\.4\.running_var is missing; .* shape \(8,\)'),
    ({}, {'main.3.weight': None}, r'main\.3\.weight is missing; .* shape \(16, 8, 4, 4\)'),
    ({}, {'main.9.weight': None}, r'main\.9\.weight is missing; expected .* shape \(4, 3, 4, 4\)'),
    ({}, {'main.0.weight': None}, r'main\.0\.weight is missing'),
    ({}, {'fc.weight': np.zeros(3)}, r'no place for fc\.weight; 32 pixels have main\.0 to main\.9'),
    ({}, {'main.12.weight': np.zeros(3)}, r'main\.0\.weight .* \(10, 32, 4, 4\) for .* 64 pixels'),
  ],
)
def test_one_clear_line(change, given, message):
  weights = {k: v for k, v in {**state(), **given}.items() if v is not None}
  with pytest.raises(WeightsError, match=message) as error:
    dcgan_pytorch.generator(weights, **{**ARGS, **change})
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'given, told', [({}, 'nothing'), ({'fc.weight': np.zeros(3)}, 'fc.weight')]
)
def test_another_layout_is_told(given, told):
  with pytest.raises(WeightsError, match=f'layout of the PyTorch tutorial, given {told}'):
    dcgan_pytorch.generator(given)

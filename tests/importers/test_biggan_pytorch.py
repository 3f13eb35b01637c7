"""The BigGAN-PyTorch importer beyond the golden cases: files, prefixes, arguments and their errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.importers import WeightsError, biggan_pytorch, torch_file
from tests import recorded

from .torch_files import Tensor, save

NUMBERS = recorded.read('biggan/biggan32_shared_hier_attn16')
ARGS = {'G_ch': 6, 'D_ch': 6, 'dim_z': 24, 'G_attn': '16', 'D_attn': '16', 'n_classes': 5}
ARGS |= {'shared_dim': 6, 'hier': True, 'SN_eps': 1e-6, 'resolution': 32}


def state(which):
  return recorded.part(NUMBERS, f'{which}0/')


def same(one, two):
  jax.tree.map(np.testing.assert_array_equal, one, two)


@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])
def test_from_a_file_to_the_recorded_image(tmp_path, legacy):
  save(tmp_path / 'G.pth', {k: Tensor(v) for k, v in state('G').items()}, legacy)
  weights = torch_file.read(tmp_path / 'G.pth')
  module, variables = biggan_pytorch.generator(weights, **ARGS)
  image = jax.jit(module.apply)(variables, NUMBERS['in/z'], NUMBERS['in/y'])
  recorded.close(recorded.nchw(image), NUMBERS['eval/img'], rtol=1e-3, atol=1e-4)


def test_prefix_and_dtype_make_no_difference():
  _, plain = biggan_pytorch.discriminator(state('D'), **ARGS)
  given = {f'module.{k}': jnp.asarray(v) for k, v in state('D').items()}
  same(biggan_pytorch.discriminator(given, **ARGS)[1], plain)


class ReLU:
  """Looks like torch's module: its repr is what counts."""

  __module__ = 'torch.nn.modules.activation'

  def __repr__(self):
    return 'ReLU(inplace=True)'

  def __call__(self, x):
    raise AssertionError('a torch module was called')


@pytest.mark.parametrize('given', ['relu', 'ReLU()', 'ReLU(inplace=True)', 'inplace_relu', ReLU()])
def test_names_of_relu(given):
  module, _ = biggan_pytorch.generator(state('G'), **ARGS, G_activation=given)
  assert module.activation is jax.nn.relu


@pytest.mark.parametrize(
  ('given', 'at_minus_one'),
  [
    ('LeakyReLU(negative_slope=0.2, inplace=True)', -0.2),
    ('leaky_relu', -0.01),
    ('ELU(alpha=0.5)', 0.5 * (np.exp(-1) - 1)),
    ('SiLU()', -1 / (1 + np.e)),
    (jnp.abs, 1.0),
  ],
)
def test_other_activations(given, at_minus_one):
  module, _ = biggan_pytorch.discriminator(state('D'), **ARGS, D_activation=given)
  np.testing.assert_allclose(module.activation(jnp.float32(-1)), at_minus_one, rtol=1e-5)


def test_training_arguments_and_those_of_the_other_network_change_nothing():
  extra = {'G_lr': 1e-4, 'D_B2': 0.99, 'dataset': 'I128', 'G_kernel_size': 7, 'num_D_steps': 2}
  extra |= {'D_wide': False, 'skip_init': True, 'no_optim': True, 'G_init': 'N02'}
  one = biggan_pytorch.generator(state('G'), **ARGS)
  two = biggan_pytorch.generator(state('G'), **ARGS, **extra)
  assert one[0] == two[0]
  same(one[1], two[1])


def test_dim_z_is_rounded_down_as_in_the_reference():
  module, _ = biggan_pytorch.generator(state('G'), **{**ARGS, 'dim_z': 27})
  assert module.dim_z == 24


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'Gch': 6}, "unknown model argument 'Gch'; did you mean 'G_ch'"),
    ({'resolution': 48}, 'resolution=48; expected one of 16, 32'),
    ({'G_attn': 'all'}, "G_attn='all'; expected sizes such as"),
    ({'norm_style': 'gn'}, "norm_style='gn'; expected one of bn, in, nonorm"),
    ({'G_activation': 'sine'}, "G_activation='sine'; expected one of relu"),
    ({'G_shared': False}, 'hier=True needs G_shared=True'),
    ({'dim_z': 3}, 'dim_z=3 is too small to split into 4 chunks'),
    ({'deep': True, 'hier': False}, 'BigGAN-deep needs hier=True and G_shared=True'),
    ({'cross_replica_gain': 'x'}, "cross_replica_gain='x'; expected 'added' or 'multiplied'"),
    ({'G_attn': '8'}, r'weights missing for these arguments: blocks\.0\.1\.g\.weight, .* more'),
    ({'G_attn': '0'}, r'no place for: blocks\.1\.1\.gamma.* more'),
    ({'G_ch': 8}, r'another shape.*o\.weight \(24, 12, 1, 1\) for \(32, 16, 1, 1\), .* more'),
    ({'mybn': True}, r'weights missing.*bn1\.bn\.stored_mean'),
    ({'num_G_SVs': 2}, r'weights missing.*u1'),
  ],
)
def test_one_clear_line(change, message):
  with pytest.raises(WeightsError, match=message) as error:
    biggan_pytorch.generator(state('G'), **{**ARGS, **change})
  assert '\n' not in str(error.value)


def cross_replica_state():
  """The recorded weights as the reference's cross-replica norm would name them."""
  names = {k: k.replace('.stored_', '.bn.running_') for k in state('G')}
  given = {names[k]: v for k, v in state('G').items()}
  return given | {'output_layer.0.bn.num_batches_tracked': np.array(3)}


def test_cross_replica_norm_adds_the_gain_unless_told_otherwise():
  z, y = NUMBERS['in/z'], NUMBERS['in/y']
  run = lambda made: jax.jit(made[0].apply)(made[1], z, y)
  usual = run(biggan_pytorch.generator(state('G'), **ARGS))
  given, args = cross_replica_state(), {**ARGS, 'cross_replica': True}
  multiplied = run(biggan_pytorch.generator(given, **args, cross_replica_gain='multiplied'))
  np.testing.assert_allclose(multiplied, usual, atol=1e-6)
  module, variables = biggan_pytorch.generator(given, **args)
  assert module.additive
  assert np.abs(run((module, variables)) - usual).max() > 0.1

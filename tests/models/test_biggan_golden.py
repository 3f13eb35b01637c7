"""BigGAN and BigGAN-deep against numbers recorded from the authors' PyTorch code (golden/biggan)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.importers import biggan_pytorch
from jaxgan.penalties import orthogonal
from tests import recorded
from tests.recorded import nchw

SN = {'BN_eps': 1e-5, 'SN_eps': 1e-6, 'resolution': 32}
CASES = {
  'biggan32_shared_hier_attn16': (
    {'G_ch': 6, 'dim_z': 24, 'G_attn': '16', 'n_classes': 5, 'shared_dim': 6, 'hier': True},
    {'D_ch': 6, 'D_attn': '16', 'n_classes': 5},
  ),
  'biggan32_noshared_nohier_noattn': (
    {'G_ch': 4, 'dim_z': 16, 'G_attn': '0', 'n_classes': 5, 'G_shared': False},
    {'D_ch': 5, 'D_attn': '0', 'n_classes': 5, 'D_wide': False},
  ),
  'biggan32_mybn_svs2_itrs2': (
    {
      'G_ch': 4,
      'dim_z': 17,
      'G_attn': '8',
      'n_classes': 5,
      'hier': True,
      'mybn': True,
      'num_G_SVs': 2,
      'num_G_SV_itrs': 2,
    },
    {'D_ch': 4, 'D_attn': '16', 'n_classes': 5, 'num_D_SVs': 2, 'num_D_SV_itrs': 2},
  ),
  'biggan32_noSN_in': (
    {
      'G_ch': 4,
      'dim_z': 16,
      'G_attn': '16',
      'n_classes': 4,
      'shared_dim': 5,
      'G_param': 'none',
      'norm_style': 'nonorm',
    },
    {'D_ch': 4, 'D_attn': '0', 'n_classes': 4},
  ),
  'biggandeep32_attn16': (
    {'G_ch': 8, 'dim_z': 12, 'G_attn': '16', 'n_classes': 5, 'shared_dim': 6, 'hier': True},
    {'D_ch': 8, 'D_attn': '16', 'n_classes': 5},
  ),
}


# Unoptimised programs, which the other tests use, sum naively and lose a digit.
jit = functools.partial(jax.jit, compiler_options={'xla_backend_optimization_level': 3})


def close(ours, theirs):
  """rtol 1e-4, atol 1e-5, for every leaf."""
  jax.tree.map(recorded.close, ours, theirs)


class Case:
  """One recorded case: networks, and the reference's arrays in our layout."""

  def __init__(self, name):
    self.numbers = recorded.read(f'biggan/{name}')
    self.deep = 'deep' in name
    self.args = [{**SN, **args} for args in CASES[name]]
    self.z, self.y, self.dy = (jnp.asarray(self.numbers[f'in/{k}']) for k in ('z', 'y', 'dy'))
    self.real = jnp.asarray(recorded.nhwc(self.numbers['in/x_real']))

  def part(self, prefix):
    """The arrays under a prefix, which is taken off."""
    return recorded.part(self.numbers, prefix)

  def build(self, which, state):
    """(module, variables) of 'G' or 'D'."""
    build = biggan_pytorch.generator if which == 'G' else biggan_pytorch.discriminator
    return build(state, deep=self.deep, **self.args[which == 'D'])

  @functools.cache  # noqa: B019  the case lives as long as the module's tests
  def network(self, which, *over):
    """(module, variables) of 'G' or 'D' in the first state, overwritten by the named groups."""
    state = self.part(f'{which}0/')
    for group in over:
      state |= {k: v for k, v in self.part(group).items() if k in state}
    return self.build(which, state)

  @functools.cached_property
  def second(self):
    """The generator's second training forward: images and its new state."""
    g, gv = self.network('G', 'G1/')
    return jit(lambda v: g.apply(v, self.z, self.y, train=True, mutable=STATE))(gv)

  def check(self, which, gradient, group, atol=1e-5):
    """Whether our gradient has the arrays of a group; returns their names."""
    convert = lambda state: self.build(which, state)[1]['params']
    ours, theirs = recorded.undo(convert, self.part(f'{which}0/'))(gradient), self.part(group)
    for name, x in theirs.items():
      recorded.close(ours[name], x, atol=atol, name=name)
    return set(theirs)


@pytest.fixture(scope='module', params=list(CASES))
def case(request):
  with jax.default_matmul_precision('highest'):
    yield Case(request.param)


STATE = ['batch_stats', 'spectral']


def state_of(variables):
  """Its collections but the parameters."""
  return {name: value for name, value in variables.items() if name != 'params'}


def test_eval(case):
  g, gv = case.network('G')
  d, dv = case.network('D')
  image = jit(g.apply)(gv, case.z, case.y)
  close(nchw(image), case.numbers['eval/img'])
  logits = jit(d.apply)
  close(logits(dv, image, case.y), case.numbers['eval/d_fake'][:, 0])
  close(logits(dv, case.real, case.dy), case.numbers['eval/d_real'][:, 0])


def test_generator_step(case):
  """Image, logits, loss, its gradient, and both networks' new states, from one training forward."""
  g, gv = case.network('G')
  d, dv = case.network('D')

  @jit
  def step(params):
    def loss(params):
      image, g1 = g.apply({**gv, 'params': params}, case.z, case.y, train=True, mutable=STATE)
      logits, d1 = d.apply(dv, image, case.y, train=True, mutable=STATE)
      return losses.hinge_generator(logits).mean(), (image, logits, g1, d1)

    return jax.value_and_grad(loss, has_aux=True)(params)

  (loss, (image, logits, g1, d1)), gradient = step(gv['params'])
  close(nchw(image), case.numbers['train/img'])
  close(logits, case.numbers['train/d_fake'][:, 0])
  close(loss, case.numbers['train/g_loss'])
  assert len(case.check('G', gradient, 'gradG/')) == len(jax.tree.leaves(gradient))
  close(g1, state_of(case.network('G', 'G1/')[1]))
  close(d1, state_of(case.network('D', 'D1/')[1]))


# The generator's step looks through the same discriminator and at its new state in each case, and what is
# special of this one, several singular values, has gradients of its own in tests/nn/test_spectral_norm.py.
@pytest.mark.parametrize(
  'case',
  [pytest.param(name, marks=pytest.mark.slow if 'svs2' in name else ()) for name in CASES],
  indirect=True,
  scope='module',
)
def test_discriminator_step(case):
  """The second forward: fakes and reals as one batch, gradients of parameters and input, new state."""
  d, dv = case.network('D', 'D1/')
  image, _ = case.second
  close(nchw(image), case.numbers['train2/img'])
  labels = jnp.concatenate([case.y, case.dy])

  @jit
  def step(params, x):
    def loss(params, x):
      logits, d2 = d.apply({**dv, 'params': params}, x, labels, train=True, mutable=STATE)
      fake, real = jnp.split(logits, 2)
      return losses.hinge_discriminator(real, fake).mean(), (logits, d2)

    return jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(params, x)

  x = jnp.concatenate([image, case.real])
  (loss, (logits, d2)), (gradient, gradient_x) = step(dv['params'], x)
  close(logits, case.numbers['train2/d_out'][:, 0])
  close(loss, case.numbers['train2/d_loss_real'] + case.numbers['train2/d_loss_fake'])
  close(nchw(gradient_x), case.numbers['train2/grad_x'])
  assert len(case.check('D', gradient, 'gradD/')) == len(jax.tree.leaves(gradient))
  close(d2, state_of(case.network('D', 'D1/', 'D2/')[1]))


def test_eval_after_training(case):
  """Evaluation from the moved states, which use neither the stored sigma nor batch statistics."""
  g, gv = case.network('G', 'G1/')
  d, dv = case.network('D', 'D1/', 'D2/')
  image = jit(g.apply)({**gv, **case.second[1]}, case.z, case.y)
  close(nchw(image), case.numbers['eval2/img'])
  close(jit(d.apply)(dv, image, case.y), case.numbers['eval2/d'][:, 0])


def test_orthogonal_penalty(case):
  """Its gradient on raw kernels is what the reference adds, recorded at strength 1e-4."""
  _, gv = case.network('G')
  gradient = jit(jax.grad(lambda params: orthogonal(params, beta=1e-4)))(gv['params'])
  assert len(case.check('G', gradient, 'ortho_grad/', atol=1e-9)) >= 2
  assert not np.any(gradient.get('shared', {}).get('embedding', 0))

"""SN-GAN's networks, BigGAN's generator and the class heads against numbers recorded from StudioGAN.

Compared in training mode: images, what the heads say, gradients of both networks, new statistics and
spectral vectors. In evaluation StudioGAN (torch.nn.utils.spectral_norm) divides by the sigma of the
last training forward and ours iterates once more, so there the kernels are divided by that sigma
beforehand and everything but the iteration is compared.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.models import biggan, sndcgan, sngan
from tests import recorded
from tests.recorded import nchw, nhwc

SHARED = {'resolution': 32, 'bn_eps': 1e-4}
CODES = {'info_discrete': 2, 'info_categories': 3, 'info_continuous': 2}
CLASSES = {'num_classes': 4}
NORMED = {'norm': 'batch', 'shortcut': 'normalised'}
ATTENTIVE = {**CLASSES, 'attention': (16,)}
DEEP_CONV = {'channels': (24, 16, 12, 8), 'slope': 0.0}
# name -> (options of both networks, of the generator, of the discriminator)
CASES = {
  'sngan32_uncond': ({}, {}, {}),
  'sagan32_cBN_PD': (ATTENTIVE, {'spectral': True}, {}),
  'resnet32_PD_noSN_bn': (CLASSES, {}, {'spectral': False, **NORMED}),
  'bigresnet32_attn': (ATTENTIVE, {'channels': 6, 'shared_dim': 6}, {}),
  'dcgan32_bn': (DEEP_CONV, {}, {'spectral': False, 'norm': 'batch', 'pool': 'sum'}),
  'dcgan32_sn_attn_2C': (
    {**DEEP_CONV, **ATTENTIVE},
    {'spectral': True},
    {'head': 'contrastive', 'embed_dim': 8, 'normalize': False, 'pool': 'sum'},
  ),
  'resnet32_MD_leaky': ({**CLASSES, 'slope': 0.1}, {}, {'head': 'matching'}),
  'resnet32_infogan_concat': (CODES, {}, {'head': 'info'}),
  'resnet32_infogan_cBN': ({**CLASSES, **CODES}, {'info_injection': 'batch_norm'}, {}),
  'resnet32_AC_TAC': (CLASSES, {}, {'head': 'twin_auxiliary_classifier'}),
  'resnet32_AC_normalize': (CLASSES, {}, {'head': 'auxiliary_classifier', 'normalize': True}),
  'resnet32_2C_normalize': (CLASSES, {}, {'head': 'contrastive', 'embed_dim': 8}),
  'resnet32_AC_ADC': (CLASSES, {}, {'head': 'adc'}),
  'resnet32_MH': (CLASSES, {}, {'head': 'multi_hinge'}),
}
FULL = list(CASES)[:6]
GENERATORS = list(CASES)[:9]
NAMES = {
  'linear0': 'linear',
  'linear1': 'linear',
  'linear2': 'classify',
  'linear_mi': 'twin',
  'embedding': 'embed',
  'info_mix_linear': 'info_mix',
  'info_proj_linear': 'info_project',
  'info_discrete_linear': 'info_discrete',
  'info_conti_mu_linear': 'info_mean',
  'info_conti_var_linear': 'info_log_variance',
  'bn0': 'shortcut_norm',
  'bn1': 'norm1',
  'bn2': 'norm2',
  'bn4': 'output_norm',
  'conv2d0': 'shortcut',
  'conv2d1': 'conv1',
  'conv2d2': 'conv2',
  'conv2d5': 'output_conv',
  'conv1x1_theta': 'theta',
  'conv1x1_phi': 'phi',
  'conv1x1_g': 'g',
  'conv1x1_attn': 'o',
}
# StudioGAN's deep_conv, which it calls DCGAN; theirs in a block carry its number
IN_BLOCKS = {
  'deconv0': 'up',
  'conv0': 'conv',
  'conv1': 'conv_down',
  'bn0': 'norm',
  'bn1': 'norm_down',
}
OUTSIDE = {'conv1': 'conv_last', 'bn1': 'norm_last', 'conv4': 'images'}
HEADS = {
  'logits': 'adv_output',
  'class_logits': 'cls_output',
  'twin_logits': 'mi_cls_output',
  'embedding': 'embed',
  'proxy': 'proxy',
  'info_discrete': 'info_discrete_c_logits',
  'info_mean': 'info_conti_mu',
  'info_log_variance': 'info_conti_var',  # theirs is the variance
}

# Unoptimised programs, which the other tests use, sum naively and lose a digit.
jit = functools.partial(jax.jit, compiler_options={'xla_backend_optimization_level': 3})


def path_of(name, blocks, first, contrastive, deep):
  """Our path, collection first, of one of their names."""
  *modules, leaf = name.split('.')
  path = []
  if modules[:1] == ['blocks']:
    path, modules = [blocks[modules[1]]], modules[3:]
    if deep and path[0].startswith('block'):
      path, modules = [path[0].replace('block', IN_BLOCKS[modules[0]])], modules[1:]
  elif deep and modules[0] in OUTSIDE:
    path, modules = [OUTSIDE[modules[0]]], modules[1:]
  if first and path == ['block_0'] and modules[0] == 'bn1':
    path, modules = [*path, 'norm2'], modules[1:]
  if leaf == 'sigma':
    return ('params', *path, 'gamma')
  if leaf.startswith('running_'):
    modules = [m for m in modules if m != 'bn']
    return ('batch_stats', *path, *(NAMES[m] for m in modules), leaf.removeprefix('running_'))
  names = NAMES | ({'linear2': 'embedding', 'embedding': 'proxy'} if contrastive else {})
  path += [names.get(m, m) for m in modules]
  if leaf == 'weight_u':
    return ('spectral', *path, 'u')
  table = modules[-1:] in (['embedding'], ['shared'])
  weight = 'embedding' if table else 'scale' if 'norm' in path[-1] else 'kernel'
  return ('params', *path, 'bias' if leaf == 'bias' else weight)


def value_of(name, x):
  """One of their arrays in our layout."""
  if name.startswith('linear0.'):  # [C, 4, 4] to [4, 4, C]
    x = np.moveaxis(x.reshape(-1, 16, *x.shape[1:]), 0, 1).reshape(x.shape)
  if name.endswith('sigma'):
    return x[0]
  if name.endswith('weight_u'):
    return x[None]
  if x.ndim == 4:
    return np.transpose(x, (2, 3, 0, 1) if 'deconv' in name else (2, 3, 1, 0))
  return x.T if x.ndim == 2 and not name.startswith(('embedding', 'shared')) else x


def flat(tree):
  """Path -> leaf."""
  return {tuple(k.key for k in path): x for path, x in jax.tree.leaves_with_path(tree)}


def nested(leaves):
  tree = {}
  for path, leaf in leaves.items():
    node = tree
    for key in path[:-1]:
      node = node.setdefault(key, {})
    node[path[-1]] = jnp.asarray(leaf)
  return tree


def crammer_singer(logits, labels):
  """relu(1 - logit of the class + largest of the others), the mean."""
  own = jax.nn.one_hot(labels, logits.shape[1], dtype=bool)
  other = jnp.where(own, -jnp.inf, logits).max(1)
  return jax.nn.relu(1 - jnp.where(own, logits, 0).sum(1) + other).mean()


class Case:
  """One recorded case: networks, and the reference's arrays in our layout."""

  def __init__(self, name):
    self.numbers = recorded.read(f'studiogan/{name}')
    both, of_generator, of_discriminator = CASES[name]
    self.deep = 'dcgan' in name
    theirs = {} if self.deep else {'shortcut': 'activated'}  # their ReLU is in place
    options = [
      {'channels': 4, 'dim_z': 16, **SHARED, **both, **of_generator},
      {'channels': 6, **SHARED, **both, **theirs, **of_discriminator},
    ]
    networks = sndcgan if self.deep else sngan
    generator = biggan.Generator if name.startswith('bigresnet') else networks.Generator
    self.generator, self.discriminator = (
      generator(**options[0]),
      networks.Discriminator(**options[1]),
    )
    self.contrastive = self.discriminator.head == 'contrastive'
    self.labels = jnp.asarray(self.numbers['in/y'])

  def leaves(self, which, part):
    """Our path -> array in our layout, of arrays of theirs that belong to 'G' or 'D'."""
    blocks = {}
    known = {k.split('.')[1] for k in self.numbers if k.startswith(f'{which}0/blocks')}
    for i in sorted(known, key=int):
      attention = f'{which}0/blocks.{i}.0.sigma' in self.numbers
      count = sum(name.startswith('block') for name in blocks.values())
      blocks[i] = f'attention_{count - 1}' if attention else f'block_{count}'
    place = lambda name: path_of(name, blocks, which == 'D', self.contrastive, self.deep)
    return {place(name): value_of(name, x) for name, x in part.items()}

  def variables(self, which):
    """The first state of 'G' or 'D'."""
    leaves = self.leaves(which, recorded.part(self.numbers, f'{which}0/'))
    sv = {(*path[:-1], 'sv'): np.ones(1, np.float32) for path in leaves if path[0] == 'spectral'}
    return nested({**leaves, **sv})

  def check(self, tree, group, collection=None):
    """Whether a tree has the recorded leaves of a group; returns how many."""
    theirs, gradient = recorded.part(self.numbers, f'{group}/'), group.startswith('grad')
    which = group[-1] if gradient else group[0]
    ours = flat(tree if collection is None else {collection: tree})
    for name, x in theirs.items():
      convert = lambda part: self.leaves(which, part)
      ((path, _),) = convert({name: np.zeros(x.shape)}).items()
      y = recorded.undo(convert, {name: x})({path: ours[path]})[name]
      if gradient and self.normalised_away(which, path):
        assert max(np.abs(y).max(), np.abs(x).max()) < 5e-5, path
      else:
        # Gradients reach 3,000; their small entries are what is left of large terms, and even against
        # ours in float64 theirs (float32) are 2e-5 off. So 1e-5, or 1e-6 of the leaf's largest entry;
        # twice that behind a deep stack of batch norms: there theirs are 0.7 of 1e-6 off ours in float64.
        share = 2e-6 if self.deep and self.discriminator.norm == 'batch' else 1e-6
        atol = max(1e-5, share * np.abs(y).max()) if gradient else 1e-5
        recorded.close(y, x, atol=atol, name=f'{group}/{name}')
    return len(theirs)

  def normalised_away(self, which, path):
    """Whether the gradient is 0 but for rounding: biases that a batch norm takes out again."""
    if self.deep and path[1].startswith('up'):
      return path[-1] == 'bias'
    if which == 'G' or self.discriminator.norm != 'batch':
      return False
    if self.deep:
      return path[1].startswith('conv') and path[-1] == 'bias'
    behind = path[1:] in {('block_0', name, 'bias') for name in ('conv2', 'shortcut')}
    return behind or path[2:] == ('conv1', 'bias')

  def check_heads(self, output, group):
    output = output if isinstance(output, dict) else {'logits': output}
    theirs = {k.removeprefix(f'{group}/') for k in self.numbers if k.startswith(f'{group}/')}
    assert theirs == {HEADS[name] for name in output}
    for name, x in output.items():
      x = jnp.exp(x) if name == 'info_log_variance' else x
      recorded.close(x, self.numbers[f'{group}/{HEADS[name]}'], name=name)

  def loss(self, output):
    """What the recorded gradients are those of."""
    if not isinstance(output, dict):
      return -output.mean()
    output = dict(output)
    logits = output.pop('logits')
    if 'info_log_variance' in output:
      output['info_log_variance'] = jnp.exp(output['info_log_variance'])
    first = crammer_singer(logits, self.labels) if logits.ndim == 2 else -logits.mean()
    return first + sum(jnp.square(x).mean() for x in output.values())


@pytest.fixture(scope='module')
def cases():
  with jax.default_matmul_precision('highest'):
    yield functools.cache(Case)


STATE = ['batch_stats', 'spectral']


def state_of(variables):
  return {name: value for name, value in variables.items() if name != 'params'}


def moving(state):
  """How many leaves of a state were recorded: all but the singular values."""
  return sum(path[-1] != 'sv' for path in flat(state))


@pytest.mark.parametrize('name', CASES)
def test_training(cases, name):
  """Images, heads, loss, gradients of both networks and both new states, from one training forward."""
  case = cases(name)
  g, d, dv = case.generator, case.discriminator, case.variables('D')
  with_generator = name in GENERATORS
  gv = case.variables('G') if with_generator else {'params': {}}

  @jit
  def step(g_params, d_params):
    def loss(g_params, d_params):
      if with_generator:
        variables = {**gv, 'params': g_params}
        z = case.numbers['in/z']
        image, g1 = g.apply(variables, z, case.labels, train=True, mutable=STATE)
      else:
        image, g1 = jnp.asarray(nhwc(case.numbers['train/img'])), {}
      variables = {**dv, 'params': d_params}
      output, d1 = d.apply(variables, image, case.labels, train=True, mutable=STATE)
      return case.loss(output), (image, output, g1, d1)

    return jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(g_params, d_params)

  (loss, (image, output, g1, d1)), (g_gradient, d_gradient) = step(gv['params'], dv['params'])
  recorded.close(nchw(image), case.numbers['train/img'])
  case.check_heads(output, 'train/fake')
  recorded.close(loss, case.numbers['train/loss'])
  assert case.check(d_gradient, 'gradD', 'params') == len(jax.tree.leaves(dv['params']))
  assert case.check(d1, 'D1') == moving(d1) > 0
  if with_generator:
    compared = case.check(g_gradient, 'gradG', 'params')
    assert compared == len(jax.tree.leaves(gv['params'])) or (name not in FULL and compared >= 6)
    assert case.check(g1, 'G1') == moving(g1) > 0
  if name not in FULL:
    return

  @jit
  def more(d1):
    image, labels = nhwc(case.numbers['in/real']), jnp.asarray(case.numbers['in/y_real'])
    output, d2 = d.apply({**dv, **d1}, image, labels, train=True, mutable=STATE)
    gf, df = (plain(v, new) for v, new in ((gv, g1), (dv, d2)))
    image = g.clone(spectral=False).apply(gf, case.numbers['in/z'], case.labels)
    return output, image, d.clone(spectral=False).apply(df, image, case.labels)

  real, image, fake = more(d1)
  case.check_heads(real, 'train/real')
  recorded.close(nchw(image), case.numbers['eval/img'])
  case.check_heads(fake, 'eval/fake')


def plain(variables, new):
  """Variables without spectral normalisation whose kernels are divided by the last sigma."""
  sigmas = {path[1:-1]: x for path, x in flat(new).items() if path[-1] == 'sv'}
  over = lambda path, x: x / sigmas[path[1:-1]][0] if path[-1] in ('kernel', 'embedding') else x
  leaves = flat({**variables, **new})
  known = lambda path, x: over(path, x) if path[1:-1] in sigmas else x
  return nested({path: known(path, x) for path, x in leaves.items()})

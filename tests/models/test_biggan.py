"""BigGAN's and BigGAN-deep's networks: sizes, options and invariants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.models import biggan, biggan_deep
from jaxgan.nn.batch_norm import standing_statistics
from jaxgan.nn.initialize import initialize

KEY = jax.random.key(0)
LABELS = jnp.array([0, 2], jnp.int32)
STATE = ['batch_stats', 'spectral']
MODELS = pytest.mark.parametrize('model', [biggan, biggan_deep], ids=['biggan', 'deep'])


def close(ours, theirs, rtol=1e-4, atol=1e-5):
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), ours, theirs)


def networks(model, **options):
  """Tiny 16-pixel networks with attention, their variables, and latents."""
  both = {'resolution': 16, 'channels': 4, 'num_classes': 3, 'attention': (8,), **options}
  of_generator = {k: both.pop(k) for k in ('shared_dim', 'hierarchical') if k in both}
  g = model.Generator(**both, dim_z=6, **{'shared_dim': 5, **of_generator})
  d = model.Discriminator(**both)
  z = jax.random.normal(jax.random.key(1), (2, 6))
  gv = initialize(g, KEY, z, LABELS)
  dv = initialize(d, KEY, jnp.zeros((2, 16, 16, 3)), LABELS)
  return g, gv, d, dv, z


def count(variables):
  return sum(leaf.size for leaf in jax.tree.leaves(variables['params']))


def shapes(module, *inputs):
  return jax.eval_shape(module.init, KEY, *inputs)


@pytest.mark.parametrize(
  ('model', 'generator', 'discriminator'),
  [(biggan, 70_433_988, 87_982_370), (biggan_deep, 50_244_484, 34_590_210)],
  ids=['biggan', 'deep'],
)
def test_parameter_counts_at_128(model, generator, discriminator):
  """As counted in the authors' PyTorch code, built with the same widths (96; deep 128)."""
  g, d = model.Generator(), model.Discriminator()
  assert count(shapes(g, jnp.zeros((1, g.dim_z)), LABELS[:1])) == generator
  assert count(shapes(d, jnp.zeros((1, 128, 128, 3)), LABELS[:1])) == discriminator


@MODELS
@pytest.mark.parametrize('resolution', [16, 32, 64, 128, 256, 512])
def test_every_resolution(model, resolution):
  blocks = len(model.GENERATOR_WIDTHS[resolution])
  both = {
    'resolution': resolution,
    'channels': 8,
    'num_classes': 3,
    'attention': (resolution // 2,),
  }
  g = model.Generator(**both, dim_z=2 * blocks, image_channels=1)
  d = model.Discriminator(**both)
  z = jnp.zeros((2, 2 * blocks))
  image, variables = jax.eval_shape(lambda: g.init_with_output(KEY, z, LABELS))
  assert image.shape == (2, resolution, resolution, 1)
  logits, of_d = jax.eval_shape(lambda: d.init_with_output(KEY, jnp.zeros(image.shape), LABELS))
  assert (logits.shape, logits.dtype) == ((2,), jnp.float32)
  for network in (variables, of_d):
    assert sum(name.startswith('attention') for name in network['params']) == 1


@MODELS
def test_range_dtype_and_gradients_everywhere(model):
  """Every parameter of both networks has a gradient, once attention's gamma has left 0."""
  g, gv, d, dv, z = networks(model)
  for variables in (gv, dv):
    for name, layer in variables['params'].items():
      if name.startswith('attention'):
        layer['gamma'] = jnp.full((), 0.3)

  @jax.jit
  def both(of_g, of_d):
    def loss(of_g, of_d):
      image, _ = g.apply({**gv, 'params': of_g}, z, LABELS, train=True, mutable=STATE)
      logits, _ = d.apply({**dv, 'params': of_d}, image, LABELS, train=True, mutable=STATE)
      return logits.sum(), image

    return jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(of_g, of_d)

  (_, image), gradients = both(gv['params'], dv['params'])
  assert image.dtype == jnp.float32
  assert np.abs(image).max() <= 1
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
    assert np.isfinite(leaf).all(), path
    # the shared table and the class embedding have a gradient in the rows of these labels only
    assert np.any(leaf != 0), path


@pytest.mark.slow
@MODELS
def test_remat_changes_neither_tree_nor_numbers(model):
  g, gv, d, dv, z = networks(model)
  g_remat, d_remat = g.clone(remat=True), d.clone(remat=True)
  shape = lambda module, *inputs: jax.tree.map(jnp.shape, shapes(module, *inputs))
  assert shape(g_remat, z, LABELS) == jax.tree.map(jnp.shape, gv)

  def step(g, d):
    def loss(params):
      image, new = g.apply({**gv, 'params': params}, z, LABELS, train=True, mutable=STATE)
      logits, of_d = d.apply(dv, image, LABELS, train=True, mutable=STATE)
      return logits.sum(), (new, of_d)

    return jax.jit(jax.value_and_grad(loss, has_aux=True))(gv['params'])

  close(step(g_remat, d_remat), step(g, d))


@pytest.mark.slow
@MODELS
def test_bfloat16_keeps_parameters_state_images_and_logits_float32(model):
  g, gv, d, dv, z = networks(model, dtype=jnp.bfloat16)
  image, new = g.apply(gv, z, LABELS, train=True, mutable=STATE)
  logits, of_d = d.apply(dv, image, LABELS, train=True, mutable=STATE)
  kept = {leaf.dtype for leaf in jax.tree.leaves((gv, dv, new, of_d, image, logits))}
  assert kept == {jnp.dtype('float32')}
  exact, _ = g.clone(dtype=jnp.float32).apply(gv, z, LABELS, train=True, mutable=STATE)
  assert 0 < np.abs(image - exact).max() < 0.2


@MODELS
def test_evaluation_moves_nothing_and_treats_examples_apart(model):
  g, gv, d, dv, z = networks(model)
  both, new = g.apply(gv, z, LABELS, mutable=STATE)
  close(new, {name: gv[name] for name in STATE}, rtol=0, atol=0)
  close(g.apply(gv, z[1:], LABELS[1:]), both[1:], atol=1e-4)
  close(d.apply(dv, both[1:], LABELS[1:]), d.apply(dv, both, LABELS)[1:], atol=1e-3)


@MODELS
def test_a_mixture_of_classes(model):
  g, gv, d, dv, z = networks(model)
  one_hot = jax.nn.one_hot(LABELS, 3)
  image = g.apply(gv, z, LABELS)
  close(g.apply(gv, z, one_hot), image)
  close(d.apply(dv, image, one_hot), d.apply(dv, image, LABELS))
  between = g.apply(gv, z, 0.5 * one_hot + 0.5 * jnp.roll(one_hot, 1, 0))
  assert np.isfinite(between).all()
  assert np.abs(between - image).max() > 1e-3


@MODELS
def test_unconditional_ignores_labels(model):
  options = {'hierarchical': False} if model is biggan else {}
  g, gv, d, dv, z = networks(model, num_classes=0, **options)
  assert not {'shared', 'embed'} & ({*gv['params']} | {*dv['params']})
  image = g.apply(gv, z, LABELS)
  close(g.apply(gv, z, LABELS + 1), image, rtol=0, atol=0)
  close(d.apply(dv, image, LABELS + 1), d.apply(dv, image, LABELS), rtol=0, atol=0)


@pytest.mark.parametrize(
  'options',
  [
    {'hierarchical': False},
    {'hierarchical': False, 'shared_dim': 0},
    {'num_classes': 0},
    {'num_classes': 1},
    {'norm': 'none'},
    {'spectral': False},
  ],
  ids=str,
)
def test_other_generators(options):
  options = dict(options)
  norm = options.pop('norm', 'batch')
  g, gv, d, dv, z = networks(biggan, **options)
  g = g.clone(norm=norm)
  labels = jnp.minimum(LABELS, max(g.num_classes - 1, 0))
  gv = initialize(g, KEY, z, labels)
  assert ('spectral' in gv) == g.spectral
  image, _ = g.apply(gv, z, labels, train=True, mutable=STATE)
  other, _ = g.apply(gv, -z, labels, train=True, mutable=STATE)
  assert np.isfinite(d.apply(dv, image, labels)).all()
  assert np.abs(image - other).max() > 1e-3


def test_a_chunk_of_z_reaches_its_block_alone():
  """Hierarchical z: the last chunk leaves the first block's output as it is."""
  g, gv, _, _, z = networks(biggan)
  grab = lambda z: g.apply(gv, z, LABELS, capture_intermediates=True, mutable=['intermediates'])
  output = lambda z, block: grab(z)[1]['intermediates'][block]['__call__'][0]
  moved = z.at[:, -2:].add(1.0)
  close(output(moved, 'block_0'), output(z, 'block_0'), rtol=0, atol=0)
  assert np.abs(output(moved, 'block_1') - output(z, 'block_1')).max() > 1e-3


def test_attention_where_it_is_asked_for():
  module = biggan.Discriminator(resolution=32, channels=4, num_classes=3, attention=(16,))
  image = jnp.zeros((1, 32, 32, 3))
  layers = lambda m: [n for n in shapes(m, image, LABELS[:1])['params'] if 'attention' in n]
  assert layers(module) == ['attention_0']
  assert layers(module.clone(attention=(8,))) == ['attention_1', 'attention_2', 'attention_3']
  assert layers(module.clone(attention_blocks=(0, 3))) == ['attention_0', 'attention_3']


def test_standing_statistics_of_a_generator():
  """One batch's standing statistics make evaluation what training is on that batch."""
  g, gv, _, _, z = networks(biggan)
  gv['spectral'] = g.apply(gv, z, LABELS, train=True, mutable=['spectral'])[1]['spectral']
  image, sums = g.apply(gv, z, LABELS, train=True, mutable=['standing'])
  standing = standing_statistics({**gv, **sums})
  assert set(standing) == set(gv)
  close(g.apply(standing, z, LABELS), image, atol=1e-3)


@pytest.mark.parametrize('head', ['none', 'twin_auxiliary_classifier', 'contrastive'])
def test_a_head_by_choice(head):
  """Its layers stand in for the embedding; the backbone's tree stays as it is."""
  x = jnp.zeros((2, 16, 16, 3))
  options = {'resolution': 16, 'channels': 4, 'num_classes': 3, 'attention': (8,)}
  default = shapes(biggan.Discriminator(**options), x, LABELS)
  other = shapes(biggan.Discriminator(**options, head=head), x, LABELS)
  layers = {
    'none': {'linear'},
    'twin_auxiliary_classifier': {'linear', 'classify', 'twin'},
    'contrastive': {'linear', 'embedding', 'proxy'},
  }
  blocks = {name for name in default['params'] if name not in ('linear', 'embed')}
  assert set(default['params']) == blocks | {'linear', 'embed'}
  assert set(other['params']) == blocks | layers[head]


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'resolution': 20}, 'resolution=20; expected one of 16, 32, 64, 128, 256, 512'),
    ({'dim_z': 8}, r'z has shape \(2, 6\); expected \[batch, dim_z=8\]'),
    ({'resolution': 32}, 'dim_z=6 cannot be split into 4 chunks; .* such as 4 or 8'),
    ({'shared_dim': 0}, 'hierarchical z needs a shared embedding'),
    ({'kernel_init': 'he'}, "unknown initialiser 'he'; expected one of orthogonal"),
    ({'norm': 'group'}, "unknown norm 'group'"),
  ],
)
def test_one_clear_line(options, message):
  module = networks(biggan)[0].clone(**options)
  with pytest.raises(ValueError, match=message) as error:
    jax.eval_shape(module.init, KEY, jnp.zeros((2, 6)), LABELS)
  assert '\n' not in str(error.value)

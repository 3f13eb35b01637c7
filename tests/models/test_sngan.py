"""SN-GAN's residual networks: sizes of the papers, options, and what they say of a wrong one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import models
from jaxgan.config import ConfigError
from jaxgan.models.sngan import Discriminator, Generator
from jaxgan.nn.resample import average_pool

Y = jnp.asarray([0, 2])
KEY = jax.random.key(0)


def made(module, x, labels=Y):
  """(output, variables), abstract."""
  return jax.eval_shape(lambda: module.init_with_output(KEY, x, labels))


def count(variables):
  return sum(x.size for x in jax.tree.leaves(variables['params']))


@pytest.mark.parametrize('resolution', [16, 32, 64, 128, 256])
def test_images_come_out_and_logits(resolution):
  images, _ = made(Generator(resolution=resolution, channels=2, num_classes=3), jnp.ones((2, 128)))
  assert images.shape == (2, resolution, resolution, 3) and images.dtype == jnp.float32
  logits, _ = made(Discriminator(resolution=resolution, channels=2), jnp.zeros(images.shape))
  assert logits.shape == (2,) and logits.dtype == jnp.float32


def test_parameters_are_those_of_the_papers_at_32():
  """Tables of the paper: 128 -> 4x4x256, three blocks of 256, and four of 128 in the discriminator.

  A block of the generator has two 3x3 convolutions, a 1x1 one and two norms; the discriminator's
  last two have no shortcut.
  """
  block = 2 * (9 * 256**2 + 256) + (256**2 + 256) + 2 * 512
  generator = 129 * 16 * 256 + 3 * block + 512 + (9 * 256 * 3 + 3)
  assert count(made(Generator(), jnp.zeros((2, 128)))[1]) == generator == 4_276_739
  first = (27 * 128 + 128) + (9 * 128**2 + 128) + (3 * 128 + 128)
  plain = 2 * (9 * 128**2 + 128)
  discriminator = first + 3 * plain + (128**2 + 128) + 129
  variables = made(Discriminator(), jnp.zeros((2, 32, 32, 3)))[1]
  assert count(variables) == discriminator == 1_053_825


def test_widths_at_128_are_the_papers():
  def widths(params):
    blocks = [params[f'block_{i}'] for i in range(6) if f'block_{i}' in params]
    return [block['conv2']['kernel'].shape[-1] for block in blocks]

  generator = made(Generator(resolution=128), jnp.zeros((2, 128)))[1]['params']
  assert generator['linear']['kernel'].shape == (128, 16 * 1024)
  assert widths(generator) == [1024, 512, 256, 128, 64]
  discriminator = made(Discriminator(resolution=128), jnp.zeros((2, 128, 128, 3)))[1]['params']
  assert widths(discriminator) == [64, 128, 256, 512, 1024, 1024]


def test_attention_stands_once_behind_the_block_that_makes_its_size():
  options = {'channels': 4, 'attention': (8,)}
  names = lambda m, x: [n for n in made(m, x)[1]['params'] if n.startswith('attention')]
  assert names(Generator(**options), jnp.zeros((2, 128))) == ['attention_0']
  assert names(Discriminator(**options), jnp.zeros((2, 32, 32, 3))) == ['attention_1']


@pytest.mark.parametrize('condition, differs', [('', True), ('batch_norm', True), ('none', False)])
def test_the_class_enters_by_the_norms_or_not(condition, differs):
  options = {'channels': 2, 'dim_z': 4, 'num_classes': 3, 'condition': condition}
  generator = Generator(resolution=16, **options)
  z = jax.random.normal(KEY, (2, 4))
  run = jax.jit(lambda y: generator.apply(variables, z, y))
  variables = jax.jit(generator.init)(KEY, z, Y)
  images = run(Y)
  assert np.array_equal(images[1], run(jnp.asarray([0, 1]))[1]) != differs
  np.testing.assert_array_equal(images[0], run(jnp.asarray([0, 1]))[0])
  game = models.make('sngan', image_shape=(16, 16, 3), **{**options, 'dim_z': 4})
  assert game.conditional == differs


@pytest.mark.parametrize('injection', ['concat', 'batch_norm'])
def test_codes_enter(injection):
  codes = {'info_discrete': 1, 'info_categories': 3, 'info_continuous': 1}
  generator = Generator(resolution=16, channels=2, dim_z=4, info_injection=injection, **codes)
  assert generator.dim_codes == 4
  z = jax.random.normal(KEY, (2, 8))
  variables = jax.jit(generator.init)(KEY, z, Y)
  loss = lambda z: jnp.square(generator.apply(variables, z, Y)).sum()
  assert np.all(jax.jit(jax.grad(loss))(z) != 0)


def test_what_the_shortcut_sees():
  """With the second convolutions at 0 a block is its shortcut."""
  x = jax.random.normal(KEY, (2, 16, 16, 3))
  module = Discriminator(resolution=16, channels=2, spectral=False)
  variables = module.init(KEY, x, Y)
  for i in range(3):
    variables['params'][f'block_{i}']['conv2']['kernel'] *= 0
  capture = lambda m, _: m.name in ('block_0', 'block_1')
  seen = {}
  for shortcut in ('raw', 'activated'):
    _, state = module.clone(shortcut=shortcut).apply(
      variables, x, Y, mutable=['intermediates'], capture_intermediates=capture
    )
    seen[shortcut] = [state['intermediates'][n]['__call__'][0] for n in ('block_0', 'block_1')]
  params = variables['params']['block_0']['shortcut']
  first = average_pool(x) @ params['kernel'][0, 0] + params['bias']
  for h, _ in seen.values():
    np.testing.assert_allclose(h, first, atol=1e-5)
  np.testing.assert_allclose(seen['raw'][1], first, atol=1e-5)
  np.testing.assert_allclose(seen['activated'][1], jnp.maximum(first, 0), atol=1e-5)


@pytest.mark.parametrize('norm', ['none', 'layer', 'batch'])
def test_norms_of_the_discriminator(norm):
  """Only batch norm ties the examples of a batch to each other."""
  x = jax.random.normal(KEY, (3, 16, 16, 3))
  module = Discriminator(resolution=16, channels=2, norm=norm, slope=0.2)
  labels = jnp.zeros(3, jnp.int32)
  variables = jax.jit(module.init)(KEY, x, labels)
  run = jax.jit(
    lambda x: module.apply(variables, x, labels[: len(x)], True, mutable=['batch_stats'])[0]
  )
  assert ('batch_stats' in variables) == (norm == 'batch')
  assert np.allclose(run(x)[:2], run(x[:2]), atol=1e-5) == (norm != 'batch')
  assert ('norm1' in variables['params']['block_1']) == (norm != 'none')


def test_mean_pooling_and_its_codes():
  x = jax.random.normal(KEY, (2, 16, 16, 3))
  options = {'resolution': 16, 'channels': 2, 'head': 'info', 'info_continuous': 2}
  total, mean = Discriminator(**options), Discriminator(**options, pool='mean')
  variables = jax.jit(total.init)(KEY, x, Y)
  a, b = (jax.jit(m.apply)(variables, x, Y) for m in (total, mean))
  np.testing.assert_allclose(a['info_mean'], b['info_mean'], rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(a['logits'], 64 * b['logits'], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  'options, message',
  [
    ({'resolution': 48}, 'resolution=48; expected one of 16, 32'),
    ({'condition': 'batch_norm'}, "condition='batch_norm' needs labels; the data have none"),
    ({'condition': 'bn'}, "condition='bn'; expected one of '', 'none', 'batch_norm'"),
    ({'info_injection': 'add'}, "info_injection='add'; expected one of"),
    ({'dim_z': 3}, r'expected \[batch, dim_z=3\]'),
    ({'info_continuous': 2}, r'expected \[batch, dim_z=128 \+ 2 codes\]'),
  ],
)
def test_one_clear_line_of_the_generator(options, message):
  with pytest.raises(ValueError, match=message):
    made(Generator(**options), jnp.zeros((2, 128)))


@pytest.mark.parametrize(
  'options, message',
  [
    ({'shortcut': 'relu'}, "shortcut='relu'; expected one of 'raw', 'activated', 'normalised'"),
    ({'pool': 'max'}, "pool='max'; expected one of 'none', 'sum', 'mean'"),
    ({'norm': 'group'}, "unknown norm 'group'"),
    ({'head': 'contrastive'}, "head='contrastive' needs labels; the data have none: give data.lab"),
  ],
)
def test_one_clear_line_of_the_discriminator(options, message):
  with pytest.raises(ValueError, match=message):
    made(Discriminator(channels=2, **options), jnp.zeros((2, 32, 32, 3)))


def test_an_option_it_does_not_have_is_told():
  with pytest.raises(ConfigError, match='shared_dim'):
    models.make('sngan', image_shape=(32, 32, 3), num_classes=3, shared_dim=3)


@pytest.mark.parametrize('game', ['sn_gan', 'wgan_gp', 'sagan'])
def test_both_losses_trace(game):
  """The options of the systems that share these networks, through the game, without computing."""
  options = {
    'sn_gan': {},
    'wgan_gp': {
      'spectral': False,
      'discriminator_norm': 'layer',
      'pool': 'mean',
      'loss': 'wasserstein',
      'discriminator_penalties': {'gradient_penalty': {}},
    },
    'sagan': {'spectral': True, 'attention': (8,)},
  }[game]
  game = models.make('sngan', image_shape=(16, 16, 3), num_classes=3, channels=4, **options)
  batch = {'image': jnp.zeros((2, 16, 16, 3)), 'label': Y}

  def losses(batch):
    players = game.init(KEY, batch)
    return {
      name: loss(players[name]['params'], players, batch, KEY, jnp.zeros((), jnp.int32))
      for name, loss in game.losses.items()
    }

  for value, _ in jax.eval_shape(losses, batch).values():
    assert value.shape == () and value.dtype == jnp.float32

"""The first GAN: sizes, maxout and dropout by their formulas, labels without effect."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import models
from jaxgan.models.gan import Discriminator, Generator

Y = jnp.zeros(2, jnp.int32)
KEY = jax.random.key(0)
PAPER = {'hidden': 240, 'layers': 2, 'maxout': 5, 'dropout': 0.5}


def parameters(module, x):
  variables = jax.eval_shape(lambda: module.init(KEY, x, Y))
  return sum(leaf.size for leaf in jax.tree.leaves(variables))


@pytest.mark.parametrize('resolution, channels', [(28, 1), (5, 3), (64, 4)])
def test_any_size_and_labels_are_taken_no_notice_of(resolution, channels):
  shape = (resolution, resolution, channels)
  game = models.make('gan', image_shape=shape, num_classes=3, hidden=4, layers=1, dim_z=6)
  assert not game.conditional
  batch = {'image': jnp.zeros((2, *shape)), 'label': Y}
  players = game.init(KEY, batch)
  z = game.predict['latent'](players, KEY, n=2)
  one, two = (game.predict['sample'](players, None, label=Y + i, z=z) for i in (0, 2))
  np.testing.assert_array_equal(one, two)
  assert one.shape == (2, *shape) and one.dtype == jnp.float32 and np.abs(one).max() <= 1
  logits = game.predict['score'](players, KEY, **batch)
  assert logits.shape == (2,) and logits.dtype == jnp.float32


def test_parameters_are_those_of_the_papers_mnist_networks():
  """100-1200-1200-784, and 784-240x5-240x5-1."""
  generator = 101 * 1200 + 1201 * 1200 + 1201 * 784
  assert parameters(Generator(hidden=1200, layers=2), jnp.zeros((2, 100))) == generator
  discriminator = 785 * 1200 + 241 * 1200 + 241
  assert parameters(Discriminator(**PAPER), jnp.zeros((2, 28, 28, 1))) == discriminator


def test_maxout_is_the_largest_of_its_pieces():
  module = Discriminator(hidden=3, layers=1, maxout=2)
  x = jax.random.normal(KEY, (2, 4, 4, 1))
  variables = module.init(KEY, x, Y)
  first, last = (variables['params'][n] for n in ('layer_0', 'linear'))
  pieces = (x.reshape(2, -1) @ first['kernel']).reshape(2, 3, 2)
  expected = np.maximum(pieces[..., 0], pieces[..., 1]) @ last['kernel']
  np.testing.assert_allclose(module.apply(variables, x, Y), expected[:, 0], atol=1e-5)


def test_dropout_keeps_the_mean_and_is_of_training_alone():
  module = Discriminator(hidden=2000, layers=1, dropout=0.4, slope=1.0)
  x = jax.random.normal(KEY, (2, 4, 4, 1))
  variables = module.init(KEY, x, Y)
  run = jax.jit(lambda key: module.apply(variables, x, Y, True, rngs={'dropout': key}))
  plain = module.apply(variables, x, Y)
  draws = np.stack([run(jax.random.key(i)) for i in range(400)])
  assert draws.std(0).min() > 0
  # var of the sum = var of h w * d / (1 - d)
  hidden = x.reshape(2, -1) @ variables['params']['layer_0']['kernel']
  terms = hidden * variables['params']['linear']['kernel'][:, 0]
  np.testing.assert_allclose(draws.var(0), np.square(terms).sum(-1) * 0.4 / 0.6, rtol=0.3)
  np.testing.assert_allclose(draws.mean(0), plain, atol=5 * draws.std(0).max() / 20)
  with pytest.raises(ValueError, match='dropout=1; expected a share from 0 to below 1'):
    Discriminator(dropout=1).init(KEY, x, Y)


def test_spectral_layers_if_asked():
  variables = Discriminator(hidden=4, spectral=True).init(KEY, jnp.zeros((2, 4, 4, 1)), Y)
  assert set(variables['spectral']) == {'layer_0', 'layer_1', 'layer_2', 'linear'}


def test_a_wrong_latent_is_told():
  with pytest.raises(ValueError, match=r'z has shape \(2, 3\); expected \[batch, dim_z=100\]'):
    Generator().init(KEY, jnp.zeros((2, 3)), Y)


def test_a_linear_output_is_what_the_tanh_squashes():
  z = 99 * jax.random.normal(KEY, (2, 4))
  made = [Generator(resolution=1, image_channels=2, dim_z=4, output=o) for o in ('linear', 'tanh')]
  variables = made[0].init(KEY, z, Y)
  linear, squashed = (module.apply(variables, z, Y) for module in made)
  assert linear.shape == (2, 1, 1, 2) and np.abs(linear).max() > 1
  np.testing.assert_allclose(np.tanh(linear), squashed, atol=1e-6)
  with pytest.raises(ValueError, match='expected tanh or linear'):
    made[0].clone(output='relu').init(KEY, z, Y)

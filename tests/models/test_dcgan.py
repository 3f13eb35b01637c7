"""DCGAN: the sizes of its standard form, its guidelines, and what it says of a wrong size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import models
from jaxgan.config import ConfigError
from jaxgan.models.dcgan import Discriminator, Generator

LABELS = jnp.zeros(2, jnp.int32)


def shapes(module, x):
  """Name -> shape of every parameter, without computing anything."""
  variables = jax.eval_shape(lambda: module.init(jax.random.key(0), x, LABELS))
  return {
    jax.tree_util.keystr(k): v.shape for k, v in jax.tree.leaves_with_path(variables['params'])
  }


@pytest.mark.parametrize('resolution, channels', [(64, 3), (8, 1), (128, 3)])
def test_images_come_out_and_logits(resolution, channels):
  generator = Generator(resolution=resolution, image_channels=channels, channels=2)
  discriminator = Discriminator(resolution=resolution, channels=2)
  z, key = jnp.ones((2, 100)), jax.random.key(0)
  images = jax.eval_shape(lambda: generator.init_with_output(key, z, LABELS)[0])
  assert images.shape == (2, resolution, resolution, channels) and images.dtype == jnp.float32
  x = jnp.zeros(images.shape)
  logits = jax.eval_shape(lambda: discriminator.init_with_output(key, x, LABELS)[0])
  assert logits.shape == (2,) and logits.dtype == jnp.float32


def test_parameters_are_those_of_the_standard_form():
  """The PyTorch DCGAN with ngf = ndf = 64 and nz = 100 has 3,576,704 and 2,765,568."""
  generator = shapes(Generator(), jnp.zeros((2, 100)))
  discriminator = shapes(Discriminator(), jnp.zeros((2, 64, 64, 3)))
  assert sum(map(np.prod, generator.values())) == 3_576_704
  assert sum(map(np.prod, discriminator.values())) == 2_765_568
  # batch norm everywhere but at the images
  assert sum('norm' in name for name in generator) == 2 * 4
  assert (
    sum('norm' in name for name in discriminator) == 2 * 3 and "['norm_0']" not in discriminator
  )


def test_labels_are_taken_no_notice_of():
  game = models.make('dcgan', image_shape=(8, 8, 1), num_classes=3, channels=2)
  assert not game.conditional
  batch = {'image': jnp.zeros((2, 8, 8, 1)), 'label': LABELS}
  players = game.init(jax.random.key(0), batch)
  z = game.predict['latent'](players, jax.random.key(1), n=2)
  one, two = (game.predict['sample'](players, None, label=LABELS + i, z=z) for i in (0, 2))
  np.testing.assert_array_equal(one, two)
  assert models.make('biggan', image_shape=(16, 16, 3), num_classes=3).conditional


@pytest.mark.parametrize('size', [48, 4])
def test_a_size_that_no_doubling_reaches_is_told(size):
  game = models.make('dcgan', image_shape=(size, size, 3), num_classes=0)
  batch = {'image': jnp.zeros((2, size, size, 3)), 'label': LABELS}
  with pytest.raises(ValueError, match=f'resolution={size}; expected a power of two from 8 on'):
    game.init(jax.random.key(0), batch)


def test_an_option_it_does_not_have_is_told():
  with pytest.raises(ConfigError, match='shared_dim'):
    models.make('dcgan', image_shape=(8, 8, 1), num_classes=3, shared_dim=3)


def test_a_head_by_choice():
  x = jnp.zeros((2, 16, 16, 3))
  options = {'resolution': 16, 'channels': 2, 'num_classes': 3}
  discriminator = Discriminator(**options, head='auxiliary_classifier')
  output = jax.eval_shape(lambda: discriminator.init_with_output(jax.random.key(0), x, LABELS)[0])
  assert {name: value.shape for name, value in output.items()} == {
    'logits': (2,),
    'class_logits': (2, 3),
  }
  plain = shapes(Discriminator(**options), x)  # that there are classes changes nothing by itself
  assert plain == shapes(Discriminator(resolution=16, channels=2), x)
  assert set(shapes(discriminator, x)) - set(plain) == {"['classify']['kernel']"}
  with pytest.raises(ValueError, match="head='projection' needs labels; the data have none"):
    make = lambda: models.make('dcgan', image_shape=(16, 16, 3), num_classes=0, head='projection')
    make().init(jax.random.key(0), {'image': x, 'label': LABELS})

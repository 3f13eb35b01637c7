"""The standard convolutional network: sizes of the paper's table, options, and what a wrong one says."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import models
from jaxgan.models.sndcgan import Discriminator, Generator

Y = jnp.asarray([0, 2])
KEY = jax.random.key(0)


def made(module, x):
  """(output, variables), abstract."""
  return jax.eval_shape(lambda: module.init_with_output(KEY, x, Y))


def count(variables):
  return sum(x.size for x in jax.tree.leaves(variables['params']))


@pytest.mark.parametrize('resolution', [8, 16, 64])
def test_images_come_out_and_logits(resolution):
  images, _ = made(Generator(resolution=resolution, channels=2, num_classes=3), jnp.ones((2, 128)))
  assert images.shape == (2, resolution, resolution, 3) and images.dtype == jnp.float32
  logits, _ = made(Discriminator(resolution=resolution, channels=2), jnp.zeros(images.shape))
  assert logits.shape == (2,) and logits.dtype == jnp.float32


def test_parameters_are_those_of_the_papers_table():
  """128 -> 4x4x512, 256, 128, 64 to 32 pixels; 64, 64, 128, 128, 256, 256, 512 and a dense layer back."""
  widths = (512, 256, 128, 64)
  ups = sum(16 * a * b + b + 2 * b for a, b in itertools.pairwise(widths))
  generator = 129 * 16 * 512 + ups + (9 * 64 * 3 + 3)
  assert count(made(Generator(), jnp.zeros((2, 128)))[1]) == generator
  assert (
    made(Generator(channels=widths), jnp.zeros((2, 128)))[1]
    == (made(Generator(), jnp.zeros((2, 128)))[1])
  )
  pairs = sum(9 * a * b + b + 16 * b * b + b for a, b in ((3, 64), (64, 128), (128, 256)))
  discriminator = pairs + (9 * 256 * 512 + 512) + (16 * 512 + 1)
  variables = made(Discriminator(), jnp.zeros((2, 32, 32, 3)))[1]
  assert count(variables) == discriminator
  assert 'spectral' in variables and 'batch_stats' not in variables


def test_the_class_enters_by_the_norms_where_there_are_classes():
  z = jax.random.normal(KEY, (2, 4))
  options = {'resolution': 8, 'channels': 2, 'dim_z': 4, 'num_classes': 3}
  for condition, differs in (('', True), ('none', False)):
    generator = Generator(**options, condition=condition, kernel_init='glorot')
    variables = jax.jit(generator.init)(KEY, z, Y)
    run = jax.jit(lambda y, v=variables, g=generator: g.apply(v, z, y))
    assert np.array_equal(run(Y)[1], run(jnp.asarray([0, 1]))[1]) != differs
    one_hot = jax.nn.one_hot(Y, 3)
    np.testing.assert_array_equal(run(Y), run(one_hot))
    game = models.make('sndcgan', image_shape=(8, 8, 3), **options | {'condition': condition})
    assert game.conditional == differs


@pytest.mark.parametrize('pool, inputs', [('none', 16 * 8), ('sum', 8), ('mean', 8)])
def test_what_the_head_sees(pool, inputs):
  discriminator = Discriminator(resolution=8, channels=4, pool=pool)
  variables = made(discriminator, jnp.zeros((2, 8, 8, 3)))[1]
  assert variables['params']['linear']['kernel'].shape == (inputs, 1)


@pytest.mark.parametrize(
  'module, message',
  [
    (Generator(resolution=12), 'resolution=12; expected a power of two from 8 on'),
    (Generator(channels=(8, 4)), r'channels=\(8, 4\); expected a positive number, or 4 of them'),
    (Generator(dim_z=5), r'z has shape \(2, 128\); expected \[batch, dim_z=5\]'),
    (Generator(condition='batch_norm'), "condition='batch_norm' needs labels"),
    (Discriminator(pool='max'), "pool='max'; expected one of 'none', 'sum', 'mean'"),
  ],
)
def test_a_wrong_option_is_told(module, message):
  x = jnp.ones((2, 128)) if isinstance(module, Generator) else jnp.zeros((2, 32, 32, 3))
  with pytest.raises(ValueError, match=message):
    made(module, x)

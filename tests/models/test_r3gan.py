"""R3GAN: grouped convolution, resampling, start, sizes, and what it says of options that do not fit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import models
from jaxgan.config import ConfigError
from jaxgan.models import r3gan
from jaxgan.nn.initialize import initialize

KEY = jax.random.key(0)
LABELS = jnp.array([0, 2])
SMALL = {'channels': 4, 'group_size': 4, 'blocks': 1}


def native(x, w):
  """XLA's grouped convolution."""
  groups = x.shape[-1] // w.shape[2]
  return jax.lax.conv_general_dilated(
    x, w, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'), feature_group_count=groups
  )


@pytest.mark.parametrize(
  ('groups', 'inner', 'outer', 'side'), [(3, 4, 4, 3), (2, 3, 5, 3), (6, 1, 1, 3), (1, 3, 2, 5)]
)
def test_grouped_convolution_and_its_derivatives_are_xlas(groups, inner, outer, side):
  with jax.enable_x64(True):
    x = jax.random.normal(KEY, (2, 5, 4, groups * inner), jnp.float64)
    w = jax.random.normal(jax.random.key(1), (side, side, inner, groups * outer), jnp.float64)
    weight = jax.random.normal(jax.random.key(2), (2, 5, 4, groups * outer), jnp.float64)

    def derivatives(conv):
      value = lambda x, w: (jnp.tanh(conv(x, w)) * weight).sum()
      penalty = lambda w: (jax.grad(value)(x, w) ** 2).sum()  # as R1 has it
      return conv(x, w), jax.grad(value, (0, 1))(x, w), jax.grad(penalty)(w)

    jax.tree.map(
      functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-11),
      jax.jit(lambda: derivatives(r3gan.grouped_conv))(),
      jax.jit(lambda: derivatives(native))(),
    )


@pytest.mark.parametrize('shape', [(3, 3, 4, 6), (3, 3, 3, 5), (2, 2, 3, 6)])
def test_groups_that_do_not_fit_are_told(shape):
  with pytest.raises(ValueError, match=r'x \[1, 4, 4, 6\] and w .*; expected .* odd k'):
    r3gan.grouped_conv(jnp.zeros((1, 4, 4, 6)), jnp.zeros(shape))


def test_resampling_keeps_the_mean_and_each_is_the_others_gradient():
  x = jax.random.normal(KEY, (2, 6, 4, 3))
  for resample, size in ((r3gan.upsample, 4), (r3gan.downsample, 8)):
    constant = jax.jit(resample)(jnp.ones((1, size, size, 1)))
    np.testing.assert_allclose(constant[0, 1:-1, 1:-1], 1, rtol=1e-6)
  transposed = jax.linear_transpose(r3gan.downsample, jnp.zeros((2, 12, 8, 3)))
  larger, (gradient,) = jax.jit(lambda x: (r3gan.upsample(x), transposed(x)))(x)
  np.testing.assert_allclose(larger, 4 * gradient, rtol=1e-5, atol=1e-6)


def test_the_start_is_the_recorded_one():
  """Standard deviations of a 64 wide network of 4 blocks, groups of 32, dim_z 16."""
  options = {'resolution': 8, 'channels': 64, 'expansion': 2, 'group_size': 32, 'blocks': 2}
  module = r3gan.Generator(**options, dim_z=16)
  params = initialize(module, KEY, jnp.zeros((1, 16)), LABELS[:1])['params']
  std = lambda *names: float(np.std(functools.reduce(lambda tree, n: tree[n], names, params)))
  for i, j in np.ndindex(2, 2):
    block = f'block_{i}_{j}'
    np.testing.assert_allclose(std(block, 'conv1', 'kernel'), 0.1230, rtol=0.05)
    np.testing.assert_allclose(std(block, 'conv2'), 0.0580, rtol=0.05)
    assert std(block, 'conv3', 'kernel') == std(block, 'bias1') == std(block, 'bias2') == 0
  np.testing.assert_allclose(std('basis'), 1.0280, rtol=0.1)
  np.testing.assert_allclose(std('linear', 'kernel'), 0.2420, rtol=0.1)
  np.testing.assert_allclose(std('images', 'kernel'), 0.1226, rtol=0.2)
  x = jax.random.normal(KEY, (1, 4, 4, 64))
  block = r3gan.Block(128, 32, 4)
  np.testing.assert_array_equal(block.apply({'params': params['block_0_0']}, x), x)


def test_the_logit_of_a_new_discriminator_has_the_size_of_its_features():
  """Neither the depth nor the number of classes makes it large or small."""
  x = jax.random.normal(KEY, (64, 16, 16, 3))
  for num_classes in (0, 7):
    module = r3gan.Discriminator(resolution=16, num_classes=num_classes, channels=32, blocks=3)
    labels = jnp.arange(64) % 7
    logits = jax.jit(module.apply)(initialize(module, KEY, x, labels), x, labels)
    assert logits.shape == (64,) and logits.dtype == jnp.float32
    assert 0.02 < np.std(logits) < 5


def count(module, x):
  shapes = jax.eval_shape(lambda: module.init(KEY, x, LABELS))
  return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def test_sizes_of_the_papers_networks():
  """Eight blocks of 768 -> 1536 -> 1536 in groups of 16 -> 768, and the two ends."""
  blocks = 8 * (2 * 768 * 1536 + 9 * 16 * 1536 + 2 * 1536)
  generator = blocks + 16 * 768 + (64 + 64) * 768 + 10 * 64 + 768 * 3
  discriminator = blocks + 16 * 768 + 768 * 768 + 10 * 768 + 768 * 3
  assert count(r3gan.Generator(num_classes=10), jnp.zeros((2, 64))) == generator
  assert count(r3gan.Discriminator(num_classes=10), jnp.zeros((2, 32, 32, 3))) == discriminator
  widths = [stage['channels'] for stage in r3gan.Generator(resolution=256).stages()]
  assert widths == [768, 768, 768, 768, 384, 192, 96]


@pytest.mark.parametrize(('size', 'channels', 'dtype'), [(4, 1, 'float32'), (16, 3, 'bfloat16')])
def test_images_come_out_and_logits(size, channels, dtype):
  options = {
    **SMALL,
    'resolution': size,
    'channels': 8,
    'num_classes': 3,
    'dtype': jnp.dtype(dtype),
  }
  generator = r3gan.Generator(**options, image_channels=channels, dim_z=5)
  discriminator = r3gan.Discriminator(**options)
  variables = initialize(generator, KEY, jnp.ones((2, 5)), LABELS)
  z = 9 * jax.random.normal(KEY, (2, 5))
  both = lambda v: [generator.apply(v, z, LABELS, train) for train in (True, False)]
  raw, shown = jax.jit(both)(variables)
  assert raw.shape == (2, size, size, channels) and raw.dtype == shown.dtype == jnp.float32
  assert np.abs(raw).max() > 1
  np.testing.assert_allclose(shown, np.clip(raw, -1, 1), atol=1e-6)
  of_d = initialize(discriminator, KEY, raw, LABELS)
  logits = jax.jit(discriminator.apply)(of_d, raw, LABELS)
  assert logits.shape == (2,) and logits.dtype == jnp.float32 and np.isfinite(logits).all()


def test_labels_are_heeded_mixed_and_refused():
  module = r3gan.Generator(**SMALL, resolution=8, num_classes=3, dim_z=5)
  z = jnp.ones((2, 5))
  variables = initialize(module, KEY, z, LABELS)
  apply = jax.jit(lambda labels: module.apply(variables, z, labels, True))
  images = apply(LABELS)
  assert np.abs(images[0] - images[1]).max() > 1e-3
  np.testing.assert_allclose(apply(jax.nn.one_hot(LABELS, 3)), images, rtol=1e-5, atol=1e-6)
  assert np.isnan(apply(jnp.array([3, -1]))).all()


def test_recomputing_blocks_changes_nothing():
  x = jax.random.normal(KEY, (2, 8, 8, 3))
  plain, again = (
    r3gan.Discriminator(**SMALL, resolution=8, remat=remat) for remat in (False, True)
  )
  variables = plain.init(KEY, x, LABELS)
  gradient = lambda module: jax.jit(jax.grad(lambda v: module.apply(v, x, LABELS).sum()))(variables)
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6),
    gradient(plain),
    gradient(again),
  )


def test_options_come_back_from_json_as_lists():
  game = models.make(
    'r3gan',
    image_shape=(8, 8, 3),
    num_classes=3,
    channels=[8, 4],
    group_size=[4, 2],
    blocks=1,
    dtype='float32',
    dim_z=5,
  )
  assert game.conditional
  players = game.init(KEY, {'image': jnp.zeros((2, 8, 8, 3)), 'label': LABELS})
  assert players['generator']['params']['up_1']['kernel'].shape == (1, 1, 8, 4)
  assert players['discriminator']['params']['block_1_0']['conv2'].shape == (3, 3, 2, 8)


@pytest.mark.parametrize(
  ('options', 'says'),
  [
    ({'resolution': 48}, 'resolution=48; expected a power of two from 4 on'),
    ({'channels': (8, 8)}, r'channels=\(8, 8\); expected a positive number, or 4 of them'),
    ({'blocks': 0}, 'blocks=0; expected a positive number'),
    ({'group_size': 3}, r'group_size=3 does not divide the 8 hidden channels \(channels 4 times'),
  ],
)
def test_numbers_that_do_not_fit_are_told(options, says):
  with pytest.raises(ValueError, match=says):
    r3gan.Generator(**{**SMALL, **options}).init(KEY, jnp.zeros((2, 64)), LABELS)


def test_other_mistakes_are_told():
  with pytest.raises(ValueError, match=r'z has shape \(2, 5\); expected \[batch, dim_z=64\]'):
    r3gan.Generator(**SMALL).init(KEY, jnp.zeros((2, 5)), LABELS)
  with pytest.raises(ConfigError, match='shared_dim'):
    models.make('r3gan', image_shape=(8, 8, 1), num_classes=3, shared_dim=3)

"""Consistency: nothing to pay for a critic that does not see the change, and numbers by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn import replicas
from jaxgan.penalties import (
  balanced_consistency,
  consistency,
  latent_consistency,
  latent_diversity,
)
from jaxgan.penalties.consistency import flip_and_shift, flipped_and_shifted

KEY = jax.random.key(0)
SHAPE = (5, 8, 16, 3)
REAL, FAKE = (jax.random.normal(jax.random.key(i), SHAPE) for i in (1, 2))


def brighter(images, key):
  return images + 0.5


def linear(w):
  return lambda x: w * x.mean((1, 2, 3))


@pytest.mark.parametrize('penalty', [consistency, balanced_consistency])
def test_an_invariant_critic_pays_nothing(penalty):
  """A critic of the middle's mirror-symmetric mean is blind to a flip, one of contrast to brightness."""
  fakes = () if penalty is consistency else (lambda x: jnp.ptp(x, (1, 2, 3)),)
  pictures = (REAL,) if penalty is consistency else (REAL, FAKE)
  blind = lambda x: jnp.ptp(x, (1, 2, 3))
  value = penalty(blind, *fakes, *pictures, KEY, augment=brighter)
  np.testing.assert_allclose(value, 0, atol=1e-9)
  seeing = lambda x: x.mean((1, 2, 3))
  fakes = (seeing,) if fakes else ()
  assert (penalty(seeing, *fakes, *pictures, KEY, augment=brighter) > 0.1).all()


def test_of_linear_critics():
  """weight (w/2)^2 where T adds 1/2, of real and of fake each with its own critic and weight."""
  value = consistency(linear(3.0), REAL, KEY, augment=brighter, weight=2.0)
  assert value.shape == SHAPE[:1] and value.dtype == jnp.float32
  np.testing.assert_allclose(value, 2 * 1.5**2, rtol=1e-4)
  value = balanced_consistency(
    linear(3.0), linear(1.0), REAL, FAKE, KEY, augment=brighter, weight=2.0, fake_weight=5.0
  )
  np.testing.assert_allclose(value, 2 * 1.5**2 + 5 * 0.5**2, rtol=1e-4)


def test_the_gradient_goes_through_both_judgements():
  critic = lambda w: lambda x: w * jnp.square(x).mean((1, 2, 3))
  a, b = (np.square(x).mean((1, 2, 3)) for x in (REAL, REAL + 0.5))
  slope = jax.grad(lambda w: consistency(critic(w), REAL, KEY, augment=brighter, weight=1.0).sum())(
    3.0
  )
  np.testing.assert_allclose(slope, 2 * 3 * np.square(a - b).sum(), rtol=1e-4)


def test_real_and_fake_are_changed_apart():
  keys = []

  def spy(images, key):
    keys.append(jax.random.key_data(key))
    return images

  balanced_consistency(linear(1.0), linear(1.0), REAL, FAKE, KEY, augment=spy)
  assert len(keys) == 2 and not np.array_equal(*keys)


def test_shift_and_flip_by_hand():
  x = jnp.arange(5.0)[None, None, :, None] + 10 * jnp.arange(4.0)[None, :, None, None]
  move = lambda flip, down, right: flipped_and_shifted(
    x, jnp.array([flip]), jnp.array([down]), jnp.array([right])
  )[0, :, :, 0]
  np.testing.assert_array_equal(move(False, 0, 0), x[0, :, :, 0])
  np.testing.assert_array_equal(move(False, 0, 2)[0], [2, 3, 4, 3, 2])
  np.testing.assert_array_equal(move(False, 0, -1)[0], [1, 0, 1, 2, 3])
  np.testing.assert_array_equal(move(False, 1, 0)[:, 0], [10, 20, 30, 20])
  np.testing.assert_array_equal(move(False, -2, 0)[:, 0], [20, 10, 0, 10])
  np.testing.assert_array_equal(move(True, 0, 1)[0], [3, 2, 1, 0, 1])  # flip first, then shift


def test_the_draws_of_flip_and_shift():
  """Half of the pictures are mirrored; every shift up to 1/8 of a side comes about as often."""
  n, height, width = 3000, 8, 16
  rows, columns = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing='ij')
  x = jnp.broadcast_to(jnp.stack([rows, columns], -1), (n, height, width, 2)).astype(jnp.float32)
  moved = np.asarray(flip_and_shift(x, KEY))[:, 4, 8]
  down, column = moved[:, 0] - 4, moved[:, 1]
  assert set(down) == {-1, 0, 1}
  assert set(column) == {*range(6, 11), *(15 - c for c in range(6, 11))}
  np.testing.assert_allclose([(down == d).mean() for d in (-1, 0, 1)], 1 / 3, atol=0.04)
  # mirrored: 15 - (8 + s), which is 5 to 9; 10 is never mirrored and 5 always
  np.testing.assert_allclose([(column == c).mean() for c in (5, 10)], 0.1, atol=0.02)
  assert abs(np.corrcoef(down, column)[0, 1]) < 0.06


def test_each_device_layout_draws_alike():
  x = REAL[:4]
  step = jax.pmap(lambda x: flip_and_shift(x, KEY), axis_name=replicas.AXIS)
  ours = step(x.reshape(2, 2, *SHAPE[1:])).reshape(x.shape)
  np.testing.assert_array_equal(ours, flip_and_shift(x, KEY))


def test_flip_and_shift_is_for_pictures():
  with pytest.raises(ValueError, match=r'\(5, 3\); expected \[batch, height, width, channels\]'):
    flip_and_shift(jnp.zeros((5, 3)), KEY)


Z = jax.random.normal(jax.random.key(3), (4000, 2))


def generate(z):
  """Three pixels: z1, z2, and their sum."""
  return jnp.stack([z[:, 0], z[:, 1], z.sum(1)], 1)[:, :, None, None]


def test_latent_consistency():
  """A linear D(G(z)) = a.z moves by N(0, noise^2 |a|^2): the mean square is known."""
  critic = lambda x: 3 * x[:, 0, 0, 0] - 4 * x[:, 1, 0, 0]
  value = latent_consistency(critic, generate, Z, KEY, weight=5.0, noise=0.1)
  assert value.shape == (4000,) and (value >= 0).all()
  np.testing.assert_allclose(value.mean(), 5 * 0.01 * 25, rtol=0.1)
  still = latent_consistency(lambda x: jnp.ones(len(x)), generate, Z, KEY)
  np.testing.assert_array_equal(still, 0)


def test_latent_consistency_teaches_the_discriminator_alone():
  loss = lambda g, d: latent_consistency(
    lambda x: d * x.sum((1, 2, 3)), lambda z: g * generate(z), Z, KEY
  ).mean()
  slopes = jax.grad(loss, argnums=(0, 1))(2.0, 3.0)
  assert slopes[0] == 0 and slopes[1] > 0


def test_latent_diversity():
  """-weight noise^2 (1 + 1 + 2) / 3 in the mean; more for a livelier generator."""
  value = latent_diversity(generate, Z, KEY, weight=0.5, noise=0.1)
  assert value.shape == (4000,) and (value <= 0).all()
  np.testing.assert_allclose(value.mean(), -0.5 * 0.01 * 4 / 3, rtol=0.1)
  slope = jax.grad(lambda g: latent_diversity(lambda z: g * generate(z), Z, KEY).mean())(1.0)
  assert slope < 0

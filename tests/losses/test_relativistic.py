"""Relativistic losses: recorded numbers, numbers by hand, symmetries, and the mean over replicas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.losses.pairs import RELATIVISTIC
from tests.losses import layouts

REAL, FAKE = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)


def close(ours, theirs):
  np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_golden():
  """Of real - fake, as R3GAN's trainer gave it (commit 19a7ddf4, four conditional examples)."""
  real_less_fake = jnp.array([0.01751943, 0.06340507, -0.10358791, -0.17485413])
  loss_d = [0.68442583, 0.6619471, 0.7462818, 0.78439116]
  loss_g = [0.7019453, 0.72535217, 0.64269394, 0.609537]
  fake = jnp.array([0.3, -1.2, 0.0, 2.0])
  close(losses.relativistic_discriminator(real_less_fake + fake, fake), loss_d)
  close(losses.relativistic_generator(real_less_fake + fake, fake), loss_g)


def test_averages_by_hand():
  """Margins over the other kind's mean: 2, -1 of the real ones, 1, 0 of the fakes (under it)."""
  real, fake = jnp.array([2.5, -0.5]), jnp.array([0.0, 1.0])  # means 1 and 0.5
  margins = np.array([[2.0, -1.0], [1.0, 0.0]])
  cost = {
    'relativistic_average': np.log1p(np.exp(-margins)),
    'relativistic_average_hinge': np.maximum(0, 1 - margins),
    'relativistic_average_least_squares': (margins - 1) ** 2,
  }
  opposite = {
    'relativistic_average': np.log1p(np.exp(margins)),
    'relativistic_average_hinge': np.maximum(0, 1 + margins),
    'relativistic_average_least_squares': (margins + 1) ** 2,
  }
  for name in cost:
    close(losses.pair(name).discriminator(real, fake), cost[name].sum(0))
    close(losses.pair(name).generator(real, fake), opposite[name].sum(0))


@pytest.mark.parametrize('name', RELATIVISTIC)
def test_only_differences_matter(name):
  """Adding a constant to every logit changes nothing: the critic's level is free."""
  pair = losses.pair(name)
  for loss in pair[:2]:
    np.testing.assert_allclose(loss(REAL + 3, FAKE + 3), loss(REAL, FAKE), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', RELATIVISTIC)
def test_the_generator_plays_the_game_with_the_kinds_exchanged(name):
  pair = losses.pair(name)
  close(pair.generator(REAL, FAKE), pair.discriminator(FAKE, REAL))
  assert not np.allclose(pair.generator(REAL, FAKE), pair.discriminator(REAL, FAKE))


@pytest.mark.parametrize('name', RELATIVISTIC)
def test_two_replicas_equal_one(name):
  pair = losses.pair(name)
  layouts.check(pair.discriminator, REAL, FAKE)
  layouts.check(pair.generator, REAL, FAKE)


def test_means_are_of_the_batch():
  """Another real example moves this one's average loss, but not its paired loss."""
  at = lambda loss: jax.grad(lambda real: loss(real, FAKE)[0])(jnp.asarray(REAL))[1]
  assert at(losses.relativistic_average_discriminator) != 0
  assert at(losses.relativistic_discriminator) == 0


def test_shapes_that_would_broadcast_are_refused():
  with pytest.raises(ValueError, match=r'logits of shape \(4, 1\)'):
    losses.relativistic_average_generator(jnp.zeros((4, 1)), jnp.zeros((4, 1)))

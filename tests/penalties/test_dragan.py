"""DRAGAN: closed forms, and the noise of each convention by its distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn import replicas
from jaxgan.penalties import dragan
from jaxgan.penalties.dragan import CONVENTIONS, perturb

KEY = jax.random.key(0)
SHAPE = (6, 4, 4, 3)
REAL = jax.random.uniform(jax.random.key(1), SHAPE, minval=-1, maxval=1)
W = jax.random.normal(jax.random.key(2), SHAPE[1:])
NORM = float(jnp.linalg.norm(W))


def quadratic(a):
  """a/2 |x|^2, with gradient a x."""
  return lambda x: 0.5 * a * jnp.square(x).sum((1, 2, 3))


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_of_a_linear_critic(convention):
  """weight (|w| - target)^2, wherever the noise leads."""
  critic = lambda x: (x * W).sum((1, 2, 3))
  value = dragan(critic, REAL, KEY, weight=2.5, target=3.0, convention=convention)
  assert value.shape == SHAPE[:1] and value.dtype == jnp.float32
  np.testing.assert_allclose(value, 2.5 * (NORM - 3) ** 2, rtol=1e-5)


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_of_a_quadratic_critic_at_the_moved_picture(convention):
  x = np.asarray(perturb(REAL, KEY, convention))
  norms = np.sqrt(np.square(x).sum((1, 2, 3)))
  value = dragan(quadratic(0.7), REAL, KEY, weight=1.0, convention=convention)
  np.testing.assert_allclose(value, (0.7 * norms - 1) ** 2, rtol=1e-4)
  assert not np.allclose(value, dragan(quadratic(0.7), REAL, jax.random.key(9), weight=1.0))


def test_a_gradient_of_zero_gives_finite_values_and_slopes():
  zeros = jnp.zeros(SHAPE)  # without spread there is no noise
  penalty = lambda a: dragan(quadratic(a), zeros, KEY, weight=4.0).mean()
  value, slope = jax.value_and_grad(penalty)(2.0)
  np.testing.assert_allclose(value, 4.0)
  assert slope == 0


MANY = jnp.where(jnp.arange(2000) % 2 == 0, 0.4, -0.4)[:, None, None, None] * jnp.ones((1, 4, 4, 1))


def test_noise_of_the_authors():
  """t std/2 u: upwards alone, t of the sample and u of the pixel, both uniform."""
  noise = np.asarray(perturb(MANY, KEY) - MANY)
  std = 0.4
  assert noise.min() >= 0 and 0.9 * std / 2 < noise.max() <= std / 2
  np.testing.assert_allclose(noise.mean(), std / 8, rtol=0.03)
  t = noise.max((1, 2, 3)) / (std / 2)  # nearly: the largest of 16 u
  np.testing.assert_allclose(
    np.quantile(t, [0.25, 0.5, 0.75]) * 17 / 16, [0.25, 0.5, 0.75], atol=0.03
  )
  assert np.ptp(noise, axis=0).min() > 0 and np.ptp(noise[0]) > 0


def test_noise_of_compare_gan():
  noise = np.asarray(perturb(MANY, KEY, 'compare_gan') - MANY)
  std = 0.4
  assert np.abs(noise).max() <= std / 2 + 1e-6
  np.testing.assert_allclose(
    np.quantile(noise, [0.1, 0.5, 0.9]), std * np.array([-0.4, 0, 0.4]), atol=0.01
  )
  bright = jnp.where(MANY > 0, 1.0, -1.0)
  assert np.abs(perturb(bright, KEY, 'compare_gan')).max() == 1


def test_studiogan_divides_by_one_less():
  two = jnp.array([[0.5], [-0.5]])
  authors, studiogan = (perturb(two, KEY, c) - two for c in ('authors', 'studiogan'))
  np.testing.assert_allclose(studiogan, np.sqrt(2) * authors, rtol=1e-4)


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_replicas_see_the_spread_of_the_whole_batch(convention):
  x = REAL.at[3:].multiply(0.1)
  step = jax.pmap(lambda x: perturb(x, KEY, convention), axis_name=replicas.AXIS)
  ours = step(x.reshape(2, 3, *SHAPE[1:])).reshape(SHAPE)
  np.testing.assert_allclose(ours, perturb(x, KEY, convention), rtol=1e-5, atol=1e-6)


def test_unknown_convention():
  with pytest.raises(ValueError, match="unknown convention 'paper'; expected one of authors, stud"):
    dragan(quadratic(1.0), REAL, KEY, convention='paper')

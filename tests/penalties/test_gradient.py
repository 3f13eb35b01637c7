"""Gradient penalties: closed forms on critics that can be differentiated by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn import replicas
from jaxgan.penalties import gradient_penalty, lipschitz_penalty, max_gradient_penalty, r1, r2

SHAPE = (5, 4, 4, 3)
KEY = jax.random.key(0)
REAL, FAKE = (
  jax.random.normal(jax.random.key(1), SHAPE),
  jax.random.normal(jax.random.key(2), SHAPE),
)
W = jax.random.normal(jax.random.key(3), SHAPE[1:])
NORM = float(jnp.linalg.norm(W))


def linear(w):
  return lambda x: (x * w).sum((1, 2, 3))


def quadratic(a):
  """a/2 |x|^2, with gradient a x."""
  return lambda x: 0.5 * a * jnp.square(x).sum((1, 2, 3))


def squared(x):
  return np.square(x).sum((1, 2, 3))


@pytest.mark.parametrize('weight, target', [(10.0, 1.0), (2.5, 0.0), (1.0, 20.0)])
def test_of_a_linear_critic(weight, target):
  """weight (|w| - target)^2 for every sample, the norm over all of its pixels and channels."""
  value = gradient_penalty(linear(W), REAL, FAKE, KEY, weight=weight, target=target)
  assert value.shape == SHAPE[:1] and value.dtype == jnp.float32
  np.testing.assert_allclose(value, weight * (NORM - target) ** 2, rtol=1e-5)


def test_its_slope_on_a_linear_critic():
  """2 weight (|w| - 1) w / |w|: the second derivative of the critic's own path."""
  penalty = lambda w: gradient_penalty(linear(w), REAL, FAKE, KEY, weight=3.0).mean()
  np.testing.assert_allclose(jax.grad(penalty)(W), 6 * (NORM - 1) * W / NORM, rtol=1e-4)


def test_of_a_quadratic_critic():
  """(a |x| - 1)^2 where real and fake are the same x."""
  value = gradient_penalty(quadratic(0.7), REAL, REAL, KEY, weight=1.0)
  np.testing.assert_allclose(value, (0.7 * np.sqrt(squared(REAL)) - 1) ** 2, rtol=1e-4)


def test_one_weight_a_sample():
  """Between 0 and 1 the gradient of |x|^2/2 is t everywhere in a picture, with t of that picture."""
  zeros, ones = jnp.zeros(SHAPE), jnp.ones(SHAPE)
  value = gradient_penalty(quadratic(1.0), zeros, ones, KEY, weight=1.0, target=0.0)
  t = np.sqrt(np.asarray(value) / np.prod(SHAPE[1:]))
  np.testing.assert_allclose(t, jax.random.uniform(KEY, SHAPE[:1]), rtol=1e-5)
  assert len(set(t)) == len(t) and (t >= 0).all() and (t < 1).all()
  other = gradient_penalty(quadratic(1.0), zeros, ones, jax.random.key(9), weight=1.0, target=0.0)
  assert not np.allclose(value, other)


def test_weights_are_uniform():
  many = (20_000, 1, 1, 1)
  value = gradient_penalty(
    quadratic(1.0), jnp.zeros(many), jnp.ones(many), KEY, weight=1.0, target=0.0
  )
  np.testing.assert_allclose(
    np.quantile(np.sqrt(value), [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.02
  )


def test_a_gradient_of_zero_gives_finite_values_and_slopes():
  """The root has no slope at 0; the penalty there is weight * target^2 and pushes nowhere."""
  zeros = jnp.zeros(SHAPE)
  penalty = lambda a: gradient_penalty(quadratic(a), zeros, zeros, KEY, weight=4.0).mean()
  value, slope = jax.value_and_grad(penalty)(2.0)
  np.testing.assert_allclose(value, 4.0)
  assert slope == 0
  flat = lambda a: gradient_penalty(lambda x: a * jnp.ones(len(x)), REAL, FAKE, KEY).mean()
  assert np.isfinite(jax.value_and_grad(flat)(1.0)).all()
  dead = jnp.ones(SHAPE).at[1:].set(0)  # one sample that lives does not hide the others
  slopes = jax.grad(lambda a: gradient_penalty(quadratic(a), dead, dead, KEY).sum())(2.0)
  assert np.isfinite(slopes) and slopes > 1


def test_one_sided_leaves_small_gradients_alone():
  below, above = W * (0.5 / NORM), W * (3.0 / NORM)
  one_sided = lambda w: gradient_penalty(linear(w), REAL, FAKE, KEY, weight=1.0, one_sided=True)
  np.testing.assert_array_equal(one_sided(below), 0)
  np.testing.assert_allclose(one_sided(above), 4.0, rtol=1e-5)
  np.testing.assert_allclose(
    gradient_penalty(linear(below), REAL, FAKE, KEY, weight=1.0), 0.25, rtol=1e-5
  )


def test_the_lipschitz_penalty_is_one_sided():
  for norm, expected in ((0.5, 0.0), (1.0, 0.0), (3.0, 2.5 * 4.0)):
    value = lipschitz_penalty(linear(W * (norm / NORM)), REAL, FAKE, KEY, weight=2.5)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-9)
  slope = jax.grad(lambda a: lipschitz_penalty(quadratic(a), REAL, FAKE, KEY).sum())(0.0)
  assert slope == 0  # a gradient of zero, and one below the target, push nowhere


def test_max_gradient_penalty_is_of_the_steepest_sample():
  """weight |w|^2 for a linear critic; for a quadratic one that of the farthest sample, with its slope."""
  value = max_gradient_penalty(linear(W), REAL, FAKE, KEY, weight=3.0)
  assert value.shape == () and value.dtype == jnp.float32
  np.testing.assert_allclose(value, 3 * NORM**2, rtol=1e-5)
  penalty = lambda a, x: max_gradient_penalty(quadratic(a), x, x, KEY, weight=3.0)
  value, slope = jax.value_and_grad(penalty)(0.7, REAL)
  np.testing.assert_allclose(value, 3 * 0.49 * squared(REAL).max(), rtol=1e-5)
  np.testing.assert_allclose(slope, 6 * 0.7 * squared(REAL).max(), rtol=1e-5)
  np.testing.assert_array_equal(jax.value_and_grad(penalty)(0.7, jnp.zeros(SHAPE)), 0)


def test_the_maximum_is_over_all_replicas():
  x = REAL[:4]
  penalty = lambda a, x: max_gradient_penalty(quadratic(a), x, x, KEY)
  both = jax.value_and_grad(penalty)
  step = jax.pmap(lambda x: replicas.mean(both(0.7, x)), axis_name=replicas.AXIS)
  for ours, whole in zip(step(x.reshape(2, 2, *SHAPE[1:])), both(0.7, x)):
    np.testing.assert_allclose(ours, [whole, whole], rtol=1e-5)


@pytest.mark.parametrize('penalty, x', [(r1, REAL), (r2, FAKE)])
def test_r1_and_r2(penalty, x):
  """gamma/2 |grad|^2 at the pictures themselves, and its slope in the critic."""
  value = penalty(quadratic(0.3), x, gamma=4.0)
  assert value.shape == SHAPE[:1]
  np.testing.assert_allclose(value, 2 * 0.09 * squared(x), rtol=1e-5)
  np.testing.assert_allclose(penalty(linear(W), x, gamma=4.0), 2 * NORM**2, rtol=1e-5)
  slope = jax.grad(lambda a: penalty(quadratic(a), x, gamma=4.0).mean())(0.3)
  np.testing.assert_allclose(slope, 4 * 0.3 * squared(x).mean(), rtol=1e-4)
  np.testing.assert_array_equal(penalty(quadratic(1.0), jnp.zeros(SHAPE)), 0)


def test_half_precision_is_summed_in_float32():
  low = lambda x: x.astype(jnp.bfloat16)
  value = gradient_penalty(linear(low(W)), low(REAL), low(FAKE), KEY, weight=1.0)
  assert value.dtype == jnp.float32
  np.testing.assert_allclose(value, (np.linalg.norm(low(W).astype(np.float32)) - 1) ** 2, rtol=1e-5)


def test_dirac_gan_circles_without_r1_and_converges_with_it():
  """Fakes at theta, critic psi x, reals at 0: Mescheder et al. 2018, arXiv 1801.04406, figure 1."""

  @jax.jit
  def turn(theta, psi, gamma):
    def loss(psi):
      critic = lambda x: psi * x[:, 0]
      penalty = r1(critic, jnp.zeros((1, 1)), gamma=gamma)
      return (critic(jnp.full((1, 1), theta)) + penalty).mean()

    psi = psi - 0.1 * jax.grad(loss)(psi)
    return theta + 0.1 * psi, psi

  for gamma, low, high in ((0.0, 0.9, 1.6), (1.0, 0.0, 0.01)):
    theta, psi = jnp.array(1.0), jnp.array(0.0)
    for _ in range(300):
      theta, psi = turn(theta, psi, gamma)
    assert low <= float(jnp.hypot(theta, psi)) <= high


@pytest.mark.parametrize('penalty', [gradient_penalty, lipschitz_penalty, max_gradient_penalty])
def test_pairs_must_match(penalty):
  critic = lambda x: x.sum((1, 2, 3))
  with pytest.raises(ValueError, match='expected one shape'):
    penalty(critic, jnp.ones((4, 8, 8, 3)), jnp.ones((1, 8, 8, 1)), jax.random.key(0))

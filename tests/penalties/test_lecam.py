"""LeCam: numbers by hand, the means, and what theory says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn import replicas
from jaxgan.penalties import lecam, lecam_means

REAL, FAKE = jnp.array([2.0, -1.0]), jnp.array([0.5, 3.0])


def test_by_hand():
  """Reals are held near the mean of the fakes and fakes near that of the reals."""
  value = lecam(REAL, FAKE, 1.0, -2.0, weight=0.5)
  np.testing.assert_allclose(value, [0.5 * (16 + 0.25), 0.5 * (1 + 4)], rtol=1e-6)
  assert value.dtype == jnp.float32
  one_sided = lecam(REAL, FAKE, 1.0, -2.0, weight=0.5, one_sided=True)
  np.testing.assert_allclose(one_sided, [0.5 * (16 + 0.25), 0.5 * (1 + 0)], rtol=1e-6)
  value = lecam(REAL, FAKE, 1.0, 5.0, weight=1.0, one_sided=True)
  np.testing.assert_allclose(value, [0.25, 0.0], rtol=1e-6)


def test_slopes_and_constant_means():
  loss = lambda *args: lecam(*args, weight=0.5).sum()
  slopes = jax.grad(loss, argnums=(0, 1, 2, 3))(REAL, FAKE, 1.0, -2.0)
  np.testing.assert_allclose(slopes[0], REAL + 2, rtol=1e-6)
  np.testing.assert_allclose(slopes[1], FAKE - 1, rtol=1e-6)
  assert slopes[2] == slopes[3] == 0


def test_of_a_wasserstein_critic_it_bounds_the_logits():
  """fake - real + lambda LeCam, its means in step, comes to rest at a gap of 1 / (2 lambda)."""
  weight = 0.3
  real, fake = jnp.zeros(1), jnp.zeros(1)
  loss = lambda real, fake, means: (fake - real + lecam(real, fake, *means, weight=weight)).sum()
  step = jax.jit(jax.grad(loss, argnums=(0, 1)))
  for _ in range(200):
    slopes = step(real, fake, (real[0], fake[0]))
    real, fake = real - 0.1 * slopes[0], fake - 0.1 * slopes[1]
  np.testing.assert_allclose(real - fake, 1 / (2 * weight), rtol=1e-4)


def test_means():
  means = lecam_means((jnp.float32(4.0), jnp.float32(-2.0)), REAL, FAKE, 0.75)
  np.testing.assert_allclose(means, [0.75 * 4 + 0.25 * 0.5, 0.75 * -2 + 0.25 * 1.75], rtol=1e-6)
  assert all(mean.shape == () and mean.dtype == jnp.float32 for mean in means)
  np.testing.assert_allclose(lecam_means((7777.0, 7777.0), REAL, FAKE, 0.0), [0.5, 1.75])
  slope = jax.grad(lambda x: sum(lecam_means((0.0, 0.0), x, x, 0.5)))(REAL)
  assert not slope.any()


def test_means_are_over_all_replicas():
  step = lambda real, fake: lecam_means((1.0, 2.0), real, fake, 0.5)
  ours = jax.pmap(step, axis_name=replicas.AXIS)(REAL[:, None], FAKE[:, None])
  for mean, whole in zip(ours, step(REAL, FAKE)):
    np.testing.assert_allclose(mean, [whole, whole], rtol=1e-6)


def test_shapes_that_would_broadcast_are_refused():
  with pytest.raises(ValueError, match=r'\(2, 1\) and \(2,\); expected \[batch\]'):
    lecam(REAL[:, None], FAKE, 0.0, 0.0)

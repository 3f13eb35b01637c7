"""Latent optimisation: recorded numbers, steps by hand, and gradients that go through the step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nn.latent_optimisation import optimise
from tests import recorded, studiogan


@pytest.mark.parametrize('steps', [2, 4])
def test_golden(steps):
  """StudioGAN's one step, whatever its number of steps; its cost counts latents that stay, too."""
  numbers = recorded.read('studiogan/penalties_latentopt')
  labels, rate = numbers['in/y'], 0.8

  def f(z):
    return studiogan.discriminator(d, studiogan.generator(g, z, labels), labels)

  with jax.enable_x64(True):
    d, g = (jax.tree.map(jnp.float64, recorded.part(numbers, f'{name}/')) for name in 'DG')
    z = jnp.asarray(numbers['lo/z'], float)
    moves = numbers[f'lo/steps{steps}/draws/00_uniform_'][:, 0] > 1 - rate
    moved, cost = optimise(z, f, weight=1.0, chosen=jnp.asarray(moves))
    _, cost_of_all = optimise(z, f, weight=1.0)
    mean = cost_of_all.mean()
  np.testing.assert_allclose(moved, numbers[f'lo/steps{steps}/z'], rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(mean, numbers[f'lo/steps{steps}/cost'], rtol=1e-5)
  np.testing.assert_array_equal(cost, np.where(moves, cost_of_all, 0))


W = jnp.array([[3.0, 4.0], [0.0, 0.0], [0.3, -0.4]])


def linear(z):
  return (W * z).sum(1)


def test_the_steps_of_a_linear_judge():
  """alpha w / (|w|^2 + beta), or alpha w; no step, and a finite one, where the slope is zero."""
  z = jnp.zeros((3, 2))
  moved, cost = optimise(z, linear, step_size=0.5, damping=0.5, weight=10.0)
  step = 0.5 * W / (jnp.array([25.0, 0.0, 0.25]) + 0.5)[:, None]
  np.testing.assert_allclose(moved, step, rtol=1e-6)
  np.testing.assert_allclose(cost, 10 * jnp.square(step).sum(1), rtol=1e-6)
  assert cost.shape == (3,) and cost.dtype == jnp.float32
  moved, _ = optimise(z, linear, step_size=0.1, method='gradient')
  np.testing.assert_allclose(moved, 0.1 * W, rtol=1e-6)


def test_the_cut_is_of_the_latent_and_not_of_the_step():
  far = {'step_size': 1.0, 'method': 'gradient', 'weight': 1.0}
  moved, cost = optimise(jnp.full((3, 2), 0.9), linear, **far)
  np.testing.assert_allclose(moved, [[1.0, 1.0], [0.9, 0.9], [1.0, 0.5]], rtol=1e-6)
  np.testing.assert_allclose(cost, [25.0, 0.0, 0.25], rtol=1e-6)
  moved, _ = optimise(jnp.full((3, 2), 0.9), linear, clip=0, **far)
  np.testing.assert_allclose(moved[0], [3.9, 4.9], rtol=1e-6)


def test_gradients_go_through_the_step():
  """f = a |z|^2 / 2: a gradient step gives z (1 + alpha a), with slope alpha z in a."""
  z = jnp.array([[0.1, -0.2]])
  step = lambda a: optimise(
    z, lambda z: a * jnp.square(z).sum(1) / 2, step_size=0.5, method='gradient'
  )[0]
  np.testing.assert_allclose(step(3.0), z * 2.5, rtol=1e-6)
  np.testing.assert_allclose(jax.jacobian(step)(3.0), 0.5 * z, rtol=1e-6)


def test_a_step_pleases_the_judge():
  key = jax.random.key(0)
  z = jax.random.uniform(key, (8, 6), minval=-1, maxval=1)
  f = lambda z: jnp.sin(z @ jnp.arange(6.0))
  assert (f(optimise(z, f, step_size=0.01)[0]) > f(z)).all()


@pytest.mark.parametrize(
  'options, says',
  [
    ({'method': 'newton'}, "unknown method 'newton'; expected one of natural, gradient"),
    ({'damping': 0.0}, 'damping=0.0; expected a number > 0'),
    ({'clip': -1.0}, 'clip=-1.0; expected a number > 0'),
  ],
)
def test_mistakes(options, says):
  with pytest.raises(ValueError, match=says):
    optimise(jnp.zeros((1, 2)), lambda z: z.sum(1), **options)

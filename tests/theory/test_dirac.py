"""The Dirac-GAN: spectra and trajectories against Mescheder, Geiger, Nowozin 2018, arXiv 1801.04406."""

import jax
import numpy as np
import pytest

from jaxgan import dynamics
from jaxgan.games import toy
from tests.theory.playing import assert_spectra_equal, begin

H = 0.2
SLOPE = {'minimax': 0.5, 'non_saturating': 0.5, 'wasserstein': 1.0, 'hinge': 1.0}  # f'(0)
losses = pytest.mark.parametrize('loss', SLOPE)


@pytest.fixture(autouse=True)
def wide():
  with jax.enable_x64(True):
    yield


def at_equilibrium(rate=H, play='simultaneous', adjusting=None, updates=None, **options):
  """Eigenvalues of one step where both numbers are 0."""
  game = toy.dirac(start=(0.0, 0.0), **options)
  step, state = begin(game, rate, play, updates, adjusting)
  return dynamics.spectrum(dynamics.step_jacobian(step, state))


def radii(steps, rate=H, play='simultaneous', adjusting=None, **options):
  """|(theta, psi)| along the way from (1, 1)."""
  step, state = begin(toy.dirac(**options), rate, play, adjusting=adjusting)
  return np.linalg.norm(dynamics.trajectory(step, state, steps), axis=1)


def pair(c, damping):
  """Eigenvalues of [[0, -c], [c, damping]]."""
  root = np.sqrt(complex(damping**2 / 4 - c**2))
  return np.array([damping / 2 + root, damping / 2 - root])


@losses
def test_simultaneous_play_diverges(loss):
  found, c = at_equilibrium(loss=loss), SLOPE[loss]
  assert_spectra_equal(found, [1 + 1j * H * c, 1 - 1j * H * c])
  np.testing.assert_allclose(np.abs(found), np.sqrt(1 + (H * c) ** 2))
  path = radii(100, loss=loss, start=(0.02, 0.02))
  np.testing.assert_allclose((path[-1] / path[0]) ** 0.01, np.abs(found[0]), rtol=1e-4)


def test_every_simultaneous_step_of_the_minimax_game_grows_by_what_theory_says():
  """The gradients are orthogonal to where they are: |w'|^2 = (1 + h^2 f'(theta psi)^2) |w|^2."""
  step, state = begin(toy.dirac(), H, 'simultaneous')
  path = np.asarray(dynamics.trajectory(step, state, 100))
  squared = (path**2).sum(1)
  slope = 1 / (1 + np.exp(-path.prod(1)))
  np.testing.assert_allclose(squared[1:], (1 + (H * slope[:-1]) ** 2) * squared[:-1], rtol=1e-12)


@losses
@pytest.mark.parametrize('updates', [1, 3])
def test_alternating_play_circles(loss, updates):
  found, c = (
    at_equilibrium(play='alternating', loss=loss, updates={'discriminator': updates}),
    SLOPE[loss],
  )
  s = updates * (H * c) ** 2
  assert_spectra_equal(found, np.roots([1, s - 2, 1]))
  np.testing.assert_allclose(np.abs(found), 1)
  if loss != 'non_saturating':  # whose own story comes next
    path = radii(3000, play='alternating', loss=loss)
    assert path.min() > 0.5 * path[0] and path.max() < 2 * path[0]
    assert abs(path[-500:].mean() / path[:500].mean() - 1) < 0.01  # neither out nor in


def test_the_non_saturating_loss_creeps_inwards_slower_than_any_exponential():
  """Its spectrum is that of a circle; what is left of higher order gives |w| ~ 1 / sqrt(t)."""
  path = radii(16000, 0.05, 'alternating', loss='non_saturating')
  for t in (4000, 8000):
    np.testing.assert_allclose(path[2 * t] / path[t], 0.5**0.5, rtol=0.03)


@pytest.mark.parametrize(
  'loss, gamma', [*((loss, 1.0) for loss in SLOPE), ('minimax', 0.3), ('minimax', 3.0)]
)
def test_r1_converges(loss, gamma):
  penalties = {'r1': {'gamma': gamma}}
  c = SLOPE[loss]
  assert_spectra_equal(
    at_equilibrium(loss=loss, penalties=penalties), 1 - H * pair(c, gamma), atol=1e-7
  )
  for play in ('simultaneous', 'alternating'):
    found = at_equilibrium(play=play, loss=loss, penalties=penalties)
    assert np.abs(found).max() < 1
    path = radii(800, play=play, loss=loss, penalties=penalties)
    assert path[-1] < 1e-3 * path[0]


def test_r1_fails_where_the_step_is_too_long():
  """Complex eigenvalues of modulus c: inside the circle for h < gamma / c^2 alone."""
  gamma, c = 0.1, 0.5
  limit = gamma / c**2
  for rate, inside in ((0.95 * limit, True), (1.05 * limit, False)):
    found = at_equilibrium(rate, penalties={'r1': {'gamma': gamma}})
    assert (np.abs(found).max() < 1) == inside
    path = radii(2000, rate, penalties={'r1': {'gamma': gamma}}, start=(0.01, 0.01))
    assert (path[-1] < path[0]) == inside


@pytest.mark.parametrize('sigma', [0.5, 1.0, 2.0])
def test_instance_noise_converges(sigma):
  """f''(0) sigma^2 +- sqrt(f''(0)^2 sigma^4 - f'(0)^2), f'' = 1/4 of the logistic loss."""
  for loss in ('minimax', 'non_saturating'):
    found = at_equilibrium(loss=loss, noise=sigma)
    assert_spectra_equal(found, 1 - H * pair(0.5, 0.5 * sigma**2), atol=1e-7)
    assert np.abs(found).max() < 1
  path = radii(1500, noise=sigma)
  assert path[-1] < 0.05 * path[0]


def test_instance_noise_does_not_help_a_loss_without_curvature():
  found = at_equilibrium(loss='wasserstein', noise=1.0)
  assert_spectra_equal(found, [1 + 1j * H, 1 - 1j * H])


@losses
@pytest.mark.parametrize('method', ['consensus', 'symplectic'])
def test_minding_the_field_converges(loss, method):
  """J = c [[0, -1], [1, 0]]: both add gamma J^T J = gamma c^2."""
  c, gamma = SLOPE[loss], 0.8
  found = at_equilibrium(loss=loss, adjusting={method: gamma})
  assert_spectra_equal(found, 1 - H * (gamma * c**2 + 1j * c * np.array([1, -1])))
  assert np.abs(found).max() < 1
  start = (0.3, 0.3)
  path = radii(800, loss=loss, adjusting={method: gamma}, start=start)
  assert path[-1] < 0.05 * path[0]


@pytest.mark.parametrize('steps', [1, 4])
def test_unrolling_converges(steps):
  """Theta sees psi - steps h' c theta, hence a curvature of 2 steps h' c^2 of its own."""
  c, rate = 0.5, 0.4
  unroll = {'steps': steps, 'name': 'sgd', 'learning_rate': rate}
  found = at_equilibrium(unroll=unroll)
  assert_spectra_equal(found, 1 - H * pair(c, 2 * steps * rate * c**2), atol=1e-7)
  path = radii(1500, unroll=unroll)
  assert np.abs(found).max() < 1 and path[-1] < 0.05 * path[0]


def test_the_gradient_penalty_of_wgan_does_not_converge():
  """It holds |psi| at 1, not at 0: (0, 0) is no place of rest, and the steps go on around it."""
  penalties = {'gradient_penalty': {'weight': 1.0}}
  path = radii(3000, 0.05, loss='wasserstein', penalties=penalties)
  assert path[-1000:].min() > 0.2 and path.max() < 5


def test_clipped_weights_go_round_within_their_bound():
  step, state = begin(toy.dirac('wasserstein'), 0.05, 'simultaneous', clip_weights=0.5)
  path = np.asarray(dynamics.trajectory(step, state, 2000))
  assert np.abs(path[1:, 0]).max() <= 0.5  # psi stands first, by name
  assert np.linalg.norm(path[-500:], axis=1).min() > 0.2
  # beyond the bound both are put on it, whatever they were; within it nothing changes
  step, state = begin(toy.dirac('wasserstein', start=(-2.0, 0.5)), H, clip_weights=0.5)
  np.testing.assert_allclose(dynamics.step_jacobian(step, state), np.zeros((2, 2)), atol=1e-12)
  step, state = begin(toy.dirac('wasserstein', start=(0.0, 0.0)), H, clip_weights=0.5)
  np.testing.assert_allclose(
    dynamics.step_jacobian(step, state), [[1, -H], [H, 1 - H * H]], atol=1e-12
  )


def test_mistakes_are_one_line():
  with pytest.raises(ValueError, match='expected 0 or more'):
    toy.dirac(noise=-1.0)
  with pytest.raises(ValueError, match="unknown loss 'minmax'; did you mean 'minimax'"):
    toy.dirac('minmax')
  with pytest.raises(ValueError, match="penalty 'r1' has no option 'weight'"):
    toy.dirac(penalties={'r1': {'weight': 1.0}})

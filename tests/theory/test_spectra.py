"""Game optimisers on bilinear games: eigenvalues of the step's Jacobian, and where the steps lead."""

import jax
import numpy as np
import pytest

from jaxgan import dynamics
from jaxgan.games import toy
from tests.theory.playing import assert_spectra_equal, begin

H, K, ALPHA, GAMMA = 0.3, 4, 0.5, 0.4
M = np.array([[1.0, 0.5], [-0.3, 0.8]])


@pytest.fixture(autouse=True)
def wide():
  with jax.enable_x64(True):
    yield


def gradient(m):
  return 1 - H * m


# how it is asked for -> eigenvalues of the step, of an eigenvalue m = i s of the game's Jacobian
SCHEMES = {
  'simultaneous': ({'play': 'simultaneous'}, lambda m: [gradient(m)]),
  'extragradient': ({'play': 'extragradient'}, lambda m: [1 - H * m + (H * m) ** 2]),
  'optimistic': (  # w'' = w' - 2 h F(w') + h F(w): z^2 = (1 - 2 h m) z + h m
    {'play': 'simultaneous', 'optimistic': 1.0},
    lambda m: np.roots([1, 2 * H * m - 1, -H * m]),
  ),
  'less optimistic': (
    {'play': 'simultaneous', 'optimistic': 0.8},
    lambda m: np.roots([1, 1.8 * H * m - 1, -0.8 * H * m]),
  ),
  'negative momentum': (
    {'play': 'simultaneous', 'momentum': -0.3},
    lambda m: np.roots([1, H * m - 1 + 0.3, -0.3]),
  ),
  'look-ahead': (  # over a whole period; the fast weights are forgotten at its end
    {'play': 'simultaneous', 'lookahead': {'steps': K, 'alpha': ALPHA}},
    lambda m: [1 - ALPHA + ALPHA * gradient(m) ** K, 0],
  ),
  'consensus': (  # J^T J = -J^2 for an antisymmetric J
    {'play': 'simultaneous', 'adjusting': {'consensus': GAMMA}},
    lambda m: [1 - H * (m - GAMMA * m**2)],
  ),
  'symplectic': (
    {'play': 'simultaneous', 'adjusting': {'symplectic': GAMMA}},
    lambda m: [1 - H * (m - GAMMA * m**2)],
  ),
  # x first, then y: det = 1, trace = 2 - h^2 s^2. One root each of the pair, by the sign of m
  'alternating': (
    {'play': 'alternating'},
    lambda m: [r for r in np.roots([1, -2 - (H * m) ** 2, 1]) if (r.imag > 0) == (m.imag > 0)],
  ),
}
# momentum does not help simultaneous play (Gidel et al. 2018, arXiv 1807.04740)
DIVERGE, CIRCLE = ('simultaneous', 'negative momentum'), ('alternating',)


def made(scheme):
  step, state = begin(toy.bilinear(M, start=(1.0, -2.0, 0.5, 1.0)), H, **SCHEMES[scheme][0])
  state, _ = step(state, None)  # optimism and momentum begin with the second gradient
  return step, state, K if scheme == 'look-ahead' else 1


@pytest.mark.parametrize('scheme', SCHEMES)
def test_eigenvalues_are_the_closed_form(scheme):
  step, state, period = made(scheme)
  found = dynamics.spectrum(dynamics.step_jacobian(step, state, steps=period))
  game = toy.bilinear(M)
  of_game = dynamics.spectrum(dynamics.game_jacobian(game, state.players))
  singular = np.linalg.svd(M, compute_uv=False)
  assert_spectra_equal(of_game, [1j * singular, -1j * singular])
  expected = np.concatenate([SCHEMES[scheme][1](m) for m in of_game])
  assert_spectra_equal(found, expected, atol=1e-7)  # x' = x + h y is nearly defective in some


@pytest.mark.parametrize('scheme', SCHEMES)
def test_trajectories_do_what_the_spectral_radius_says(scheme):
  step, state, period = made(scheme)
  radius = abs(dynamics.spectrum(dynamics.step_jacobian(step, state, steps=period))[0])
  length = np.linalg.norm(dynamics.trajectory(step, state, 1200), axis=1)
  assert len(length) == 1201
  if scheme in CIRCLE:
    np.testing.assert_allclose(radius, 1, atol=1e-7)
    assert 0.5 * length[0] < length.min() and length.max() < 2 * length[0]
  else:
    assert (radius > 1) == (scheme in DIVERGE)
    measured = (length[1000] / length[400]) ** (period / 600)
    np.testing.assert_allclose(measured, radius, rtol=2e-3)


def test_the_game_s_own_curvature_decides_where_simultaneous_play_ends():
  """|1 - h m| < 1 exactly for h < 2 Re m / |m|^2; beyond it the same game diverges."""
  jacobian = np.array([[0.2, 1.0], [-1.0, 0.0]])
  m = dynamics.spectrum(jacobian)[0]
  limit = 2 * m.real / abs(m) ** 2
  for rate, inside in ((0.9 * limit, True), (1.1 * limit, False)):
    step, state = begin(toy.quadratic(jacobian), rate, 'simultaneous')
    radius = abs(dynamics.spectrum(dynamics.step_jacobian(step, state))[0])
    path = np.linalg.norm(dynamics.trajectory(step, state, 500), axis=1)
    assert (radius < 1) == inside == (path[-1] < path[0])


def test_a_quadratic_game_has_the_jacobian_it_is_given():
  rng = np.random.default_rng(0)
  jacobian = rng.normal(size=(5, 5))
  for block in (slice(0, 2), slice(3, 5)):
    jacobian[block, block] += jacobian[block, block].T
  game = toy.quadratic(jacobian, {'a': 2, 'b': 1, 'c': 2}, start=rng.normal(size=5))
  players = game.init(None, None)
  np.testing.assert_allclose(dynamics.game_jacobian(game, players), jacobian, atol=1e-12)
  with pytest.raises(ValueError, match="block of 'a' is not symmetric"):
    toy.quadratic([[0, 1, 0], [2, 0, 0], [0, 0, 0]], {'a': 2, 'b': 1})
  with pytest.raises(ValueError, match='n their sum'):
    toy.quadratic(jacobian, {'a': 2})

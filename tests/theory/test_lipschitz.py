"""Critics against the exact Wasserstein-1 distance: what each way to bound their slope makes of it."""

import numpy as np
import pytest

from tests.theory import line

SHIFTED, NESTED = (1.5, 1.0), (0.0, 2.0)  # N(0, 1) against N(shift, scale^2)
EXACT = {SHIFTED: 1.5, NESTED: np.sqrt(2 / np.pi)}
GP, LP = (
  {'discriminator_penalties': {name: {}}} for name in ('gradient_penalty', 'lipschitz_penalty')
)
SPECTRAL = {'critic': line.Critic(spectral=True)}


def measured(kind, options, **optimizer):
  """(E_p D - E_q D, the steepest slope) of a trained critic, by exact integrals."""
  game = line.pair(*kind, loss='wasserstein', **options)
  logits = line.logits(game, line.trained(game, 800, **optimizer))
  p, q = line.density(), line.density(*kind)
  return line.integral((p - q) * logits), np.abs(np.gradient(logits, line.GRID)).max()


def test_the_exact_distance_is_known():
  for kind, exact in EXACT.items():
    found = line.wasserstein_1(line.density(), line.density(*kind))
    np.testing.assert_allclose(found, exact, rtol=1e-3)


@pytest.mark.parametrize('options', [GP, LP], ids=['gp', 'lp'])
def test_penalties_of_shifted_gaussians(options):
  """A critic of slope w has w m - weight (w - 1)^2, largest at w = 1 + m / (2 weight)."""
  found, slope = measured(SHIFTED, options)
  best = 1 + EXACT[SHIFTED] / (2 * 10)
  np.testing.assert_allclose(slope, best, rtol=0.01)
  np.testing.assert_allclose(found, best * EXACT[SHIFTED], rtol=0.01)
  np.testing.assert_allclose(found / slope, EXACT[SHIFTED], rtol=0.01)


def test_the_largest_gradient_penalty_of_shifted_gaussians():
  """Its weight is 1 and its target 0: w m - w^2 is largest at w = m / 2."""
  found, slope = measured(SHIFTED, {'discriminator_penalties': {'max_gradient_penalty': {}}})
  np.testing.assert_allclose(slope, EXACT[SHIFTED] / 2, rtol=0.01)
  np.testing.assert_allclose(found / slope, EXACT[SHIFTED], rtol=0.01)


def test_spectral_norm_of_shifted_gaussians():
  """Its critics have slope 1 at most, so that they never give more than the distance."""
  found, slope = measured(SHIFTED, SPECTRAL)
  assert slope <= 1.001 and found <= 1.001 * EXACT[SHIFTED]
  np.testing.assert_allclose(found, EXACT[SHIFTED], rtol=0.01)


def test_clipping_of_shifted_gaussians():
  """An affine critic goes to the bound c and gives c W1; a deep one less than its slope allows."""
  bound = 0.1
  found, slope = measured(SHIFTED, {'critic': line.Critic(width=0)}, clip_weights=bound)
  np.testing.assert_allclose(slope, bound, rtol=1e-3)
  np.testing.assert_allclose(found, bound * EXACT[SHIFTED], rtol=1e-3)
  found, slope = measured(SHIFTED, {}, clip_weights=bound)
  assert 0.4 * EXACT[SHIFTED] < found / slope < EXACT[SHIFTED]


def test_the_one_sided_penalty_of_nested_gaussians():
  """The best critic is -|x|, which bends where data and fakes are both likely."""
  found, slope = measured(NESTED, LP)
  np.testing.assert_allclose(found / slope, EXACT[NESTED], rtol=0.02)
  assert EXACT[NESTED] < found < 1.06 * EXACT[NESTED]


def test_spectral_norm_of_nested_gaussians():
  """Where two leaky rectifier layers of norm 1 bend, their slopes add up to 1 - 0.2^2 at most, in
  place of 2: less than half of the distance (Anil et al. 2018, arXiv 1811.05381, on norms and |x|).
  """
  found, slope = measured(NESTED, SPECTRAL)
  assert slope <= 1.001
  np.testing.assert_allclose(found, 0.48 * EXACT[NESTED], rtol=0.03)


@pytest.mark.slow
def test_the_two_sided_penalty_of_nested_gaussians():
  """It wants slope 1 at the bend too, and stays with a straight line (Petzka et al. 2018)."""
  found, _ = measured(NESTED, GP)
  assert found < 0.5 * EXACT[NESTED]

"""Modes counted by hand, KL and W1 in their closed forms."""

import math

import numpy as np
import pytest

from jaxgan.metrics import modes

MEANS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])


def test_a_mode_counts_from_one_sample_within_three_deviations_on():
  points = [[0, 0], [0.01, 0], [1, 0.29], [0, 1.31], [np.nan, 0]]
  got = modes.of_points(points, MEANS, 0.1)
  assert got['modes'] == 2 and got['high_quality'] == pytest.approx(3 / 5)
  share = np.array([0.5, 0.25, 0.25])  # of the nearest mode, near or not
  assert got['mode_kl'] == pytest.approx(np.sum(share * np.log(share * 4)))
  assert modes.of_points(points, MEANS, 0.1, within=2.0)['modes'] == 1


def test_the_mixture_itself_covers_itself():
  rng = np.random.default_rng(0)
  points = MEANS[np.arange(4000) % 4] + 0.1 * rng.standard_normal((4000, 2))
  got = modes.of_points(points, MEANS, 0.1)
  assert got['modes'] == 4 and got['mode_kl'] == pytest.approx(0, abs=1e-4)
  inside = 1 - math.exp(-4.5)  # of a Gaussian of the plane, within 3 deviations
  assert got['high_quality'] == pytest.approx(inside, abs=0.005)


def test_nothing_finite_covers_nothing():
  got = modes.of_points(np.full((3, 2), np.nan), MEANS, 0.1)
  assert got == {'modes': 0, 'high_quality': 0, 'mode_kl': pytest.approx(math.log(4))}


def test_classes_are_counted_once_each():
  got = modes.of_classes([3, 3, 5, 3], 1000)
  assert got['modes'] == 2
  assert got['mode_kl'] == pytest.approx(0.75 * math.log(750) + 0.25 * math.log(250))
  skewed = modes.of_classes([0, 0, 0, 1], 2, [0.75, 0.25])
  assert skewed == {'modes': 2, 'mode_kl': pytest.approx(0)}


def test_kl_is_infinite_where_the_data_have_nothing():
  assert modes.kl([1, 1], [1, 0]) == math.inf
  assert modes.kl([2, 0], [5, 5]) == pytest.approx(math.log(2))


def test_w1_on_the_line_is_the_mean_distance_of_sorted_samples():
  x, y = np.random.default_rng(0).standard_normal((2, 50))
  expected = np.abs(np.sort(x) - np.sort(y)).mean()
  assert modes.wasserstein_1d(x, y) == pytest.approx(expected)
  assert modes.wasserstein_1d(x, np.repeat(y, 3)) == pytest.approx(expected)  # other sizes
  assert modes.wasserstein(x[:, None], y[:, None]) == pytest.approx(expected)


def test_w1_of_a_shift_is_the_shift():
  x = np.random.default_rng(0).standard_normal((60, 3))
  shift = np.array([0.3, -0.4, 1.2])
  assert modes.wasserstein(x, x[::-1] + shift) == pytest.approx(1.3)


def test_w1_of_mixtures_is_that_of_the_closed_forms():
  mixture = ([1, 2, 1], [-2.0, 0.5, 4.0], [0.1, 1.0, 0.4])
  moved = (mixture[0], np.array(mixture[1]) + 0.7, mixture[2])
  assert modes.wasserstein_mixtures(mixture, mixture) == 0
  assert modes.wasserstein_mixtures(mixture, moved) == pytest.approx(0.7, rel=1e-6)
  wider = modes.wasserstein_mixtures((1, 0.3, 1.0), (1, 0.3, 2.5))
  assert wider == pytest.approx(1.5 * math.sqrt(2 / math.pi), rel=1e-6)


def test_w1_of_samples_approaches_that_of_their_mixtures():
  rng = np.random.default_rng(0)
  draw = lambda weights, means, stds: (
    rng.choice(means, 40_000, p=weights) + stds[0] * rng.standard_normal(40_000)
  )
  a, b = ([0.5, 0.5], [-1.0, 1.0], [0.2, 0.2]), ([0.9, 0.1], [-1.0, 2.0], [0.2, 0.2])
  assert modes.wasserstein_1d(draw(*a), draw(*b)) == pytest.approx(
    modes.wasserstein_mixtures(a, b), abs=0.02
  )


@pytest.mark.parametrize(
  'call',
  [
    lambda: modes.of_points(np.zeros((3, 2)), np.zeros((3, 3)), 0.1),
    lambda: modes.of_points(np.zeros((3, 2)), np.zeros((3, 2)), 0.0),
    lambda: modes.of_classes([0, 4], 4),
    lambda: modes.kl([0, 0], [1, 1]),
    lambda: modes.wasserstein_1d([], [1.0]),
    lambda: modes.wasserstein(np.zeros((2, 2)), np.zeros((3, 2))),
    lambda: modes.wasserstein(np.full((2, 2), np.nan), np.zeros((2, 2))),
    lambda: modes.wasserstein_mixtures((1, 0, 0), (1, 0, 1)),
  ],
)
def test_wrong_arrays_are_one_line(call):
  with pytest.raises(ValueError) as error:
    call()
  assert '\n' not in str(error.value)

"""Precision, recall, density and coverage against recorded reference numbers and plain NumPy."""

import numpy as np
import pytest

from jaxgan.metrics import (
  frechet_distance,
  inception_score,
  kernel_distance,
  memorisation,
  prdc,
  precision_recall,
)
from jaxgan.metrics.neighbours import radii
from tests.recorded import read

NAMES = ('precision', 'recall', 'density', 'coverage')


@pytest.mark.parametrize('case', ['a', 'b', 'collapsed'])
@pytest.mark.parametrize('k', [1, 3, 5])
@pytest.mark.parametrize('block', [7, 1024])
def test_equals_the_reference(case, k, block):
  golden = read('fidelity/prdc')
  real, fake = golden[f'{case}/real'], golden[f'{case}/fake']
  got = prdc(real, fake, k, block)
  np.testing.assert_allclose([got[n] for n in NAMES], golden[f'{case}/k{k}'], rtol=1e-6, atol=1e-7)
  np.testing.assert_allclose(
    radii(real, k, block), golden[f'{case}/real_radii_k{k}'], rtol=1e-5, atol=1e-6
  )


def test_far_from_the_origin_loses_no_digits():
  rng = np.random.default_rng(0)
  real, fake = rng.normal(size=(90, 8)), rng.normal(size=(70, 8))
  near, far = prdc(real, fake), prdc(real + 300, fake + 300)
  np.testing.assert_allclose([near[n] for n in NAMES], [far[n] for n in NAMES], atol=0.02)


@pytest.mark.parametrize('offset', [0, 1000])
def test_distances_that_tie_go_on_doing_so(offset):
  rng = np.random.default_rng(0)
  real, fake = (rng.integers(0, 2, (300, 12)) + offset for _ in range(2))
  squares = lambda a, b: ((a[:, None] - b) ** 2).sum(-1)
  radius = lambda x: np.sort(squares(x, x), 1)[:, 5]
  between, of_real, of_fake = squares(fake, real), radius(real), radius(fake)
  inside = between < of_real
  exact = {
    'precision': inside.any(1).mean(),
    'recall': (between < of_fake[:, None]).any(0).mean(),
    'density': inside.sum() / 5 / 300,
    'coverage': (between.min(0) < of_real).mean(),
  }
  got = prdc(real, fake, 5)
  for name in NAMES:
    assert got[name] == pytest.approx(exact[name], abs=1e-6), name


@pytest.mark.parametrize('score', [prdc, precision_recall, kernel_distance, inception_score])
def test_features_that_are_not_finite_are_refused_in_words(score):
  fine, broken = np.ones((20, 3)), np.ones((20, 3))
  broken[3, 1] = np.inf
  for given in ((broken,),) if score is inception_score else ((fine, broken), (broken, fine)):
    with pytest.raises(ValueError, match='not finite'):
      score(*given)


def test_memorisation_of_what_is_not_finite_is_refused():
  fine, broken = np.ones((20, 3)), np.full((20, 3), np.nan)
  for i in range(3):
    with pytest.raises(ValueError, match='not finite'):
      memorisation(*(broken if i == j else fine for j in range(3)))


@pytest.mark.parametrize('wrong', [{'block': 0}, {'k': 5.0}, {'k': 0}])
def test_numbers_out_of_range_are_refused_in_words(wrong):
  with pytest.raises(ValueError, match='expected a whole number from 1 on'):
    prdc(np.ones((20, 3)), np.ones((20, 3)), **wrong)


def test_a_covariance_that_is_not_symmetric_is_refused():
  cov = np.eye(3)
  frechet_distance(np.zeros(3), cov + 1e-9 * np.tri(3), np.zeros(3), cov)
  with pytest.raises(ValueError, match='not symmetric'):
    frechet_distance(np.zeros(3), cov + 0.1 * np.tri(3, 3, -1), np.zeros(3), cov)


@pytest.mark.parametrize('d', [2, 16, 96, 2048])
def test_copies_have_no_distance_and_a_radius_of_0(d):
  """100 of 500 real pictures, ten times each: their balls hold nothing, closed ones themselves."""
  real = np.random.default_rng(d).standard_normal((500, d)).astype(np.float32)
  fake = np.repeat(real[::5], 10, 0)
  assert float(prdc(real, fake, k=5)['recall']) == 0
  assert float(precision_recall(real, fake, k=3)['recall']) == pytest.approx(0.2)


@pytest.mark.parametrize('unit', [1e-20, 1e20])
def test_the_unit_of_the_features_does_not_matter(unit):
  rng = np.random.default_rng(0)
  real, fake = rng.standard_normal((2, 200, 8)).astype(np.float32)
  one, other = prdc(real, fake), prdc(real * np.float32(unit), fake * np.float32(unit))
  assert {k: float(v) for k, v in one.items()} == {k: float(v) for k, v in other.items()}


def test_two_distant_sets_share_nothing_and_a_set_covers_itself():
  points = np.random.default_rng(0).normal(size=(64, 4))
  assert all(value == 0 for value in prdc(points, points + 100).values())
  itself = prdc(points, points)
  assert itself['precision'] == itself['recall'] == itself['coverage'] == 1


def test_one_mode_of_two_costs_recall_and_not_precision():
  rng = np.random.default_rng(0)
  modes = np.concatenate([rng.normal(size=(100, 4)), 50 + rng.normal(size=(100, 4))])
  got = prdc(modes, rng.normal(size=(200, 4)))
  assert got['precision'] > 0.8
  assert 0.4 < got['recall'] <= 0.5
  assert 0.4 < got['coverage'] <= 0.5


@pytest.mark.parametrize(
  ('real', 'fake', 'k'),
  [((5, 3), (9, 3), 5), ((9, 3), (5, 3), 5), ((9, 3), (9, 4), 2), ((9, 3), (9, 3), 0)],
)
def test_sets_that_do_not_fit_are_refused(real, fake, k):
  with pytest.raises(ValueError, match=r'features|neighbours'):
    prdc(np.zeros(real), np.zeros(fake), k)

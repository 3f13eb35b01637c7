"""Precision, recall, density and coverage against recorded reference numbers and plain NumPy."""

import numpy as np
import pytest

from jaxgan.metrics import prdc
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

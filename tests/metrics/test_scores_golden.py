"""Scores equal torch-fidelity's on recorded features, and what is recorded of its latents."""

import numpy as np
import pytest

from jaxgan import metrics
from jaxgan.metrics.path_length import interpolate
from tests.recorded import read

CASES = ('a', 'b', 'same')
KID = {
  'default20': {'subsets': 10, 'subset_size': 20},
  's40': {'subsets': 5, 'subset_size': 40, 'seed': 7},
  'rbf': {'subsets': 6, 'subset_size': 30, 'kernel': 'rbf', 'sigma': 3.0},
  'deg2': {'subsets': 4, 'subset_size': 32, 'degree': 2, 'gamma': 0.1, 'coef0': 0.5},
}


@pytest.fixture(scope='module')
def golden():
  return read('fidelity/metrics_fid_kid_isc_prc')


@pytest.mark.parametrize('case', CASES)
def test_frechet_distance(golden, case):
  one, two = (metrics.moments(golden[f'{case}/f{i}']) for i in (1, 2))
  ours = metrics.frechet_distance(one.mean, one.cov, two.mean, two.cov)
  np.testing.assert_allclose(ours, golden[f'{case}/fid'], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('name', KID)
def test_kernel_distance(golden, case, name):
  ours = metrics.kernel_distance(golden[f'{case}/f1'], golden[f'{case}/f2'], **KID[name])
  np.testing.assert_allclose(ours[:2], golden[f'{case}/kid_{name}'], rtol=5e-5, atol=1e-7)
  unbiased = ours.std / np.sqrt(KID[name]['subsets'] - 1)
  np.testing.assert_allclose(ours.standard_error, unbiased)


@pytest.mark.parametrize('splits, shuffle, seed', [(10, 1, 2020), (1, 0, 0), (7, 1, 5), (3, 0, 0)])
def test_inception_score(golden, splits, shuffle, seed):
  ours = metrics.inception_score(golden['a/logits'], splits, bool(shuffle), seed)
  theirs = golden[f'a/isc_splits{splits}_shuffle{shuffle}_seed{seed}']
  np.testing.assert_allclose(ours[:2], theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('k', [1, 3, 5])
@pytest.mark.parametrize('block', [37, 1024])
def test_precision_and_recall(golden, case, k, block):
  ours = metrics.precision_recall(golden[f'{case}/f2'], golden[f'{case}/f1'], k, block)
  theirs = golden[f'{case}/prc_k{k}_bs10000_ram0']
  np.testing.assert_allclose(
    [ours[n] for n in ('precision', 'recall', 'f_score')], theirs, rtol=1e-6
  )


@pytest.mark.parametrize(
  'mode, theirs', [('lerp', 'lerp'), ('slerp', 'slerp_any'), ('slerp_unit', 'slerp_unit')]
)
@pytest.mark.parametrize('t', [0.0, 0.0001, 0.3, 1.0])
def test_interpolation_of_latents(mode, theirs, t):
  known = read('fidelity/noise_interp')
  ours = interpolate(known['a'], known['b'], t, mode)
  np.testing.assert_allclose(ours, known[f'batch_{theirs}_t{t}'], rtol=1e-5, atol=1e-6)

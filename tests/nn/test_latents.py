"""Latents: both conventions of the truncation trick, against recorded quantiles."""

from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgan.nn import latents

NUMBERS = dict(np.load(Path(__file__).parents[1] / 'golden/biggan/truncated_normal_scipy.npz'))
DRAWS = 200_000


@pytest.mark.parametrize('truncation', [0.4, 1.0, 2.0])
def test_scaled_truncation_has_the_recorded_distribution(truncation):
  """truncation * normal cut at 2: quantiles and variance; draws differ, the generators being others."""
  z = np.asarray(latents.truncated_normal(jax.random.key(0), (DRAWS,), truncation)) / truncation
  np.testing.assert_allclose(np.quantile(z, NUMBERS['ppf_q']), NUMBERS['ppf'], atol=0.02)
  np.testing.assert_allclose(z.var(), NUMBERS['var_m2_p2'], rtol=0.01)
  assert np.abs(z).max() <= 2
  recorded = NUMBERS[f'rvs_trunc2_times_{truncation}']
  assert np.abs(recorded).max() <= 2 * truncation


def test_clipped_truncation_is_cut_and_not_scaled():
  z = np.asarray(latents.truncated_normal(jax.random.key(0), (DRAWS,), 0.5, 'clipped'))
  assert 0.49 < np.abs(z).max() <= 0.5
  np.testing.assert_allclose(z.std(), 0.2839, rtol=0.02)  # of a normal cut at +-0.5


def test_wrong_conventions():
  with pytest.raises(ValueError, match="convention='cut'; expected 'scaled'"):
    latents.truncated_normal(jax.random.key(0), (2,), 1.0, 'cut')
  with pytest.raises(ValueError, match='truncation=0'):
    latents.truncated_normal(jax.random.key(0), (2,), 0)

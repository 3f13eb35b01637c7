"""Latents: their distributions, and both conventions of the truncation trick against recorded quantiles."""

import jax
import numpy as np
import pytest

from jaxgan.nn import latents, replicas
from tests.recorded import read

NUMBERS = read('biggan/truncated_normal_scipy')
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


def test_bernoulli():
  z = np.asarray(latents.sampler('bernoulli')(jax.random.key(0), (1000, 20)))
  assert z.dtype == np.float32 and set(z.ravel()) == {0.0, 1.0}
  np.testing.assert_allclose(z.mean(), 0.5, atol=0.02)
  assert (z.std(0) > 0.4).all() and (z.std(1) > 0).all()  # drawn apart in both directions
  np.testing.assert_allclose(
    latents.bernoulli(jax.random.key(0), (DRAWS,), 0.1).mean(), 0.1, atol=0.01
  )
  with pytest.raises(ValueError, match=r'p=1.5; expected a probability'):
    latents.bernoulli(jax.random.key(0), (2,), 1.5)


@pytest.mark.parametrize('shape', [(9000, 3), (3000, 3, 3)])
def test_categorical(shape):
  z = np.asarray(latents.sampler('categorical')(jax.random.key(0), shape))
  assert z.shape == shape and z.dtype == np.float32 and set(z.ravel()) == {0.0, 1.0}
  np.testing.assert_array_equal(z.sum(-1), 1)
  np.testing.assert_allclose(z.mean(0), 1 / 3, atol=0.03)


def test_categorical_needs_classes():
  with pytest.raises(ValueError, match=r'shape=\(4,\); expected \(batch, ..., classes\)'):
    latents.categorical(jax.random.key(0), (4,))


@pytest.mark.parametrize(
  'name', ['normal', 'uniform', 'truncated_normal', 'bernoulli', 'categorical']
)
def test_each_device_layout_draws_alike(name):
  draw, key = latents.sampler(name), jax.random.key(3)
  step = jax.pmap(lambda _: draw(key, (3, 7)), axis_name=replicas.AXIS)
  ours = step(np.zeros(2)).reshape(6, 7)
  np.testing.assert_allclose(ours, draw(key, (6, 7)), rtol=1e-6)  # compiled or not: a last bit


def test_an_unknown_sampler_answers_with_the_list_and_the_nearest():
  with pytest.raises(ValueError, match=r"'bernouli'; did you mean 'bernoulli'\?$"):
    latents.sampler('bernouli')

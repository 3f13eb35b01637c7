"""f-GAN: critics trained by samples of two Gaussians come up to the divergence, and never above it."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.losses.f_gan import DIVERGENCES
from tests.theory import line

M = 0.8  # N(0, 1) against N(M, 1)
P, Q = line.density(), line.density(M)
TWICE_JSD = line.integral(P * np.log(2 * P / (P + Q)) + Q * np.log(2 * Q / (P + Q)))
EXACT = {
  'kl': M**2 / 2,
  'reverse_kl': M**2 / 2,
  'pearson': np.exp(M**2) - 1,
  'neyman': np.exp(M**2) - 1,
  'squared_hellinger': 2 - 2 * np.exp(-(M**2) / 8),
  'jensen_shannon': TWICE_JSD,
  'gan': TWICE_JSD - np.log(4),
  'total_variation': 0.5 * line.integral(np.abs(P - Q)),
}


@pytest.mark.parametrize('name', DIVERGENCES)
def test_the_bound_is_reached_from_below(name):
  game = line.pair(M, loss=f'f_gan_{name}')
  logits, row = jnp.asarray(line.logits(game, line.trained(game, 500))), DIVERGENCES[name]
  found = line.integral(
    P * np.asarray(row.activation(logits)) - Q * np.asarray(row.conjugate(logits))
  )
  assert found <= EXACT[name] + 1e-4
  np.testing.assert_allclose(found, EXACT[name], rtol=0.03)

"""What the best discriminator says of known densities, and what the generator learns from it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.theory import line


def divergence(a, b):
  """KL(a || b) of two densities on the grid."""
  return line.integral(a * (np.log(a) - np.log(b)))


def value(logits, p, q):
  """V(D, G) = E_p log D + E_q log (1 - D)."""
  return -line.integral(p * np.logaddexp(0, -logits) + q * np.logaddexp(0, logits))


@pytest.mark.parametrize('shift, scale', [(1.0, 1.0), (0.0, 2.0), (0.0, 1.0)])
def test_it_is_the_share_of_the_data_and_its_value_is_the_divergence(shift, scale):
  """D* = p / (p + q) and C(G) = -log 4 + 2 JSD (Goodfellow et al. 2014, arXiv 1406.2661)."""
  game = line.pair(shift, scale, loss='minimax')
  logits = line.logits(game, line.trained(game, 600))
  p, q = line.density(), line.density(shift, scale)
  found, share = 1 / (1 + np.exp(-logits)), p / (p + q)
  assert line.integral(0.5 * (p + q) * np.abs(found - share)) < 0.01
  assert np.abs(found - share)[p + q > 0.05].max() < 0.03
  middle = 0.5 * (p + q)
  expected = -np.log(4) + divergence(p, middle) + divergence(q, middle)
  np.testing.assert_allclose(value(logits, p, q), expected, rtol=2e-3)
  # any discriminator gives less than the best, which the formula does not know
  assert value(logits, p, q) <= expected + 1e-6


def test_it_tells_the_ratio_of_the_densities():
  """p / q = D / (1 - D) = exp(logit), of which the mean over fakes is 1."""
  game = line.pair(0.7, 1.2, loss='non_saturating')
  logits = line.logits(game, line.trained(game, 600))
  p, q = line.density(), line.density(0.7, 1.2)
  likely = np.minimum(p, q) > 0.02
  np.testing.assert_allclose(np.exp(logits)[likely], (p / q)[likely], rtol=0.1)
  np.testing.assert_allclose(line.integral(q * np.exp(logits)), 1, rtol=0.02)


def test_at_the_equilibrium_it_is_one_half():
  """The generator, from N(2, 0.25), becomes the data, and nothing tells the two apart any more."""
  game = line.pair(
    2.0, 0.5, frozen=False, loss='minimax', discriminator_penalties={'r1': {'gamma': 1.0}}
  )
  state = line.trained(game, 2500)
  params = state.players['generator']['params']
  np.testing.assert_allclose([params['shift'], params['scale']], [0, 1], atol=0.06)
  logits = line.logits(game, state)
  np.testing.assert_allclose((1 / (1 + np.exp(-logits)))[np.abs(line.GRID) < 2], 0.5, atol=0.01)
  q = line.density(float(params['shift']), float(params['scale']))
  np.testing.assert_allclose(line.integral(q * np.exp(logits)), 1, atol=0.01)


def slopes(shift, sharpness=1.0):
  """|dL_G / dshift| of the minimax and of the non-saturating generator by their own losses.

  Of N(0, 1) against N(m, 1) the best discriminator has the logit log p / q = m^2 / 2 - m x; here
  times the sharpness.
  """
  found = {}
  for loss in ('minimax', 'non_saturating'):
    game = line.pair(shift, loss=loss, frozen=False, critic=line.Critic(width=0))
    players = game.init(jax.random.key(0), line.batch(jax.random.key(1)))
    best = {'kernel': jnp.full((1, 1), -shift), 'bias': jnp.full((1,), shift**2 / 2)}
    players['discriminator']['params'] = {'last': jax.tree.map(lambda x: sharpness * x, best)}
    one = lambda key, game=game, players=players: jax.grad(
      lambda params: game.losses['generator'](params, players, line.batch(key), key, 0)[0]
    )(players['generator']['params'])['shift']
    found[loss] = abs(jnp.mean(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(4), 200))))
  return found


def test_the_minimax_generator_learns_nothing_from_the_best_discriminator():
  """dL / dm = m E_q[D*] <= m exp(-m^2 / 8) / 2 (minimax), m (1 - E_q[D*]) (non-saturating)."""
  for m in (1.0, 3.0, 5.0):
    found = slopes(m)
    p, q = line.density(), line.density(m)
    fooled = line.integral(p * q / (p + q))  # E_q[D*]
    np.testing.assert_allclose(found['minimax'], m * fooled, rtol=0.04)
    np.testing.assert_allclose(found['non_saturating'], m * (1 - fooled), rtol=0.02)
    assert found['minimax'] < 1.04 * m / 2 * np.exp(-m * m / 8)
    assert found['non_saturating'] > 0.98 * m * (1 - np.exp(-m * m / 8) / 2)


def test_the_better_the_discriminator_the_less_the_minimax_generator_learns():
  """Per slope of the discriminator the one gets E_q[D], the other 1 - E_q[D], and never too little
  (Arjovsky & Bottou 2017, arXiv 1701.04862, theorem 2.4, on the former).
  """
  m, p, q = 4.0, line.density(), line.density(4.0)
  rows = []
  for sharpness in (0.02, 0.2, 1.0):
    found = slopes(m, sharpness)
    judged = value(sharpness * (m**2 / 2 - m * line.GRID), p, q)
    rows.append([judged, *(found[loss] / (sharpness * m) for loss in found)])
  judged, minimax, other = np.transpose(rows)
  assert judged[0] < judged[1] < judged[2]  # it does get better
  assert minimax[0] > 2 * minimax[1] > 4 * minimax[2] and minimax[2] < 0.05
  assert 0.5 < other[0] < other[1] < other[2]
  np.testing.assert_allclose(minimax + other, 1, rtol=1e-3)

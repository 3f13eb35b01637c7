"""The unrolled discriminator: the true gradient through its updates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.games.unrolling import make_unrolled
from tests import tiny


def test_on_a_quadratic_it_is_the_closed_form():
  # L = (psi - theta)^2 / 2: psi_k = theta + (1 - r)^k (psi - theta), d psi_k / d theta = 1 - (1 - r)^k
  future = make_unrolled(steps=3, name='sgd', learning_rate=0.1)
  at = lambda theta: future(lambda psi: 0.5 * (psi - theta) ** 2, jnp.asarray(2.0))
  np.testing.assert_allclose(at(1.0), 1 + 0.9**3, rtol=1e-6)
  np.testing.assert_allclose(jax.grad(at)(1.0), 1 - 0.9**3, rtol=1e-6)


@pytest.mark.parametrize('optimizer', ['sgd', 'adam'])
def test_the_generators_gradient_is_that_of_its_whole_loss(optimizer):
  with jax.enable_x64(True):
    game = tiny.game(
      loss='non_saturating', unroll={'steps': 2, 'learning_rate': 0.05, 'name': optimizer}
    )
    rng = np.random.default_rng(0)
    batch = {'image': jnp.asarray(rng.uniform(-1, 1, (4, 4, 4, 1))), 'label': jnp.arange(4) % 3}
    players = game.init(jax.random.key(0), batch)
    players = jax.tree.map(lambda x: x.astype(jnp.float64), players)
    loss = lambda p: game.losses['generator'](p, players, batch, jax.random.key(1), 0)[0]
    params = players['generator']['params']
    gradient = jax.grad(loss)(params)
    along = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), params)
    at = lambda t: loss(jax.tree.map(lambda p, d: p + t * d, params, along))
    slope = (at(1e-5) - at(-1e-5)) / 2e-5
    inner = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(along)))
    np.testing.assert_allclose(inner, slope, rtol=1e-6)
    plain = tiny.game(loss='non_saturating')
    first = jax.grad(
      lambda p: plain.losses['generator'](p, players, batch, jax.random.key(1), 0)[0]
    )(params)
    assert (
      max(np.abs(a - b).max() for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(gradient)))
      > 1e-3
    )


@pytest.mark.parametrize('optimizer', ['adam', 'adamw', 'amsgrad'])
def test_the_gradient_through_a_parameter_that_has_none_is_finite(optimizer):
  future = make_unrolled(steps=2, name=optimizer, learning_rate=0.1)
  off = lambda theta: future(lambda psi: jax.nn.relu(psi) * theta, jnp.asarray(-1.0))
  assert np.isfinite(jax.grad(off)(1.0))


def test_bad_options_are_one_line():
  with pytest.raises(ValueError, match="unknown optimizer 'adamm'"):
    make_unrolled(steps=1, learning_rate=0.1, name='adamm')
  with pytest.raises(ValueError, match='has no learning_rate'):
    make_unrolled(steps=1)
  with pytest.raises(ValueError, match='expected a whole number'):
    make_unrolled(steps=-1, learning_rate=0.1)

"""Consensus and symplectic adjustment: gradients with explicit matrices, and on a real pair of networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxgan.games import toy
from jaxgan.games.adjusting import adjust, field
from tests import tiny

CHOICES = [{'consensus': 0.7}, {'symplectic': 0.7}, {'consensus': 0.3, 'symplectic': 1.1}]


@pytest.fixture(autouse=True)
def wide():
  with jax.enable_x64(True):
    yield


def pulled(jacobian, f, consensus=0.0, symplectic=0.0):
  """F + gamma J^T F + lambda A^T F."""
  antisymmetric = 0.5 * (jacobian - jacobian.T)
  return f + consensus * jacobian.T @ f + symplectic * antisymmetric.T @ f


@pytest.mark.parametrize('weights', CHOICES, ids=str)
def test_gradients_are_those_of_the_papers(weights):
  """Three players, none of them zero-sum; J is given, F = J w."""
  rng = np.random.default_rng(0)
  jacobian = rng.normal(size=(6, 6))
  for block in (slice(0, 2), slice(2, 5)):
    jacobian[block, block] += jacobian[block, block].T
  w = rng.normal(size=6)
  game = toy.quadratic(jacobian, {'a': 2, 'b': 3, 'c': 1}, start=w)
  players = game.init(None, None)
  adjusted = adjust(game, **weights)
  found = field(adjusted.losses, players, None, None, 0)
  found = np.concatenate([found[name] for name in game.losses])
  np.testing.assert_allclose(found, pulled(jacobian, jacobian @ w, **weights), rtol=1e-10)


@pytest.mark.parametrize('weights', CHOICES, ids=str)
@pytest.mark.parametrize(
  'options',
  [
    {'loss': 'non_saturating', 'discriminator_penalties': {'gradient_penalty': {'weight': 0.5}}},
    {'loss': 'relativistic', 'generator_penalties': {}},
  ],
  ids=lambda options: options['loss'],
)
def test_networks_have_the_same_gradients_as_matrices(options, weights):
  """The Jacobian of all parameters of an adversarial pair, its cross derivatives with them."""
  game = tiny.game(**options)
  rng = np.random.default_rng(1)
  batch = {'image': jnp.asarray(rng.uniform(-1, 1, (4, 4, 4, 1))), 'label': jnp.arange(4) % 3}
  key = jax.random.key(2)
  players = jax.tree.map(lambda x: x.astype(jnp.float64), game.init(jax.random.key(0), batch))
  params, unravel = ravel_pytree({name: v['params'] for name, v in players.items()})

  @jax.jit
  def of(vector, losses=game.losses):
    moved = unravel(vector)
    here = {name: {**v, 'params': moved[name]} for name, v in players.items()}
    return ravel_pytree(field(losses, here, batch, key, 0))[0]

  step = 1e-5  # by differences, which see through everything
  columns = [
    (of(params + step * e) - of(params - step * e)) / (2 * step) for e in np.eye(len(params))
  ]
  jacobian = np.stack(columns, 1)
  pairs = [(name, slice(*ends)) for name, ends in blocks(players).items()]
  assert np.abs(jacobian[pairs[0][1], pairs[1][1]]).max() > 1e-3  # D's gradient moves with G
  adjusted = adjust(game, **weights).losses
  found, _ = ravel_pytree(jax.jit(lambda p: field(adjusted, p, batch, key, 0))(players))
  expected = pulled(jacobian, np.asarray(of(params)), **weights)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)


def blocks(players):
  """Where each player's parameters stand, by name."""
  sizes = {name: ravel_pytree(players[name]['params'])[0].size for name in sorted(players)}
  ends = np.cumsum([0, *sizes.values()])
  return {name: ends[i : i + 2] for i, name in enumerate(sizes)}


def test_statistics_and_metrics_of_the_game_come_through():
  game = tiny.game(loss='hinge', discriminator_penalties={'lecam': {'weight': 0.1}})
  batch = {'image': jnp.ones((2, 4, 4, 1)), 'label': jnp.zeros(2, jnp.int32)}
  players = game.init(jax.random.key(0), batch)
  args = (players['discriminator']['params'], players, batch, jax.random.key(1), 0)
  _, plain = game.losses['discriminator'](*args)
  adjusted = adjust(game, consensus=0.1, symplectic=0.2)
  total, aux = adjusted.losses['discriminator'](*args)
  assert set(aux.metrics) == {*plain.metrics, 'consensus', 'symplectic'}
  assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), aux.updates, plain.updates))
  value, _ = game.losses['discriminator'](*args)
  np.testing.assert_allclose(total, value + aux.metrics['consensus'] + aux.metrics['symplectic'])


def test_nothing_asked_for_is_the_game_itself():
  game = toy.dirac()
  assert adjust(game) is game
  with pytest.raises(ValueError, match='expected 0 or more'):
    adjust(game, consensus=-1.0)

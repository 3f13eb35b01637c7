"""From a game to its train step, with plain gradient descent unless a test says otherwise."""

import jax
import numpy as np

from jaxgan.games.adjusting import adjust
from jaxgan.optim import make_optimizer
from jaxgan.train_state import TrainState
from jaxgan.train_step import make_train_step


def begin(game, rate=0.1, play='alternating', updates=None, adjusting=None, **optimizer):
  """(train step, first state) of a game as a config would make them."""
  game = adjust(game, **(adjusting or {}))
  spec = {'name': 'sgd', 'learning_rate': rate, **optimizer}
  txs = {name: make_optimizer(spec) for name in game.losses}
  state = TrainState.create(jax.random.key(0), game.init(jax.random.key(1), None), txs)
  return jax.jit(make_train_step(game, txs, play=play, updates=updates)), state


def assert_spectra_equal(found, expected, atol=1e-9):
  """Whether two sets of eigenvalues are the same, in whatever order."""
  found, expected = list(found), list(np.ravel(expected))
  assert len(found) == len(expected)
  for value in expected:
    nearest = min(found, key=lambda other: abs(other - value))
    np.testing.assert_allclose(nearest, value, atol=atol, rtol=0)
    found.remove(nearest)

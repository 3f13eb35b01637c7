"""From a config to a problem: how its players play, and what they mind."""

import jax
import numpy as np
import pytest

from jaxgan import config as configs
from jaxgan import models, problem
from jaxgan.errors import UserError
from tests import tiny

RATE = 0.1


@pytest.fixture
def config(monkeypatch):
  monkeypatch.setattr(models, 'make', lambda *args, **options: tiny.game(loss='non_saturating'))
  config = configs.base()
  config.model, config.total_steps, config.data.batch_size = 'tiny', 4, 4
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'sgd', 'learning_rate': RATE}
  return config


def after(config, steps=1):
  """All parameters after some steps on the same batch."""
  made = problem.make_problem(config, tiny.dataset())
  state, step = made.init(jax.random.key(0)), jax.jit(made.step)
  for _ in range(steps):
    state, _ = step(state, made.dataset.fetch(np.arange(made.batch_size)))
  return np.concatenate([x.ravel() for x in jax.tree.leaves(state.players)])


def test_every_way_to_play_is_a_way_of_its_own(config):
  ways = {'alternating': after(config)}
  for play in ('simultaneous', 'extragradient'):
    config.play = play
    ways[play] = after(config)
  config.play = 'alternating'
  for method in ('consensus', 'symplectic'):
    config.adjust[method] = 1.0
    ways[method] = after(config)
    config.adjust[method] = 0.0
  np.testing.assert_array_equal(ways['alternating'], after(config))
  for name, way in ways.items():
    assert np.isfinite(way).all()
    assert all((way != other).any() for who, other in ways.items() if who != name)


def test_extragradient_counts_two_updates_a_step(config):
  config.play = 'extragradient'
  for spec in config.optimizer.values():
    spec.schedule = 'linear'  # to 0 after the last of 4 steps, not of 2
  assert (after(config, 2) != after(config, 3)).any()
  np.testing.assert_array_equal(after(config, 4), after(config, 5))


@pytest.mark.parametrize(
  'given, says',
  [
    (5, 'lookahead=5; expected a section'),
    ({'steps': 'x'}, "steps='x'.*expected a whole number"),
    ({'steps': 2.5}, 'steps=2.5.*expected a whole number'),
    ({'steps': 4, 'alpha': 'x'}, "alpha='x'; expected .* a number from 0 to 1"),
  ],
)
@pytest.mark.parametrize('play', ['alternating', 'extragradient'])
def test_a_lookahead_that_cannot_be_is_one_line(config, play, given, says):
  config.play, config.optimizer.generator.lookahead = play, given
  with pytest.raises(UserError, match=says) as error:
    problem.make_problem(config, tiny.dataset())
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'section, value, says',
  [
    ('updates', {'discriminator': 2}, "play='extragradient' with updates=.*; expected 1 of each"),
    ('optimizer', {'generator': {'lookahead': {'steps': 3}}}, 'lookahead.steps=3: .* even number'),
  ],
)
def test_what_extragradient_cannot_do(config, section, value, says):
  config.play = 'extragradient'
  config[section].update(value)
  with pytest.raises(configs.ConfigError, match=says) as error:
    problem.make_problem(config, tiny.dataset())
  assert '\n' not in str(error.value)

"""Schedules of a config: their values, where they may stand, and one line for a mistake."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import schedules
from jaxgan.optim import OptimizerError, make_optimizer
from jaxgan.train_step import Average, average
from tests import tiny

DOWN = {'start': 4.0, 'end': 2.0, 'steps': 10}


def test_values_on_the_way():
  at = lambda step, **more: float(schedules.at({**DOWN, **more}, step))
  assert [at(s) for s in (0, 5, 10, 99)] == [4, 3, 2, 2]
  np.testing.assert_allclose([at(s, shape='cosine') for s in (0, 5, 10)], [4, 3, 2], rtol=1e-6)
  np.testing.assert_allclose(at(2, shape='cosine'), 3 + np.cos(np.pi / 5), rtol=1e-6)
  assert schedules.at(0.5, 3) == 0.5 and schedules.at('off_diagonal', 3) == 'off_diagonal'


def test_a_penalty_follows_its_schedule():
  make = lambda gamma: tiny.game(discriminator_penalties={'r1': {'gamma': gamma}})
  batch = {'image': jnp.ones((4, 4, 4, 1)), 'label': jnp.zeros(4, jnp.int32)}
  players = make(1.0).init(jax.random.key(0), batch)

  def penalty(gamma, step):
    game = make(gamma)
    args = players, batch, jax.random.key(1), jnp.asarray(step)
    return game.losses['discriminator'](players['discriminator']['params'], *args)[1].metrics['r1']

  for step, gamma in ((0, 4.0), (5, 3.0), (20, 2.0)):
    np.testing.assert_allclose(penalty(DOWN, step), penalty(gamma, step), rtol=1e-6)


def test_an_optimiser_follows_its_schedules():
  tx = make_optimizer(
    {'name': 'adam', 'learning_rate': DOWN, 'b1': 0.0, 'b2': {'start': 0.5, 'end': 0.9, 'steps': 4}}
  )
  params, gradients = jnp.zeros(()), [1.0, 2.0, 3.0]
  state, v, by_hand = tx.init(params), 0.0, 0.0
  for count, g in enumerate(gradients):
    updates, state = tx.update(jnp.asarray(g), state, params)
    params = optax.apply_updates(params, updates)
    b2 = 0.5 + 0.1 * count
    v = b2 * v + (1 - b2) * g * g
    by_hand -= (4 - 0.2 * count) * g / (np.sqrt(v / (1 - b2 ** (count + 1))) + 1e-8)
  np.testing.assert_allclose(params, by_hand, rtol=1e-5)


def test_the_half_life_of_the_average_grows():
  spec = Average(decay=0.5, ramp=10)
  ema, new = {'generator': {'params': 0.0}}, {'generator': {'params': jnp.asarray(1.0)}}
  at = lambda step: float(average(ema, new, jnp.asarray(step), spec)['generator']['params'])
  np.testing.assert_allclose([at(0), at(5), at(10), at(50)], [1, 0.75, 0.5, 0.5], rtol=1e-6)


@pytest.mark.parametrize(
  'bad, says',
  [({'start': 1.0, 'end': 2.0}, 'expected start, end, steps'), ({**DOWN, 'shape': 'sine'}, "'sine'"),
   ({**DOWN, 'steps': 0}, 'steps=0'), ({**DOWN, 'stop': 1}, 'schedule with start, end, steps, stop')],
)  # fmt: skip
def test_mistakes_are_one_line(bad, says):
  with pytest.raises(OptimizerError, match=says):
    make_optimizer({'name': 'adam', 'learning_rate': 1e-3, 'b2': bad})
  with pytest.raises(ValueError, match=says):
    tiny.game(discriminator_penalties={'r1': {'gamma': bad}})

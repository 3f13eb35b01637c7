"""The train step: one gradient, one optimiser, one average, for any game."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import train_step
from jaxgan.games import Aux, Game
from jaxgan.train_state import TrainState


def quadratic(targets=(3.0, -1.0)):
  """Two players with one number each: a minimises (a - 3)^2, b minimises (b - a)^2."""

  def init(key, batch):
    return {
      'a': {'params': jnp.zeros(())},
      'b': {'params': jnp.ones(()), 'seen': {'count': jnp.zeros(())}},
    }

  def loss_a(params, players, batch, key, step):
    return jnp.mean((params - batch['x']) ** 2), Aux({'a': params})

  def loss_b(params, players, batch, key, step):
    count = players['b']['seen']['count'] + batch['x'].shape[0]
    return (params - players['a']['params']) ** 2, Aux({}, {'b': {'seen': {'count': count}}})

  return Game(init, {'a': loss_a, 'b': loss_b}, {})


def start(game, rate=0.1, averaged=()):
  txs = {name: optax.sgd(rate) for name in game.losses}
  return TrainState.create(jax.random.key(0), game.init(None, None), txs, averaged), txs


def batch(size=4, value=3.0):
  return {'x': jnp.full((size,), value)}


def test_updates_come_in_order_and_see_what_was_updated_before():
  game = quadratic()
  state, txs = start(game)
  state, metrics = train_step.make_train_step(game, txs)(state, batch())
  a = 0.1 * 2 * 3.0
  assert np.isclose(state.players['a']['params'], a)
  assert np.isclose(state.players['b']['params'], 1 - 0.1 * 2 * (1 - a))  # a had moved already
  assert np.isclose(metrics['a/loss'], 9.0) and np.isclose(metrics['a/grad_norm'], 6.0)
  assert state.step == 1 and state.players['b']['seen']['count'] == 4


def test_an_update_leaves_the_other_player_bit_identical():
  game = quadratic()
  state, txs = start(game)
  new, _ = train_step.update_player(
    state, 'a', game.losses['a'], txs['a'], batch(), jax.random.key(1)
  )
  assert new.players['a']['params'] != state.players['a']['params']
  assert jax.tree.all(
    jax.tree.map(lambda x, y: (x == y).all(), new.players['b'], state.players['b'])
  )
  assert new.step == state.step


def test_several_updates_take_their_own_part_of_the_batch():
  game = quadratic()
  state, txs = start(game)
  x = {'x': jnp.array([3.0, 5.0, 3.0, 5.0])}  # strided: the first update sees 3, the second 5
  state, _ = train_step.make_train_step(game, txs, updates={'a': 2})(state, x)
  first = 0.2 * 3
  assert np.isclose(state.players['a']['params'], first + 0.2 * (5 - first))
  assert state.players['b']['seen']['count'] == 2


def test_accumulation_is_the_gradient_of_the_whole_batch():
  game = quadratic()
  state, txs = start(game)
  x = {'x': jnp.arange(8.0)}
  whole, _ = train_step.make_train_step(game, txs)(state, x)
  parts, metrics = train_step.make_train_step(game, txs, accumulate=4)(state, x)
  assert np.isclose(whole.players['a']['params'], parts.players['a']['params'])
  assert parts.players['b']['seen']['count'] == 8  # collections go through the micro-batches
  assert np.isclose(metrics['a/loss'], np.mean(np.arange(8.0) ** 2))


def test_average_is_a_copy_before_its_start_and_lerps_after():
  game = quadratic()
  state, txs = start(game, averaged=('a', 'b'))
  spec = train_step.Average(('a', 'b'), decay=0.9, start=1)
  step = train_step.make_train_step(game, txs, ema=spec)
  one, _ = step(state, batch())
  assert one.ema['a']['params'] == one.players['a']['params']
  two, _ = step(one, batch())
  expected = 0.9 * one.players['a']['params'] + 0.1 * two.players['a']['params']
  assert np.isclose(two.ema['a']['params'], expected)
  assert (
    two.ema['b']['seen']['count'] == two.players['b']['seen']['count'] == 8
  )  # copied, not averaged


@pytest.mark.parametrize('value, check', [(np.nan, 'loss'), (1e30, 'loss'), (1e19, 'gradient')])
def test_the_first_nonfinite_number_is_named(value, check):
  game = quadratic()
  state, txs = start(game)
  if check == 'gradient':  # a loss that is finite where its slope is not
    game = game._replace(losses={'a': lambda p, *_: (jnp.sqrt(p), Aux()), 'b': game.losses['b']})
  _, metrics = train_step.make_train_step(game, txs)(state, batch(value=value))
  name = train_step.name_nonfinite(metrics['nonfinite'], train_step.update_order(game, {}))
  assert name == f'{check} of the a (update 1 of 2 in the step)'


def test_healthy_steps_name_nothing():
  game = quadratic()
  state, txs = start(game)
  _, metrics = train_step.make_train_step(game, txs)(state, batch())
  assert metrics['nonfinite'] == train_step.FINITE


def test_several_steps_equal_single_ones():
  game = quadratic()
  state, txs = start(game)
  step = train_step.make_train_step(game, txs)
  xs = jnp.arange(12.0).reshape(3, 4)
  together, metrics = train_step.several_steps(step)(state, {'x': xs})
  for x in xs:
    state, last = step(state, {'x': x})
  assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), state.players, together.players))
  assert metrics['a/loss'].shape == (3,) and metrics['a/loss'][-1] == last['a/loss']


def test_draws_depend_on_the_step_and_on_nothing_else():
  def loss(params, players, batch, key, step):
    return params * jax.random.normal(key), Aux({'draw': jax.random.normal(key)})

  game = Game(lambda k, b: {'a': {'params': jnp.zeros(())}}, {'a': loss}, {})
  state, txs = start(game)
  step = jax.jit(train_step.make_train_step(game, txs))
  one, first = step(state, batch())
  _, second = step(one, batch())
  _, repeated = step(one, batch())
  assert first['a/draw'] != second['a/draw'] and second['a/draw'] == repeated['a/draw']


def chasing():
  """a minimises (a - b)^2 / 2, b minimises (b + a)^2 / 2; b counts its updates; a (0) before b (1)."""

  def init(key, batch):
    return {
      'a': {'params': jnp.zeros(())},
      'b': {'params': jnp.ones(()), 'seen': {'count': jnp.zeros(())}},
    }

  def loss_a(params, players, batch, key, step):
    return (params - players['b']['params']) ** 2 / 2, Aux({'count': players['b']['seen']['count']})

  def loss_b(params, players, batch, key, step):
    count = players['b']['seen']['count'] + 1
    return (params + players['a']['params']) ** 2 / 2, Aux({}, {'b': {'seen': {'count': count}}})

  return Game(init, {'a': loss_a, 'b': loss_b}, {})


FIELD = np.array([[1.0, -1.0], [1.0, 1.0]])  # of `chasing`, in (a, b)


def numbers(state):
  return np.array([state.players[name]['params'] for name in ('a', 'b')])


@pytest.mark.parametrize('accumulate', [1, 2])
def test_simultaneous_players_answer_what_the_others_were(accumulate):
  game = chasing()
  state, txs = start(game)
  step = train_step.make_train_step(game, txs, play='simultaneous', accumulate=accumulate)
  new, _ = step(state, batch())
  np.testing.assert_allclose(numbers(new), [0, 1] - 0.1 * FIELD @ [0, 1], rtol=1e-6)
  turned = game._replace(losses=dict(reversed(game.losses.items())))
  other, metrics = train_step.make_train_step(turned, txs, play='simultaneous')(state, batch())
  np.testing.assert_array_equal(numbers(new), numbers(other))  # the order does not matter
  assert metrics['a/count'] == 0  # nor do the other's statistics move before its turn is over


def test_simultaneous_players_see_their_own_earlier_updates():
  game = chasing()
  state, txs = start(game)
  step = train_step.make_train_step(game, txs, updates={'b': 2}, play='simultaneous')
  new, _ = step(state, batch())
  np.testing.assert_allclose(numbers(new), [0.1, 0.9 * 0.9], rtol=1e-6)  # b still sees a = 0
  assert new.players['b']['seen']['count'] == 2


def test_extragradient_goes_from_the_start_along_the_field_at_the_half_point():
  game = chasing()
  state, txs = start(game)
  new, _ = train_step.make_train_step(game, txs, play='extragradient')(state, batch())
  half = [0, 1] - 0.1 * FIELD @ [0, 1]
  np.testing.assert_allclose(numbers(new), [0, 1] - 0.1 * FIELD @ half, rtol=1e-6)
  assert new.step == 1 and new.players['b']['seen']['count'] == 2


def test_extragradient_moves_the_moments_in_both_rounds():
  game = chasing()
  txs = {name: optax.adam(0.1) for name in game.losses}
  state = TrainState.create(jax.random.key(0), game.init(None, None), txs)
  new, _ = train_step.make_train_step(game, txs, play='extragradient')(state, batch())
  by_hand, opt = np.array([0.0, 1.0]), txs['a'].init(jnp.zeros(2))
  first, opt = txs['a'].update(jnp.asarray(FIELD @ by_hand), opt)
  second, opt = txs['a'].update(jnp.asarray(FIELD @ (by_hand + first)), opt)
  np.testing.assert_allclose(numbers(new), by_hand + second, rtol=1e-6)
  assert new.opt_state['a'][0].count == 2


def test_draws_of_both_rounds_are_the_same():
  def loss(params, players, batch, key, step):
    return params * jax.random.normal(key), Aux()

  game = Game(lambda k, b: {'a': {'params': jnp.zeros(())}}, {'a': loss}, {})
  state, txs = start(game)
  one, _ = train_step.make_train_step(game, txs)(state, batch())
  both, _ = train_step.make_train_step(game, txs, play='extragradient')(state, batch())
  assert one.players['a']['params'] == both.players['a']['params']  # the gradient is constant


def test_what_goes_wrong_at_the_half_point_is_named():
  game = Game(
    lambda k, b: {'a': {'params': jnp.zeros(())}}, {'a': lambda p, *_: (jnp.sqrt(1 + p), Aux())}, {}
  )
  state, txs = start(game, rate=4.0)  # to -2, where the loss is no number
  _, metrics = train_step.make_train_step(game, txs, play='extragradient')(state, batch())
  assert train_step.name_nonfinite(metrics['nonfinite'], ['a']).startswith('loss of the a')


def test_orders_of_play_that_cannot_be():
  game = chasing()
  _, txs = start(game)
  with pytest.raises(ValueError, match="play='both'; expected one of alternating, simult"):
    train_step.make_train_step(game, txs, play='both')
  with pytest.raises(ValueError, match='expected 1 of each player'):
    train_step.make_train_step(game, txs, play='extragradient', updates={'a': 2})

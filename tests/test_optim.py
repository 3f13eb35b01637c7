"""Optimisers from a config: rates at every point of a schedule, clipping, and one line for a mistake."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan.optim import OPTIMIZERS, OptimizerError, learning_rate, lookahead, make_optimizer
from tests import recorded


def rates(steps, **options):
  schedule = learning_rate(0.4, **options)
  return [round(float(schedule(step)), 6) for step in steps]


@pytest.mark.parametrize(
  'options, steps, expected',
  [
    ({}, (0, 7, 10**6), (0.4, 0.4, 0.4)),
    ({'warmup': 4}, (0, 1, 2, 4, 9), (0.0, 0.1, 0.2, 0.4, 0.4)),
    ({'schedule': 'linear', 'total_steps': 10}, (0, 5, 10, 12), (0.4, 0.2, 0.0, 0.0)),
    ({'schedule': 'linear', 'total_steps': 10, 'hold': 6}, (0, 6, 8, 10), (0.4, 0.4, 0.2, 0.0)),
    ({'schedule': 'linear', 'total_steps': 10, 'warmup': 2, 'hold': 4}, (0, 1, 2, 6, 8, 10), (0.0, 0.2, 0.4, 0.4, 0.2, 0.0)),
    ({'schedule': 'cosine', 'total_steps': 10}, (0, 5, 10, 11), (0.4, 0.2, 0.0, 0.0)),
    ({'schedule': 'cosine', 'total_steps': 12, 'warmup': 2, 'hold': 2}, (0, 2, 4, 8, 12), (0.0, 0.4, 0.4, 0.2, 0.0)),
  ],
)  # fmt: skip
def test_schedules(options, steps, expected):
  assert rates(steps, **options) == list(expected)


def test_a_cosine_is_a_cosine():
  expected = [0.2 * (1 + np.cos(np.pi * step / 8)) for step in range(9)]
  np.testing.assert_allclose(rates(range(9), schedule='cosine', total_steps=8), expected, atol=1e-6)


def test_cyclegans_schedules():
  """Recorded from CUT, an epoch a step: its linear decay begins one epoch before n_epochs = 4 are over."""
  numbers = recorded.read('cyclegan/lr_schedules')
  linear = learning_rate(numbers['linear'][0], schedule='linear', total_steps=9, hold=3)
  np.testing.assert_allclose([linear(i) for i in range(10)], numbers['linear'], rtol=1e-5)
  resumed = [linear(i) for i in range(2, 12)]  # epoch_count 3 is two epochs on
  np.testing.assert_allclose(resumed, numbers['linear_resume'].clip(0), rtol=1e-5, atol=1e-12)
  cosine = learning_rate(numbers['cosine'][0], schedule='cosine', total_steps=8)
  np.testing.assert_allclose(
    [cosine(i) for i in range(9)], numbers['cosine'][:9], rtol=1e-5, atol=1e-12
  )


def after(spec, gradients, total=0):
  """Parameters, from 0, after updates with the given gradients."""
  tx = make_optimizer(spec, total)
  params = jnp.zeros(len(gradients[0]))
  state = tx.init(params)
  for gradient in gradients:
    updates, state = tx.update(jnp.asarray(gradient), state, params)
    params = optax.apply_updates(params, updates)
  return params


def test_the_schedule_reaches_the_optimiser_and_ends_with_the_run():
  spec = {'name': 'sgd', 'learning_rate': 1.0, 'schedule': 'linear'}
  np.testing.assert_allclose(after(spec, [[1.0]] * 4, total=4), [-(1 + 0.75 + 0.5 + 0.25)])
  np.testing.assert_allclose(after(spec, [[1.0]] * 6, total=4), [-2.5])


def test_clipping_is_by_the_norm_of_all_gradients():
  spec = {'name': 'sgd', 'learning_rate': 1.0, 'clip': 1.0}
  np.testing.assert_allclose(after(spec, [[3.0, 4.0]]), [-0.6, -0.8], rtol=1e-6)
  np.testing.assert_allclose(after(spec, [[0.3, 0.4]]), [-0.3, -0.4], rtol=1e-6)
  np.testing.assert_allclose(after({**spec, 'clip': 0.0}, [[3.0, 4.0]]), [-3.0, -4.0])


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_weights_are_clipped_after_every_update(name):
  """To the last bit, from parameters of every size; those that stay inside go where they would go."""
  bound = 0.01
  key = jax.random.key(0)
  sizes = 10.0 ** jax.random.uniform(key, (20_000,), minval=-6, maxval=1)
  params = {'w': sizes * jax.random.normal(jax.random.fold_in(key, 1), sizes.shape)}
  spec = {'name': name, 'learning_rate': 3e-3}
  plain, clipped = make_optimizer(spec), make_optimizer({**spec, 'clip_weights': bound})
  state, free = clipped.init(params), plain.init(params)

  @jax.jit
  def step(params, state, tx_gradient):
    updates, state = clipped.update(tx_gradient, state, params)
    return optax.apply_updates(params, updates), state

  for i in range(3):
    gradient = {'w': jax.random.normal(jax.random.fold_in(key, 2 + i), sizes.shape)}
    updates, free = plain.update(gradient, free, params)
    expected = jnp.clip(optax.apply_updates(params, updates)['w'], -bound, bound)
    params, state = step(params, state, gradient)
    assert np.abs(params['w']).max() <= np.float32(bound)
    np.testing.assert_allclose(params['w'], expected, atol=3e-6)
    assert (np.abs(params['w']) < bound).any()
  assert (np.abs(params['w']) > 0.999 * bound).mean() > 0.01


def test_clipping_of_weights_is_the_last_thing():
  spec = {'name': 'sgd', 'learning_rate': 1.0, 'clip': 1.0, 'clip_weights': 0.7}
  np.testing.assert_allclose(after(spec, [[3.0, 4.0]]), [-0.6, -0.7], rtol=1e-6)
  np.testing.assert_allclose(
    after({**spec, 'clip_weights': 0.0}, [[3.0, 4.0]]), [-0.6, -0.8], rtol=1e-6
  )
  np.testing.assert_allclose(
    after({**spec, 'clip_weights': 9}, [[3.0, 4.0]]), [-0.6, -0.8], rtol=1e-6
  )


def test_optimistic_updates_take_the_change_of_the_last_one_once_more():
  spec = {'name': 'sgd', 'learning_rate': 1.0, 'optimistic': 0.5}
  np.testing.assert_allclose(after(spec, [[2.0]]), [-2.0])  # nothing came before
  np.testing.assert_allclose(after(spec, [[2.0], [3.0]]), [-2.0 - (3 + 0.5 * (3 - 2))])
  adam = {'learning_rate': 0.1, 'b1': 0.0}  # of the optimiser's updates, not of the gradients
  first, second = after(adam, [[2.0]]), after(adam, [[2.0], [3.0]]) - after(adam, [[2.0]])
  found = after({**adam, 'optimistic': 1.0}, [[2.0], [3.0]])
  np.testing.assert_allclose(found, first + second + (second - first), rtol=1e-5)


def test_lookahead_goes_back_part_of_the_way_every_few_updates():
  spec = {'name': 'sgd', 'learning_rate': 1.0, 'lookahead': {'steps': 3, 'alpha': 0.25}}
  gradient = [[-1.0]]
  ways = [after(spec, gradient * n)[0] for n in range(1, 8)]
  np.testing.assert_allclose(ways, [1, 2, 0.75, 1.75, 2.75, 1.5, 2.5])


def test_lookahead_wraps_all_but_the_clipping_of_weights():
  spec = {'name': 'sgd', 'learning_rate': 1.0, 'momentum': 0.5, 'clip': 1.0, 'optimistic': 1.0}
  wrapped = {**spec, 'lookahead': {'steps': 2}, 'clip_weights': 0.9}
  gradients = [[3.0, 4.0], [0.3, -0.4]]
  plain = after(spec, gradients)
  np.testing.assert_allclose(after(wrapped, gradients), jnp.clip(0.5 * plain, -0.9, 0.9), rtol=1e-6)
  first = after(wrapped, gradients[:1])
  np.testing.assert_allclose(first, jnp.clip(after(spec, gradients[:1]), -0.9, 0.9), rtol=1e-6)


def test_lookahead_needs_the_parameters():
  tx = lookahead(optax.sgd(1.0), 2)
  with pytest.raises(OptimizerError, match='lookahead got no parameters'):
    tx.update(jnp.ones(2), tx.init(jnp.ones(2)))


def test_clipping_of_weights_needs_them():
  tx = make_optimizer({'learning_rate': 1.0, 'clip_weights': 1.0})
  with pytest.raises(OptimizerError, match='clip_weights got no parameters'):
    tx.update(jnp.ones(2), tx.init(jnp.ones(2)))


def test_rmsprop_as_in_wgan():
  """lr / sqrt(v + eps), v = (1 - decay) g^2 after the first gradient; and its further options."""
  spec = {'name': 'rmsprop', 'learning_rate': 5e-5, 'decay': 0.99, 'eps': 1e-8}
  np.testing.assert_allclose(after(spec, [[3.0]]), [-5e-5 * 3 / np.sqrt(0.01 * 9)], rtol=1e-4)
  outside = {**spec, 'eps': 1.0, 'eps_in_sqrt': False}  # where PyTorch has it
  np.testing.assert_allclose(after(outside, [[3.0]]), [-5e-5 * 3 / (0.3 + 1)], rtol=1e-4)
  for more in ({'momentum': 0.9}, {'centered': True}, {'initial_scale': 1.0}):
    assert after({**spec, **more}, [[3.0], [1.0]]) != after(spec, [[3.0], [1.0]])


def test_options_reach_the_optimiser_and_adam_is_the_default():
  with_momentum = {'name': 'sgd', 'learning_rate': 1.0, 'momentum': 0.5}
  np.testing.assert_allclose(after(with_momentum, [[1.0], [0.0]]), [-1.5])
  adam = {'learning_rate': 0.1, 'b1': 0.0, 'b2': 0.5, 'eps': 1.0}
  np.testing.assert_allclose(after(adam, [[3.0]]), [-0.1 * 3 / (3 + 1)], rtol=1e-5)


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_every_optimiser_goes_downhill(name):
  gradients = [[2.0, -3.0]] * 3
  moved = after({'name': name, 'learning_rate': 0.01}, gradients)
  assert moved[0] < 0 < moved[1] and np.isfinite(moved).all()


@pytest.mark.parametrize(
  'spec, says',
  [
    ({'name': 'adm', 'learning_rate': 1.0}, "unknown optimizer 'adm'; expected one of adam, "),
    ({'learning_rate': 1.0, 'schedule': 'step'}, "unknown schedule 'step'; expected one of const"),
    ({'learning_rate': 1.0, 'beta1': 0.5}, "'adam' has no option 'beta1'; expected some of b1, b2"),
    ({'name': 'sgd', 'learning_rate': 1.0, 'b1': 0.0}, "'sgd' has no option 'b1'; .* momentum"),
    ({'name': 'sgd'}, "'sgd' has no learning_rate"),
    ({'learning_rate': -1e-4}, 'learning_rate=-0.0001; expected 0 or more'),
    ({'learning_rate': float('nan')}, 'learning_rate=nan; expected 0 or more'),
    ({'learning_rate': 1.0, 'clip': -1.0}, 'clip=-1.0; expected 0 or more'),
    ({'learning_rate': 1.0, 'clip_weights': -0.01}, 'clip_weights=-0.01; expected 0 or more'),
    ({'learning_rate': 1.0, 'optimistic': -1.0}, 'optimistic=-1.0; expected 0 or more'),
    ({'learning_rate': 1.0, 'lookahead': {'alpha': 1.0}}, 'expected a section: steps and alpha'),
    ({'learning_rate': 1.0, 'lookahead': {'steps': 2, 'k': 1}}, 'expected a section: steps and'),
    ({'learning_rate': 1.0, 'lookahead': 5}, 'lookahead=5; expected a section: steps and alpha'),
    (
      {'learning_rate': 1.0, 'lookahead': {'steps': 0}},
      'steps=0, alpha=0.5; expected a whole number',
    ),
    (
      {'learning_rate': 1.0, 'lookahead': {'steps': 2, 'alpha': 2}},
      'alpha=2; expected a whole number',
    ),
    ({'learning_rate': 1.0, 'warmup': -5}, 'warmup=-5; expected 0 or more'),
  ],
)
def test_mistakes_are_one_line(spec, says):
  with pytest.raises(OptimizerError, match=says) as error:
    make_optimizer(spec)
  assert '\n' not in str(error.value)


def test_the_optimiser_can_be_compiled():
  tx = make_optimizer({'learning_rate': 0.1, 'schedule': 'cosine', 'warmup': 2, 'clip': 1.0}, 10)
  params = jnp.ones(2)
  updates, state = jax.jit(tx.update)(params, tx.init(params), params)
  assert (updates == 0).all()  # the first step of a warm-up has rate 0
  assert (jax.jit(tx.update)(params, state, params)[0] < 0).all()

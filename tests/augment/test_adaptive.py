"""The adaptive probability, move by move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.augment import ada, apa
from jaxgan.augment.adaptive import adaptive_probability
from jaxgan.nn import replicas

SURE, LOST = jnp.full(8, 3.0), jnp.full(8, -0.1)


def moves(logits, **options):
  """p after each of the updates with these logits."""
  init, update = adaptive_probability(
    **{'p': 0.5, 'target': 0.6, 'kimg': 1, 'interval': 1} | options
  )
  state, out = init(), []
  for x in logits:
    state = jax.jit(update)(state, x)
    out.append(float(state['p']))
  return np.array(out)


def test_p_moves_towards_the_target_at_the_stated_speed():
  np.testing.assert_allclose(moves([SURE, SURE, LOST]), [0.508, 0.516, 0.508], rtol=1e-6)
  half = jnp.array([1.0] * 6 + [-1.0] * 2)  # mean sign 0.5, below 0.6
  np.testing.assert_allclose(moves([half]), [0.492], rtol=1e-6)
  np.testing.assert_allclose(moves([SURE], kimg=500), [0.5 + 8 / 500_000], rtol=1e-6)


def test_p_stays_in_the_unit_interval():
  assert moves([LOST] * 3, p=0.01, kimg=0.1)[-1] == 0
  assert moves([SURE] * 3, p=0.99, kimg=0.1)[-1] == 1


def test_it_moves_every_interval_by_the_mean_since_the_last_move():
  got = moves([SURE, LOST, LOST, LOST, SURE, SURE, SURE, SURE], interval=4)
  np.testing.assert_allclose(got, [0.5] * 3 + [0.468] * 4 + [0.5], rtol=1e-6)
  init, update = adaptive_probability(0.5, 0.6, 1, 4)
  state = update(update(init(), SURE), LOST)
  assert (float(state['sign']), int(state['count'])) == (0.0, 2)


def test_pmap_replicas_move_alike_by_the_whole_batch():
  init, update = adaptive_probability(0.5, 0.4, 1, 1)
  both = jax.pmap(update, axis_name=replicas.AXIS, in_axes=(None, 0))(
    init(), jnp.stack([SURE, LOST])
  )
  np.testing.assert_allclose(both['p'], [0.5 - 0.016] * 2, rtol=1e-6)


@pytest.mark.parametrize('make', [ada, apa])
def test_a_fixed_p_has_no_state(make):
  for target in (0, None):
    augmentation = make(p=0.2, target=target)
    assert augmentation.init() == {} == augmentation.update({}, SURE)


@pytest.mark.parametrize('make', [ada, apa])
def test_the_state_at_the_start(make):
  state = make(p=0.2).init()
  assert {k: (v.dtype.name, v.shape) for k, v in state.items()} == {
    'p': ('float32', ()),
    'sign': ('float32', ()),
    'count': ('int32', ()),
  }
  assert state['p'] == np.float32(0.2)
  new = make().update(state, SURE)
  assert jax.tree.map(lambda x: (x.dtype, x.shape), new) == jax.tree.map(
    lambda x: (x.dtype, x.shape), state
  )


def test_numbers_out_of_range_are_refused():
  for options, line in (
    ({'p': 1.2}, 'p=1.2; expected a number from 0 to 1'),
    ({'target': 'a'}, "target='a'; expected a number from 0 to 1"),
    ({'kimg': 0}, 'kimg=0; expected a number >= 0.001'),
    ({'interval': 0.5}, 'interval=0.5; expected a whole number of updates >= 1'),
  ):
    with pytest.raises(ValueError, match=line):
      ada(**options)

"""The image pool against the draws and results recorded from CUT, and its place in a step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.games import image_pool
from jaxgan.nn import replicas
from tests import recorded

NUMBERS = recorded.read('cyclegan/image_pool')


@pytest.mark.parametrize('size', [3, 5])
def test_recorded_queries(size):
  """Twelve queries of two pictures; a slot was drawn only after a coin above one half."""
  drawn = list(zip(NUMBERS[f'pool{size}/draw_kind'], NUMBERS[f'pool{size}/draw_value']))
  pool = image_pool.empty(size, (1,))
  given = 0
  for theirs in NUMBERS[f'pool{size}/returned_ids']:
    coins, slots = [], []
    for _ in range(2):
      kind, coin = drawn.pop(0) if given >= size else (0, 0.0)
      assert kind == 0
      coins.append(coin)
      slots.append(int(drawn.pop(0)[1]) if coin > 0.5 else 0)
      given += 1
    images = jnp.array([[given - 2.0], [given - 1.0]])
    shown, pool = image_pool.query(pool, images, jnp.array(coins), jnp.array(slots))
    np.testing.assert_array_equal(shown[:, 0], theirs)
  assert not drawn
  np.testing.assert_array_equal(pool['images'][:, 0], NUMBERS[f'pool{size}/final_pool_ids'])


def test_size_zero_shows_what_it_is_given():
  images = jnp.arange(4.0).reshape(4, 1)
  shown, pool = image_pool.show(image_pool.empty(0, (1,)), images, jax.random.key(0))
  np.testing.assert_array_equal(shown, images)
  np.testing.assert_array_equal(NUMBERS['pool0/returned_ids'].ravel(), np.arange(24))
  assert pool['images'].shape == (0, 1)


def test_half_of_what_a_full_pool_shows_is_old_and_has_no_gradient():
  pool = {'images': -jnp.ones((50, 2)), 'count': jnp.array(50)}
  shown, new = image_pool.show(pool, jnp.ones((400, 2)), jax.random.key(1))
  old = float((shown[:, 0] < 0).mean())
  assert 0.05 < old < 0.2  # 50 old ones, each shown once at most
  assert (new['images'] > 0).mean() > 0.9
  gradient = jax.grad(lambda x: image_pool.show(pool, x, jax.random.key(1))[0].sum())
  assert not gradient(jnp.ones((4, 2))).any()


def test_two_replicas_equal_one():
  pool = image_pool.empty(3, (1,))
  images = jnp.arange(8.0).reshape(8, 1)
  key = jax.random.key(3)
  shown, new = image_pool.show(pool, images, key)
  parts, pools = jax.vmap(lambda x: image_pool.show(pool, x, key), axis_name=replicas.AXIS)(
    images.reshape(2, 4, 1)
  )
  np.testing.assert_array_equal(parts.reshape(8, 1), shown)
  np.testing.assert_array_equal(pools['images'], np.stack([new['images']] * 2))

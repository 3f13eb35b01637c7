"""The history of fakes that a discriminator is shown: a pool that is part of the state.

Source: Shrivastava et al. 2016, arXiv 1612.07828, section 2.3, with the rule of CycleGAN (Zhu et al. 2017, arXiv
1703.10593).
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.nn import replicas

Pool = dict[str, Any]


def empty(size: int, shape: tuple[int, ...]) -> Pool:
  """A pool without pictures: 'images' float32 [size, *shape], 'count' int32 of those that it holds."""
  return {'images': jnp.zeros((size, *shape)), 'count': jnp.zeros((), jnp.int32)}


def query(
  pool: Pool, images: jax.Array, coins: jax.Array, slots: jax.Array
) -> tuple[jax.Array, Pool]:
  """What the discriminator is shown for some new fakes, and the pool afterwards.

  One picture after the other: while the pool is not full, it is shown and kept; then, where the
  coin is above one half, the old picture in its slot is shown and it takes that one's place, else it
  is shown and not kept.

  Args:
    pool: see `empty`.
    images: [B, *shape].
    coins: [B], from 0 to 1.
    slots: int [B], from 0 to size - 1.

  Returns:
    (shown [B, *shape], new pool).
  """
  size = len(pool['images'])

  def one(pool, given):
    image, coin, slot = given
    full = pool['count'] >= size
    slot = jnp.where(full, slot, pool['count'])
    old = pool['images'][slot]
    swaps = full & (coin > 0.5)
    kept = jnp.where(full & ~swaps, old, image)
    new = {'images': pool['images'].at[slot].set(kept), 'count': pool['count'] + ~full}
    return new, jnp.where(swaps, old, image)

  pool, shown = jax.lax.scan(one, pool, (images, coins, slots))
  return shown, pool


def show(pool: Pool, images: jax.Array, key: jax.Array) -> tuple[jax.Array, Pool]:
  """`query` with coins and slots drawn from a key; a pool of size 0 shows what it is given.

  The pool is one for all replicas, and takes their pictures in the order of the whole batch.
  """
  size, images = len(pool['images']), jax.lax.stop_gradient(images)
  if not size:
    return images, pool
  everyone = replicas.gather(images)
  coins = jax.random.uniform(jax.random.fold_in(key, 0), (len(everyone),))
  slots = jax.random.randint(jax.random.fold_in(key, 1), (len(everyone),), 0, size)
  shown, pool = query(pool, everyone, coins, slots)
  return shown[replicas.rows(len(images))], pool

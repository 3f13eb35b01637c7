"""Dropout, alike for every device layout."""

import jax
import jax.numpy as jnp

from jaxgan.nn import replicas


def dropout(x: jax.Array, rate: float, key: jax.Array) -> jax.Array:
  """Units at 0 with probability `rate`, the others divided by 1 - rate so that the mean stays.

  Args:
    x: [B, ...].
    rate: from 0 to below 1.
    key: PRNG key, the same on every replica.

  Source: Srivastava et al. 2014, "Dropout", JMLR 15.
  """
  kept = replicas.draw(lambda key, shape: jax.random.bernoulli(key, 1 - rate, shape), key, x.shape)
  return jnp.where(kept, x / (1 - rate), 0).astype(x.dtype)


def check(rate: float) -> None:
  """Whether that is a rate.

  Raises:
    ValueError: it is not.
  """
  if not 0 <= rate < 1:
    raise ValueError(f'dropout={rate}; expected a share from 0 to below 1')

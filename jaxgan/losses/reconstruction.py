"""How far a picture is from the one that it should be, per example."""

import jax
import jax.numpy as jnp

from jaxgan.nn.precision import widen


def l1(x: jax.Array, target: jax.Array) -> jax.Array:
  """mean |x - target| over all of an example's entries.

  Args:
    x, target: [B, ...] of one shape.

  Returns:
    float32 [B].

  Raises:
    ValueError: the two differ in shape: they would broadcast.
  """
  if x.shape != target.shape:
    raise ValueError(f'x {x.shape} and target {target.shape}; expected one shape')
  return jnp.abs(widen(x) - widen(target)).mean(tuple(range(1, x.ndim)))

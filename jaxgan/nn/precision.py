"""The arithmetic that stays wide: at least float32, whatever the dtype of the computation.

Statistics, softmaxes, norms, images and logits are float32 in a bfloat16 network. A float64 network
keeps its float64 there, so that gradients can be checked and device layouts compared to rounding.
"""

from typing import Any

import jax
import jax.numpy as jnp


def wide(dtype: Any) -> Any:
  """float64 for float64, float32 for every other dtype."""
  return jnp.promote_types(dtype, jnp.float32)


def widen(x: jax.Array) -> jax.Array:
  """The array in the `wide` form of its dtype."""
  return x.astype(wide(x.dtype))

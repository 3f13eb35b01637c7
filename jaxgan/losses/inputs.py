"""What every loss asks of its arguments: the shape that it says, and at least float32."""

import jax
import jax.numpy as jnp

from jaxgan.nn.precision import widen


def logits(*given: jax.Array) -> list[jax.Array]:
  """The logits in float32, once they are known to be [B] and alike: [B, 1] would broadcast to [B, B].

  Raises:
    ValueError: they are not.
  """
  shapes = [jnp.shape(x) for x in given]
  if len(set(shapes)) > 1 or len(shapes[0]) != 1:
    raise ValueError(
      f'logits of shape {" and ".join(map(str, shapes))}; expected [batch], all alike'
    )
  return [widen(jnp.asarray(x)) for x in given]


def vectors(name: str, *given: jax.Array) -> list[jax.Array]:
  """The arrays in float32, once they are known to be [B, N] and alike.

  Raises:
    ValueError: they are not.
  """
  shapes = [jnp.shape(x) for x in given]
  if len(set(shapes)) > 1 or len(shapes[0]) != 2:
    raise ValueError(
      f'{name} of shape {" and ".join(map(str, shapes))}; expected [batch, features], all alike'
    )
  return [widen(jnp.asarray(x)) for x in given]


def labels(label: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """The labels, once they are known to be whole numbers of that shape.

  Raises:
    ValueError: they are not.
  """
  label = jnp.asarray(label)
  if label.shape != shape or not jnp.issubdtype(label.dtype, jnp.integer):
    raise ValueError(
      f'labels {label.dtype} of shape {label.shape}; expected whole numbers of shape {shape}'
    )
  return label

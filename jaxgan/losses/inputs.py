"""What every loss asks of its arguments: the shape that it says, and at least float32."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.nn.precision import widen


def logits(*given: jax.Array) -> list[jax.Array]:
  """The logits in float32, once they are known to be [B] and alike: [B, 1] would broadcast to [B, B].

  Raises:
    ValueError: they are not.
  """
  shapes = [np.shape(x) for x in given]
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
  shapes = [np.shape(x) for x in given]
  if len(set(shapes)) > 1 or len(shapes[0]) != 2:
    raise ValueError(
      f'{name} of shape {" and ".join(map(str, shapes))}; expected [batch, features], all alike'
    )
  return [widen(jnp.asarray(x)) for x in given]


def labels(label: jax.Array, shape: tuple[int, ...], classes: int | None = None) -> jax.Array:
  """The labels, once they are known to be whole numbers of that shape, and classes where they are at hand.

  Raises:
    ValueError: they are not.
  """
  label = jnp.asarray(label)
  if label.shape != shape or not jnp.issubdtype(label.dtype, jnp.integer):
    raise ValueError(
      f'labels {label.dtype} of shape {label.shape}; expected whole numbers of shape {shape}'
    )
  if not isinstance(label, jax.core.Tracer) and classes and label.size:
    least, most = int(label.min()), int(label.max())
    if least < 0 or most >= classes:
      raise ValueError(f'labels from {least} to {most}; expected 0 to {classes - 1}')
  return label

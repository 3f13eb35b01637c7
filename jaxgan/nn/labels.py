"""Labels as numbers that a layer can take."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.nn.precision import wide

CONDITIONS = ('', 'none', 'batch_norm')


def weights(labels: jax.Array, num_classes: int, dtype: Any = jnp.float32) -> jax.Array:
  """One-hot, at least float32 [B, num_classes], of int labels [B]; float ones are taken as they are.

  Float labels [B, num_classes] are weights of a mixture of classes.
  """
  mixture = jnp.issubdtype(labels.dtype, jnp.floating)
  each = labels if mixture else jax.nn.one_hot(labels, num_classes)
  return each.astype(wide(dtype))


def conditions(
  labels: jax.Array, num_classes: int, kind: str, dtype: Any = jnp.float32
) -> tuple[jax.Array, ...]:
  """What a generator's norms see of the labels: (weights of the classes,) or ().

  Args:
    labels: int [B], or float [B, num_classes].
    num_classes: of the data; 0 where there are no labels.
    kind: 'batch_norm', 'none', or '' for the former where there are labels.
    dtype: of the network.

  Raises:
    ValueError: another kind, or 'batch_norm' without labels.
  """
  if kind not in CONDITIONS:
    raise ValueError(f'condition={kind!r}; expected one of {", ".join(map(repr, CONDITIONS))}')
  if kind == 'batch_norm' and not num_classes:
    raise ValueError(
      "condition='batch_norm' needs labels; the data have none: give data.label or condition='none'"
    )
  return (weights(labels, num_classes, dtype),) if num_classes and kind != 'none' else ()

"""The replicas of a pmap, if there are any: one idea that lets a step be written without axis names.

Under `jit` with a sharded batch every array is global and these functions are the identity. Under
`pmap(axis_name=replicas.AXIS)` they give each replica what it would have seen of the global array,
so that both ways of running a step produce the same numbers.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

AXIS = 'replicas'


def size() -> int:
  """Number of pmap replicas of the current trace; 1 outside pmap."""
  try:
    return jax.lax.psum(1, AXIS)  # a Python constant at trace time
  except NameError:  # no such axis is bound: not under pmap
    return 1


def mean(tree: Any) -> Any:
  """Mean of every leaf over the replicas; the tree itself outside pmap."""
  return jax.lax.pmean(tree, AXIS) if size() > 1 else tree


def gather(x: jax.Array) -> jax.Array:
  """The batches of all replicas, [B, ...] -> [replicas * B, ...]; the array itself outside pmap."""
  return jax.lax.all_gather(x, AXIS, tiled=True) if size() > 1 else x


def rows(n: int) -> jax.Array:
  """Where the n rows of this replica stand in what `gather` gives, int [n]; 0 to n - 1 outside pmap."""
  first = jax.lax.axis_index(AXIS) * n if size() > 1 else 0
  return first + jnp.arange(n)


def draw(
  sampler: Callable, key: jax.Array, shape: tuple[int, ...], *args: Any, **kwargs: Any
) -> jax.Array:
  """`sampler(key, shape, ...)` whose leading axis is the batch, alike for every device layout.

  Args:
    sampler: such as `jax.random.normal`; called once with the global shape.
    key: a PRNG key, the same on every replica.
    shape: the shape of this replica's share, batch first.

  Returns:
    The array of the given shape; under pmap the replica's rows of the global draw.
  """
  n = size()
  if n == 1:
    return sampler(key, shape, *args, **kwargs)
  whole = sampler(key, (shape[0] * n, *shape[1:]), *args, **kwargs)
  return jax.lax.dynamic_slice_in_dim(whole, jax.lax.axis_index(AXIS) * shape[0], shape[0])

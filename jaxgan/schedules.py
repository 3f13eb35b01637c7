"""Numbers of a config that change while a run goes on."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

KEYS = ('start', 'end', 'steps', 'shape')
SHAPES = ('linear', 'cosine')


def is_schedule(value: Any) -> bool:
  """Whether a config's value is a schedule and not a number."""
  return isinstance(value, Mapping) and 'start' in value


def check(name: str, value: Any) -> None:
  """Whether a value is a number or a schedule.

  Raises:
    ValueError: a schedule with keys missing or unknown, an unknown shape, or steps below 1.
  """
  if not is_schedule(value):
    return
  if set(value) - set(KEYS) or not {'start', 'end', 'steps'} <= set(value):
    raise ValueError(
      f'{name}: schedule with {", ".join(map(str, value))}; expected start, end, steps and, if you '
      f'like, shape ({" or ".join(SHAPES)})'
    )
  if value.get('shape', 'linear') not in SHAPES or not value['steps'] >= 1:
    raise ValueError(
      f'{name}: shape={value.get("shape", "linear")!r}, steps={value["steps"]!r}; expected '
      f'{" or ".join(SHAPES)}, and 1 or more'
    )


def at(value: Any, step: jax.Array | int) -> Any:
  """The value at a step.

  With t = min(step / steps, 1): start + (end - start) t ('linear', the default), or with
  (1 - cos(pi t)) / 2 in place of t ('cosine').

  Args:
    value: a number, which stays as it is, or `{'start': a, 'end': b, 'steps': n, 'shape': 'cosine'}`.
    step: from 0; may be traced.

  Returns:
    The number itself, or a float32 scalar.
  """
  if not is_schedule(value):
    return value
  t = jnp.clip(jnp.asarray(step, jnp.float32) / value['steps'], 0, 1)
  if value.get('shape', 'linear') == 'cosine':
    t = jnp.square(jnp.sin(jnp.pi / 2 * t))  # exactly 1 at the end
  return value['start'] + (value['end'] - value['start']) * t

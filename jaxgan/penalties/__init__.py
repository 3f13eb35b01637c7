"""Penalties and regularisers: pure functions; a config names them, `jaxgan.games.adversarial` applies them.

Every argument called `params`, `critic`, `fake_critic`, `real`, `fake` or `key` is supplied by the
game, the rest by the config.
"""

from collections.abc import Callable
from typing import Any

from jaxgan.penalties.gradient import gradient_penalty, r1, r2
from jaxgan.penalties.orthogonal import orthogonal

__all__ = ['gradient_penalty', 'orthogonal', 'r1', 'r2']


def find(name: str) -> Callable[..., Any]:
  """The penalty of that name.

  Raises:
    ValueError: there is none; the message lists those that exist.
  """
  if name not in __all__:
    raise ValueError(f'unknown penalty {name!r}; expected one of {", ".join(__all__)}')
  return globals()[name]

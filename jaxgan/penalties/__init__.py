"""Penalties and regularisers: pure functions; a config names them, `jaxgan.games.adversarial` applies them.

A game supplies by name the arguments that it has, among `params`, `critic`, `fake_critic`, `real`,
`fake`, `key`, `real_logits`, `fake_logits`, `real_mean`, `fake_mean`, `z` and `generate`; the rest is
the config's. `__all__` names the penalties, as a config may write them.
"""

from collections.abc import Callable
from typing import Any

from jaxgan.errors import nearest
from jaxgan.penalties.consistency import (
  balanced_consistency,
  consistency,
  latent_consistency,
  latent_diversity,
)
from jaxgan.penalties.dragan import dragan
from jaxgan.penalties.gradient import (
  gradient_penalty,
  lipschitz_penalty,
  max_gradient_penalty,
  r1,
  r2,
)
from jaxgan.penalties.lecam import lecam
from jaxgan.penalties.lecam import lecam_means as lecam_means  # what `lecam` needs, no penalty
from jaxgan.penalties.orthogonal import orthogonal

__all__ = [
  'balanced_consistency',
  'consistency',
  'dragan',
  'gradient_penalty',
  'latent_consistency',
  'latent_diversity',
  'lecam',
  'lipschitz_penalty',
  'max_gradient_penalty',
  'orthogonal',
  'r1',
  'r2',
]


def find(name: str) -> Callable[..., Any]:
  """The penalty of that name.

  Raises:
    ValueError: there is none; the message names the nearest, or lists those that exist.
  """
  if name not in __all__:
    raise ValueError(f'unknown penalty {name!r}; {nearest(name, __all__)}')
  return globals()[name]

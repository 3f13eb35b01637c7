"""Penalties and regularisers: pure functions; a config names them, `jaxgan.games.adversarial` applies them.

A game supplies by name the arguments that it has, among `params`, `critic`, `fake_critic`, `real`,
`fake`, `key`, `real_logits`, `fake_logits`, `real_mean`, `fake_mean`, `z` and `generate`; the rest is
the config's. `__all__` names the penalties, as a config may write them.
"""

import difflib
from collections.abc import Callable
from typing import Any

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
    ValueError: there is none; the message lists those that exist and names the nearest.
  """
  if name not in __all__:
    near = difflib.get_close_matches(name, __all__, 1)
    hint = f'; did you mean {near[0]!r}?' if near else ''
    raise ValueError(f'unknown penalty {name!r}; expected one of {", ".join(__all__)}{hint}')
  return globals()[name]

"""jaxgan: adversarial models as pure functions on JAX, with one train step and one loop.

`import jaxgan` costs nothing: each public part is imported when it is first named, so that
`from jaxgan import losses` brings in jax and nothing else.
"""

import importlib
from typing import Any

__version__ = '0.1.0'

__all__ = [
  'augment',
  'checkpoint',
  'config',
  'datasets',
  'evaluators',
  'games',
  'importers',
  'losses',
  'metrics',
  'models',
  'nn',
  'optim',
  'parallel',
  'penalties',
  'plots',
  'sample',
  'scores',
  'session',
  'train',
  'train_state',
  'train_step',
]


def __getattr__(name: str) -> Any:
  if name in __all__:
    return importlib.import_module(f'jaxgan.{name}')
  raise AttributeError(f'module jaxgan has no {name!r}; it has {", ".join(__all__)}')


def __dir__() -> list[str]:
  return sorted([*globals(), *__all__])

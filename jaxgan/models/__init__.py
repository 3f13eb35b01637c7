"""The systems, one file per paper: its networks and `make(...) -> Game`. The file name is the registry."""

import importlib
import pkgutil
from typing import Any

from jaxgan.config import ConfigError, nearest
from jaxgan.games import Game


def names() -> list[str]:
  """The models that exist."""
  return sorted(module.name for module in pkgutil.iter_modules(__path__))


def make(name: str, *, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The Game of the model file of that name.

  Args:
    name: file name in jaxgan/models.
    image_shape: (height, width, channels) of the data.
    num_classes: of the data; 0 = unlabelled.
    **options: what a config's `game` section holds.

  Raises:
    ConfigError: unknown model or option, or options that do not go together; one line.
  """
  if name not in names():
    raise ConfigError(f'unknown model {name!r}; {nearest(name, names())}')
  build = importlib.import_module(f'jaxgan.models.{name}').make
  try:
    return build(image_shape=image_shape, num_classes=num_classes, **options)
  except (ValueError, TypeError, AttributeError) as error:
    raise ConfigError(f'model {name!r}: {error}') from error

"""What the loop calls while it trains: samples, scores, spectra. The file name is the registry.

An evaluator is `make(run, **options) -> evaluate(step, players, final) -> {score: number}`.
`players` holds averaged variables where there are any, on one local device; what an evaluator
writes goes to `run.workdir` and `run.writer`.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.config import ConfigError, nearest
from jaxgan.datasets import Dataset
from jaxgan.games import Game


class NotApplicable(Exception):
  """An evaluator has nothing to say about this game or these data; the run goes on without it."""


Evaluate = Callable[[int, Any, bool], dict[str, float]]


class Run(NamedTuple):
  """What an evaluator may look at.

  Attributes:
    game, dataset: what is trained, and on what.
    workdir, writer: where to write.
    seed: the run's.
    cache_dir: where classifiers and statistics are kept.
    total_steps: of the run; 0 where nobody knows.
    part: split -> the same data set's other part, as data.split names it.
    config: of the run, as nested dicts.
  """

  game: Game
  dataset: Dataset
  workdir: Path
  writer: Any
  seed: int = 0
  cache_dir: str = ''
  total_steps: int = 0
  part: Callable[[str], Dataset] | None = None
  config: Mapping[str, Any] = {}


def drawer(game: Game, batch: int) -> Callable[..., np.ndarray]:
  """Samples of a game, as many as there are labels, drawn `batch` at a time.

  Returns:
    `(players, labels [n], seed, truncation=0.0) -> images [n, H, W, C]`, the same latents for the same seed.
  """

  @partial(jax.jit, static_argnames='truncation')
  def draw(players, key, label, truncation):
    options = {'truncation': truncation} if truncation else {}  # not every latent can be truncated
    z = game.predict['latent'](players, key, n=batch, **options)
    return game.predict['sample'](players, key, label=label, z=z)

  def drawn(players: Any, labels: Any, seed: int, truncation: float = 0.0) -> np.ndarray:
    parts = np.pad(labels, (0, -len(labels) % batch), mode='edge').reshape(-1, batch)
    keys = [jax.random.fold_in(jax.random.key(seed), i) for i in range(len(parts))]
    images = [draw(players, key, part, truncation=truncation) for key, part in zip(keys, parts)]
    return np.concatenate(jax.device_get(images))[: len(labels)]

  return drawn


def names() -> list[str]:
  """The evaluators that exist."""
  return sorted(module.name for module in pkgutil.iter_modules(__path__))


def make(name: str, run: Run, **options: Any) -> Evaluate:
  """The evaluator of the file of that name.

  Raises:
    ConfigError: unknown evaluator or option, or one that does not fit the game or the data.
  """
  if name not in names():
    raise ConfigError(f'unknown evaluator {name!r}; {nearest(name, names())}')
  build = importlib.import_module(f'jaxgan.evaluators.{name}').make
  accepted = [p for p in inspect.signature(build).parameters if p != 'run']
  for option in options:
    if option not in accepted:
      raise ConfigError(f'evaluator {name!r} has no option {option!r}; {nearest(option, accepted)}')
  try:
    return build(run, **options)
  except ValueError as error:
    raise ConfigError(f'evaluator {name!r}: {error}') from error

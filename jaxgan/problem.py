"""From a config to what can be trained: the data, the game, the optimisers, the step, the first state."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan import datasets, models, optim, train_step
from jaxgan.config import BATCHING, ConfigError
from jaxgan.games import Game
from jaxgan.games.adjusting import adjust
from jaxgan.train_state import TrainState


class Problem(NamedTuple):
  """A config made concrete.

  Attributes:
    dataset: the data.
    game: the game.
    step: the pure train step, `(state, batch) -> (state, metrics)`, batch as the data set gives it.
    init: `key -> TrainState` at step 0.
    order: the players in the order of their updates within a step.
    batch_size: examples of one train step, over all updates and devices.
    part: split -> that part of the same data.
  """

  dataset: datasets.Dataset
  game: Game
  step: Callable[..., Any]
  init: Callable[[jax.Array], TrainState]
  order: list[str]
  batch_size: int
  part: Callable[[str], datasets.Dataset]


def make_problem(config: Any, dataset: datasets.Dataset | None = None) -> Problem:
  """The problem of a valid config.

  Args:
    config: see `jaxgan.config.base`.
    dataset: use this one instead of loading `config.data`.

  Raises:
    ConfigError, DataError: one line that says what does not fit.
  """
  options: dict[str, Any] = {k: v for k, v in config.data.items() if k not in BATCHING}
  data, load_size = config.data, config.data.load_size
  if dataset is None:
    dataset = datasets.load(**options)
    if 0 < data.resolution < load_size and datasets.scales(data.source, data.name):
      dataset = dataset._replace(large=datasets.load(**(options | {'resolution': load_size})))
  for option, where in (
    ('num_classes', 'data.label'),
    ('resolution', 'data.resolution'),
    ('image_channels', 'data.channels'),
  ):
    if option in config.game:
      raise ConfigError(f'game.{option} comes from the data; set {where}')
  game = models.make(
    config.model,
    image_shape=dataset.image_shape,
    num_classes=len(dataset.class_names),
    **config.game.to_dict(),
  )
  game = adjust(game, **config.adjust)
  for section, players in (
    ('updates', config.updates),
    ('optimizer', config.optimizer),
    ('ema.players', config.ema.players),
  ):
    for player in players:
      if player not in game.losses:
        raise ConfigError(
          f'{section} names {player!r}; the players of {config.model!r} are: {", ".join(game.losses)}'
        )
  updates = {name: config.updates.get(name, 1) for name in game.losses}
  missing = [name for name in game.losses if name not in config.optimizer]
  if missing:
    raise ConfigError(
      f'optimizer.{missing[0]} is missing; every player of {config.model!r} needs a section'
    )
  rounds = 2 if config.play == 'extragradient' else 1  # every one counts as an update
  txs = {
    name: optim.make_optimizer(
      config.optimizer[name].to_dict(), config.total_steps * rounds * updates[name]
    )
    for name in game.losses
  }
  for name, spec in config.optimizer.items():
    if spec.get('lookahead') and spec.lookahead.steps % rounds:
      raise ConfigError(
        f'optimizer.{name}.lookahead.steps={spec.lookahead.steps}: play=extragradient makes two '
        'updates a step; give an even number'
      )
  ema = (
    train_step.Average(
      tuple(config.ema.players), config.ema.decay, config.ema.start, config.ema.ramp
    )
    if config.ema.players
    else None
  )
  changes = {
    'flip': data.flip,
    'load_size': load_size,
    'window': dataset.image_shape[:2],
    'paired': dataset.paired,
  }
  try:
    step = train_step.make_train_step(
      game,
      txs,
      updates=updates,
      accumulate=config.accumulate,
      play=config.play,
      ema=ema,
      preprocess=lambda batch, key: datasets.preprocess(batch, key, **changes),
    )
  except ValueError as error:
    raise ConfigError(str(error)) from error

  @jax.jit  # out here: compiled once for all keys
  def create(key: jax.Array, players: Any) -> TrainState:
    return TrainState.create(jax.random.fold_in(key, 1), players, txs, tuple(config.ema.players))

  def init(key: jax.Array) -> TrainState:
    batch = datasets.preprocess(dataset.fetch(np.zeros(1, np.int64)), key)
    try:
      players = game.init(jax.random.fold_in(key, 0), batch)
    except (ValueError, TypeError, ZeroDivisionError) as error:
      raise ConfigError(f'model {config.model!r}: {str(error).strip().splitlines()[0]}') from error
    return create(key, players)

  return Problem(
    dataset,
    game,
    step,
    init,
    train_step.update_order(game, updates),
    config.data.batch_size * max(updates.values()),
    lambda split: datasets.load(**(options | {'split': split})),
  )

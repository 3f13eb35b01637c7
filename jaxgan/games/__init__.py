"""A system is a value: `Game` says who plays, what each player minimises, what the trained players do."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple


def no_stage(step: int) -> Hashable:
  """The stage of a game that has none: one program for all steps."""
  return None


class Aux(NamedTuple):
  """What a loss returns beside its value.

  Attributes:
    metrics: name -> scalar, for the log; the train step prefixes the player's name.
    updates: player -> {collection: new value}: batch statistics, spectral vectors, image pools,
      running means. A loss normally names its own player only.
  """

  metrics: Mapping[str, Any] = {}
  updates: Mapping[str, Mapping[str, Any]] = {}


class Game(NamedTuple):
  """A training problem: its players, what each of them minimises, what they can do once trained.

  Attributes:
    init: `(key, batch) -> players`, players = `{'generator': {'params': ..., 'batch_stats': ...},
      'discriminator': {...}}`; the batch is an example of what the losses will get (float images).
    losses: player -> `loss(params, players, batch, key, step) -> (scalar, Aux)`. `params` are the
      player's own parameters, the only ones differentiated; `players` holds every player's
      variables. The order of the mapping is the order of the updates; a player without a loss is
      frozen. Losses are pure: randomness comes from `key`, state goes out through `Aux.updates`.
    predict: name ('latent' | 'sample' | 'translate' | 'reconstruct' | 'score') ->
      `fn(players, key, **inputs)`.
    stage: `step -> hashable`, static under jit, for progressive growing; one train step is
      compiled per stage.
    conditional: whether samples depend on the labels they are asked for; if not, sheets have no
      class names and no score asks for a class.
  """

  init: Callable[..., Any]
  losses: Mapping[str, Callable[..., Any]]
  predict: Mapping[str, Callable[..., Any]]
  stage: Callable[[int], Hashable] = no_stage
  conditional: bool = True

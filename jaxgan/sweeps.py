"""Which runs there are side by side: N seeds of every combination of the swept numbers.

  runs.seeds = 3                                                 seeds config.seed, + 1, + 2
  runs.sweep = 'game.discriminator_penalties.r1.gamma=0.1,1,10'  times three values: nine runs

`runs.sweep` holds `PATH=NUMBER,NUMBER,...`, several of them with semicolons between; they are combined
in every way. `PATH+PATH=...` gives both paths the same value. Run r is seed r % seeds of combination
r // seeds, the last path changing fastest.
"""

import itertools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from jaxgan.config import ConfigError

SWEPT = ('game', 'optimizer')  # the sections whose numbers a compiled step can take as inputs
Point = Mapping[str, Any]  # swept path -> its value


class Sweep(NamedTuple):
  """The runs of a config.

  Attributes:
    values: path (or paths joined by '+') -> its numbers, in the order given.
    seeds: runs of every combination.
  """

  values: Mapping[str, tuple[float, ...]]
  seeds: int = 1

  @property
  def points(self) -> list[dict[str, float]]:
    """Every combination of the swept numbers; one, empty, where nothing is swept."""
    return [dict(zip(self.values, point)) for point in itertools.product(*self.values.values())]

  @property
  def size(self) -> int:
    """Number of runs."""
    return self.seeds * math.prod(map(len, self.values.values()))


def read(runs: Mapping[str, Any]) -> Sweep:
  """The sweep of a config's `runs` section.

  Raises:
    ConfigError: a part that is not PATH=NUMBER,..., a path of another section, or a path or number
      given twice.
  """
  values: dict[str, tuple[float, ...]] = {}
  seen: set[str] = set()
  for part in filter(None, (part.strip() for part in runs['sweep'].split(';'))):
    name, equals, given = part.partition('=')
    name = '+'.join(path.strip() for path in name.split('+'))
    if not equals:
      raise ConfigError(f'runs.sweep: {part!r}; expected PATH=NUMBER,NUMBER,...')
    for path in name.split('+'):
      if path.split('.')[0] not in SWEPT or '.' not in path:
        raise ConfigError(
          f'runs.sweep: {path!r}; only numbers under game. and optimizer. can differ'
        )
      if path in seen:
        raise ConfigError(f'runs.sweep: {path} is given twice')
      seen.add(path)
    numbers = values[name] = tuple(_number(name, text.strip()) for text in given.split(','))
    if len({*numbers}) < len(numbers):
      raise ConfigError(
        f'runs.sweep: {name}={given.strip()} has a number twice; runs.seeds repeats'
      )
  return Sweep(values, runs['seeds'])


def _number(name: str, text: str) -> float:
  for kind in (int, float):
    try:
      number = kind(text)
      if math.isfinite(number):
        return number
    except (ValueError, OverflowError):
      continue
  raise ConfigError(f'runs.sweep: {text[:40]!r} of {name} is not a number, or too large')


def placed(config: Mapping[str, Any], point: Point) -> dict[str, Any]:
  """The nested config with the values of a point at their paths; missing sections are made.

  Raises:
    ConfigError: a path leads through something that is no section, or to something that is no number.
  """
  config = dict(config)
  for name, value in point.items():
    for path in name.split('+'):
      *sections, key = path.split('.')
      inner = config
      for section in sections:
        inner[section] = dict(_section(path, inner.get(section, {})))
        inner = inner[section]
      now = inner.get(key, 0)
      if not isinstance(now, int | float) or isinstance(now, bool):
        raise ConfigError(f'runs.sweep: {path} is {now!r}, which is not a number')
      inner[key] = float(value) if isinstance(now, float) and isinstance(value, int) else value
  return config


def _section(path: str, found: Any) -> Mapping[str, Any]:
  if not isinstance(found, Mapping):
    raise ConfigError(f'runs.sweep: there is no {path}; {found!r} stands in its way')
  return found


def labels(paths: Any) -> list[str]:
  """Short names of paths: as many of the last parts as tell them apart, two at least."""
  tied = [[path.split('.') for path in name.split('+')] for name in paths]
  parts = [part for group in tied for part in group]
  for count in range(2, max(map(len, parts), default=2) + 1):
    cut = lambda part: '.'.join(part[-count:])  # noqa: B023  called within this turn
    if len({*map(cut, parts)}) == len(parts):
      return ['+'.join(map(cut, group)) for group in tied]
  return list(paths)


def told(point: Point) -> str:
  """A point in words: 'r1.gamma=10, discriminator.learning_rate=0.0002'; '' where nothing is swept."""
  return ', '.join(f'{k}={v:g}' for k, v in zip(labels(point), point.values()))


def one(config: Mapping[str, Any], players: Any, run: int) -> tuple[dict[str, Any], Any]:
  """(config, variables) of one run of a work folder, whose arrays have an axis of runs if it has several.

  Raises:
    ConfigError: there is no such run.
  """
  runs = config.get('runs', {'seeds': 1, 'sweep': ''})  # configs are older than this section
  sweep = read(runs)
  if not 0 <= run < sweep.size:
    raise ConfigError(f'run={run}; this work folder has runs 0 to {sweep.size - 1}')
  if not several(runs):
    return dict(config), players
  return of_run(config, sweep, run), jax.tree.map(lambda x: x[run], players)


def of_run(config: Mapping[str, Any], sweep: Sweep, run: int) -> dict[str, Any]:
  """The config of one run, with the seed and the swept numbers that are its own."""
  config = placed(config, sweep.points[run // sweep.seeds])
  return {**config, 'seed': config['seed'] + run % sweep.seeds}


def several(runs: Mapping[str, Any]) -> bool:
  """Whether the section asks for more than the one run of a config."""
  return runs['seeds'] > 1 or bool(runs['sweep'].strip())

"""The shared keys of every config, each with its default, its range and its meaning, in one place.

A config file builds on `base()`, sets what its paper says and returns it. What belongs to one model
only goes into `config.game`, the keyword arguments of that model's `make`.
"""

import ast
import json
import math
import runpy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from jaxgan.errors import UserError
from jaxgan.errors import nearest as nearest  # the configs say configs.nearest


class ConfigError(UserError):
  """A config that cannot be used; the message is one line for the user."""


class Field(NamedTuple):
  """One key: its default, what it means, and the values it takes."""

  default: Any
  doc: str
  low: float | None = None
  high: float | None = None
  choices: tuple[str, ...] = ()


FIELDS: dict[str, Field] = {
  'model': Field('', 'file name in jaxgan/models'),
  'seed': Field(0, 'of parameters, latents and the order of the data', 0),
  'total_steps': Field(1000, 'train steps; one step updates every player', 1),
  'steps_per_call': Field(1, 'train steps in one compiled call (unrolled on the CPU)', 1),
  'data.batch_size': Field(64, 'examples of one update, over all devices and micro-batches', 1),
  'play': Field(
    'alternating',
    'what a player answers: the others as updated, as the step began, or half a step on',
    choices=('alternating', 'simultaneous', 'extragradient'),
  ),
  'adjust.consensus': Field(0.0, 'gamma of consensus optimisation, 0 = off', 0.0),
  'adjust.symplectic': Field(0.0, 'lambda of symplectic gradient adjustment, 0 = off', 0.0),
  'accumulate': Field(1, 'micro-batches that one update is computed in, to save memory', 1),
  'data.source': Field(
    'embedded',
    'file name in jaxgan/datasets: embedded, tfds, folder, points, stacked, pairs, unpaired, reduced',
  ),
  'data.name': Field('', 'which data set of that source'),
  'data.split': Field('train', 'split, as tensorflow-datasets writes them: train[:90%]'),
  'data.label': Field('', "the column that is the class; '' = the set's own, none = no classes"),
  'data.resolution': Field(0, 'pixels a side; 0 = as the pictures come', 0, 4096),
  'data.channels': Field(0, '1 grey, 3 RGB; 0 = as the pictures come', 0, 3),
  'data.crop': Field('center', 'how other shapes become square', choices=('center', 'pad', 'none')),
  'data.data_dir': Field('', "where the raw data lie; '' = the source's default"),
  'data.cache_dir': Field('', "where decoded arrays are kept; '' = ~/.cache/jaxgan/data"),
  'data.in_memory': Field(True, 'False streams the pictures through grain'),
  'data.direction': Field(
    'AtoB', 'BtoA exchanges image and target of pairs', choices=('AtoB', 'BtoA')
  ),
  'data.load_size': Field(
    0, 'height that pictures are scaled to before a random crop of data.resolution; 0 = none', 0
  ),
  'data.flip': Field(False, 'mirror pictures at random'),
  'ema.players': Field(('generator',), 'whose variables are averaged'),
  'ema.decay': Field(0.999, 'of the average, per step', 0.0, 1.0),
  'ema.start': Field(0, 'step before which the average is a plain copy', 0),
  'ema.ramp': Field(0, 'steps over which the half-life of the average grows to that of decay', 0),
  'parallel.mode': Field(
    'jit', 'jit = sharded over a mesh, pmap = a replica a device', choices=('jit', 'pmap')
  ),
  'parallel.fsdp': Field(False, 'shard parameters and optimiser state over the mesh'),
  'parallel.distributed': Field(
    'auto', 'join a cluster of processes', choices=('auto', 'on', 'off')
  ),
  'runs.seeds': Field(1, 'runs trained side by side in one program: seeds seed, seed + 1, ...', 1),
  'runs.sweep': Field(
    '', "numbers that differ among them: 'game.discriminator_penalties.r1.gamma=0.1,1,10; PATH=...'"
  ),
  'runs.at_once': Field(
    0, 'runs computed at a time, to save memory: the rest waits in a loop; 0 = all', 0
  ),
  'log.every': Field(50, 'steps between logged lines', 1),
  'health.every': Field(250, 'steps between looks at the health of a run; 0 = off', 0),
  'health.share': Field(0.02, 'part of the time of a run that looks may take', 0.0, 1.0),
  'health.held_out': Field(
    '', "part of the data that training does not see, such as test; '' = overfitting is not judged"
  ),
  'checkpoint.every': Field(500, 'steps between checkpoints', 1),
  'checkpoint.keep': Field(2, 'newest checkpoints that are kept', 1),
  'checkpoint.best': Field('', "score whose best checkpoint is kept as well; '' = none"),
  'checkpoint.mode': Field(
    'max', 'whether that score is better when larger', choices=('max', 'min')
  ),
  'retries': Field(3, 'times a run goes back to its last checkpoint after a non-finite number', 0),
  'cache.dir': Field('~/.cache/jaxgan/xla', "compiled programs; '' = none are kept"),
}
# Keys of the section data that say how batches are made, not which data there are.
BATCHING = ('batch_size', 'flip', 'load_size')
# Sections whose keys the model, the evaluators and the players decide.
OPEN = {
  'game': "keyword arguments of the model's make",
  'optimizer': 'player -> name, learning_rate, clip, clip_weights, optimistic, lookahead, options of optax',
  'updates': 'player -> updates per train step (1 where not named)',
  'evaluators': 'file name in jaxgan/evaluators -> every, and its own options',
}
_SMOKE = {
  'total_steps': 4,
  'steps_per_call': 1,
  'data': {'batch_size': 4},
  'ema': {'start': 1},
  'log': {'every': 2},
  'health': {'every': 0},
  'checkpoint': {'every': 2},
}


def base() -> ConfigDict:
  """A config with every shared key at its default."""
  config = ConfigDict({name: {} for name in OPEN})
  for path, field in FIELDS.items():
    section, _, key = path.rpartition('.')
    if section and section not in config:
      config[section] = ConfigDict()
    (config[section] if section else config)[key] = field.default
  config.smoke = ConfigDict()  # what `smoke` sets beside its own values: {'game': {'channels': 2}}
  return config


def smoke(config: ConfigDict) -> ConfigDict:
  """A copy that runs in seconds: 4 steps of 4 examples, no judges, and what its `smoke` section says."""
  small = config.copy_and_resolve_references()
  with small.unlocked():
    small.update({**_SMOKE})
    small.update(config.smoke)
    small.evaluators = {
      name: {**options, 'every': 4}
      for name, options in config.evaluators.items()
      if name == 'samples'
    }
  return small


def folders() -> list[Path]:
  """Where configs are looked for by name: the working folder, the checkout, the installed package."""
  package = Path(__file__).resolve().parent
  return [Path('configs'), package.parent / 'configs', package / '_configs']


def find(given: str) -> str:
  """The path of a config given as a path or by its bare name, its ':variant' kept.

  Raises:
    ConfigError: there is no such file; the message names the nearest one.
  """
  path, colon, variant = given.partition(':')
  named = (folder / Path(path).with_suffix('.py').name for folder in folders())
  for candidate in (Path(path), *named):
    if candidate.is_file():
      return f'{candidate}{colon}{variant}'
  known = {p.stem for folder in folders() for p in folder.glob('*.py')}
  raise ConfigError(f'no config file {path!r}; {nearest(Path(path).stem, known)}')


def load(given: str) -> ConfigDict:
  """The config of a file and variant: `load('biggan')`, `load('configs/biggan.py:cifar10')`.

  Raises:
    ConfigError: there is no such file or variant.
  """
  path, _, variant = find(given).partition(':')
  return runpy.run_path(path)['get_config'](*filter(None, [variant]))


def check_variant(file: str, variant: str, variants: Sequence[str]) -> None:
  """Whether a config file has that variant; called first by `get_config`, with its `__file__`.

  Raises:
    ConfigError: it has not.
  """
  if variant not in variants:
    name = Path(file).name
    raise ConfigError(
      f'configs/{name} has no variant {variant!r}; {nearest(variant, variants[1:])}'
    )


def literal(text: str) -> Any:
  """A Python literal (true and false in any case), or the text itself; 'none' is a name of several options."""
  if text.lower() in ('true', 'false'):
    return text.lower() == 'true'
  try:
    return ast.literal_eval(text)
  except (ValueError, SyntaxError):
    return text


def place(config: ConfigDict, path: str, value: Any) -> None:
  """Sets the value at a dotted path, making sections on the way.

  Raises:
    ConfigError: the config has a section or another kind of value there.
  """
  *sections, key = path.split('.')
  try:
    with config.unlocked():
      for section in sections:
        if section not in config:
          config[section] = ConfigDict()
        config = config[section]
      config[key] = value
  except TypeError as error:
    raise ConfigError(
      f'{path}={value!r} does not fit what the config has there; a section takes {path}.OPTION=VALUE'
    ) from error


def flatten(config: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
  """(dotted path, value) of every leaf; empty sections have none."""
  for key, value in config.items():
    if isinstance(value, ConfigDict | dict):
      yield from flatten(value, f'{prefix}{key}.')
    else:
      yield f'{prefix}{key}', value


def validate(config: ConfigDict) -> None:
  """Checks every shared key.

  Raises:
    ConfigError: unknown key, wrong type, value out of range; one line.
  """
  given = dict(flatten(config))
  for path in given:
    section = path.split('.')[0]
    if path not in FIELDS and section not in OPEN and section != 'smoke':
      raise ConfigError(f'unknown config key {path!r}; {nearest(path, FIELDS)}')
  for path, field in FIELDS.items():
    if path not in given:
      raise ConfigError(f'config key {path!r} is missing; start from jaxgan.config.base()')
    _check(path, given[path], field)
  if config.data.batch_size % config.accumulate:
    raise ConfigError(
      f'data.batch_size={config.data.batch_size} is not a multiple of accumulate={config.accumulate}; change one of them'
    )
  for player, count in config.updates.items():
    if not isinstance(count, int) or count < 1:
      raise ConfigError(f'updates.{player}={count!r}; expected a whole number >= 1')
  for name, options in config.evaluators.items():
    if not isinstance(options.get('every'), int) or options.every < 0:
      raise ConfigError(
        f'evaluators.{name}.every={options.get("every")!r}; expected a whole number of steps, 0 = off'
      )


def _check(path: str, value: Any, field: Field) -> None:
  wanted = type(field.default)
  if wanted is float and isinstance(value, int) and not isinstance(value, bool):
    value = float(value)
  if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
    raise ConfigError(
      f'{path}={value!r} is {type(value).__name__}; expected {wanted.__name__}: {field.doc}'
    )
  low = field.low is not None and not value >= field.low  # NaN is not
  high = field.high is not None and not value <= field.high
  if low or high or (wanted is float and not math.isfinite(value)):
    span = f'>= {field.low}' if field.high is None else f'{field.low} to {field.high}'
    raise ConfigError(f'{path}={value!r} is out of range; expected {span}: {field.doc}')
  if field.choices and value not in field.choices:
    raise ConfigError(f'{path}={value!r}; {nearest(value, field.choices)} ({field.doc})')


def describe() -> str:
  """All shared keys, one line each, for --help."""
  lines = [
    f'  --config.{path:<22} {field.doc} [{field.default!r}]' for path, field in FIELDS.items()
  ]
  return '\n'.join([*lines, *(f'  --config.{name + ".*":<22} {doc}' for name, doc in OPEN.items())])


def to_json(config: ConfigDict) -> str:
  """The config as JSON text, sorted, for the work folder."""
  return json.dumps(json.loads(config.to_json_best_effort()), indent=2, sort_keys=True) + '\n'


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
  """The keys in which two configs differ, as 'path: old -> new'."""
  a = dict(flatten(json.loads(json.dumps(old))))
  b = dict(flatten(json.loads(json.dumps(new))))
  return [f'{k}: {a.get(k)!r} -> {b.get(k)!r}' for k in sorted({*a, *b}) if a.get(k) != b.get(k)]

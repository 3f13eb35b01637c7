"""python -m jaxgan.main --config=configs/biggan.py [--workdir=...] [--config.total_steps=...]: trains."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from jaxgan import config as configs
from jaxgan.errors import UserError

# jax and everything above it are imported after the flags are known, so that --help and a
# mistyped flag answer at once.
CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'file in configs/, with a variant after a colon: configs/biggan.py:fashion_mnist', lock_config=True
)
WORKDIR = flags.DEFINE_string('workdir', None, 'where everything is written [runs/<config>]')


def config_folders() -> list[Path]:
  """Where configs are looked for by name: the working folder, the checkout, the installed package."""
  package = Path(__file__).resolve().parent
  return [Path('configs'), package.parent / 'configs', package / '_configs']


def find_config(given: str) -> str:
  """The path of a config given as a path or by its bare name, its ':variant' kept.

  Raises:
    ConfigError: there is no such file; the message names the nearest one.
  """
  path, colon, variant = given.partition(':')
  candidates = [Path(path), *(folder / Path(path).with_suffix('.py').name for folder in config_folders())]
  for candidate in candidates:
    if candidate.is_file():
      return f'{candidate}{colon}{variant}'
  known = {p.stem for folder in config_folders() for p in folder.glob('*.py')}
  raise configs.ConfigError(f'no config file {path!r}; {configs.nearest(Path(path).stem, known)}')


def parse(argv: Sequence[str]) -> list[str]:
  """absl's parser with the user's mistakes as one line.

  Raises:
    ConfigError: missing file, unknown key, wrong type.
  """
  argv = [re.sub(r'^--?config=(.*)$', lambda m: f'--config={find_config(m[1])}', word) for word in argv]
  try:
    return flags.FLAGS(argv)
  except flags.Error as error:
    raise configs.ConfigError(' '.join(str(error).split())) from error
  except (AttributeError, KeyError, TypeError) as error:
    word = next((w for w in argv if w.startswith('--config.') and _unknown(w)), None)
    if word is None:
      raise configs.ConfigError(' '.join(str(error).split())) from error
    path = _path_of(word)
    raise configs.ConfigError(f'unknown config key {path!r}; {configs.nearest(path, [p for p, _ in configs.flatten(CONFIG.value or configs.base())])}') from error


def _path_of(word: str) -> str:
  return word.removeprefix('--config.').partition('=')[0]


def _unknown(word: str) -> bool:
  return _path_of(word) not in configs.FIELDS


def name_of(given: str) -> str:
  """'configs/biggan.py:fashion_mnist' -> 'biggan-fashion_mnist', the default work folder's name."""
  path, _, variant = given.partition(':')
  return '-'.join(filter(None, (Path(path).stem, variant)))


def last_word(workdir: Path, config: ConfigDict, summary: dict[str, Any]) -> list[str]:
  """What was written, and what to run next."""
  from jaxgan import progress

  known = {
    'grid.png': 'samples, one row a class',
    'truncation.png': 'variety against fidelity',
    'interpolation.png': 'from latent to latent',
    'samples': 'the same latents over time',
    'curves.png': 'losses and scores',
    'metrics.jsonl': 'one JSON line a logged step',
    'config.json': 'the config',
    'checkpoints': 'to go on from, and to sample from',
  }
  written = [(name, text) for name, text in known.items() if (workdir / name).exists()]
  done = summary['step'] >= config.total_steps
  head = f'{"trained" if done else "stopped"} at step {summary["step"]:,} after {progress.duration(summary["seconds"])}'
  scores = [(name, f'{value:.4g}') for name, value in sorted(summary['scores'].items())]
  following = [
    ('more pictures', f'python -m jaxgan.sample --workdir={workdir}'),
    ('curves', f'tensorboard --logdir={workdir}'),
  ]
  return [
    '',
    head,
    *progress.table(scores),
    f'written to {workdir}/',
    *progress.table(written),
    'next',
    *progress.table(following),
    '',
  ]


def main(argv: Sequence[str]) -> int:
  """Trains what the flags say; returns the exit code."""
  if len(argv) > 1:
    raise configs.ConfigError(f'unexpected argument {argv[1]!r}; flags look like --config.batch_size=64')
  if CONFIG.value is None:
    raise configs.ConfigError('no config given; try --config=configs/biggan.py')
  configs.validate(CONFIG.value)
  workdir = Path(WORKDIR.value or Path('runs') / name_of(flags.FLAGS['config'].config_filename))
  from jaxgan import progress, train

  summary = train.train(CONFIG.value, workdir)
  if summary['signal']:
    name = {2: 'SIGINT', 15: 'SIGTERM'}[summary['signal']]
    progress.say(f'{name}: saved step {summary["step"]} in {workdir}; the same command goes on from there')
    return 128 + summary['signal']
  progress.say(*last_word(workdir, CONFIG.value, summary))
  return 0


def guarded(main: Any, argv: Sequence[str]) -> int:
  """Runs a command; a user's mistake becomes one line on stderr and exit code 2."""
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
  try:
    return main(parse(argv))
  except UserError as error:
    print(f'jaxgan: {" ".join(str(error).split())}', file=sys.stderr)
    return 2


def run() -> None:
  """The console entry."""
  if {'--help', '-h', '-help'} & set(sys.argv[1:]):
    print(f'{__doc__}\n\n  --config    {CONFIG.help if hasattr(CONFIG, "help") else ""}\n')
  sys.exit(guarded(main, sys.argv))


if __name__ == '__main__':
  run()

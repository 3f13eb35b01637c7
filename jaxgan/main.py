"""python -m jaxgan.main --config=configs/biggan.py [--workdir=...] [--config.total_steps=...]: trains."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from absl import flags
from ml_collections import ConfigDict, config_flags

from jaxgan import command
from jaxgan import config as configs

# jax and everything above it are imported after the flags are known, so that --help and a
# mistyped flag answer at once.
CONFIG = config_flags.DEFINE_config_file(
  'config',
  None,
  'file in configs/, with a variant after a colon: configs/biggan.py:fashion_mnist',
  lock_config=True,
)
SMOKE = flags.DEFINE_bool(
  'smoke', False, 'shrink the config to seconds, to see whether everything works'
)
WORKDIR = flags.DEFINE_string('workdir', None, 'where everything is written [runs/<config>]')


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
    raise configs.ConfigError(
      f'unexpected argument {argv[1]!r}; flags look like --config.batch_size=64'
    )
  if CONFIG.value is None:
    raise configs.ConfigError('no config given; try --config=configs/biggan.py')
  config = configs.smoke(CONFIG.value) if SMOKE.value else CONFIG.value
  name = name_of(cast(Any, flags.FLAGS['config']).config_filename) + '-smoke' * SMOKE.value
  workdir = Path(WORKDIR.value or Path('runs') / name)
  from jaxgan import progress, train

  summary = train.train(config, workdir)
  if summary['signal']:
    name = {2: 'SIGINT', 15: 'SIGTERM'}[summary['signal']]
    progress.say(
      f'{name}: saved step {summary["step"]} in {workdir}; the same command goes on from there'
    )
    return 128 + summary['signal']
  progress.say(*last_word(workdir, config, summary))
  return 0


def config_argument(word: str) -> str:
  """The word with the file of a --config= found."""
  given = re.fullmatch(r'--?config=(.*)', word)
  return f'--config={configs.find(given[1])}' if given else word


def config_keys(words: Sequence[str]) -> list[str]:
  """The keys of the config that the words name."""
  given = next(word for word in words if word.startswith('--config='))
  config = configs.load(given.removeprefix('--config='))
  return [key for key, _ in configs.flatten(config)]


def run() -> None:
  """The console entry."""
  command.run(main, __doc__, configs.describe, config_argument, config_keys)


if __name__ == '__main__':
  run()

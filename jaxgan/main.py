"""python -m jaxgan.main --config=configs/biggan.py [--workdir=...] [--config.total_steps=...]: trains."""

import functools
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
EXTRA: dict[str, Any] = {}  # options from the command line that the config does not list
GIVEN: list[str] = []  # every config key on the command line
WORKDIR = flags.DEFINE_string('workdir', None, 'where everything is written [runs/<config>]')


def name_of(given: str) -> str:
  """'configs/biggan.py:fashion_mnist' -> 'biggan-fashion_mnist', the default work folder's name."""
  path, _, variant = given.partition(':')
  return '-'.join(filter(None, (Path(path).stem, variant)))


def main(argv: Sequence[str]) -> int:
  """Trains what the flags say; returns the exit code."""
  if len(argv) > 1:
    raise configs.ConfigError(
      f'unexpected argument {argv[1]!r}; flags look like --config.batch_size=64'
    )
  if CONFIG.value is None:
    raise configs.ConfigError('no config given; try --config=configs/biggan.py')
  config = final_config()
  name = name_of(cast(Any, flags.FLAGS['config']).config_filename) + '-smoke' * SMOKE.value
  workdir = Path(WORKDIR.value or Path('runs') / name)
  from jaxgan import last_word, progress, train

  summary = train.train(config, workdir)
  if summary['signal']:
    name = {2: 'SIGINT', 15: 'SIGTERM'}[summary['signal']]
    progress.say(
      f'{name}: saved step {summary["step"]} in {workdir}; the same command goes on from there'
    )
    return 128 + summary['signal']
  progress.say(*last_word.lines(workdir, config, summary))
  return 0


def prepare(words: Sequence[str]) -> list[str]:
  """The words with the config file found by name, and without the options that it leaves out.

  A config lists the options that matter to it. Others of the open sections (`game`, `optimizer`,
  `updates`, `evaluators`) are set aside in `EXTRA`; whoever takes them knows what there is.

  Raises:
    ConfigError: no such file or variant.
  """
  rest = iter(words)
  joined = [f'--config={next(rest, "")}' if w in ('--config', '-config') else w for w in rest]
  found = [re.fullmatch(r'--?config=(.*)', word) for word in joined]
  given = next((match[1] for match in found if match), None)
  if given is None:
    return joined
  path = configs.find(given)
  known = {key for key, _ in configs.flatten(configs.load(path))}
  kept = []
  for word, match in zip(joined, found):
    option = re.fullmatch(r'--?config\.([\w.]+)=(.*)', word)
    if option:
      GIVEN.append(option[1])
    if option and option[1] not in known and option[1].partition('.')[0] in configs.OPEN:
      EXTRA[option[1]] = configs.literal(option[2])
    else:
      kept.append(f'--config={path}' if match else word)
  return kept


def final_config() -> ConfigDict:
  """The config with the options set aside; what the user gave also holds in the smoke form.

  Where the user chose a network, options that the file sets for another are left out.
  """
  config = CONFIG.value
  for path, value in EXTRA.items():
    configs.place(config, path, value)
  if SMOKE.value:
    kept, config = config, configs.smoke(config)
    own_data = {'data.source', 'data.name', 'data.data_dir'}
    for path in {*GIVEN, *(own_data if own_data & set(GIVEN) else ())}:
      configs.place(
        config, path, functools.reduce(lambda section, key: section[key], path.split('.'), kept)
      )
  if {'game.generator', 'game.discriminator'} & set(GIVEN):
    from jaxgan.games import translating

    generator, discriminator = (config.game.get(k, '') for k in ('generator', 'discriminator'))
    with config.unlocked():
      for name in translating.foreign(generator, discriminator, [*config.game]):
        if f'game.{name}' not in GIVEN:
          del config.game[name]
  return config


def config_keys(words: Sequence[str]) -> list[str]:
  """The keys of the config that the words name."""
  given = next((word for word in words if word.startswith('--config=')), None)
  if given is None:
    raise configs.ConfigError('no config given; try --config=configs/biggan.py')
  config = configs.load(given.removeprefix('--config='))
  return [key for key, _ in configs.flatten(config)]


def run() -> None:
  """The console entry."""
  command.take_large_pages()
  command.run(main, __doc__, configs.describe, prepare, config_keys)


if __name__ == '__main__':
  run()

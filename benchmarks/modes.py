"""How many modes each method covers, mean and spread over seeds: python -m benchmarks.modes --table=ring8

Every run is a whole training of `configs/mixture.py` or `configs/stacked_mnist.py` in a work folder of its own;
runs that are there already are read and not repeated.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from jaxgan import config as configs
from jaxgan import train
from jaxgan.errors import UserError
from jaxgan.sweep_report import told

PENALTY = 'game.discriminator_penalties'
UNROLLED: dict[
  str, Any
] = {  # the discriminator at a tenth of the generator's rate, as in the paper's code
  'game.unroll.steps': 5,
  'game.unroll.learning_rate': 1e-4,
  'optimizer.discriminator.learning_rate': 1e-4,
}
METHODS: dict[str, dict[str, Any]] = {
  'GAN': {},
  'unrolled, 5 steps': UNROLLED,
  'PacGAN, 2': {'game.packing': 2},
  'R1': {f'{PENALTY}.r1.gamma': 0.1},
  'WGAN-GP': {'game.loss': 'wasserstein', f'{PENALTY}.gradient_penalty.weight': 0.1},
  'R3GAN': {
    'game.loss': 'relativistic',
    f'{PENALTY}.r1.gamma': 0.1,
    f'{PENALTY}.r2.gamma': 0.1,
  },
}
CONSTANT = {f'optimizer.{player}.schedule': 'constant' for player in ('generator', 'discriminator')}
PLAYS: dict[str, dict[str, Any]] = {
  'alternating': {},
  'simultaneous': {'play': 'simultaneous'},
  'extragradient': {'play': 'extragradient'},
  'optimistic': {f'optimizer.{p}.optimistic': 1.0 for p in ('generator', 'discriminator')},
  'look-ahead, 5 steps': {
    f'optimizer.{p}.lookahead': {'steps': 5, 'alpha': 0.5} for p in ('generator', 'discriminator')
  },
  'consensus': {'play': 'simultaneous', 'adjust.consensus': 0.1},
  'symplectic': {'play': 'simultaneous', 'adjust.symplectic': 0.1},
  'unrolled, 5 steps': UNROLLED,
}
TABLES: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
  'ring8': {name: ('mixture', changes) for name, changes in METHODS.items()},
  'grid25': {name: ('mixture:grid25', changes) for name, changes in METHODS.items()},
  'plays8': {name: ('mixture', CONSTANT | changes) for name, changes in PLAYS.items()},
  'plays25': {name: ('mixture:grid25', CONSTANT | changes) for name, changes in PLAYS.items()},
  'stacked': {
    'DCGAN': ('stacked_mnist', {}),
    'unrolled, 5 steps': ('stacked_mnist:unrolled', {}),
    'PacGAN, 2': ('stacked_mnist:pacgan2', {}),
    'R3GAN': ('stacked_mnist:r3gan', {}),
  },
}
SHOWN = ('modes', 'high_quality', 'mode_kl', 'w1')


def scores(config: Any, workdir: Path) -> dict[str, float]:
  """The last scores of a run, trained first unless it is there, and its minutes; {} if it diverged."""
  kept = workdir / 'summary.json'
  if not kept.exists():
    try:
      summary = train.train(config, workdir)
    except train.TrainingError as error:
      print(error, file=sys.stderr)
      return {}
    if summary['step'] < config.total_steps:
      raise KeyboardInterrupt
    kept.write_text(json.dumps({**summary['scores'], 'minutes': summary['seconds'] / 60}))
  return json.loads(kept.read_text())


def prepared(config: str, changes: dict[str, Any], seed: int, given: list[str]) -> Any:
  """The config of a run; `given` are words KEY=VALUE that hold for all of them."""
  made = configs.load(config)
  for key, value in {**changes, 'seed': seed}.items():
    configs.place(made, key, value)
  for word in given:
    key, equals, value = word.partition('=')
    if not equals:
      raise UserError(f'--set {word}; expected KEY=VALUE, such as total_steps=1000')
    configs.place(made, key, configs.literal(value))
  configs.validate(made)
  return made


def row(name: str, runs: list[dict[str, float]]) -> str:
  """One line of the table: mean ± standard deviation (of n - 1) over seeds."""
  cells = []
  for score in (*SHOWN, 'minutes'):
    values = [run[score] for run in runs if score in run]
    cells.append(told(values) if values else '')
  lost = sum(not run for run in runs)
  return f'| {name}{f" ({lost} diverged)" if lost else ""} | {" | ".join(cells)} |'


def run(argv: list[str] | None = None) -> int:
  """The command; returns the exit status."""
  parser = argparse.ArgumentParser(prog='python -m benchmarks.modes', description=__doc__)
  parser.add_argument('--table', choices=TABLES, default='ring8')
  parser.add_argument('--methods', nargs='+', help='some of the rows; all by default')
  parser.add_argument('--seeds', type=int, default=3)
  parser.add_argument('--workdir', default='runs/modes', help='a folder a run is made in it')
  parser.add_argument('--set', nargs='*', default=[], help='of all runs: data.name=mnist ...')
  options = parser.parse_args(argv)
  table = TABLES[options.table]
  settings = ' '.join(sorted(options.set)).encode()  # other settings, other folders
  other = f'-{hashlib.sha256(settings).hexdigest()[:8]}' if settings else ''
  lines = [f'| method | {" | ".join(SHOWN)} | minutes |', '|---' * (len(SHOWN) + 2) + '|']
  try:
    if options.seeds < 1:
      raise UserError(f'--seeds {options.seeds}; expected 1 or more')
    for name in options.methods or table:
      if name not in table:
        raise UserError(f'no method {name!r}; there are: {", ".join(table)}')
      config, changes = table[name]
      slug = name.replace(', ', '-').replace(' ', '-').lower() + other
      runs = [
        scores(
          prepared(config, changes, seed, options.set),
          Path(options.workdir) / options.table / slug / str(seed),
        )
        for seed in range(options.seeds)
      ]
      lines.append(row(name, runs))
      print('\n'.join(lines), flush=True)
  except UserError as error:
    print(error, file=sys.stderr)
    return 2
  return 0


if __name__ == '__main__':
  sys.exit(run())

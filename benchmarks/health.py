"""How often the health of a run is judged rightly: planted failures and healthy runs, over seeds.

  python -m benchmarks.health --seeds=5
  python -m benchmarks.health --cost=mixture,gan,dcgan,sngan     what a look costs beside 250 steps

Each row trains a config, mostly the perceptron on a mixture in the plane, in a way that fails, or not, and
says the verdict of the last look of each seed.
"""

import collections
import statistics
import tempfile
import time
from pathlib import Path

import jax
from absl import app, flags

from jaxgan import config as configs
from jaxgan import evaluators, health, runs, train
from jaxgan.evaluators.health import Looks

SEEDS = flags.DEFINE_integer('seeds', 5, 'runs of each row', 1)
ONLY = flags.DEFINE_list('only', None, 'rows, by their number')
COST = flags.DEFINE_list('cost', None, 'configs: say what a look costs, and train nothing')
TURNS, STEPS = 5, 20
CONSTANT = {f'optimizer.{player}.schedule': 'constant' for player in ('generator', 'discriminator')}
R1 = {'game.discriminator_penalties': {'r1': {'gamma': 0.1}}}
RELATIVISTIC = {
  'game.loss': 'relativistic',
  'game.discriminator_penalties': {'r1': {'gamma': 0.1}, 'r2': {'gamma': 0.1}},
}
OVERFIT = {
  'data.split': 'train[:200]',
  'health.held_out': 'train[5000:7000]',
  'total_steps': 4000,
}
HELD_OUT = {
  'data.split': 'train[:9000]',
  'health.held_out': 'train[9000:]',
  'total_steps': 4000,
}
ROWS = (
  ('healthy', 'R1', 'mixture', R1),
  ('healthy', 'relativistic, R1 + R2', 'mixture', RELATIVISTIC),
  ('healthy', 'R1', 'mixture:grid25', R1),
  ('healthy', '9,000 pictures of clothes, 1,000 held out', 'gan', HELD_OUT),
  (
    'generator collapsed',
    'a latent of one bit',
    'mixture',
    {'game.latent': 'bernoulli', 'game.dim_z': 1, 'total_steps': 2000, **R1},
  ),
  (
    'discriminator too strong',
    'a generator that all but stands still, 5 discriminator steps',
    'mixture',
    {'updates.discriminator': 5, 'optimizer.generator.learning_rate': 1e-7, 'total_steps': 2000},
  ),
  ('discriminator overfitting', '200 pictures of clothes', 'gan', OVERFIT),
  (
    'oscillating',
    'Wasserstein loss without a Lipschitz critic',
    'mixture',
    {**CONSTANT, 'game.loss': 'wasserstein', 'total_steps': 2000},
  ),
  (
    'diverged',
    'Wasserstein loss, learning rates of 0.1',
    'mixture',
    {
      'game.loss': 'wasserstein',
      'optimizer.generator.learning_rate': 0.1,
      'optimizer.discriminator.learning_rate': 0.1,
      'total_steps': 1500,
    },
  ),
)


def verdict(name: str, changes: dict, seed: int) -> health.Verdict:
  """The last verdict of one run."""
  config = configs.load(name)
  with config.unlocked():
    for path, value in {**changes, 'seed': seed}.items():
      configs.place(config, path, value)
    config.evaluators, config.health.every = {}, 100
    config.checkpoint.every = config.total_steps
  with tempfile.TemporaryDirectory() as folder:
    train.train(config, folder)
    return health.of(health.read(Path(folder) / 'health.json')[-1])


def cost(name: str) -> tuple[float, float]:
  """(seconds of a step, seconds of a look) of a config, medians of turns."""
  config = configs.load(name)
  config.steps_per_call, config.evaluators = 1, {}
  with tempfile.TemporaryDirectory() as folder:
    session = runs.make_session(config, Path(folder))
    state, step = session.restore()
    feed = session.feed(step)
    look = Looks(evaluators.Run(session.problem.game, session.problem.dataset, Path(folder), None))
    stride, batches = next(feed)
    program = session.program(step, stride, state, batches)
    state = program(state, batches)[0]
    look(state.players)
    steps, looks = [], []
    for _ in range(TURNS):
      began = time.perf_counter()
      for _ in range(STEPS):
        state, _ = program(state, next(feed)[1])
      jax.block_until_ready(state)
      between = time.perf_counter()
      look(state.players)
      steps.append((between - began) / STEPS)
      looks.append(time.perf_counter() - between)
  return statistics.median(steps), statistics.median(looks)


def main(argv: list[str]) -> None:
  """Prints a Markdown table."""
  del argv
  if COST.value:
    print(
      '| config | a step | a look | share of the time, a look every 250 steps |\n|---|---|---|---|'
    )
    for name in COST.value:
      step, look = cost(name)
      share = look / (look + configs.load(name).health.every * step)
      print(f'| {name} | {1e3 * step:.1f} ms | {1e3 * look:.0f} ms | {share:.2%} |', flush=True)
    return
  print('| planted | run | recognised | verdicts |\n|---|---|---|---|')
  for number, (state, way, name, changes) in enumerate(ROWS):
    if ONLY.value and str(number) not in ONLY.value:
      continue
    found = collections.Counter(verdict(name, changes, s).state for s in range(SEEDS.value))
    seen = ', '.join(f'{told} {count}' for told, count in found.most_common())
    print(f'| {state} | {name}: {way} | {found[state]} of {SEEDS.value} | {seen} |', flush=True)


if __name__ == '__main__':
  app.run(main)

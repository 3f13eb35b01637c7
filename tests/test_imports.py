"""What importing costs: nothing that is not needed, and tensorflow never, though it is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
  'tensorflow',
  'tensorflow_datasets',
  'flax',
  'optax',
  'orbax',
  'matplotlib',
  'grain',
  'clu',
)


@pytest.fixture
def trap(tmp_path):
  """(environment in which a module called tensorflow is first on the path, the mark it leaves)."""
  mark = tmp_path / 'tensorflow was imported'
  package = tmp_path / 'tensorflow' / '__init__.py'
  package.parent.mkdir()
  package.write_text(f'open({str(mark)!r}, "w").close()\nraise ImportError("a trap")\n')
  path = os.pathsep.join([str(tmp_path), str(ROOT), *sys.path[1:]])
  return {**os.environ, 'PYTHONPATH': path}, mark


def modules_after(code, environment):
  """The top-level modules that a fresh interpreter has loaded after running the code."""
  told = subprocess.run(
    [sys.executable, '-c', f'{code}\nimport sys; print("loaded", *sys.modules)'],
    capture_output=True,
    text=True,
    env=environment,
  )
  assert told.returncode == 0, told.stderr
  last = told.stdout.splitlines()[-1].split()
  assert last[0] == 'loaded'
  return {name.split('.')[0] for name in last[1:]}


def test_the_trap_works(trap):
  environment, mark = trap
  modules_after('try: import tensorflow\nexcept ImportError: pass', environment)
  assert mark.exists()


def test_the_package_alone_imports_nothing(trap):
  loaded = modules_after('import jaxgan; assert jaxgan.__version__', trap[0])
  assert not loaded & {'jax', 'numpy', *HEAVY}


@pytest.mark.parametrize('part', ['losses', 'penalties'])
def test_losses_and_penalties_import_jax_alone(trap, part):
  environment, mark = trap
  loaded = modules_after(f'from jaxgan import {part}', environment)
  assert 'jax' in loaded and not loaded & {*HEAVY, 'chex', 'ml_collections', 'PIL', 'absl.flags'}
  assert not mark.exists()


def test_an_unknown_part_is_named(trap):
  code = 'import jaxgan\ntry: jaxgan.loses\nexcept AttributeError as e: assert "losses" in str(e)'
  modules_after(code, trap[0])


TRAINING = """
import sys
from jaxgan import config as configs, models, sample, train
from jaxgan.evaluators import class_score
from tests import tiny
models.make = lambda *a, **k: tiny.game()
config = configs.base()
config.model, config.total_steps, config.data.batch_size, config.cache.dir = 'biggan', 2, 4, ''
config.optimizer = {p: {'learning_rate': 1e-3} for p in ('generator', 'discriminator')}
config.evaluators = {'samples': {'every': 1, 'columns': 2}, 'spectra': {'every': 1}}
assert train.train(config, sys.argv[1], tiny.dataset())['step'] == 2
assert sample.load(sys.argv[1]).step == 2
"""


def test_training_sampling_and_logging_never_import_tensorflow(trap, tmp_path):
  environment, mark = trap
  code = TRAINING.replace('sys.argv[1]', repr(str(tmp_path / 'run')))
  loaded = modules_after(code, environment)
  assert not mark.exists()
  assert {'flax', 'optax', 'orbax', 'clu', 'tensorboard'} <= loaded  # it has really run
  assert not loaded & {'tensorflow', 'tensorflow_datasets', 'grain'}
  assert list((tmp_path / 'run').glob('events.out.tfevents.*'))

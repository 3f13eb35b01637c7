"""Configs: every key checked, every mistake one line."""

import json
import subprocess
import sys

import pytest

from jaxgan import config as configs


def test_base_is_valid_and_every_key_is_documented():
  config = configs.base()
  configs.validate(config)
  text = configs.describe()
  for path, _ in configs.flatten(config):
    assert f'--config.{path} ' in text and configs.FIELDS[path].doc


@pytest.mark.parametrize(
  'path, value, says',
  [
    ('data.batch_size', 0, 'out of range; expected >= 1'),
    ('ema.decay', 1.5, 'expected 0.0 to 1.0'),
    ('ema.decay', float('nan'), 'expected 0.0 to 1.0'),
    ('parallel.mode', 'pmpa', "did you mean 'pmap'?"),
    ('play', 'altrnating', "did you mean 'alternating'?"),
    ('adjust.consensus', -1.0, 'out of range; expected >= 0'),
    ('adjust.consensus', float('nan'), 'out of range; expected >= 0'),
    ('adjust.symplectic', float('inf'), 'out of range; expected >= 0'),
    ('accumulate', 7, 'not a multiple of accumulate=7'),
  ],
)
def test_values_out_of_range(path, value, says):
  config = configs.base()
  config.update_from_flattened_dict({path: value})
  with pytest.raises(configs.ConfigError, match=says.replace('?', r'\?')) as error:
    configs.validate(config)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'path, value', [('data', 3), ('total_steps', 'many'), ('model.size', 3), ('seed.a.b', 3)]
)
def test_what_does_not_fit_the_config_is_one_line(path, value):
  with pytest.raises(configs.ConfigError, match=f'^{path}={value!r} does not fit') as error:
    configs.place(configs.base(), path, value)
  assert '\n' not in str(error.value)


def test_unknown_and_wrongly_typed_keys():
  config = configs.base()
  config.data.batchsize = 3
  with pytest.raises(
    configs.ConfigError,
    match=r"unknown config key 'data.batchsize'; did you mean 'data.batch_size'",
  ):
    configs.validate(config)
  config = configs.base()
  with config.ignore_type():
    config.data.batch_size = 'many'
  with pytest.raises(configs.ConfigError, match='is str; expected int'):
    configs.validate(config)


def test_smoke_keeps_the_original():
  config = configs.base()
  config.game.channels = 96
  config.smoke = {'game': {'channels': 2}}
  config.evaluators = {'samples': {'every': 100}, 'class_score': {'every': 10}}
  small = configs.smoke(config)
  assert (small.game.channels, small.total_steps, list(small.evaluators)) == (2, 4, ['samples'])
  assert (config.game.channels, config.total_steps) == (96, 1000)


def test_json_and_difference():
  a, b = configs.base(), configs.base()
  b.ema.decay = 0.5
  a, b = (json.loads(configs.to_json(c)) for c in (a, b))
  assert configs.difference(a, b) == ['ema.decay: 0.999 -> 0.5'] and configs.difference(a, a) == []


@pytest.mark.parametrize(
  'arguments, says',
  [
    ((), 'no config given'),
    (('--config=configs/bigan.py',), "did you mean 'biggan'?"),
    (('--config=biggan:fashion',), "has no variant 'fashion'; did you mean 'fashion_mnist'?"),
    (('--config=biggan', '--config.data.batchsize=3'), "did you mean 'data.batch_size'?"),
    (
      ('--config=biggan', '--config.batch_size=3'),
      "unknown config key 'batch_size'; did you mean 'data.batch_size'?",
    ),
    (('--config=biggan', '--config.data.batch_size=many'), 'batch_size=many'),
    (('--config=biggan', '--config.data.batch_size=-3'), 'batch_size=-3 is out of range'),
    (('--config=biggan', '--config.game.chanels=3'), "did you mean 'game.channels'?"),
    (('--config=biggan', '--config.optimizer.generator.name=adm'), "unknown optimizer 'adm'"),
    (('--config=biggan', '--config.data.name=faces'), 'pixel_faces'),
    (('--config=biggan', '--config.game.loss=hing'), 'hinge'),
    (('--config=biggan', '--wrokdir=x'), 'workdir'),
    (('--config=biggan', 'extra'), "unexpected argument 'extra'"),
  ],
)
def test_mistakes_on_the_command_line_are_one_line(arguments, says, tmp_path):
  command = [sys.executable, '-m', 'jaxgan.main', *arguments]
  if '--wrokdir=x' not in arguments:
    command.append(f'--workdir={tmp_path}')
  done = subprocess.run(command, capture_output=True, text=True)
  assert done.returncode == 2, done.stderr
  assert says in done.stderr
  assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize('module', ['main', 'sample'])
def test_help_says_what_there_is_without_jax(module):
  code = (
    f'import sys, runpy; sys.argv = ["x", "--help"]\ntry: runpy.run_module("jaxgan.{module}", run_name="__main__")\n'
    'except SystemExit as e: assert not e.code\nassert "jax" not in sys.modules and "tensorflow" not in sys.modules'
  )
  done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  assert '--workdir' in done.stdout and 'python -m jaxgan' in done.stdout


def test_load_finds_a_config_by_name_path_and_variant():
  assert configs.load('biggan') == configs.load('configs/biggan.py')
  assert configs.load('biggan:cifar10').data.name == 'cifar10'
  with pytest.raises(configs.ConfigError, match="did you mean 'biggan'"):
    configs.load('bigan')


CONFIG_OF = """
import sys
from absl import flags
from jaxgan import main
flags.FLAGS(['main', *main.prepare(sys.argv[1:])])
print(main.final_config().to_json_best_effort())
"""


@pytest.mark.parametrize(
  'words, expected',
  [
    (
      ('--config=pix2pix:folder', '--smoke', '--config.data.data_dir=mine'),
      {'data.data_dir': 'mine', 'data.name': '', 'data.source': 'pairs', 'data.resolution': 32},
    ),
    (('--config=pix2pix:folder', '--smoke'), {'data.name': 'emoji', 'game.layers': 1}),
    (
      ('--config=pix2pix:edges', '--config.game.discriminator=pixel'),
      {'game.discriminator': 'pixel', 'game.layers': None, 'game.channels': 32},
    ),
    (
      ('--config=pix2pix:edges', '--config.game.discriminator=pixel', '--config.game.layers=3'),
      {'game.discriminator': 'pixel', 'game.layers': 3},
    ),
    (
      ('--config=cyclegan', '--smoke', '--config.game.generator=unet'),
      {'game.generator': 'unet', 'game.blocks': None, 'game.cycle': 5.0, 'game.layers': 1},
    ),
  ],
)
def test_what_the_user_gives_wins(words, expected):
  done = subprocess.run([sys.executable, '-c', CONFIG_OF, *words], capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  found = dict(configs.flatten(json.loads(done.stdout)))
  assert {path: found.get(path) for path in expected} == expected

"""Many runs in one are the runs that they would be alone."""

import functools
import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import config as configs
from jaxgan import (
  health,
  last_word,
  models,
  parallel,
  problem,
  runs,
  sample,
  scores,
  sweeps,
  train,
  writers,
)
from jaxgan.checkpoint import Checkpoints
from jaxgan.config import ConfigError
from jaxgan.datasets.dataset import from_arrays
from jaxgan.sweeps import Sweep
from tests import tiny
from tests.test_train import poisoned

STEPS = 4
R1 = 'game.discriminator_penalties.r1.gamma'
RATE = 'optimizer.generator.learning_rate'


def base(model='gan', **changes):
  """A small config; SGD with momentum, so that equal gradients give equal parameters."""
  config = configs.base()
  config.health.every = 0  # how often it looks is a matter of time
  config.model, config.total_steps, config.data.batch_size = model, STEPS, 4
  config.optimizer = {
    p: {'name': 'sgd', 'learning_rate': 0.05, 'momentum': 0.5}
    for p in ('generator', 'discriminator')
  }
  config.game = {
    'gan': {'loss': 'non_saturating', 'dim_z': 3, 'hidden': 8, 'layers': 2},
    'dcgan': {'loss': 'non_saturating', 'dim_z': 3, 'channels': 4},
  }.get(model, {})
  config.ema.decay, config.cache.dir, config.log.every, config.checkpoint.every = 0.9, '', 2, 2
  config.health.every = 0  # a look at the end of a part would not be one of the whole
  config.update_from_flattened_dict(changes)
  return config


@functools.cache
def data(size=16):
  rng = np.random.default_rng(0)
  arrays = {
    'image': rng.integers(0, 256, (48, size, size, 1), np.uint8),
    'label': np.zeros(48, np.int32),
  }
  return from_arrays('noise', arrays, (), 'made up')


def trained(config, folder, devices=1):
  """State after all steps, taken with the session's own feed and program."""
  session = runs.make_session(config, folder, data())
  session.layout = parallel.make_layout(
    config.parallel.mode, config.parallel.fsdp, devices=jax.devices()[:devices]
  )
  state, step = session.restore()
  for stride, batches in session.feed(step):
    state, _ = session.program(step, stride, state, batches)(state, batches)
    step += stride
  return session.layout.logical(state)


def numbers(state):
  """Everything learnt, as a dict of NumPy arrays."""
  learnt = {'players': state.players, 'ema': state.ema, 'opt_state': state.opt_state}
  leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(learnt))
  return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def assert_runs_are(many, alone, rtol=1e-4, atol=1e-5):
  """Run i of the state of many is the state alone[i]."""
  many = numbers(many)
  for i, state in alone.items():
    found = numbers(state)
    assert found.keys() == many.keys()
    for path, value in found.items():
      np.testing.assert_allclose(
        many[path][i].astype(np.float32), value.astype(np.float32), rtol, atol, err_msg=path
      )
  kernels = [value for path, value in many.items() if 'kernel' in path]
  for i, j in itertools.combinations(alone, 2):  # and no two runs are alike
    assert max(np.abs(v[i] - v[j]).max() for v in kernels) > 30 * atol, (i, j)


def seeds_of(model, **changes):
  """The config of three seeds."""
  config = base(model, **{'runs.seeds': 3, **changes})
  if model == 'dcgan':
    config.update_from_flattened_dict({'updates.discriminator': 2, 'accumulate': 2})
  return config


@functools.cache
def seeds_alone(model, folder):
  """Seed -> state of a run of its own; trained once for all that are compared with it."""
  config, found = seeds_of(model), {}
  for seed in range(3):
    config.seed, config.runs.seeds = seed, 1
    found[seed] = trained(config, folder / f'{model}{seed}')
  return found


@pytest.mark.parametrize('model, at_once', [('gan', 0), ('gan', 1), ('gan', 2), ('dcgan', 0)])
def test_three_seeds_in_one_are_three_runs(model, at_once, tmp_path):
  many = trained(seeds_of(model, **{'runs.at_once': at_once}), tmp_path / 'many')
  assert_runs_are(many, seeds_alone(model, tmp_path.parent))


def test_swept_numbers_are_those_of_separate_runs(tmp_path):
  sweep = f'{R1}=0,2; {RATE}=0.02,0.1; game.unroll.learning_rate=0.1,1'
  config = base(**{'runs.sweep': sweep})
  config.game.unroll = {'steps': 1, 'name': 'sgd', 'learning_rate': 0.1}
  config.game.discriminator_penalties = {'r1': {'gamma': 1.0, 'every': 2}}
  many = trained(config, tmp_path / 'many')
  config.runs.sweep, alone = '', {}
  points = list(itertools.product((0.0, 2.0), (0.02, 0.1), (0.1, 1.0)))
  for i in (0, 3, 5, 6):  # any two numbers of two axes meet
    gamma, config.optimizer.generator.learning_rate, config.game.unroll.learning_rate = points[i]
    config.game.discriminator_penalties.r1.gamma = gamma
    alone[i] = trained(config, tmp_path / f'{i}')
  assert_runs_are(many, alone)


def test_betas_and_schedules_and_tied_paths(tmp_path):
  """Adam divides by small numbers, so the tolerance is a share of a step."""
  both = '+'.join(f'optimizer.{p}.b1' for p in ('generator', 'discriminator'))
  start = 'optimizer.generator.learning_rate.start'
  config = base(**{'runs.sweep': f'{both}=0,0.5,0.9; {start}=1e-3,2e-3'})
  for player in config.optimizer:
    rate = {'start': 1e-3, 'end': 0.0, 'steps': 10}
    config.optimizer[player] = {'name': 'adam', 'learning_rate': rate, 'warmup': 2}
  many = trained(config, tmp_path / 'many')
  config.runs.sweep, expected = '', {}
  for i, b1, value in ((0, 0.0, 1e-3), (3, 0.5, 2e-3), (4, 0.9, 1e-3), (5, 0.9, 2e-3)):
    for player in config.optimizer:
      config.optimizer[player].b1 = b1
    config.optimizer.generator.learning_rate.start = value
    expected[i] = numbers(trained(config, tmp_path / f'{i}'))
  many = numbers(many)
  for path in (p for p in many if 'params' in p and 'players' in p):
    for i, state in expected.items():
      np.testing.assert_allclose(many[path][i], state[path], atol=2e-5, err_msg=path)


THREE = {'runs.sweep': f'{R1}=0.1,1,10'}


@functools.cache
def on_one_device(folder):
  return numbers(trained(base('dcgan', **THREE), folder / 'one'))


@pytest.mark.parametrize('mode, fsdp', [('jit', False), ('jit', True), ('pmap', False)])
def test_two_devices_are_one(mode, fsdp, tmp_path, monkeypatch):
  monkeypatch.setattr(parallel, 'FSDP_MIN_SIZE', 32)
  config, expected = base('dcgan', **THREE), on_one_device(tmp_path.parent)
  config.parallel.mode, config.parallel.fsdp = mode, fsdp
  found = numbers(trained(config, tmp_path / 'two', devices=2))
  for path, value in expected.items():
    np.testing.assert_allclose(
      found[path].astype(np.float32), value.astype(np.float32), 1e-4, 1e-5, err_msg=path
    )


def judged(config):
  config.evaluators = {'samples': {'every': 2, 'columns': 2}, 'spectra': {'every': 2}}
  return config


def test_resume_is_exact_and_everything_is_written(tmp_path, capsys):
  sweep = {'runs.seeds': 2, 'runs.sweep': f'{R1}=1,10'}
  whole = judged(base(**sweep, **{'checkpoint.best': 'sigma_max_raw/generator'}))
  summary = train.train(whole, tmp_path / 'whole', data())
  told = capsys.readouterr().err
  part = judged(base(**sweep, total_steps=2))
  train.train(part, tmp_path / 'parts', data())
  train.train(judged(base(**sweep)), tmp_path / 'parts', data())
  states = []
  for folder in ('whole', 'parts'):
    session = runs.make_session(whole, tmp_path / folder, data())
    state, step = session.restore()
    session.checkpoints.close()
    assert step == STEPS
    states.append(numbers(state))
  for path, value in states[0].items():
    np.testing.assert_array_equal(states[1][path], value)
  exact = lambda folder: [
    {k: v for k, v in row.items() if 'per_second' not in k}
    for row in writers.scalars(tmp_path / folder)
  ]
  assert exact('whole') == exact('parts')
  name = 'sigma_max_raw/generator'
  row = exact('whole')[-1]
  each = [row[f'run{i}/{name}'] for i in range(4)]
  assert row[name] == pytest.approx(np.mean(each))
  assert row[f'{name}_std'] == pytest.approx(np.std(each, ddof=1))
  assert summary['scores'][name] == row[name]
  found = json.loads((tmp_path / 'whole' / 'sweep.json').read_text())
  assert [r['scores'][name] for r in found['runs']] == each and found['step'] == STEPS
  assert found['runs'][1]['point'] == {R1: 1} and found['runs'][1]['seed'] == 1
  assert found == json.loads((tmp_path / 'parts' / 'sweep.json').read_text())
  assert all((tmp_path / 'whole' / 'runs' / str(i) / 'grid.png').exists() for i in range(4))
  assert Image.open(tmp_path / 'whole' / 'sweep.png').width > 300
  table = [line.split() for line in told.splitlines()]
  assert ['r1.gamma', 'sigma_max_raw/discriminator', name] in table
  mean, std = np.mean(each[2:]), np.std(each[2:], ddof=1)
  assert next(t for t in table if t[:1] == ['10'])[-3:] == [f'{mean:.4g}', '±', f'{std:.2g}']
  assert Checkpoints(tmp_path / 'whole' / 'checkpoints').best_step() in (2, 4)


def test_how_each_point_was_judged_is_told(tmp_path, capsys):
  config = base(**{'runs.seeds': 2, 'runs.sweep': f'{R1}=0.1,1', 'health.every': 1})
  summary = train.train(config, tmp_path, data())
  table = capsys.readouterr().err.splitlines()
  looks = [health.read(tmp_path / 'runs' / str(run) / 'health.json') for run in range(4)]
  states = [rows[-1]['state'] for rows in looks]
  assert any(line.split() == ['r1.gamma', 'health'] for line in table)
  for point, value in enumerate(('0.1', '1')):
    (line,) = (line for line in table if line.split()[:1] == [value])
    for state in states[2 * point : 2 * point + 2]:
      assert f'{state} {states[2 * point : 2 * point + 2].count(state)}' in line
  found = json.loads((tmp_path / 'sweep.json').read_text())['runs']
  assert [row['health'].split(':')[0] for row in found] == states
  (line,) = (x for x in last_word.lines(tmp_path, config, summary) if 'health of the runs' in x)
  assert all(f'{state} {states.count(state)}' in line for state in states)


@pytest.fixture(scope='module')
def swept(tmp_path_factory):
  """The work folder of a sweep."""
  folder = tmp_path_factory.mktemp('swept')
  train.train(base(**{'runs.sweep': f'{R1}=0.1,1'}), folder, data())
  return folder


@pytest.mark.parametrize(
  'change, says',
  [
    ({'runs.sweep': f'{R1}=1,2'}, 'run 0 was trained with r1.gamma=0.1, seed 0, and is now run 0'),
    ({'runs.sweep': '', 'runs.seeds': 2}, r'give the same runs.sweep and runs.seeds'),
    ({'runs.sweep': 'game.slope=0.1,1'}, r'now run 0 \(game.slope=0.1\)'),
  ],
)
def test_another_sweep_in_the_same_folder_is_refused(change, says, swept):
  before = (swept / 'sweep.json').read_text()
  with pytest.raises(ConfigError, match=says) as error:
    train.train(base(**change, total_steps=6), swept, data())
  assert '\n' not in str(error.value) and (swept / 'sweep.json').read_text() == before


def test_sample_takes_one_run(tmp_path):
  config = base(**{'runs.seeds': 2, 'runs.sweep': 'game.slope=0,0.5'})
  train.train(config, tmp_path / 'many', data())
  config.runs.seeds, config.runs.sweep, config.seed = 1, '', 1
  config.game.slope = 0.5
  train.train(config, tmp_path / 'alone', data())
  labels = np.zeros(3, np.int32)
  expected, _ = sample.draw(sample.load(tmp_path / 'alone'), labels)
  found, _ = sample.draw(sample.load(tmp_path / 'many', run=3), labels)
  np.testing.assert_allclose(found, expected, atol=1e-4)
  first, _ = sample.draw(sample.load(tmp_path / 'many'), labels)
  assert np.abs(first - expected).max() > 1e-2
  configs = [sample.load(tmp_path / 'many', run=run).config for run in range(4)]
  assert [(c['seed'], c['game']['slope']) for c in configs] == [(0, 0), (1, 0), (0, 0.5), (1, 0.5)]
  assert len({scores.of_run(c)['config'] for c in configs}) == 4
  for folder, run, last in (('many', 4, 3), ('alone', 1, 0)):
    with pytest.raises(ConfigError, match=f'^run={run}; .* 0 to {last}$'):
      sample.load(tmp_path / folder, run=run)


def test_evaluators_are_told_the_config_of_their_own_run(tmp_path, monkeypatch):
  told, make = [], runs.evaluators.make
  monkeypatch.setattr(
    runs.evaluators, 'make', lambda name, run, **o: told.append(run.config) or make(name, run, **o)
  )
  config = base(**{'runs.seeds': 2, 'runs.sweep': 'game.slope=0,0.5'})
  train.train(judged(config), tmp_path, data())
  stamps = [scores.of_run(sample.load(tmp_path, run=run).config) for run in range(4)]
  assert [scores.of_run(config) for config in told[::2]] == stamps


def test_a_run_that_diverges_is_named_and_leaves_the_others_alone(tmp_path, capsys, monkeypatch):
  """A learning rate beyond float32 beside good ones: they get the numbers that they get alone."""
  rates = (0.05, 1e38, 0.1)
  config = judged(base(**{'runs.sweep': f'{RATE}={",".join(map(str, rates))}', 'total_steps': 6}))
  assert train.train(config, tmp_path / 'many', data())['step'] == 6
  told = capsys.readouterr().err
  row = writers.scalars(tmp_path / 'many')[-1]
  assert row['diverged_runs'] == 1 and np.isfinite(list(row.values())).all()
  assert 'run1/sigma_max_raw/generator' not in row
  found = json.loads((tmp_path / 'many' / 'sweep.json').read_text())['runs']
  step = found[1]['diverged']
  assert step in (1, 2) and found[0]['diverged'] is None is found[2]['diverged']
  assert (
    f'step {step}: ' in told and 'is not finite in run 1 (generator.learning_rate=1e+38)' in told
  )
  assert f'1 of 1 diverged (step {step})' in told and 'the others go on; try lower' in told
  (look,) = health.read(tmp_path / 'many' / 'runs' / '1' / 'health.json')
  assert look['step'] == step and look['state'] == 'diverged'
  with pytest.raises(ConfigError, match=r'run 1, has diverged: .* --run or --checkpoint$'):
    sample.load(tmp_path / 'many', run=1)
  good = sample.load(tmp_path / 'many', run=2)
  broken = {'latent': good.game.predict['latent'], 'sample': lambda *a, z, **k: z * jnp.nan}
  with pytest.raises(ConfigError, match=r'^the samples at step 6 are not finite'):
    sample.draw(good._replace(game=good.game._replace(predict=broken)), np.zeros(3, np.int32))
  session = runs.make_session(config, tmp_path / 'many', data())  # and it is known after a restart
  many, _ = session.restore()
  session.checkpoints.close()
  assert session.report.diverged == {1: step}
  many, config.runs.sweep = numbers(many), ''
  for run in (0, 2):
    config.optimizer.generator.learning_rate = rates[run]
    for path, value in numbers(trained(config, tmp_path / f'{run}')).items():
      np.testing.assert_allclose(
        many[path][run].astype(np.float32), value.astype(np.float32), 1e-4, 1e-5, err_msg=path
      )


def test_when_all_diverge_the_run_ends_in_one_line(tmp_path, monkeypatch):
  monkeypatch.setattr(models, 'make', lambda *a, **k: poisoned((1, 10**6)))
  constant = tiny.dataset()
  fetch = lambda i: {**constant.fetch(i), 'label': np.full(len(i), 2, np.int32)}
  config = base('biggan', **{'runs.seeds': 2})
  with pytest.raises(train.TrainingError, match=r'^all 2 runs have diverged'):
    train.train(config, tmp_path, constant._replace(fetch=fetch))


def test_one_run_is_no_batch_of_runs(tmp_path):
  """Without `runs` the state and the program are those of the plain problem."""
  session = runs.make_session(base(), tmp_path, data())
  assert type(session) is not runs.Runs
  state, _ = session.restore()
  plain = problem.make_problem(base(), data()).init(jax.random.key(0))
  assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, plain)


@pytest.mark.parametrize(
  'sweep, says',
  [
    ('game.hidden=4,8', 'game.hidden decides shapes or operations'),
    (f'{R1}=1,2; game.discriminator_penalties.r1.every=1,2', 'r1.every decides shapes'),
    ('game.nothing=1,2', 'nothing'),
    ('optimizer.generator.lr=1,2', "no option 'lr'"),
    ('optimizer.critic.learning_rate=1,2', "names 'critic'"),
    ('optimizer.generator.clip=1,0', 'differ in the shapes'),
    ('game.loss=1,2', "game.loss is 'non_saturating', which is not a number"),
    ('game.loss.weight=1,2', "'non_saturating' stands in its way"),
    (f'{R1}=1,many', "'many' of game.* is not a number"),
    (f'{R1}=1,nan', "'nan' of game.* is not a number"),
    (f'{R1}=-1,1', 'gamma=-1.*expected 0 or more'),
    (f'{R1}', 'expected PATH=NUMBER'),
    ('data.batch_size=4,8', "'data.batch_size'; only numbers under game. and optimizer."),
    (f'{R1}=1; {R1}=2', 'is given twice'),
    (f'{R1}+{R1}=1,2', 'is given twice'),
    (f'{R1}=1,2,1.0', 'gamma=1,2,1.0 has a number twice'),
    (f'{R1}=1,{"9" * 400}', 'gamma is not a number, or too large'),
  ],
)
def test_mistakes_are_one_line(sweep, says, tmp_path):
  with pytest.raises(ValueError, match=says) as error:
    train.train(base(**{'runs.sweep': sweep}), tmp_path, data())
  assert '\n' not in str(error.value)


def test_points_and_labels():
  sweep = sweeps.read({'sweep': 'game.a.x=1,2.5 ; optimizer.g.x + optimizer.d.x=3', 'seeds': 2})
  assert sweep == Sweep({'game.a.x': (1, 2.5), 'optimizer.g.x+optimizer.d.x': (3,)}, 2)
  assert sweep.size == 4 and len(sweep.points) == 2
  assert sweeps.told(sweep.points[1]) == 'a.x=2.5, g.x+d.x=3'
  placed = sweeps.placed({'game': {'b': 1}, 'optimizer': {'g': {'x': 0.5}}}, sweep.points[0])
  assert placed == {'game': {'b': 1, 'a': {'x': 1}}, 'optimizer': {'g': {'x': 3.0}, 'd': {'x': 3}}}
  assert sweeps.labels(['game.a.r1.gamma', 'game.b.r1.gamma']) == ['a.r1.gamma', 'b.r1.gamma']

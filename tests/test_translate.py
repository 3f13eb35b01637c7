"""From training on pairs to a translated folder: the evaluator, the command, and what both do alike."""

import functools
import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import flags
from flax import linen as nn
from PIL import Image

from jaxgan import config as configs
from jaxgan import models, plots, sample, train, translate, writers
from jaxgan.config import ConfigError
from jaxgan.datasets.dataset import from_arrays
from jaxgan.evaluators import Run, translations
from jaxgan.games.translation import cycle, paired
from jaxgan.importers.torch_file import WeightsError
from jaxgan.nn.padding import pad

from .games.test_translation import Discriminator, Generator


class Scale(nn.Module):
  """Pictures times a number."""

  @nn.compact
  def __call__(self, x, train=False):
    return x * self.param('by', nn.initializers.ones_init(), ())


RNG = np.random.default_rng(0)


def data(size=12):
  """Pictures, and the same as negatives."""
  image = RNG.integers(0, 256, (size, 16, 16, 3), np.uint8)
  arrays = {'image': image, 'target': 255 - image, 'label': np.arange(size, dtype=np.int32) % 2}
  return from_arrays('negatives', arrays, ('even', 'odd'), 'made up')


PAIRS = data()


def without_perceptual_distance(patch):
  """What tests of other things need not wait for."""
  patch.setattr(translations, 'perceptual_distance', lambda shape: (None, 'not asked'))


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A work folder of a short run, and the folder of its held-out inputs."""
  patch = pytest.MonkeyPatch()
  patch.setattr(models, 'make', lambda *a, **k: paired(Generator(rate=0.5), Discriminator()))
  config = configs.base()
  config.model, config.total_steps, config.cache.dir = 'pix2pix', 2, ''
  config.data.batch_size, config.ema.players = 4, ()
  config.optimizer = {p: {'learning_rate': 1e-2} for p in ('generator', 'discriminator')}
  config.evaluators = {'translations': {'every': 2, 'held_out': '', 'rows': 3}}
  workdir = tmp_path_factory.mktemp('run')
  with pytest.MonkeyPatch.context() as brief:
    without_perceptual_distance(brief)
    train.train(config, workdir / 'run', PAIRS)
  for i, x in enumerate(PAIRS.arrays['image']):
    folder = workdir / 'in' / 'deep'
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(x).save(folder / f'{i:02d}.png')
  yield workdir
  patch.undo()


@pytest.fixture(scope='module', autouse=True)
def _flags():
  before = set(flags.FLAGS)
  translate.define_flags()
  yield
  for name in set(flags.FLAGS) - before:
    delattr(flags.FLAGS, name)


@pytest.fixture
def given():
  """Parses words as the command's flags."""

  def parse(*words):
    flags.FLAGS.unparse_flags()
    for name in flags.FLAGS:
      flags.FLAGS[name].unparse()
    flags.FLAGS(['translate', *words])

  return parse


def pixels(path):
  return np.asarray(Image.open(path)).astype(int)


def test_a_picture_of_training_comes_out_the_same_in_use(run, given):
  given(f'--workdir={run / "run"}', f'--input={run / "in"}', f'--output={run / "out"}')
  assert translate.main(['translate']) == 0
  trained = sample.load(run / 'run')
  as_evaluated = translations.translator(trained.game, seed=trained.config['seed'])(
    trained.players, PAIRS.arrays['image']
  )
  for i, x in enumerate(as_evaluated):
    out = pixels(run / 'out' / 'deep' / f'{i:02d}.png')
    assert np.abs(out - np.round((x + 1) * 127.5).clip(0, 255)).max() <= 1
    np.testing.assert_array_equal(
      pixels(run / 'out' / 'inputs' / 'deep' / f'{i:02d}.png'), PAIRS.arrays['image'][i]
    )
  page = (run / 'out' / 'index.html').read_text()
  places = [page.index(f'src="deep/{i:02d}.png"') for i in range(PAIRS.size)]
  assert places == sorted(places)
  # the sheet of training has the very pictures: three rows of input, output and target
  at = [0, 6, 11]
  written = [pixels(run / 'out' / 'deep' / f'{i:02d}.png').astype(np.uint8) for i in at]
  columns = [[PAIRS.arrays[k][i] for i in at] for k in ('image', 'target')]
  cells = [x for row in zip(columns[0], written, columns[1]) for x in row]
  expected = plots.grid(np.stack(cells), 3, column_labels=['input', 'output', 'target'])
  sheet = pixels(run / 'run' / 'translations.png')
  assert np.abs(sheet - expected).max() <= 1
  scores = writers.scalars(run / 'run')[-1]
  expected = np.abs(as_evaluated - (PAIRS.arrays['target'] / 127.5 - 1)).mean()
  np.testing.assert_allclose(scores['l1'], expected, rtol=1e-4)
  copy = np.abs(PAIRS.arrays['image'] / 127.5 - PAIRS.arrays['target'] / 127.5).mean()
  np.testing.assert_allclose(scores['l1_below_copy'], 1 - expected / copy, rtol=1e-4)
  assert 'cycle_error' not in scores  # there is no way back


def test_other_sizes_targets_and_seeds(run, given):
  folder = run / 'large'
  folder.mkdir()
  Image.fromarray(RNG.integers(0, 256, (20, 37, 3), np.uint8)).save(folder / 'a.jpg')
  words = [f'--workdir={run / "run"}', f'--input={folder}', f'--target={folder}']
  sizes = {}
  for size, seed in (('own', 0), ('trained', 0), ('trained', 1)):
    out = run / f'{size}{seed}'
    given(*words, f'--output={out}', f'--size={size}', f'--seed={seed}')
    assert translate.main(['translate']) == 0
    sizes[size, seed] = pixels(out / 'a.png')
    assert 'targets/a.png' in (out / 'index.html').read_text()
  assert sizes['own', 0].shape == (20, 37, 3)
  assert sizes['trained', 0].shape == (16, 16, 3)
  assert (sizes['trained', 0] != sizes['trained', 1]).any()  # dropout is the noise


@pytest.mark.parametrize(
  'words, message',
  [
    ([], '--workdir is missing'),
    (
      ['--workdir={run}/run', '--input={run}/nowhere', '--output={run}/x'],
      'is not a folder of pict',
    ),
    (['--workdir={run}', '--input={run}/in', '--output={run}/x'], 'holds no checkpoints'),
    (
      ['--workdir={run}/run', '--input={run}/in', '--output={run}/x', '--direction=BtoA'],
      '--direction=BtoA; this system was trained AtoB, and knows no other',
    ),
    (
      ['--workdir={run}/run', '--input={run}/in', '--output={run}/x', '--run=1'],
      'run=1; this work folder has runs 0 to 0',
    ),
    (
      ['--workdir={run}/run', '--input={run}/in', '--output={run}/run/config.json'],
      'cannot be written',
    ),
  ],
)
def test_one_clear_line(run, given, words, message):
  given(*(word.format(run=run) for word in words))
  with pytest.raises(ConfigError, match=message):
    translate.main(['translate'])


@pytest.mark.parametrize('output', ['in', 'in/deep', '.', 'in/deep/../new', 'link'])
def test_what_is_read_is_not_written_over(run, given, output):
  if not (run / 'link').exists():
    (run / 'link').symlink_to(run / 'in')
  before = sorted((p, p.read_bytes()) for p in (run / 'in').rglob('*') if p.is_file())
  words = [f'--workdir={run / "run"}', f'--output={run / output}']
  (run / 'else').mkdir(exist_ok=True)
  Image.new('RGB', (4, 4)).save(run / 'else' / 'a.png')
  for name, folders in (
    ('input', [f'--input={run / "in"}']),
    ('target', [f'--input={run / "else"}', f'--target={run / "in"}']),
  ):
    given(*words, *folders)
    with pytest.raises(ConfigError, match=rf'(?s)--output=.* and --(input|{name})=.* of its own$'):
      translate.main(['translate'])
  assert before == sorted((p, p.read_bytes()) for p in (run / 'in').rglob('*') if p.is_file())


@pytest.mark.parametrize(
  'output', ['run', 'run/checkpoints', 'run/checkpoints/2', 'run/samples/..']
)
def test_the_work_folder_is_not_written_over(run, given, output):
  there = [f'--workdir={run / "run"}', f'--input={run / "in"}']
  given(*there, f'--output={run / output}')
  with pytest.raises(ConfigError, match=r'--output=.* and --workdir=.*: one holds the other; give'):
    translate.main(['translate'])
  given(*there, f'--output={run / "run" / "translated"}')
  assert translate.main(['translate']) == 0


def test_folders_and_names_of_every_kind(run, given):
  """Users' own folders inputs and targets, and what has a meaning in an address."""
  names = ['a', 'inputs/a', 'inputs_/a', 'targets/a', '50%25 #1?']
  for i, name in enumerate(names):
    file = run / 'odd' / f'{name}.png'
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PAIRS.arrays['image'][i]).save(file)
  out = run / 'odd out'
  folders = [f'--input={run / "odd"}', f'--target={run / "odd"}', f'--output={out}']
  given(f'--workdir={run / "run"}', *folders)
  half, other = out / 'deep' / '.a.pngabcd_123.tmp', out / '.mine.tmp'
  half.parent.mkdir(parents=True)
  for file in (half, other):
    file.touch()
  assert translate.main(['translate']) == 0
  assert other.exists() and not half.exists()
  for i, name in enumerate(names):
    for folder in ('inputs__', 'targets_'):
      np.testing.assert_array_equal(pixels(out / folder / f'{name}.png'), PAIRS.arrays['image'][i])
  sources = re.findall('src="(.*?)"', (out / 'index.html').read_text())
  assert len(sources) == len(set(sources)) == 3 * len(names)
  assert all((out / unquote(urlsplit(source).path)).is_file() for source in sources)


def test_pictures_that_cannot_be_read_are_listed_at_the_end(run, given, capsys):
  for folder in ('some', 'some targets'):
    (run / folder).mkdir()
    for name in 'abc':
      Image.fromarray(PAIRS.arrays['image'][0]).save(run / folder / f'{name}.png')
  for bad in ('some/a.png', 'some targets/b.png'):
    (run / bad).write_bytes(b'no picture')
  folders = [f'--input={run / "some"}', f'--target={run / "some targets"}']
  given(f'--workdir={run / "run"}', *folders, f'--output={run / "some out"}')
  assert translate.main(['translate']) == 1
  told = capsys.readouterr()
  assert 'wrote 2 pictures' in told.out
  lines = [line for line in told.err.splitlines() if line.startswith('left out: ')]
  assert [Path(line.split(' cannot be read')[0]).name for line in lines] == ['a.png', 'b.png']
  assert sorted(p.name for p in (run / 'some out').glob('*.png')) == ['b.png', 'c.png']
  assert (run / 'some out' / 'targets' / 'c.png').exists()


def test_directions_are_those_of_the_data():
  """Where the config turned the data, A to B of the game is B to A."""

  def made(build, learnt):
    game = build(Scale(), Discriminator())
    batch = {k: jnp.asarray(PAIRS.arrays[k][:2] / 127.5 - 1) for k in ('image', 'target')}
    players = game.init(jax.random.key(0), batch)
    config = {'data': {'direction': learnt}}
    return SimpleNamespace(game=game, players=players, image_shape=(16, 16, 3), config=config)

  one = functools.partial(paired, noise=False)
  assert translate.way(made(one, 'AtoB'), None) == ('AtoB', 'AtoB')
  for wanted in ('BtoA', None):
    assert translate.way(made(one, 'BtoA'), wanted) == ('BtoA', 'AtoB')
  with pytest.raises(ConfigError, match='--direction=AtoB; this system was trained BtoA'):
    translate.way(made(one, 'BtoA'), 'AtoB')
  assert translate.way(made(cycle, 'AtoB'), 'BtoA') == ('BtoA', 'BtoA')
  assert translate.way(made(cycle, 'BtoA'), 'AtoB') == ('AtoB', 'BtoA')


def test_names_that_would_be_one(tmp_path):
  for name in ('a.png', 'a.jpg'):
    Image.new('RGB', (4, 4)).save(tmp_path / name)
  with pytest.raises(ConfigError, match=r'would both become a\.png'):
    translate.pictures_in(tmp_path)


def test_sizes_that_networks_take():
  class Quarters(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
      if x.shape[1] % 4:
        raise ValueError('multiples of 4')
      return x

  game = paired(Quarters(), Discriminator(), noise=False)
  trained = SimpleNamespace(game=game, players={'generator': {}}, image_shape=(8, 8, 3))
  assert translate.multiple_of(trained) == 4


def test_a_picture_too_small_for_the_network_is_left_out(run, given, capsys, monkeypatch):
  """Its sides are multiples of those that the network takes."""

  class Padded(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
      return pad(x, 3)[:, 3:-3, 3:-3]

  game = paired(Padded(), Discriminator(), noise=False)
  trained = sample.load(run / 'run')._replace(game=game, players={'generator': {}})
  monkeypatch.setattr(sample, 'load', lambda *given: trained)
  (run / 'two').mkdir()
  for size in (2, 20):
    Image.new('RGB', (20, size)).save(run / 'two' / f'{size}.png')
  folders = [f'--input={run / "two"}', f'--output={run / "two out"}']
  given(f'--workdir={run / "run"}', *folders, '--size=own')
  assert translate.main(['translate']) == 1
  told = capsys.readouterr()
  assert 'wrote 1 pictures' in told.out
  assert '2.png, cut to 20x2 pixels: a map of 2x20 cannot be mirrored by 3; give larger' in told.err
  assert sorted(p.name for p in (run / 'two out').glob('*.png')) == ['20.png']


def test_the_judge_tells_domains_and_classes(tmp_path, monkeypatch):
  """Classes are dark and light pictures, domains warm and cold ones; the copy is in no way the target."""
  short = functools.partial(translations.classifier.cached, steps=60)
  monkeypatch.setattr(translations.classifier, 'cached', short)
  size = 240
  label = RNG.integers(0, 2, size).astype(np.int32)
  noise = RNG.integers(0, 40, (size, 8, 8, 3))
  base = noise + 100 * label[:, None, None, None]
  arrays = {
    'image': (base + np.array([100, 0, 0])).astype(np.uint8),
    'target': (base + np.array([0, 0, 100])).astype(np.uint8),
    'label': label,
  }
  domains = from_arrays('colours', arrays, ('dark', 'light'), '')
  domains = domains._replace(domains=(domains.size,) * 2)
  game = cycle(Generator(), Discriminator())
  run = Run(game, domains, tmp_path, None, cache_dir=str(tmp_path), part=lambda split: domains)
  judge = translations.Judge(domains, str(tmp_path), 0)
  ways = translations.Way(run, domains, 'AtoB', 64, judge)
  copy = ways.baselines['copy']
  true = judge.told(arrays['target'][:64], label[:64], 'B')
  assert true['in_domain'] > 0.95 and true['class_accuracy'] > 0.95
  assert copy['in_domain'] < 0.05 and copy['class_accuracy'] > 0.95 and 'l1' not in copy
  assert copy['kernel_distance'] > 10 * abs(true['kernel_distance'])
  assert ways.baselines['shift']['in_domain'] > 0.9  # for the colour is all there is
  own = domains._replace(arrays={**domains.arrays, 'target_label': 1 - label})
  np.testing.assert_array_equal(translations.Way(run, own, 'BtoA', 240, None).label, 1 - label)
  np.testing.assert_array_equal(translations.Way(run, own, 'AtoB', 240, None).label, label)
  back = translations.Way(run, domains, 'BtoA', 64, None)
  np.testing.assert_array_equal(back.inputs[0], arrays['target'][0])


def test_the_cycle_error_is_that_of_both_translations(tmp_path):
  """Of translators that multiply by 0.5 and by 0.8."""
  game = cycle(Scale(), Discriminator(), pool=0)
  players = {
    'generator': {'params': {'AtoB': {'by': jnp.array(0.5)}, 'BtoA': {'by': jnp.array(0.8)}}}
  }
  domains = PAIRS._replace(domains=(PAIRS.size,) * 2)
  evaluate = translations.make(
    Run(game, domains, tmp_path, SimpleNamespace(write_images=lambda *a: None)),
    held_out='',
    directions=('AtoB', 'BtoA'),
  )
  scores = evaluate(1, players, False)
  inputs, targets = (np.abs(PAIRS.arrays[k] / 127.5 - 1).mean() for k in ('image', 'target'))
  assert set(scores) == {'cycle_error', 'cycle_error@BtoA'}
  np.testing.assert_allclose(scores['cycle_error'], 0.6 * inputs, rtol=1e-5)
  np.testing.assert_allclose(scores['cycle_error@BtoA'], 0.6 * targets, rtol=1e-5)


def test_the_perceptual_distance_or_why_there_is_none(tmp_path, monkeypatch, capsys):
  """A stand-in for the distance: that of the means."""
  game = paired(Scale(), Discriminator(), noise=False)
  players = {'generator': {'params': {'by': jnp.array(0.5)}}}
  run = Run(game, PAIRS, tmp_path, SimpleNamespace(write_images=lambda *a: None))
  distance = lambda x, y: jnp.abs(x.mean((1, 2, 3)) - y.mean((1, 2, 3)))
  load = 'jaxgan.metrics.features.perceptual.load'
  monkeypatch.setattr(load, lambda: (distance, 'sha'))
  scores = translations.make(run, held_out='')(1, players, False)
  means = (PAIRS.arrays['image'] / 127.5 - 1).mean((1, 2, 3))  # the target is the negative
  np.testing.assert_allclose(scores['perceptual'], np.abs(1.5 * means).mean(), rtol=1e-4)
  np.testing.assert_allclose(scores['perceptual_below_copy'], 0.25, rtol=1e-4)

  def missing():
    raise WeightsError("pip install 'jaxgan[perceptual]'")

  monkeypatch.setattr(load, missing)
  capsys.readouterr()
  assert 'perceptual' not in translations.make(run, held_out='')(1, players, False)
  told = capsys.readouterr()
  assert "without the perceptual distance: pip install 'jaxgan[perceptual]'" in told.out + told.err
  assert 'expected colour' in translations.perceptual_distance((64, 64, 1))[1]

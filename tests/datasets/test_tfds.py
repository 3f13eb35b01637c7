"""Sets of tensorflow-datasets, prepared here in a temporary folder and read without TensorFlow."""

import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from jaxgan import config as configs
from jaxgan import datasets, problem
from jaxgan.datasets import cache, prepare

SIZE = 130


def picture_bytes(n, side=28):
  """A grey picture filled with n, its corner 255."""
  pixels = np.full((side, side), n, np.uint8)
  pixels[0, 0] = 255
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, 'PNG')
  return file.getvalue()


@pytest.fixture(scope='session')
def prepared(tmp_path_factory):
  """A data_dir with the set `ramp`: picture n is filled with n, its label is n % 3."""
  import tensorflow_datasets as tfds

  class Ramp(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Numbered grey pictures."""

    VERSION = tfds.core.Version('1.0.0')
    name = 'ramp'

    def _info(self):
      features = {
        'image': tfds.features.Image(shape=(28, 28, 1)),
        'label': tfds.features.ClassLabel(names=['zero', 'one', 'two']),
        'half': np.int64,
      }
      return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
      return {'train': self._generate_examples(SIZE), 'test': self._generate_examples(10)}

    def _generate_examples(self, size):
      for n in range(size):
        yield n, {'image': picture_bytes(n), 'label': n % 3, 'half': n // 2}

  root = tmp_path_factory.mktemp('tfds')
  builder = Ramp(data_dir=root, file_format='array_record')
  builder.download_and_prepare()
  return root


@pytest.fixture(scope='session')
def domains(tmp_path_factory):
  """A data_dir with cycle_gan/horse2zebra as its builder declares it: pictures of any size, A red, B blue."""
  import tensorflow_datasets as tfds

  class CycleGAN(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Two domains."""

    name = 'cycle_gan'
    VERSION = tfds.core.Version('3.0.0')
    BUILDER_CONFIGS = (
      tfds.core.BuilderConfig(name='apple2orange', version='3.0.0'),
      tfds.core.BuilderConfig(name='horse2zebra', version='3.0.0'),
    )

    def _info(self):
      features = {
        'image': tfds.features.Image(),
        'label': tfds.features.ClassLabel(names=['A', 'B']),
      }
      return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
      sizes = {'trainA': 5, 'trainB': 3, 'testA': 2, 'testB': 4}
      return {split: self._generate_examples(split, size) for split, size in sizes.items()}

    def _generate_examples(self, split, size):
      for n in range(size):
        pixels = np.zeros((24, 20 + n, 3), np.uint8)
        pixels[..., 2 * (split[-1] == 'B')] = 10 * n + 100 * split.startswith('test')
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, 'PNG')
        yield f'{n}.png', {'image': file.getvalue(), 'label': split[-1]}

  root = tmp_path_factory.mktemp('tfds')
  CycleGAN(data_dir=root, config='horse2zebra', file_format='array_record').download_and_prepare()
  return root


@pytest.fixture
def copied(prepared, tmp_path):
  """A copy of the prepared set, to be damaged."""
  shutil.copytree(prepared, tmp_path / 'tfds')
  return tmp_path / 'tfds'


def load(root, tmp_path, name='ramp', **options):
  options = {'cache_dir': str(tmp_path / 'cache'), **options}
  return datasets.load('tfds', name, data_dir=str(root), **options)


def numbers(batch):
  """Which pictures these are."""
  return batch['image'][:, 14, 14, 0].astype(int)


@pytest.mark.parametrize('in_memory', [True, False])
def test_pictures_and_labels_belong_together(prepared, tmp_path, in_memory):
  ramp = load(prepared, tmp_path, in_memory=in_memory)
  assert ramp.size == SIZE and ramp.image_shape == (28, 28, 1)
  assert ramp.class_names == ('zero', 'one', 'two')
  batch = ramp.fetch(np.arange(SIZE))
  assert batch['image'].dtype == np.uint8 and batch['label'].dtype == np.int32
  assert sorted(numbers(batch)) == list(range(SIZE))
  np.testing.assert_array_equal(batch['label'], numbers(batch) % 3)


@pytest.mark.parametrize('in_memory', [True, False])
def test_the_two_domains_of_cycle_gan(domains, tmp_path, in_memory):
  """By the config that names the set: unpaired, its test splits held out."""
  config = configs.load('cyclegan:horse2zebra')
  assert (config.data.source, config.data.name) == ('unpaired', 'cycle_gan/horse2zebra')
  config.data.update(data_dir=str(domains), cache_dir=str(tmp_path), in_memory=in_memory)
  config.data.update(resolution=16, load_size=18)
  config.game.update(channels=2, layers=1)
  found = problem.make_problem(config)
  for part, sizes, low in ((found.dataset, (5, 3), 0), (found.part('test'), (2, 4), 100)):
    assert part.size == max(sizes) and part.image_shape == (16, 16, 3) and not part.paired
    batch = part.fetch(np.arange(part.size))
    for column, channel, size in zip(('image', 'target'), (0, 2), sizes):
      values = [low + 10 * n for n in range(size)]
      assert sorted(set(batch[column][:, 8, 8, channel].tolist())) == values
      assert not np.delete(batch[column], channel, -1).any()


def test_pictures_of_a_domain_never_get_a_margin(domains, tmp_path):
  """24x24 pixels for 28: of other sets those would lie on black."""
  options = {'data_dir': str(domains), 'cache_dir': str(tmp_path), 'resolution': 28}
  found = datasets.load('unpaired', 'cycle_gan/horse2zebra', **options)
  images = found.fetch(np.arange(5))['image']
  assert sorted(images.min((1, 2))[:, 0].tolist()) == [0, 10, 20, 30, 40]


def test_a_domain_set_that_is_not_prepared_says_how(domains, tmp_path):
  with pytest.raises(datasets.DataError) as error:
    datasets.load('unpaired', 'cycle_gan/monet2photo', data_dir=str(domains), resolution=16)
  command = f'python -m jaxgan.datasets.prepare cycle_gan/monet2photo --data_dir={domains}'
  assert command in str(error.value) and '\n' not in str(error.value)
  with pytest.raises(datasets.DataError, match="no split 'valA'; there are: testA, testB, trainA"):
    datasets.load('unpaired', 'cycle_gan/horse2zebra', split='val', data_dir=str(domains))


def test_streamed_and_decoded_sets_have_one_order(prepared, tmp_path):
  sampler = datasets.Sampler(65, 48, 1)
  options = {'split': 'train[50%:]', 'resolution': 32}
  both = [
    datasets.batches(load(prepared, tmp_path, in_memory=m, **options), sampler, 2)
    for m in (True, False)
  ]
  for _ in range(4):
    a, b = map(next, both)
    np.testing.assert_array_equal(a['image'], b['image'])
    np.testing.assert_array_equal(a['label'], b['label'])


def test_28_becomes_32_by_a_margin_and_64_by_scaling(prepared, tmp_path):
  native = load(prepared, tmp_path).arrays['image']
  wide = load(prepared, tmp_path, resolution=32, channels=3).arrays['image']
  np.testing.assert_array_equal(wide[:, 2:30, 2:30, 1:2], native)
  assert wide[:, :2].max() == wide[:, :, 30:].max() == 0
  assert load(prepared, tmp_path, resolution=64).image_shape == (64, 64, 1)


def test_any_integer_is_a_label(prepared, tmp_path):
  half = load(prepared, tmp_path, label='half')
  np.testing.assert_array_equal(half.arrays['label'], numbers(half.arrays) // 2)
  assert half.class_names == tuple(map(str, range(SIZE // 2)))
  assert load(prepared, tmp_path, label='none').class_names == ()
  with pytest.raises(datasets.DataError, match='half has no class names'):
    load(prepared, tmp_path, label='half', in_memory=False)


def test_the_second_load_maps_the_cache(prepared, tmp_path, monkeypatch):
  first = load(prepared, tmp_path)
  monkeypatch.setattr(cache, '_fill', lambda *a: pytest.fail('decoded again'))
  second = load(prepared, tmp_path, split='train[10:20]')
  np.testing.assert_array_equal(second.arrays['image'], first.arrays['image'][10:20])


def test_a_damaged_cache_is_written_again(prepared, tmp_path):
  first = np.array(load(prepared, tmp_path).arrays['image'])
  file = next((tmp_path / 'cache').glob('*/image.npy'))
  file.write_bytes(file.read_bytes()[:-100])
  np.testing.assert_array_equal(load(prepared, tmp_path).arrays['image'], first)
  assert not list((tmp_path / 'cache').glob('*.part-*'))


def test_an_interrupted_decoding_leaves_no_entry(prepared, tmp_path, monkeypatch):
  from jaxgan.datasets import pictures

  def stop(*arguments):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(pictures, 'pixels', stop)
    with pytest.raises(KeyboardInterrupt):
      load(prepared, tmp_path)
  assert not list((tmp_path / 'cache').iterdir())
  assert load(prepared, tmp_path).size == SIZE


def test_reading_needs_no_tensorflow(prepared, tmp_path):
  trap = tmp_path / 'trap' / 'tensorflow'
  trap.mkdir(parents=True)
  (trap / '__init__.py').write_text("raise ImportError('tensorflow was imported')")
  code = f"""
import sys
sys.path.insert(0, {str(trap.parent)!r})
from jaxgan import config as configs
from jaxgan import datasets, problem
for in_memory in (True, False):
  ramp = datasets.load('tfds', 'ramp', data_dir={str(prepared)!r}, in_memory=in_memory,
                       cache_dir={str(tmp_path / 'cache')!r})
  next(datasets.batches(ramp, datasets.Sampler(ramp.size, 8, 0)))
print(ramp.size, 'tensorflow' in sys.modules)
"""
  done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
  assert done.returncode == 0, done.stderr
  assert done.stdout.strip() == f'{SIZE} False'


def test_importing_datasets_is_light():
  code = """
import sys
import jaxgan.datasets
heavy = ('tensorflow', 'tensorflow_datasets', 'grain', 'array_record', 'matplotlib')
print([m for m in heavy if m in sys.modules])
"""
  done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
  assert done.stdout.strip() == '[]', done.stderr


@pytest.mark.parametrize(
  'options, words',
  [
    (
      {'name': 'cifar10'},
      r'not prepared in .*python -m jaxgan\.datasets\.prepare cifar10 --data_dir=',
    ),
    ({'name': 'cifer10'}, r'did you mean cifar10\?'),
    ({'name': 'ramp:2.0.0'}, 'prepared in .* as 1.0.0, not 2.0.0'),
    ({'name': '../ramp'}, 'write it like cifar10'),
    ({'split': 'validation'}, "no split 'validation'; there are: test, train"),
    ({'label': 'colour'}, "no label 'colour'; there are: .*label.*none"),
    ({'split': 'train[500:]'}, 'holds no example'),
    ({'split': 'train[500:]', 'in_memory': False}, 'holds no example'),
  ],
)
def test_wrong_options_are_answered_in_one_line(prepared, tmp_path, options, words):
  with pytest.raises(datasets.DataError, match=words) as error:
    load(prepared, tmp_path, **options)
  assert '\n' not in str(error.value)


def shard(root):
  return next(root.glob('ramp/1.0.0/*train*'))


def cut(root):
  shard(root).write_bytes(shard(root).read_bytes()[:1000])


def flip(root):
  data = bytearray(shard(root).read_bytes())
  data[4000] ^= 0xFF
  shard(root).write_bytes(bytes(data))


def other_format(root):
  file = root / 'ramp/1.0.0/dataset_info.json'
  file.write_text(json.dumps({**json.loads(file.read_text()), 'fileFormat': 'tfrecord'}))


def swap(root):
  shutil.copy(next(root.glob('ramp/1.0.0/*test*')), shard(root))


@pytest.mark.parametrize(
  'damage, words',
  [
    (cut, 'is damaged'),
    (flip, 'is damaged'),
    (swap, f'holds 10 records instead of {SIZE}'),
    (lambda root: shard(root).unlink(), 'is missing'),
    (lambda root: (root / 'ramp/1.0.0/features.json').unlink(), 'incomplete: features.json'),
    (lambda root: (root / 'ramp/1.0.0/features.json').write_text('{}'), 'cannot read it'),
    (lambda root: (root / 'ramp/1.0.0/dataset_info.json').write_text('[]'), 'is damaged'),
    (other_format, 'only TensorFlow reads'),
    (lambda root: shutil.rmtree(root / 'ramp/1.0.0'), 'not prepared'),
  ],
)
def test_damage_is_named_with_the_way_to_mend_it(copied, tmp_path, damage, words):
  damage(copied)
  with pytest.raises(datasets.DataError, match=words) as error:
    load(copied, tmp_path)
  assert 'python -m jaxgan.datasets.prepare ramp' in str(error.value)
  assert '\n' not in str(error.value)


def test_prepare_answers_in_one_line(tmp_path, capsys, monkeypatch):
  assert prepare.main(['no_such_set', f'--data_dir={tmp_path}']) == 2
  assert "no set 'no_such_set'" in capsys.readouterr().err
  monkeypatch.setattr(prepare.importlib.util, 'find_spec', lambda name: None)
  assert prepare.main(['mnist', f'--data_dir={tmp_path}']) == 2
  assert capsys.readouterr().err.strip().endswith("pip install 'jaxgan[tf]'")

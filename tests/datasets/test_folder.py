"""Folders of real picture files: every kind that should be read, and every kind that cannot."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxgan import datasets
from jaxgan.datasets import folder, pictures

RED = (200, 30, 40)


def png(picture, **options):
  file = io.BytesIO()
  picture.save(file, options.pop('format', 'PNG'), **options)
  return file.getvalue()


def load(path, tmp_path, **options):
  options = {'resolution': 8, 'cache_dir': str(tmp_path / 'cache'), **options}
  return datasets.load('folder', data_dir=str(path), **options)


@pytest.fixture
def pets(tmp_path):
  """Two classes, three formats, several sizes; cats are dark, dogs are bright."""
  root = tmp_path / 'pets'
  for name, level in (('cat', 40), ('dog', 210)):
    (root / name).mkdir(parents=True)
    for n, ending in enumerate(('png', 'jpg', 'webp', 'JPEG')):
      Image.new('RGB', (10 + n, 20 - n), (level, level, level)).save(root / name / f'{n}.{ending}')
  return root


@pytest.fixture
def damaged(pets):
  """The pets and five files that cannot be read, each for a reason of its own."""
  noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
  whole = png(Image.fromarray(noise))
  (pets / 'cat' / 'empty.png').write_bytes(b'')
  (pets / 'cat' / 'text.jpg').write_text('this is not a picture')
  (pets / 'cat' / 'cut.png').write_bytes(whole[: len(whole) // 2])
  jpeg = png(Image.fromarray(noise), format='JPEG')
  (pets / 'dog' / 'cut.jpg').write_bytes(jpeg[: len(jpeg) // 2])
  flipped = bytearray(whole)
  flipped[len(whole) // 2] ^= 0xFF
  (pets / 'dog' / 'flipped.png').write_bytes(bytes(flipped))
  return pets


BAD = ('cat/cut.png', 'cat/empty.png', 'cat/text.jpg', 'dog/cut.jpg', 'dog/flipped.png')


@pytest.mark.parametrize('in_memory', [True, False])
def test_subfolders_are_classes(pets, tmp_path, in_memory):
  found = load(pets, tmp_path, in_memory=in_memory)
  assert found.size == 8 and found.image_shape == (8, 8, 3)
  assert found.class_names == ('cat', 'dog')
  batch = found.fetch(np.arange(8))
  assert batch['image'].dtype == np.uint8 and batch['label'].dtype == np.int32
  np.testing.assert_array_equal(batch['label'], batch['image'][:, 4, 4, 0] > 128)
  assert sorted(batch['label']) == [0] * 4 + [1] * 4
  assert (found.arrays is None) is not in_memory


def test_streamed_and_decoded_folders_have_one_order(pets, tmp_path):
  sampler = datasets.Sampler(8, 4, 1)
  both = [datasets.batches(load(pets, tmp_path, in_memory=m), sampler, 3) for m in (True, False)]
  for _ in range(4):
    a, b = map(next, both)
    np.testing.assert_array_equal(a['image'], b['image'])
    np.testing.assert_array_equal(a['label'], b['label'])


def test_changed_files_are_decoded_again(pets, tmp_path):
  before = np.array(load(pets, tmp_path).arrays['image'])
  Image.new('RGB', (31, 31), 'white').save(pets / 'cat' / '0.png')
  after = load(pets, tmp_path).arrays['image']
  assert (before != after).any((1, 2, 3)).sum() == 1


@pytest.mark.parametrize('in_memory', [True, False])
def test_unreadable_files_are_all_named(damaged, tmp_path, in_memory):
  with pytest.raises(datasets.DataError, match='5 of 13 pictures') as error:
    load(damaged, tmp_path, in_memory=in_memory)
  message = str(error.value)
  assert '\n' not in message
  report = (tmp_path / 'cache').glob('unreadable-*.txt')
  listed = next(report).read_text().splitlines()
  assert [line.split(':')[0] for line in listed] == list(BAD)
  assert all(name in message for name in BAD)
  for name in BAD:
    (damaged / name).unlink()
  assert load(damaged, tmp_path, in_memory=in_memory).size == 8


def test_many_unreadable_files_are_counted_and_some_named(tmp_path):
  root = tmp_path / 'x'
  root.mkdir()
  for n in range(50):
    (root / f'{n:02}.png').write_bytes(b'nothing')
  with pytest.raises(datasets.DataError, match='50 of 50') as error:
    load(root, tmp_path, resolution=0)
  assert str(error.value).count('.png') == folder.NAMED
  assert len(next((tmp_path / 'cache').glob('unreadable-*')).read_text().splitlines()) == 50


def test_the_command_lists_bad_files_and_draws_a_preview(damaged, tmp_path, capsys):
  sheet = tmp_path / 'preview.png'
  call = [str(damaged), '--resolution=16', f'--preview={sheet}']
  assert folder.main(call) == 1
  said = capsys.readouterr().out
  assert '13 pictures' in said and '5 of them unreadable' in said
  for name in BAD:
    assert f'  {name}: ' in said
    (damaged / name).unlink()
  with Image.open(sheet) as preview:
    levels = np.unique(np.asarray(preview))
  assert {40, 210} <= set(levels.tolist())  # both classes are on the sheet
  assert folder.main(call) == 0
  assert 'class cat: 4' in capsys.readouterr().out
  assert folder.main([str(tmp_path / 'nowhere')]) == 2
  assert 'is not a folder' in capsys.readouterr().err


def test_labels_from_a_table(pets, tmp_path):
  lines = ['filename,label,tail']
  for name in ('cat', 'dog'):
    lines += [f'{name}/{n}.{e},{n},{name}' for n, e in enumerate(('png', 'jpg', 'webp', 'JPEG'))]
  (pets / 'labels.csv').write_text('\n'.join(lines))
  found = load(pets, tmp_path)
  assert found.class_names == ('0', '1', '2', '3')
  assert np.bincount(found.arrays['label']).tolist() == [2] * 4
  tails = load(pets, tmp_path, label='tail')
  np.testing.assert_array_equal(tails.arrays['label'], tails.arrays['image'][:, 4, 4, 0] > 128)
  assert load(pets, tmp_path, label='folder').class_names == ('cat', 'dog')
  assert load(pets, tmp_path, label='none').class_names == ()


@pytest.mark.parametrize(
  'table, words',
  [
    ('name,label\n', 'must begin with a line such as filename,label'),
    ('', 'it has none'),
    ('filename,label\ncat/0.png,a\n', 'has no line for 7 pictures'),
    ('filename,label\ncat/0.png\n', 'line 2: 1 fields instead of 2'),
    ('filename,label\ncat/0.png,a\ncat/0.png,b\n', 'line 3: cat/0.png has two labels'),
  ],
)
def test_tables_that_do_not_fit(pets, tmp_path, table, words):
  (pets / 'labels.csv').write_text(table)
  with pytest.raises(datasets.DataError, match=words):
    load(pets, tmp_path)


def test_a_table_that_names_missing_pictures(tmp_path):
  root = tmp_path / 'x'
  root.mkdir()
  Image.new('L', (9, 9)).save(root / 'a.png')
  (root / 'labels.csv').write_text('filename,label\na.png,1\nb.png,2\n')
  with pytest.raises(
    datasets.DataError, match=r'names 1 pictures that are not there, such as b\.png'
  ):
    load(root, tmp_path)


def test_split_folders(tmp_path):
  for part, level in (('train', 10), ('test', 90)):
    (tmp_path / 'x' / part / 'a').mkdir(parents=True)
    Image.new('L', (9, 9), level).save(tmp_path / 'x' / part / 'a' / 'p.png')
  test = load(tmp_path / 'x', tmp_path, split='test', channels=1)
  assert test.arrays['image'].max() == 90 and test.class_names == ('a',)
  with pytest.raises(datasets.DataError, match="no split 'val'; there are: test, train"):
    load(tmp_path / 'x', tmp_path, split='val')


def test_a_slice_is_a_fair_sample_of_the_classes(tmp_path):
  for name in 'ab':
    (tmp_path / 'x' / name).mkdir(parents=True)
    for n in range(40):
      Image.new('L', (2, 2)).save(tmp_path / 'x' / name / f'{n}.png')
  halves = [load(tmp_path / 'x', tmp_path, split=s) for s in ('train[:50%]', 'train[50%:]')]
  assert [h.size for h in halves] == [40, 40]
  for half in halves:
    assert np.bincount(half.arrays['label']).min() >= 10


def test_wrong_folders(pets, tmp_path):
  with pytest.raises(datasets.DataError, match='needs data_dir'):
    datasets.load('folder')
  with pytest.raises(datasets.DataError, match='is not a folder'):
    load(tmp_path / 'nowhere', tmp_path)
  (tmp_path / 'bare').mkdir()
  with pytest.raises(datasets.DataError, match='holds no picture'):
    load(tmp_path / 'bare', tmp_path)
  with pytest.raises(datasets.DataError, match='several sizes'):
    load(pets, tmp_path, resolution=0)
  Image.new('L', (9, 9)).save(pets / 'loose.png')
  with pytest.raises(datasets.DataError, match='1 pictures lie beside the class folders'):
    load(pets, tmp_path)
  assert load(pets, tmp_path, label='none').size == 9


def test_an_unwritable_cache_is_named(pets, tmp_path):
  (tmp_path / 'cache').write_text('a file where the folder should be')
  with pytest.raises(datasets.DataError, match='cannot be written'):
    load(pets, tmp_path)


def decoded(data):
  return pictures.pixels(pictures.decode(data))


def test_every_mode_becomes_eight_bit_grey_or_colour():
  palette = Image.new('RGB', (4, 4), RED).quantize(4)
  np.testing.assert_array_equal(decoded(png(palette))[0, 0], RED)
  deep = Image.fromarray(np.full((4, 4), 40_000, np.uint16))
  assert decoded(png(deep)).shape == (4, 4, 1)
  assert abs(int(decoded(png(deep))[0, 0, 0]) - 40_000 / 257) <= 0.5
  dark = Image.fromarray(np.full((4, 4), 200, np.uint16))
  assert decoded(png(dark)).max() == 1  # 200 of 65535, not 200 of 255
  for largest in (1, 255):  # numbers with a point
    real = Image.fromarray((np.arange(256) / 255 * largest).reshape(16, 16).astype(np.float32))
    np.testing.assert_array_equal(decoded(png(real, format='TIFF')).ravel(), np.arange(256))
  bits = Image.fromarray(np.eye(4, dtype=bool))
  np.testing.assert_array_equal(decoded(png(bits))[..., 0], np.eye(4) * 255)
  cmyk = decoded(png(Image.new('CMYK', (4, 4), (0, 255, 255, 0)), format='JPEG'))[0, 0]
  assert cmyk[0] > 200 > 100 > cmyk[1]


def test_transparency_lies_on_white():
  half = Image.new('RGBA', (4, 4), (*RED, 128))
  expected = np.array(RED) * 128 / 255 + 255 * 127 / 255
  for data in (png(half), png(half, format='WEBP', lossless=True)):
    assert abs(decoded(data)[0, 0] - expected).max() <= 1
  clear = Image.new('LA', (4, 4), (9, 0))
  assert decoded(png(clear)).shape == (4, 4, 1) and decoded(png(clear)).min() == 255
  palette = Image.new('P', (4, 4), 0)
  palette.putpalette([*RED, 0, 0, 0])
  assert decoded(png(palette, transparency=0)).min() == 255


def test_exif_orientation_is_applied():
  picture = Image.new('RGB', (6, 4), 'white')
  picture.paste((0, 0, 0), (0, 0, 3, 4))  # the left half is black
  exif = Image.Exif()
  exif[0x0112] = 6  # to be turned clockwise: left becomes top
  upright = decoded(png(picture, exif=exif))
  assert upright.shape == (6, 4, 3)
  assert upright[:3].max() == 0 and upright[3:].min() == 255


def test_crop_policies():
  wide = np.zeros((4, 12, 3), np.uint8)
  wide[:, 4:8] = 200
  picture = Image.fromarray(wide)
  assert pictures.pixels(pictures.fit(picture, 4, 'center')).min() == 200
  padded = pictures.pixels(pictures.fit(picture, 12, 'pad'))
  np.testing.assert_array_equal(padded[4:8], wide)
  assert padded[:4].min() == padded[8:].min() == 255
  stretched = pictures.pixels(pictures.fit(picture, 12, 'none'))
  assert stretched.shape == (12, 12, 3) and stretched[0, 0, 0] == 0 and stretched[0, 6, 0] > 190


def test_downsampling_averages_instead_of_picking():
  board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
  small = pictures.pixels(pictures.fit(Image.fromarray(board), 8))
  assert abs(small.astype(int) - 127.5).max() <= 2

"""Pairs and two domains: what belongs together, what is kept apart, and one line for what does not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import datasets
from jaxgan.datasets import DataError, check, edges, embedded, pairs, unpaired

RNG = np.random.default_rng(0)


@pytest.fixture(scope='module', autouse=True)
def read_once(request):
  """The emoji, decoded once."""
  patch = pytest.MonkeyPatch()
  whole = embedded.load('emoji_pairs')
  patch.setattr(embedded, 'load', lambda *args, **kwargs: whole)
  yield whole
  patch.undo()


def picture(path, size=(8, 8), colour=None):
  path.parent.mkdir(parents=True, exist_ok=True)
  pixels = RNG.integers(0, 256, (*size[::-1], 3), np.uint8)
  if colour is not None:
    pixels[:] = colour
  Image.fromarray(pixels).save(path)
  return pixels


def test_emoji_that_are_held_out_are_a_tenth_of_every_category_and_not_in_training(read_once):
  train, test = (datasets.load('pairs', 'emoji', split=s) for s in ('train', 'test'))
  assert train.size + test.size == read_once.size
  assert not set(train.arrays['code']) & set(test.arrays['code'])
  counts = lambda d: np.bincount(d.arrays['category'], minlength=8)
  share = counts(test) / counts(read_once)
  assert share.min() > 0.09 and share.max() < 0.16
  alike = lambda d: {c.replace('woman', '').replace('man', '') for c in d.arrays['caption']}
  assert not alike(train) & alike(test)


def test_pairs_are_the_same_emoji_and_direction_turns_them_round(read_once):
  found = datasets.load('pairs', 'emoji', split='train[:5]')
  batch = found.fetch(np.arange(5))
  row = read_once.arrays['code'].tolist().index(found.arrays['code'][3])
  np.testing.assert_array_equal(batch['image'][3], read_once.arrays['image'][row])
  np.testing.assert_array_equal(batch['target'][3], read_once.arrays['target'][row])
  back = datasets.load('pairs', 'emoji', split='train[:5]', direction='BtoA').fetch(np.arange(5))
  np.testing.assert_array_equal(back['image'], batch['target'])
  np.testing.assert_array_equal(back['target'], batch['image'])
  with pytest.raises(DataError, match='no target'):
    datasets.load('points', 'ring8', direction='BtoA')


def test_no_emoji_is_in_both_domains_nor_held_out(read_once):
  found = datasets.load('unpaired', 'emoji')
  assert not found.paired and found.image_shape == (64, 64, 3)
  batch = found.fetch(np.arange(found.size))
  whole = read_once.arrays
  code = {k: {p.tobytes(): c for p, c in zip(whole[k], whole['code'])} for k in ('image', 'target')}
  codes = [{code[k][p.tobytes()] for p in batch[k]} for k in ('image', 'target')]
  test = datasets.load('unpaired', 'emoji', split='test')
  assert test.paired
  held = set(test.arrays['code'])
  assert not codes[0] & codes[1] and not (codes[0] | codes[1]) & held
  assert 650 < len(codes[0]) < 780 and 650 < len(codes[1]) < 780


def test_two_domains_turned_have_each_its_own_labels():
  forth, back = (datasets.load('unpaired', 'emoji', direction=d) for d in ('AtoB', 'BtoA'))
  at = np.arange(40)
  one, other = forth.fetch(at), back.fetch(at)
  np.testing.assert_array_equal(other['image'], one['target'])
  np.testing.assert_array_equal(other['target'], one['image'])
  assert set(other) == set(one) and (one['label'] != other['label']).any()
  apart = np.stack([at, at[::-1]], 1)  # in training any two meet; the columns are A and B
  met, turned = forth.fetch(apart), back.fetch(apart)
  for batch, names in ((met, ('image', 'target')), (turned, ('target', 'image'))):
    np.testing.assert_array_equal(batch[names[0]], one['image'])
    np.testing.assert_array_equal(batch[names[1]], one['target'][::-1])
  np.testing.assert_array_equal(met['label'], one['label'])
  np.testing.assert_array_equal(turned['label'], other['label'][::-1])
  for labels, mine, theirs in ((one, forth, back), (other, back, forth)):
    np.testing.assert_array_equal(labels['label'], mine.arrays['label'][at])
    np.testing.assert_array_equal(labels['label'], theirs.arrays['target_label'][at])


def test_super_resolution_has_pictures_and_their_reductions(tmp_path):
  test = datasets.load('reduced', 'emoji', split='test')
  drawn = datasets.load('pairs', 'emoji', split='test')
  assert test.size == drawn.size and test.image_shape == (16, 16, 3) and test.paired
  batch, whole = test.fetch(np.arange(6)), drawn.fetch(np.arange(6))['image']
  np.testing.assert_array_equal(batch['target'], whole)
  assert datasets.load('reduced', 'emoji/2', split='test').image_shape == (32, 32, 3)
  means = whole.reshape(6, 16, 4, 16, 4, 3).mean((2, 4))  # no aliasing: near the mean of the area
  away = np.abs(batch['image'] - means).mean()
  assert away < 6 < np.abs(whole[:, ::4, ::4] - means).mean()
  turned = datasets.load('reduced', 'emoji', split='test', direction='BtoA')
  assert turned.image_shape == (64, 64, 3)
  for i in range(3):
    picture(tmp_path / 'd' / f'{i}.png', (40, 32), 50 * i)
  folder = {'data_dir': str(tmp_path / 'd'), 'cache_dir': str(tmp_path / 'cache')}
  own = datasets.load('reduced', '/8', resolution=16, channels=1, **folder).fetch(np.arange(3))
  assert own['image'].shape == (3, 2, 2, 1) and own['target'].shape == (3, 16, 16, 1)
  assert sorted(own['image'][:, 0, 0, 0]) == sorted(own['target'][:, 0, 0, 0]) == [0, 50, 100]
  with pytest.raises(DataError, match='pictures of 18x18 by a factor of 4; expected'):
    datasets.load('reduced', resolution=18, **folder)


def test_edges_of_a_square_are_its_outline():
  square = np.zeros((2, 16, 16, 3), np.uint8)
  square[0, 4:12, 4:12] = 255
  found = edges.canny(square)
  assert not found[1].any()
  assert 20 <= found[0].sum() <= 36  # one or two pixels wide
  assert not found[0, 7:9, 7:9].any() and not found[0, :2].any()
  inside = found[0, 2:14, 2:14]
  assert inside.any(0).sum() >= 8 and inside.any(1).sum() >= 8


def test_a_weak_edge_counts_where_it_goes_on_from_a_strong_one():
  ramp = np.zeros((1, 16, 40, 3), np.uint8)
  ramp[:, 8:] = np.linspace(0, 255, 40).astype(np.uint8)[:, None]
  found = edges.canny(ramp, low=0.05, high=0.3)[0].any(0)
  assert found[38] and found[15] and not found[2]
  assert not edges.canny((ramp // 3), low=0.05, high=0.3).any()


def test_edges_to_emoji_have_lines_on_white():
  batch = datasets.load('pairs', 'edges_emoji', split='test').fetch(np.arange(8))
  assert set(np.unique(batch['image'])) == {0, 255}
  assert 0.02 < (batch['image'] == 0).mean() < 0.3 and len(np.unique(batch['target'])) > 50


def test_side_by_side(tmp_path):
  whole = {f'{i}.png': picture(tmp_path / 'd' / 'train' / f'{i}.png', (16, 8)) for i in range(3)}
  picture(tmp_path / 'd' / 'test' / 'x.png', (16, 8))
  load = lambda **options: datasets.load(
    'pairs', data_dir=str(tmp_path / 'd'), cache_dir=str(tmp_path / 'cache'), **options
  )
  batch = load().fetch(np.arange(3))
  for a, b in zip(batch['image'], batch['target']):
    assert any((np.concatenate([a, b], 1) == w).all() for w in whole.values())
  assert load(split='test').size == 1
  picture(tmp_path / 'd' / 'train' / 'odd.png', (15, 8))
  with pytest.raises(DataError, match=r'1 of 4 .* odd\.png \(15x8 is no two pictures side by side'):
    load()


def test_two_folders_by_name(tmp_path):
  for name, colour in (('a', 10), ('b', 200)):
    picture(tmp_path / 'A' / f'{name}.png', (8, 8), colour)
    picture(tmp_path / 'B' / f'{name}.jpg', (12, 12), colour)
  load = lambda: datasets.load(
    'pairs', data_dir=str(tmp_path), cache_dir=str(tmp_path / 'cache'), resolution=8
  )
  batch = load().fetch(np.arange(2))
  np.testing.assert_allclose(batch['image'][:, 0, 0, 0], batch['target'][:, 0, 0, 0], atol=3)
  picture(tmp_path / 'A' / 'c.png')
  with pytest.raises(DataError, match=r'1 of 3 pictures in .*A have no partner .* in B: c'):
    load()
  (tmp_path / 'B' / 'c.png').write_text('no picture')
  with pytest.raises(DataError, match=r'c \(B/c\.png: not a picture\)'):
    load()


def test_two_pictures_of_one_name_are_not_one(tmp_path, capsys):
  for name in ('A/x.png', 'A/x.jpg', 'B/x.png', 'A/y.png', 'B/y.png'):
    picture(tmp_path / name)
  with pytest.raises(DataError, match=r'A/x\.(png|jpg) is one of several of its name'):
    datasets.load('pairs', data_dir=str(tmp_path), cache_dir=str(tmp_path / 'cache'))
  assert check.main([str(tmp_path), '--resolution=8', f'--preview={tmp_path / "s.png"}']) == 1
  assert 'is one of several of its name' in capsys.readouterr().out


@pytest.mark.parametrize('layout', ['a', 'trainA', 'train/A', 'train/b', 'B'])
def test_other_layouts_are_no_pictures_side_by_side(tmp_path, layout):
  picture(tmp_path / layout / 'x.png')
  picture(tmp_path / 'train' / 'y.png')
  with pytest.raises(DataError, match=f'holds {layout}: .* expected A/train and B/train') as error:
    datasets.load('pairs', data_dir=str(tmp_path), cache_dir=str(tmp_path / 'cache'))
  assert '\n' not in str(error.value)


def test_tiff_and_bmp_are_read_too(tmp_path):
  for side in 'AB':
    (tmp_path / side).mkdir()
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / side / 'deep.tif')
    picture(tmp_path / side / 'b.bmp', (8, 8), 90)
  found = datasets.load('pairs', data_dir=str(tmp_path), cache_dir=str(tmp_path / 'cache'))
  for name in ('image', 'target'):
    assert sorted(found.arrays[name][:, 0, 0, 0]) == [90, round(40_000 * 255 / 65535)]


def test_two_domains_of_different_sizes(tmp_path):
  for side, colours in (('A', (1, 2, 3)), ('B', (101, 102))):
    for i, colour in enumerate(colours):
      picture(tmp_path / f'train{side}' / f'{i}.png', (8 + i, 8), colour)
  found = datasets.load(
    'unpaired', data_dir=str(tmp_path), cache_dir=str(tmp_path / 'cache'), resolution=8
  )
  batch = found.fetch(np.arange(found.size))
  assert found.size == 3 and not found.paired
  assert sorted(batch['image'][:, 0, 0, 0]) == [1, 2, 3]
  assert set(batch['target'][:, 0, 0, 0]) == {101, 102}
  with pytest.raises(DataError, match='testA is not a folder'):
    datasets.load('unpaired', data_dir=str(tmp_path), split='test', resolution=8)


def test_names_of_tensorflow_datasets(monkeypatch):
  asked = []
  stand_in = pairs.from_arrays(
    'x', {'image': np.zeros((2, 4, 4, 3), np.uint8), 'label': np.zeros(2, np.int32)}, (), ''
  )
  load = lambda name, **options: asked.append((name, options['split'])) or stand_in
  monkeypatch.setattr(unpaired.tfds, 'load', load)
  datasets.load('unpaired', 'cycle_gan/horse2zebra', split='train[:50%]')
  assert asked == [
    ('cycle_gan/horse2zebra', 'trainA[:50%]'),
    ('cycle_gan/horse2zebra', 'trainB[:50%]'),
  ]


@pytest.mark.parametrize(
  'options, message',
  [
    ({'source': 'pairs', 'name': 'emojis'}, "no pairs 'emojis'; there are"),
    ({'source': 'pairs', 'name': 'emoji', 'split': 'val'}, 'emoji has train and test'),
    ({'source': 'pairs', 'data_dir': 'nowhere'}, 'data_dir=nowhere is not a folder'),
    ({'source': 'unpaired'}, 'needs name=emoji'),
    ({'source': 'pairs', 'name': 'emoji', 'direction': 'AB'}, 'give AtoB or BtoA'),
  ],
)
def test_one_clear_line(options, message):
  with pytest.raises(DataError, match=message) as error:
    datasets.load(**options)
  assert '\n' not in str(error.value)


def test_the_check_lists_what_does_not_pair_or_open(tmp_path, capsys):
  sheet = tmp_path / 'sheet.png'
  told = lambda root, *words: (
    check.main([str(root), '--resolution=8', f'--preview={sheet}', *words]),
    capsys.readouterr(),
  )
  beside = tmp_path / 'beside'
  for i in range(3):
    picture(beside / f'{i}.png', (16, 8), 40 * i)
  code, out = told(beside)
  assert code == 0 and '3 pairs' in out.out and '0 pictures that do not' in out.out
  sheet.unlink()
  picture(beside / 'odd.png', (7, 8))
  (beside / 'no.png').write_text('no picture')
  code, out = told(beside)
  assert code == 1 and sheet.exists()  # of the others
  assert 'odd.png: 7x8 is no two pictures side by side' in out.out
  assert 'no.png: not a picture' in out.out and '2 pictures that do not' in out.out
  for name in ('A/x', 'B/x', 'A/y', 'B/z'):
    picture(tmp_path / 'names' / f'{name}.png')
  code, out = told(tmp_path / 'names')
  assert code == 1 and '1 pairs' in out.out
  assert 'A/y: has no partner of its name in B' in out.out
  assert 'B/z: has no partner of its name in A' in out.out
  assert told(tmp_path / 'nowhere')[0] == 2
  assert told(beside, '--resolution=0')[0] == 2
  assert told(beside, '--split=test')[1].err.count('\n') == 1
  code, out = told(beside, '--split=train[:50%]')
  assert code == 2 and out.err.endswith('checked as a whole; give --split=train\n')


def test_the_check_of_two_domains(tmp_path, capsys):
  for side, count in (('A', 9), ('B', 2)):
    for i in range(count):
      picture(tmp_path / f'train{side}' / f'{i}.png', (8 + i, 8), 200 if side == 'A' else 20)
  sheet = tmp_path / 'sheet.png'
  words = [str(tmp_path), '--resolution=8', f'--preview={sheet}']
  assert check.main(words) == 0
  assert '9 pictures in trainA and 2 pictures in trainB' in capsys.readouterr().out
  drawn = np.asarray(Image.open(sheet)).reshape(-1, 3)
  cell = 8 * 8 * (12 * 12)  # pixels, each enlarged
  assert (drawn == 200).all(-1).sum() == 9 * cell and (drawn == 20).all(-1).sum() == 2 * cell
  (tmp_path / 'trainB' / 'no.png').write_text('no picture')
  assert check.main(words) == 1 and 'trainB/no.png: not a picture' in capsys.readouterr().out
  assert check.main([*words, '--split=test']) == 2  # neither two domains nor pairs
  capsys.readouterr()
  picture(tmp_path / 'testA' / 'a.png')
  assert check.main([*words, '--split=test']) == 2
  assert 'has no folder testB' in capsys.readouterr().err


@pytest.mark.parametrize('options', [{'flip': True}, {'load_size': 20}])
def test_pictures_of_two_domains_have_crop_and_mirror_each_its_own(options):
  images = jnp.asarray(RNG.integers(0, 256, (64, 16, 16, 3), np.uint8))
  batch, key = {'image': images, 'target': images}, jax.random.key(0)
  pair = datasets.preprocess(batch, key, **options)
  own = datasets.preprocess(batch, key, **options, paired=False)
  np.testing.assert_array_equal(own['image'], pair['image'])
  same = (own['target'] == own['image']).all((1, 2, 3))
  chance = 1 / 2 if 'flip' in options else 1 / 25
  assert abs(float(same.mean()) - chance) < 0.2


def test_crop_and_mirror_are_the_same_for_both_of_a_pair():
  images = jnp.asarray(RNG.integers(0, 256, (6, 16, 16, 3), np.uint8))
  batch = {'image': images, 'target': images, 'label': jnp.zeros(6)}
  moved = datasets.preprocess(batch, jax.random.key(0), flip=True, load_size=20)
  np.testing.assert_array_equal(moved['image'], moved['target'])
  plain = datasets.preprocess(batch, jax.random.key(0))['image']
  assert moved['image'].shape == plain.shape and np.abs(moved['image']).max() <= 1
  large = jax.image.resize(plain, (6, 20, 20, 3), 'cubic').clip(-1, 1)
  corners = set()
  for x, whole in zip(moved['image'], large):
    at = [
      (top, left)
      for top in range(5)
      for left in range(5)
      for window in [whole[top : top + 16, left : left + 16]]
      if np.allclose(x, window, atol=1e-5) or np.allclose(x, window[:, ::-1], atol=1e-5)
    ]
    assert len(at) == 1
    corners.update(at)
  assert len(corners) > 2
  with pytest.raises(ValueError, match='load_size=8; pictures have 16'):
    datasets.preprocess(batch, jax.random.key(0), load_size=8)
  small = {**batch, 'image': images[:, ::2, ::2]}
  assert datasets.preprocess(small, jax.random.key(0), flip=True)['image'].shape == (6, 8, 8, 3)
  with pytest.raises(ValueError, match='targets of another size'):
    datasets.preprocess(small, jax.random.key(0), load_size=20)

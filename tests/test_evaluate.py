"""The evaluate command: scores of pictures and of runs, with their stamps, and one line for every mistake."""

import json
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import flags

from jaxgan import datasets, evaluate, measures, parallel, plots, scores, scoring
from jaxgan.config import ConfigError
from jaxgan.datasets import DataError
from jaxgan.metrics import inception_score
from jaxgan.metrics.features import Extractor

FACES = 'pixel_faces'


@pytest.fixture(scope='module')
def reference():
  """2,000 faces; the rest is what they are compared with."""
  whole = evaluate.read(FACES)
  return whole._replace(images=whole.images[:2000], labels=whole.labels[:2000])


def judge_by_pixels(reference, folder, **settings):
  """A judge by the pixels themselves, which no network has to learn."""
  pixels = lambda params, x: {'features': x[:, ::2, ::2].reshape(len(x), -1) / 127.5 - 1}
  network = Extractor('pixels', 64 * '0', 'none', {'features': 192}, 'features', pixels, None)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(scoring, 'extractor_of', lambda *arguments: network)
    made = scoring.Judge(reference, cache_dir=str(folder), **settings)
    assert made.extractor is network
  return made


@pytest.fixture(scope='module')
def judge(reference, tmp_path_factory):
  return judge_by_pixels(reference, tmp_path_factory.mktemp('cache'), n=1000)


@pytest.fixture
def looks(monkeypatch):
  """Numbers of the pictures whose features are taken."""
  counts, extract = [], scoring.extract
  counted = lambda e, images, *a, **k: counts.append(len(images)) or extract(e, images, *a, **k)
  monkeypatch.setattr(scoring, 'extract', counted)
  return counts


def test_other_real_pictures_score_better_than_damaged_ones(judge):
  images = evaluate.read(FACES).images[2000:3000]
  noisy = np.random.default_rng(0).normal(0, 60, images.shape) + images
  noisy = np.clip(noisy, 0, 255).astype(np.uint8)
  good, bad = ({r.stamp.metric: r for r in judge(x)} for x in (images, noisy))
  assert list(good) == scoring.DEFAULT
  for name in ('frechet_distance', 'kernel_distance'):
    assert good[name].value < bad[name].value / 5, name
  for name in ('precision', 'coverage', 'density'):
    assert good[name].value > bad[name].value + 0.3, name
  assert good['recall'].value > 0.7
  assert abs(good['kernel_distance'].value) < 6 * good['kernel_distance'].error
  assert scores.difference(good['precision'], bad['precision']) > 0.3


def test_the_stamp_says_what_was_measured(judge):
  record = judge(evaluate.read(FACES).images[2000:2200], config='abc')[2]
  stamp = record.stamp
  assert (stamp.metric, stamp.count, stamp.reference, stamp.reference_count) == (
    'precision',
    200,
    judge.reference.name,
    1000,
  )
  assert judge.reference.name.startswith(f'{FACES}@') and stamp.split == 'train'
  assert stamp.settings == (('k', 5),) and stamp.config == 'abc' and len(stamp.sha256) == 64
  assert stamp.commit == scores.commit() != '' and record.interval is None
  fewer = judge(evaluate.read(FACES).images[2000:2100], config='abc')[2]
  with pytest.raises(scores.ScoreError, match='count 200 and 100'):
    scores.difference(record, fewer)


def test_the_inception_score_is_of_logits_without_bias_and_its_stamp_says_so(reference, tmp_path):
  def apply(params, x):
    flat = x.reshape(len(x), -1) / 64.0
    logits = flat[:, :12]
    return {'features': flat, 'logits_unbiased': logits, 'logits': logits + jnp.arange(12.0)}

  taps = {'features': 768, 'logits_unbiased': 12, 'logits': 12}
  network = Extractor('net', 64 * '0', 'none', taps, 'features', apply, None)
  images = reference.images[:200]
  logits = images.reshape(200, -1)[:, :12] / 64.0
  metrics = ('inception_score', 'kernel_distance')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(scoring, 'extractor_of', lambda *arguments: network)
    made = scoring.Judge(reference, metrics=metrics, n=300, cache_dir=str(tmp_path))
    score, kernel = made(images)
    assert score.value == pytest.approx(inception_score(logits).mean, rel=1e-6)
    assert score.stamp.title == 'inception_score(net/logits_unbiased)'
    assert score.stamp.tap == 'logits_unbiased' and kernel.stamp.tap == 'features'
    network = network._replace(taps={'features': 768, 'logits': 12})
    other = scoring.Judge(reference, metrics=metrics, n=300, cache_dir=str(tmp_path))(images)[0]
  assert other.stamp.tap == 'logits' and other.value != pytest.approx(score.value, rel=1e-3)
  assert dict(score.stamp.settings) == {'splits': 10, 'shuffle': True, 'seed': 2020}
  told = dict(kernel.stamp.settings)
  assert (told['kernel'], told['degree'], told['gamma'], told['coef0']) == (
    'polynomial',
    3,
    '1/D',
    1,
  )
  assert (told['subsets'], told['error_subsets']) == ('whole', 10)


def test_labels_and_content_are_the_identity_of_pictures(reference):
  name = scoring.named(reference).name
  shifted = reference._replace(labels=(reference.labels + 1) % 9)
  assert scoring.named(reference).name == name != scoring.named(shifted).name
  assert scoring.named(reference._replace(classes=reference.classes[::-1])).name != name
  assert scoring.named(reference.at(np.arange(10))).name != name


@pytest.mark.parametrize(
  ('settings', 'says'),
  [
    ({'metrics': ()}, 'no metrics; expected some of'),
    ({'metrics': ('copied',)}, 'copied needs real pictures that training did not see'),
    ({'metrics': ('recall',), 'k': 0}, 'recall: k=0 neighbours'),
    ({'metrics': ('recall',), 'k': 50}, 'recall: k=50 neighbours'),
    ({'metrics': ('inception_score',), 'count': 9}, '9 samples against 60 real .* 10 needed'),
    ({'metrics': ('intra_class_frechet',), 'classes': ()}, 'samples have none, the reference 9'),
    ({'shape': (8, 8, 3)}, r'samples of \(8, 8, 3\), reference of \(16, 16, 3\)'),
  ],
)
def test_what_does_not_fit_is_refused_before_a_classifier_is_trained(
  reference, monkeypatch, settings, says
):
  monkeypatch.setattr(scoring, 'extractor_of', lambda *arguments: pytest.fail('trained'))
  count, shape = settings.pop('count', 50), settings.pop('shape', (16, 16, 3))
  classes = settings.pop('classes', reference.classes)
  blank = np.broadcast_to(np.uint8(0), (count, *shape))
  like = measures.Pictures('samples', '', blank, np.zeros(count, int), classes)
  with pytest.raises(ConfigError, match=says):
    scoring.Judge(reference, n=60, expected=like, **settings)
  scoring.Judge(reference, n=60)


def test_pictures_of_another_size_are_refused(judge):
  with pytest.raises(ConfigError, match=r'samples of \(8, 8, 3\), reference of \(16, 16, 3\)'):
    judge(np.zeros((20, 8, 8, 3), np.uint8))
  with pytest.raises(ConfigError, match=r'held-out pictures of \(8, 8, 3\), reference of \(16,'):
    small = judge.reference._replace(images=np.zeros((1000, 8, 8, 3), np.uint8))
    scoring.Judge(judge.reference, metrics=['copied'], held_out=small)
  with pytest.raises(
    ConfigError, match='precision: k=5 neighbours need more than k points, not 1000 and 3'
  ):
    judge(np.zeros((3, 16, 16, 3), np.uint8))


def test_moments_of_the_reference_are_shared_and_spare_its_features(reference, tmp_path, looks):
  images = reference.images[:60]
  settings = {'n': 1000, 'metrics': ('frechet_distance',)}
  score = lambda **more: judge_by_pixels(reference, tmp_path, **{**settings, **more})(images)[0]
  first = score()
  assert looks == [60, 1000] or looks == [1000, 60]
  looks.clear()
  assert score() == first and looks == [60]
  looks.clear()
  one, sure = first.value, score(resamples=2)  # halves need the features themselves
  assert sorted(looks) == [60, 1000] and sure.value == one and sure.resamples == 2
  looks.clear()
  assert score(n=900).value != one and sorted(looks) == [60, 900]  # another reference
  looks.clear()
  (kept,) = (p for p in (tmp_path / 'moments').iterdir() if np.load(p)['size'] == 1000)
  kept.write_bytes(kept.read_bytes()[:999])
  assert score().value == one and sorted(looks) == [60, 1000]
  looks.clear()
  assert score().value == one and looks == [60]


def test_one_device_and_two_give_the_same_scores(reference, tmp_path, monkeypatch):
  images = evaluate.read(FACES).images[2000:2301]
  two = judge_by_pixels(reference, tmp_path / 'two', n=501)(images)
  devices = jax.local_devices()
  assert len(devices) == 2  # see conftest
  monkeypatch.setattr(jax, 'local_devices', lambda: devices[:1])
  assert parallel.local_batches().num_devices == 1
  one = judge_by_pixels(reference, tmp_path / 'one', n=501)(images)
  for a, b in zip(one, two):
    assert a.stamp == b.stamp
    assert a.value == pytest.approx(b.value, rel=1e-5, abs=1e-6), a.stamp.metric


def test_metrics_of_pixels_need_no_network(reference, tmp_path, looks):
  metrics = ('ms_ssim_diversity', 'patch_swd')
  made = scoring.Judge(reference, 'inception', metrics, 200, cache_dir=str(tmp_path))
  found = made(reference.images[:200])
  assert [r.stamp.title for r in found] == ['ms_ssim_diversity(pixels)', 'patch_swd(pixels)']
  assert dict(found[0].stamp.settings) == {'pairs': 1000, 'within_class': False} and not looks
  assert dict(found[1].stamp.settings) == {'patches': 128, 'count_each': 200}
  assert dict(made(reference.images[:90])[1].stamp.settings)['count_each'] == 90


def test_samples_in_classes_and_pictures_that_training_did_not_see(reference, tmp_path):
  rest = evaluate.read(f'{FACES}:train[2000:2600]')
  np.testing.assert_array_equal(rest.images, evaluate.read(FACES).images[2000:2600])
  metrics = ('memorisation', 'copied', 'intra_class_frechet')
  made = judge_by_pixels(reference, tmp_path, n=500, metrics=metrics, held_out=rest)
  learnt = reference.at(np.arange(0, 2000, 4))
  c_t, copied, within = made(learnt.images, 0.0, learnt.labels, learnt.classes)
  assert c_t.value < -10 and copied.value == 1  # though 500 of the 2,000 are the reference
  told = dict(copied.stamp.settings)
  assert told['train_count'] == 2000 and told['held_out_count'] == 500
  assert copied.stamp.reference_count == 500 and copied.error == 0
  swapped = made(learnt.images, 0.0, (learnt.labels + 1) % 9, learnt.classes)[2]
  assert within.value < 0.6 * swapped.value
  with pytest.raises(ConfigError, match='samples have none, the reference 9'):
    made(learnt.images)


def test_held_out_pictures_that_are_in_the_reference_are_refused(reference):
  other = reference._replace(name='copies', images=reference.images[::-1].copy())
  with pytest.raises(ConfigError, match=r'2,000 of 2,000 .*copies train.* share none'):
    scoring.Judge(reference, metrics=['copied'], held_out=other)
  scoring.Judge(reference, metrics=['classification_accuracy_score'], held_out=other)
  twins = evaluate.read(f'{FACES}:train[1990:2600]')  # a few, as data sets have
  scoring.Judge(reference, metrics=['copied'], held_out=twins)


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
  """Some faces as a folder of pictures, and as an npz file."""
  root = tmp_path_factory.mktemp('pictures')
  images = datasets.load('embedded', FACES).fetch(np.arange(40))['image']
  for i, image in enumerate(images):
    plots.save(root / 'faces' / f'{i:03d}.png', image)
  np.savez(root / 'faces.npz', images)
  np.savez(root / 'floats.npz', image=images / 255.0)
  np.savez(root / 'labels.npz', image=images, label=np.zeros(3, int))
  np.savez(root / 'classes.npz', image=images, label=np.arange(40) % 3)
  np.savez(root / 'ids.npz', image=images, label=np.arange(40) * 10**9)
  np.savez(root / 'few.npz', image=images, label=np.arange(40) % 3, class_names=['a', 'b'])
  np.savez(root / 'many.npz', image=images, label=np.arange(40) * 2)
  np.savez(root / 'named.npz', image=images, label=np.arange(40) % 3, class_names=['a', 'b', 'c'])
  (root / 'broken.npz').write_bytes(b'PK nothing')
  with (root / 'single.npz').open('wb') as file:
    np.save(file, images)
  return root


def test_folders_and_files_hold_the_same_pictures(folders):
  one, two = (evaluate.read(str(folders / name)) for name in ('faces', 'faces.npz'))
  assert sorted(x.tobytes() for x in one.images) == sorted(x.tobytes() for x in two.images)
  assert one.classes == two.classes == ()
  numbers, names = (evaluate.read(str(folders / f'{n}.npz')) for n in ('classes', 'named'))
  assert numbers.classes == ('0', '1', '2') and names.classes == ('a', 'b', 'c')
  np.testing.assert_array_equal(names.labels, np.arange(40) % 3)


def test_pictures_of_several_sizes_are_scaled_to_the_one_asked_for(folders, tmp_path):
  for side in (8, 16):
    plots.save(tmp_path / 'mixed' / f'{side}.png', np.full((side, side, 3), side, np.uint8))
  with pytest.raises(DataError, match=r'several sizes, .* give --resolution'):
    evaluate.read(str(tmp_path / 'mixed'), str(tmp_path))
  made = evaluate.read(str(tmp_path / 'mixed'), str(tmp_path), resolution=32)
  assert made.images.shape == (2, 32, 32, 3) and {*made.images.ravel()} == {8, 16}
  assert evaluate.read(FACES, resolution=32).images.shape[1:] == (32, 32, 3)
  assert evaluate.read(str(folders / 'faces.npz'), resolution=16).images.shape[1:3] == (16, 16)
  with pytest.raises(ConfigError, match=r'\(16, 16, 3\), which --resolution=32 does not scale'):
    evaluate.read(str(folders / 'faces.npz'), resolution=32)


@pytest.mark.parametrize(
  'name, says',
  [
    ('nothing', 'is no folder and no .npz file; of embedded data sets'),
    ('floats.npz', r'image is float64 .*; expected uint8 \[N, H, W, 1 or 3\]'),
    ('labels.npz', r'label is int64 \(3,\); expected 40 class numbers'),
    ('ids.npz', 'label goes up to 39000000000; expected class numbers below 65,536'),
    ('few.npz', 'label goes up to 2, but class_names has 2; expected a name for each of 0 to 2'),
    ('broken.npz', 'cannot be read as .npz'),
    ('single.npz', 'is a single array of .npy'),
  ],
)
def test_what_cannot_be_read_is_one_line(folders, name, says):
  with pytest.raises(ConfigError, match=says):
    evaluate.read(str(folders / name))


def test_opened_folders_are_kept_where_the_cache_is(folders, tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'home'))
  evaluate.read(str(folders / 'faces'), str(tmp_path / 'cache'))
  assert list((tmp_path / 'cache').iterdir()) and not (tmp_path / 'home').exists()


def test_a_classifier_needs_classes(folders):
  reference = evaluate.read(str(folders / 'faces.npz'))
  with pytest.raises(ConfigError, match=r'has no classes .* give --features=efficientnet'):
    scoring.Judge(reference, features='domain')


def test_a_reference_that_no_classifier_can_learn_from_is_one_line(folders, tmp_path):
  many = evaluate.read(str(folders / 'many.npz'))
  with pytest.raises(ConfigError, match='has 79 classes and 40 pictures'):
    scoring.Judge(many)
  few = evaluate.read(str(folders / 'named.npz')).at(np.arange(12))
  with pytest.raises(ConfigError, match=r'needs 20 pictures .* not 12 and 3; give --features='):
    scoring.Judge(few, k=2, cache_dir=str(tmp_path))(few.images)


def process(*words):
  return subprocess.run(
    [sys.executable, '-m', 'jaxgan.evaluate', *words], capture_output=True, text=True, check=False
  )


@pytest.fixture
def words(folders, tmp_path):
  """Of the command, but for its metrics."""
  words = [f'--samples={folders / "faces"}', f'--reference={FACES}', '--n=40']
  return [*words, f'--output={tmp_path / "made" / "scores.jsonl"}', '--features=efficientnet']


def test_the_command_writes_records(words, tmp_path):
  done = process(*words, '--metrics=precision,recall', '--bootstrap=4')
  assert done.returncode == 0, done.stderr
  assert re.search(r'precision\(efficientnet.*\)  \S+ \[\S+, \S+\]', done.stdout)
  output = tmp_path / 'made' / 'scores.jsonl'
  lines = [json.loads(line) for line in output.read_text().splitlines()]
  assert [line['stamp']['metric'] for line in lines] == ['precision', 'recall']
  for line in lines:
    line.pop('step')
    record = scores.from_json(json.dumps(line))
    assert record.stamp.count == 40 and record.resamples == 4 and len(record.interval) == 2
    assert record.stamp.ema is record.stamp.truncation is record.stamp.step is None
    assert re.fullmatch('faces@[0-9a-f]{8}', record.stamp.samples)


def test_mistakes_in_the_command_are_one_line(words, tmp_path, monkeypatch, capsys):
  before = set(flags.FLAGS)
  monkeypatch.setenv('JAXGAN_INCEPTION', str(tmp_path / 'none.pth'))

  def undefine():
    for name in set(flags.FLAGS) - before:
      delattr(flags.FLAGS, name)

  for wrong, says in (
    ('--metrics=fid', "no metric 'fid'"),
    ('--metrics=', 'no metrics; expected some of'),
    ('--noema', '--ema is of a run'),
    ('--truncation=0.5', '--truncation is of a run'),
    (f'--output={tmp_path}', 'cannot be written'),
    ('--metrics=copied', 'needs real pictures that training did not see; give --held_out='),
    ('--bootstrap=1', 'one half has no spread'),
    ('--features=inception', 'JAXGAN_INCEPTION'),
    ('--workdir=x', 'give --workdir=RUN, or --samples'),
  ):
    monkeypatch.setattr(sys, 'argv', ['evaluate', *words, wrong])
    with pytest.raises(SystemExit) as left:
      evaluate.run()
    told = capsys.readouterr().err
    assert left.value.code == 2 and says in told and told.count('\n') == 1, told
    undefine()

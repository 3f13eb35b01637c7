"""The evaluate command: scores of pictures and of runs, with their stamps, and one line for every mistake."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from jaxgan import datasets, evaluate, plots, scores, scoring
from jaxgan.config import ConfigError
from jaxgan.metrics.features import Extractor

FACES = 'pixel_faces'


@pytest.fixture(scope='module')
def reference():
  """2,000 faces; the rest is what they are compared with."""
  whole = evaluate.read(FACES)
  return whole._replace(images=whole.images[:2000], labels=whole.labels[:2000])


@pytest.fixture(scope='module')
def judge(reference):
  """By the pixels themselves, which no network has to learn."""
  pixels = lambda params, x: {'features': x.reshape(len(x), -1) / 127.5 - 1}
  network = Extractor('pixels', 64 * '0', 'none', {'features': 768}, 'features', pixels, None)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(scoring, 'extractor_of', lambda *arguments: network)
    return scoring.Judge(reference, n=1000)


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
    judge.name,
    1000,
  )
  assert judge.name.startswith(f'{FACES}@') and stamp.split == 'train'
  assert stamp.settings == (('k', 5),) and stamp.config == 'abc' and len(stamp.sha256) == 64
  fewer = judge(evaluate.read(FACES).images[2000:2100], config='abc')[2]
  with pytest.raises(scores.ScoreError, match='count 200 and 100'):
    scores.difference(record, fewer)


def test_pictures_of_another_size_are_refused(judge):
  with pytest.raises(ConfigError, match=r'samples of \(8, 8, 3\), reference of \(16, 16, 3\)'):
    judge(np.zeros((20, 8, 8, 3), np.uint8))
  with pytest.raises(ConfigError, match='3 samples and 1000 real pictures; k=5 needs more'):
    judge(np.zeros((3, 16, 16, 3), np.uint8))


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
  """Some faces as a folder of pictures, and as an npz file."""
  root = tmp_path_factory.mktemp('pictures')
  images = datasets.load('embedded', FACES).fetch(np.arange(40))['image']
  for i, image in enumerate(images):
    plots.save(root / 'faces' / f'{i:03d}.png', image)
  np.savez(root / 'faces.npz', images)
  np.savez(root / 'floats.npz', image=images / 255.0)
  (root / 'broken.npz').write_bytes(b'PK nothing')
  return root


def test_folders_and_files_hold_the_same_pictures(folders):
  one, two = (evaluate.read(str(folders / name)) for name in ('faces', 'faces.npz'))
  assert sorted(x.tobytes() for x in one.images) == sorted(x.tobytes() for x in two.images)
  assert one.classes < 2 and two.classes < 2


@pytest.mark.parametrize(
  'name, says',
  [
    ('nothing', 'is no folder and no .npz file; of embedded data sets'),
    ('floats.npz', r'image is float64 .*; expected uint8 \[N, H, W, 1 or 3\]'),
    ('broken.npz', 'cannot be read as .npz'),
  ],
)
def test_what_cannot_be_read_is_one_line(folders, name, says):
  with pytest.raises(ConfigError, match=says):
    evaluate.read(str(folders / name))


def test_a_classifier_needs_classes(folders):
  reference = evaluate.read(str(folders / 'faces.npz'))
  with pytest.raises(ConfigError, match=r'has no classes .* give --features=efficientnet'):
    scoring.Judge(reference, features='domain')


def command(*words, **variables):
  return subprocess.run(
    [sys.executable, '-m', 'jaxgan.evaluate', *words],
    capture_output=True,
    text=True,
    env={**os.environ, **variables},
    check=False,
  )


def test_the_command_writes_records(folders, tmp_path):
  output = tmp_path / 'made' / 'scores.jsonl'
  words = [f'--samples={folders / "faces"}', f'--reference={FACES}', f'--output={output}']
  done = command(*words, '--metrics=precision,recall', '--n=40', '--features=efficientnet')
  assert done.returncode == 0, done.stderr
  assert 'precision(efficientnet' in done.stdout
  lines = [json.loads(line) for line in output.read_text().splitlines()]
  assert [line['stamp']['metric'] for line in lines] == ['precision', 'recall']
  for line in lines:
    line.pop('step')
    assert scores.from_json(json.dumps(line)).stamp.count == 40
  for wrong, says in (
    (['--metrics=fid'], "no metric 'fid'"),
    (['--features=inception'], 'JAXGAN_INCEPTION'),
    (['--workdir=x'], 'give --workdir=RUN, or --samples'),
  ):
    done = command(*words, *wrong, JAXGAN_INCEPTION=str(tmp_path / 'none.pth'))
    assert done.returncode == 2 and says in done.stderr and 'Traceback' not in done.stderr

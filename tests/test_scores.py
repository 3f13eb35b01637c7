"""Scores as records: what may be called FID, what compares, what is refused, what is kept."""

import dataclasses
import json
import subprocess

import numpy as np
import pytest

from jaxgan import scores
from jaxgan.metrics import moments
from jaxgan.metrics.features import inception
from jaxgan.scores import Score, ScoreError, Stamp

FID = Stamp(
  metric='frechet_distance',
  extractor='inception_v3_fid',
  sha256=inception.SHA256,
  tap='2048',
  resizer=inception.RESIZER,
  reference='cifar10',
  split='train',
  reference_count=50,
  count=60,
  truncation=0.0,
  ema=True,
  step=5,
)
OTHER = {int: 7, float: 0.5, bool: False, str: 'other', tuple: (('k', 3),)}


@pytest.mark.parametrize('field', ['metric', 'sha256', 'tap', 'resizer'])
def test_only_the_frechet_distance_on_the_fid_inception_is_a_fid(field):
  assert FID.title == 'FID'
  other = dataclasses.replace(FID, **{field: 'other'})
  assert 'FID' not in other.title and other.tap in other.title


@pytest.mark.parametrize('field', [f.name for f in dataclasses.fields(Stamp)])
def test_unlike_scores_do_not_compare(field):
  given = OTHER[type(getattr(FID, field))]
  one, two = Score(5.0, FID), Score(3.5, dataclasses.replace(FID, **{field: given}))
  if field in ('config', 'commit', 'step', 'samples'):
    assert scores.difference(one, two) == 1.5
    return
  with pytest.raises(ScoreError, match=f'differ in {field} ') as error:
    scores.difference(one, two)
  assert '\n' not in str(error.value) and repr(given) in str(error.value)


def test_every_differing_field_is_named():
  two = dataclasses.replace(FID, split='test', count=9, ema=False)
  assert list(scores.differing(FID, two)) == ['split', 'count', 'ema']


def test_what_nobody_knows_of_pictures_does_not_part_them_from_a_run():
  foreign = dataclasses.replace(FID, ema=None, truncation=None, step=None, samples='a.npz@12')
  assert scores.difference(Score(5.0, FID), Score(3.5, foreign)) == 1.5
  assert scores.differing(foreign, dataclasses.replace(FID, seed=3)) == {'seed': (0, 3)}


def test_records_are_json_where_numbers_are_not_finite(tmp_path):
  score = Score(np.nan, FID, np.nan, (np.nan, 1.0), 2)
  refuse = lambda word: pytest.fail(f'{word} is no JSON')
  assert json.loads(scores.to_json(score), parse_constant=refuse)['error'] is None
  again = scores.from_json(scores.to_json(score))
  assert np.isnan(again.value) and again.error is None and np.isnan(again.interval[0])
  assert Score(2.5, FID, np.nan).told == '2.5'
  for _ in range(2):
    scores.append(tmp_path / 'new' / 'scores.jsonl', [score])
  lines = (tmp_path / 'new' / 'scores.jsonl').read_text().splitlines()
  assert [json.loads(line, parse_constant=refuse)['step'] for line in lines] == [5, 5]
  with pytest.raises(ScoreError, match='cannot be written'):
    scores.append(tmp_path, [])


def test_a_record_goes_through_json_and_says_what_it_is():
  score = Score(2.5, dataclasses.replace(FID, settings=(('k', 5), ('mode', 'x'))), 0.25)
  assert scores.from_json(scores.to_json(score)) == score
  assert str(score) == 'FID 2.5 ± 0.25 (60 samples, cifar10 train 50)'
  sure = dataclasses.replace(score, interval=(2.0, 3.0), resamples=9)
  assert scores.from_json(scores.to_json(sure)) == sure and sure.told == '2.5 ± 0.25 [2, 3]'
  for text in ('', '{}', '[1]', scores.to_json(score).replace('"tap"', '"tip"')):
    with pytest.raises(ScoreError, match='no record of a score'):
      scores.from_json(text)


def test_moments_that_cannot_be_kept_are_computed_every_time(tmp_path):
  (tmp_path / 'file').write_text('no folder')
  calls = []

  def compute():
    calls.append(1)
    return moments(np.random.default_rng(0).normal(size=(50, 4)))

  for _ in range(2):
    with pytest.warns(UserWarning, match='cannot keep the moments'):
      found, _ = scores.reference_moments(tmp_path / 'file', FID, compute)
  assert len(calls) == 2 and found.size == 50


def checkout(root, monkeypatch):
  """A package in a repository of its own, which `scores.commit` takes for jaxgan; runs git there."""
  (root / 'package').mkdir(parents=True)
  (root / 'package' / '__init__.py').write_text('1')
  monkeypatch.setattr(scores.jaxgan, '__file__', str(root / 'package' / '__init__.py'))
  who = [word for key in ('user.name=a', 'user.email=a@b') for word in ('-c', key)]
  git = lambda *words: subprocess.check_output(['git', *who, *words], cwd=root, text=True).strip()
  git('init', '-q')
  git('add', '.')
  git('commit', '-qm', 'one', '--no-verify')
  return git


def test_the_commit_is_that_of_the_checkout(tmp_path, monkeypatch):
  git = checkout(tmp_path / 'one', monkeypatch)
  git('tag', '-a', 'v1', '-m', 'v1')
  told, head = scores.commit.__wrapped__, git('rev-parse', 'HEAD')
  monkeypatch.setenv('GIT_DIR', str(tmp_path))  # as in a hook of another repository
  assert told() == head[:12]
  (tmp_path / 'one' / 'new').write_text('not of the code yet')
  assert told() == head[:12]
  (tmp_path / 'one' / 'package' / '__init__.py').write_text('2')
  assert told() == head[:12] + '+'


def test_without_git_the_commit_is_the_version(tmp_path, monkeypatch):
  checkout(tmp_path / 'one', monkeypatch)
  told = scores.commit.__wrapped__
  monkeypatch.setenv('PATH', str(tmp_path))
  assert told() == scores.jaxgan.__version__  # no git
  monkeypatch.undo()
  monkeypatch.setattr(scores.jaxgan, '__file__', str(tmp_path / 'site-packages' / 'jaxgan' / 'x'))
  assert told() == scores.jaxgan.__version__  # no checkout


def test_reference_moments_are_computed_once_for_each_way_of_measuring(tmp_path):
  calls = []

  def compute():
    calls.append(1)
    return moments(np.random.default_rng(0).normal(size=(50, 4)))

  first, path = scores.reference_moments(tmp_path / 'new', FID, compute)
  whose = dataclasses.replace(FID, config='mine', seed=9, count=3)
  second, again = scores.reference_moments(tmp_path / 'new', whose, compute)
  assert len(calls) == 1 and path == again
  np.testing.assert_array_equal(first.cov, second.cov)
  assert second.size == 50 and len(list(path.parent.iterdir())) == 1
  for field in ('sha256', 'tap', 'resizer', 'reference', 'split', 'dtype'):
    scores.reference_moments(path.parent, dataclasses.replace(FID, **{field: 'other'}), compute)
  assert len(calls) == 7
  path.write_bytes(path.read_bytes()[:100])
  third, _ = scores.reference_moments(path.parent, FID, compute)
  assert len(calls) == 8
  np.testing.assert_array_equal(first.mean, third.mean)
  whole = path.read_bytes()
  at = whole.index(first.cov.tobytes())
  for start, byte in ((at, b'\x55'), (whole.index(b'PK\x01\x02') + 10, b'\x63')):  # array, method
    path.write_bytes(whole[:start] + byte + whole[start + 1 :])
    again, _ = scores.reference_moments(path.parent, FID, compute)
    np.testing.assert_array_equal(first.cov, again.cov)
  assert len(calls) == 10
  with pytest.raises(ScoreError, match='moments of 50 pictures; the stamp says reference_count=8'):
    scores.reference_moments(path.parent, dataclasses.replace(FID, reference_count=8), compute)

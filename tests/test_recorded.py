"""The comparison with recorded sums: what it sees, at the tolerances of entries."""

import numpy as np
import pytest

from tests import recorded
from tests.recorded import Sums

RNG = np.random.default_rng(0)
GRADIENT = RNG.standard_normal((16, 12, 3, 3)) * np.exp(RNG.normal(size=(16, 12, 1, 1)))


def kept(x):
  return Sums(x.shape, recorded.sums(x).astype(np.float32))


def seen(ours, theirs=GRADIENT):
  try:
    recorded.close(ours, kept(theirs))
  except AssertionError:
    return True
  return False


def test_the_same_and_its_rounding_pass():
  assert not seen(GRADIENT)
  noise = RNG.uniform(-1, 1, GRADIENT.shape)
  assert not seen(GRADIENT + 0.03 * (1e-5 + 1e-4 * np.abs(GRADIENT)) * noise)


def test_every_single_entry_is_seen_at_its_own_tolerance():
  tolerance = 1e-5 + 1e-4 * np.abs(GRADIENT)  # and the rounding of the sums of large entries
  for index in np.ndindex(GRADIENT.shape):
    wrong = GRADIENT.copy()
    wrong[index] += 1.2 * tolerance[index] * RNG.choice([-1, 1])
    assert seen(wrong)


@pytest.mark.parametrize(
  'change',
  [
    lambda x: x.swapaxes(2, 3),
    lambda x: x[:, :, ::-1],
    lambda x: x[:, [1, 0, *range(2, 12)]],
    lambda x: np.roll(x, 1, 0),
    lambda x: x * 1.0001,
    lambda x: x + 3e-5,
    lambda x: np.where(np.arange(9).reshape(3, 3) == 4, x * 1.0002, x),
    lambda x: x * np.where(np.arange(16)[:, None, None, None] == 3, 1.0005, 1),
    lambda x: np.where(x == x[3, 3, 1, 1], np.nan, x),
    lambda x: x.reshape(12, 16, 3, 3),
  ],
  ids=['axes', 'flip', 'channels', 'shift', 'scale', 'bias', 'tap', 'row', 'nan', 'shape'],
)
def test_what_is_wrong_with_many_entries_is_seen(change):
  assert seen(change(GRADIENT))


def test_a_file_has_sums_of_large_arrays_that_are_named_and_the_others_as_they_are(
  tmp_path, monkeypatch
):
  arrays = {
    'in/x': RNG.normal(size=(10, 10)).astype(np.float32),
    'in/y': np.arange(4),
    'grad/a': RNG.normal(size=(8, 9)),
    'grad/b': RNG.normal(size=(64,)),
    'loss': np.array(2.5),
  }
  recorded.save(tmp_path / 'case.npz', arrays, '^grad/')
  monkeypatch.setattr(recorded, 'GOLDEN', tmp_path)
  read = recorded.read('case')
  assert list(read) == list(arrays)
  kept = read.pop('grad/a')
  assert kept.shape == (8, 9) and kept.values.shape == (7, 3)
  recorded.close(arrays['grad/a'], kept)
  for name, x in read.items():
    np.testing.assert_array_equal(x, arrays[name])
    assert x.dtype == arrays[name].dtype


def test_the_way_back_from_a_layout():
  theirs = {'conv': RNG.normal(size=(5, 4, 3, 3)), 'gamma': RNG.normal(size=1), 'u': np.ones(7)}
  convert = lambda x: {
    'kernel': x['conv'].transpose(2, 3, 1, 0).astype(np.float32),
    'g': x['gamma'][0],
  }
  back = recorded.undo(convert, theirs)(convert(theirs))
  np.testing.assert_allclose(back['conv'], theirs['conv'], rtol=1e-6)
  np.testing.assert_array_equal(back['gamma'], theirs['gamma'])
  assert np.isnan(back['u']).all()

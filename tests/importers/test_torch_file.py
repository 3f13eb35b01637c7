"""The .pth reader: both formats, every kind of tensor, and files that are not to be trusted."""

import collections
import os
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest

from jaxgan.importers import WeightsError, torch_file

from .torch_files import Tensor, save

LEGACY = pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])


@LEGACY
def test_dtypes_views_and_parameters(tmp_path, legacy):
  shared = np.arange(24, dtype=np.float32)
  arrays = {
    'double': np.linspace(0, 1, 6).reshape(2, 3),
    'half': np.array([1.5, -2.0], np.float16),
    'bfloat': np.array([1.5, -3.0], ml_dtypes.bfloat16),
    'long': np.array([1, 2**40]),
    'bool': np.array([True, False]),
    'scalar': np.array(7.0, np.float32),
    'empty': np.zeros((0, 3), np.float32),
  }
  content = collections.OrderedDict((name, Tensor(value)) for name, value in arrays.items())
  content['transposed'] = Tensor(shared, (4, 6), (1, 4))
  content['part'] = Tensor(shared, (2, 2), (6, 1), offset=7, parameter=True)
  content['expanded'] = Tensor(shared, (3, 2), (0, 1))
  save(tmp_path / 'x.pth', content, legacy)
  read = torch_file.read(tmp_path / 'x.pth')
  assert list(read) == list(content)
  for name, value in arrays.items():
    assert read[name].dtype == value.dtype
    np.testing.assert_array_equal(read[name], value)
  np.testing.assert_array_equal(read['transposed'], shared.reshape(6, 4).T)
  np.testing.assert_array_equal(read['part'], [[7, 8], [13, 14]])
  np.testing.assert_array_equal(read['expanded'], [[0, 1]] * 3)
  assert all(value.flags.c_contiguous and value.flags.writeable for value in read.values())


def test_other_byte_order(tmp_path):
  value = np.array([1.0, 2.5, -3.0], np.float32)
  save(tmp_path / 'x.pth', {'w': Tensor(value)}, big_endian=True)
  np.testing.assert_array_equal(torch_file.read(tmp_path / 'x.pth')['w'], value)


def test_nested_dicts(tmp_path):
  one, two = Tensor(np.ones(2, np.float32)), Tensor(np.zeros(3, np.float32))
  for content, names in (
    ({'state_dict': {'w': one}, 'epoch': 3, 'optimizer': {'m': two}}, {'w'}),
    ({'model': {'w': one}, 'config': {'lr': 0.1, 'name': 'x'}}, {'w'}),
    ({'G': {'w': one}, 'D': {'w': two}}, {'G.w', 'D.w'}),
    ({'state': {0: {'m': one}}, 'param_groups': [{'lr': 1}]}, {'m'}),
  ):
    save(tmp_path / 'x.pth', content)
    assert set(torch_file.read(tmp_path / 'x.pth')) == names


class Evil:
  """Pickles to a call of os.mkdir."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return os.mkdir, (str(self.path),)


@LEGACY
def test_nothing_in_the_file_is_run(tmp_path, legacy):
  content = {'w': Tensor(np.ones(2, np.float32)), 'extra': Evil(tmp_path / 'made')}
  save(tmp_path / 'x.pth', content, legacy)
  with pytest.raises(WeightsError, match=r'x\.pth: names posix\.mkdir, .* is not run') as error:
    torch_file.read(tmp_path / 'x.pth')
  assert '\n' not in str(error.value)
  assert not (tmp_path / 'made').exists()


@LEGACY
def test_a_tensor_outside_its_storage_is_refused(tmp_path, legacy):
  storage = np.zeros(6, np.float32)
  for view in (
    ((2, 3), (3, 1), 1),
    ((2,), (6,), 0),
    ((2,), (-1,), 1),
    ((2**40,), (0,), 0),
    ((2,), (1,), -1),
  ):
    size, stride, offset = view
    save(tmp_path / 'x.pth', {'w': Tensor(storage, size, stride, offset)}, legacy)
    with pytest.raises(WeightsError, match='does not fit its storage of 6 elements'):
      torch_file.read(tmp_path / 'x.pth')


@LEGACY
def test_every_truncation_is_an_error(tmp_path, legacy):
  path = tmp_path / 'x.pth'
  save(path, {'w': Tensor(np.ones(50, np.float32)), 'b': Tensor(np.ones(3, np.float32))}, legacy)
  whole = path.read_bytes()
  for cut in range(0, len(whole), 7):
    path.write_bytes(whole[:cut])
    with pytest.raises(WeightsError, match=r'x\.pth: ') as error:
      torch_file.read(path)
    assert '\n' not in str(error.value)


def test_a_flipped_byte_in_a_zip_is_an_error(tmp_path):
  path = tmp_path / 'x.pth'
  save(path, {'w': Tensor(np.full(64, 3.0, np.float32))})
  broken = bytearray(path.read_bytes())
  broken[broken.index(np.full(64, 3.0, np.float32).tobytes()) + 9] ^= 1
  path.write_bytes(broken)
  with pytest.raises(WeightsError, match=r'damaged one .*CRC'):
    torch_file.read(path)


def test_files_of_other_kinds(tmp_path):
  path = tmp_path / 'x.pth'
  with pytest.raises(WeightsError, match='no such file'):
    torch_file.read(path)
  with pytest.raises(WeightsError, match='is a folder'):
    torch_file.read(tmp_path)
  path.write_text('hello')
  with pytest.raises(WeightsError, match='not a PyTorch file'):
    torch_file.read(path)
  path.write_bytes(pickle.dumps({'w': 1}) * 3)
  with pytest.raises(WeightsError, match='no magic number'):
    torch_file.read(path)
  with zipfile.ZipFile(path, 'w') as archive:
    archive.writestr('readme.txt', 'hello')
  with pytest.raises(WeightsError, match=r'without data\.pkl'):
    torch_file.read(path)
  save(path, [Tensor(np.ones(2, np.float32))])
  with pytest.raises(WeightsError, match='holds a list; expected a dict of tensors'):
    torch_file.read(path)


@pytest.mark.parametrize('error', [OSError(5, 'input'), RuntimeError('encrypted'), MemoryError()])
def test_whatever_breaks_while_reading_is_one_line(tmp_path, monkeypatch, error):
  def broken(*arguments):
    raise error

  (tmp_path / 'a.pth').write_bytes(b'anything')
  monkeypatch.setattr(torch_file._Legacy, 'load', broken)
  with pytest.raises(WeightsError, match='not a PyTorch file, or a damaged one'):
    torch_file.read(tmp_path / 'a.pth')

"""Reads a PyTorch .pth file into NumPy arrays, without torch and without running what is in it.

A .pth file is a pickle, and a pickle can name any function to be called. Here only the few names that
stand for tensors and containers are known; any other is an error, and nothing in the file is run.
Both formats: the zip of torch >= 1.6 and the stream of pickles before it.
"""

import collections
import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
MAX_ELEMENTS = 2**34  # a tensor of more is not a weight; a tiny file can ask for it by strides of 0

DTYPES = {
  'Double': np.float64,
  'Float': np.float32,
  'Half': np.float16,
  'BFloat16': ml_dtypes.bfloat16,
  'Long': np.int64,
  'Int': np.int32,
  'Short': np.int16,
  'Char': np.int8,
  'Byte': np.uint8,
  'Bool': np.bool_,
  'ComplexFloat': np.complex64,
  'ComplexDouble': np.complex128,
  'Untyped': np.uint8,
}
TYPED = {
  'float64': np.float64,
  'float32': np.float32,
  'float16': np.float16,
  'bfloat16': ml_dtypes.bfloat16,
  'int64': np.int64,
  'int32': np.int32,
  'int16': np.int16,
  'int8': np.int8,
  'uint8': np.uint8,
  'uint16': np.uint16,
  'uint32': np.uint32,
  'uint64': np.uint64,
  'bool': np.bool_,
  'complex64': np.complex64,
  'complex128': np.complex128,
  'float8_e4m3fn': ml_dtypes.float8_e4m3fn,
  'float8_e5m2': ml_dtypes.float8_e5m2,
}
BROKEN = (
  pickle.UnpicklingError,
  zipfile.BadZipFile,
  struct.error,
  EOFError,
  AttributeError,
  TypeError,
  ValueError,
  KeyError,
  IndexError,
  ImportError,
  NotImplementedError,
  OverflowError,
  OSError,
  RuntimeError,
  MemoryError,
  zlib.error,
)


class WeightsError(ValueError):
  """Weights that cannot be read or do not fit; the message is one line."""


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
  """The tensors of a .pth file by name.

  A file that holds the tensors in a dict of its own (`{'state_dict': {...}, 'epoch': 3}`) gives that
  dict's; where several hold tensors, names are joined by dots. Everything that is no tensor is left
  out.

  Args:
    path: of a file that `torch.save` wrote.

  Returns:
    name -> array, in the file's order; bfloat16 as `ml_dtypes.bfloat16`.

  Raises:
    WeightsError: no such file, no torch file, a damaged one, or one that names anything but tensors
      and containers.
  """
  path = os.fspath(path)
  try:
    with open(path, 'rb') as file:
      content = _Zip(file).load() if zipfile.is_zipfile(file) else _Legacy(file).load()
    return {name: tensor.array() for name, tensor in _named(content).items()}
  except FileNotFoundError as error:
    raise WeightsError(f'{path}: no such file') from error
  except IsADirectoryError as error:
    raise WeightsError(f'{path}: is a folder; expected a .pth file') from error
  except WeightsError as error:
    raise WeightsError(f'{path}: {error}') from error
  except BROKEN as error:
    reason = ' '.join(str(error).split()) or type(error).__name__
    raise WeightsError(f'{path}: not a PyTorch file, or a damaged one ({reason})') from error


class _Storage:
  """A run of elements, whose bytes may come later."""

  def __init__(self, dtype: Any, count: int, data: Callable[[], bytes], big_endian: bool):
    self.dtype, self.count, self.data, self.big_endian = (
      np.dtype(dtype),
      int(count),
      data,
      big_endian,
    )
    self.cache: dict[np.dtype, np.ndarray] = {}

  def values(self, dtype: np.dtype) -> np.ndarray:
    """All elements, seen as that dtype, in the machine's byte order."""
    if dtype not in self.cache:
      raw = self.data()
      if len(raw) < self.count * self.dtype.itemsize:
        raise WeightsError(
          f'a storage has {len(raw)} bytes; expected {self.count * self.dtype.itemsize}: truncated'
        )
      values = np.frombuffer(raw, np.uint8)[: self.count * self.dtype.itemsize].view(dtype)
      self.cache[dtype] = values.byteswap() if self.big_endian else values
    return self.cache[dtype]


class _Tensor:
  """A strided view of a storage."""

  def __init__(self, storage: _Storage, offset: int, size: Any, stride: Any, dtype: Any = None):
    if not isinstance(storage, _Storage) or len(size) != len(stride):
      raise WeightsError(
        'a tensor without a storage, or with a size and a stride that do not match'
      )
    self.storage, self.offset, self.dtype = storage, int(offset), np.dtype(dtype or storage.dtype)
    self.size, self.stride = tuple(map(int, size)), tuple(map(int, stride))

  def array(self) -> np.ndarray:
    """A contiguous copy."""
    values = self.storage.values(self.dtype)
    count = int(np.prod(self.size, dtype=np.float64))
    last = self.offset + sum((n - 1) * s for n, s in zip(self.size, self.stride))
    wrong = min((self.offset, *self.size, *self.stride)) < 0 or count > MAX_ELEMENTS
    if wrong or (count and last >= len(values)):
      raise WeightsError(
        f'a tensor of size {self.size}, stride {self.stride}, offset {self.offset} does not fit its '
        f'storage of {len(values)} elements'
      )
    if not count:
      return np.zeros(self.size, self.dtype)
    strides = [s * self.dtype.itemsize for s in self.stride]
    return np.lib.stride_tricks.as_strided(values[self.offset :], self.size, strides).copy()


class _Unpickler(pickle.Unpickler):
  """Knows tensors and containers by name, and nothing else."""

  def __init__(self, file: Any, storage: Callable[..., _Storage]):
    super().__init__(file, encoding='utf-8')
    self.storage = storage

  def persistent_load(self, pid: Any) -> _Storage:
    """The storage of that id: ('storage', type, key, device, count[, view])."""
    if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == 'storage'):
      raise WeightsError(f'refers to something that is no storage ({str(pid)[:60]})')
    return self.storage(*pid[1:])

  def find_class(self, module: str, name: str) -> Any:
    """What stands in for the global of that name."""
    if module in ('torch', 'torch.cuda', 'torch.storage') and name.endswith('Storage'):
      dtype = DTYPES.get(name.removesuffix('Storage'))
      if dtype is not None:
        return dtype
    if module == 'torch' and name in TYPED:
      return TYPED[name]
    known = {
      ('collections', 'OrderedDict'): collections.OrderedDict,
      ('torch', 'Size'): tuple,
      ('torch', 'device'): _device,
      ('torch._utils', '_rebuild_tensor'): _tensor,
      ('torch._utils', '_rebuild_tensor_v2'): _tensor,
      ('torch._utils', '_rebuild_tensor_v3'): _tensor_v3,
      ('torch._utils', '_rebuild_parameter'): _parameter,
      ('torch._utils', '_rebuild_parameter_with_state'): _parameter,
      ('torch._tensor', '_rebuild_from_type_v2'): _from_type,
      ('torch.nn.parameter', 'Parameter'): _parameter,
      ('torch', 'Tensor'): _parameter,
    }
    if (module, name) not in known:
      raise WeightsError(
        f'names {module}.{name}, which is neither a tensor nor a container, and is not run; save a '
        'state_dict of tensors instead'
      )
    return known[module, name]


def _tensor(storage: _Storage, offset: int, size: Any, stride: Any, *_: Any) -> _Tensor:
  return _Tensor(storage, offset, size, stride)


def _tensor_v3(
  storage: _Storage, offset: int, size: Any, stride: Any, grad: Any, hooks: Any, dtype: Any, *_: Any
) -> _Tensor:
  return _Tensor(storage, offset, size, stride, dtype)


def _parameter(data: Any, *_: Any) -> Any:
  return data


def _device(*arguments: Any) -> str:
  return ':'.join(map(str, arguments))


def _from_type(function: Any, kind: Any, arguments: Any, state: Any) -> Any:
  if function not in (_tensor, _tensor_v3, _parameter):
    raise WeightsError('rebuilds a tensor in an unknown way')
  return function(*arguments)


class _Zip:
  """torch >= 1.6: NAME/data.pkl, NAME/data/KEY and NAME/byteorder in a zip."""

  def __init__(self, file: Any):
    self.zip = zipfile.ZipFile(file)
    pickles = [name for name in self.zip.namelist() if name.split('/', 1)[-1] == 'data.pkl']
    if not pickles:
      raise WeightsError('a zip file without data.pkl; expected one written by torch.save')
    self.root = pickles[0].removesuffix('data.pkl')
    order = f'{self.root}byteorder'
    self.big_endian = order in self.zip.namelist() and self.zip.read(order).strip() == b'big'
    self.storages: dict[str, _Storage] = {}

  def load(self) -> Any:
    """The pickled object, its storages read."""
    content = _Unpickler(io.BytesIO(self.zip.read(f'{self.root}data.pkl')), self.storage).load()
    for storage in self.storages.values():
      storage.data = partial(bytes, storage.data())  # the file is closed after this
    return content

  def storage(self, dtype: Any, key: str, device: str, count: int, *_: Any) -> _Storage:
    """The storage of that key, once."""
    if key not in self.storages:
      name = f'{self.root}data/{key}'
      self.storages[key] = _Storage(dtype, count, lambda: self.zip.read(name), self.big_endian)
    return self.storages[key]


class _Legacy:
  """torch < 1.6: pickles of magic, version, system, object and keys, then the storages' bytes."""

  def __init__(self, file: Any):
    self.file = file
    self.file.seek(0)
    self.storages: dict[str, _Storage] = {}
    self.big_endian = False

  def load(self) -> Any:
    """The pickled object, its storages read."""
    magic, _, system = (self.unpickle() for _ in range(3))
    if magic != LEGACY_MAGIC:
      raise WeightsError('not a PyTorch file (no magic number at its start)')
    self.big_endian = not dict(system).get('little_endian', True)
    content, keys = self.unpickle(), self.unpickle()
    for key in keys:
      (count,) = struct.unpack('>q' if self.big_endian else '<q', self.file.read(8))
      storage = self.storages[key]
      if count != storage.count:
        raise WeightsError(f'storage {key} has {count} elements; expected {storage.count}')
      raw = self.file.read(count * storage.dtype.itemsize)
      storage.data = partial(bytes, raw)
    return content

  def unpickle(self) -> Any:
    """The next pickle of the stream."""
    return _Unpickler(self.file, self.storage).load()

  def storage(self, dtype: Any, key: str, device: str, count: int, view: Any = None) -> _Storage:
    """The storage of that key, once, or a view of some of its elements."""
    if key not in self.storages:
      self.storages[key] = _Storage(dtype, count, bytes, self.big_endian)
    root = self.storages[key]
    if view is None:
      return root
    _, offset, size = view
    width = root.dtype.itemsize
    part = lambda: root.data()[offset * width : (offset + size) * width]
    return _Storage(dtype, size, part, self.big_endian)


def _named(content: Any) -> dict[str, _Tensor]:
  """The tensors of a nest of dicts, as `read` says."""
  if not isinstance(content, Mapping):
    raise WeightsError(f'holds a {type(content).__name__}; expected a dict of tensors')
  tensors = {str(k): v for k, v in content.items() if isinstance(v, _Tensor)}
  inner = {str(k): _named(v) for k, v in content.items() if isinstance(v, Mapping)}
  inner = {k: v for k, v in inner.items() if v}
  if not tensors and 'state_dict' in inner:
    return inner['state_dict']
  if not tensors and len(inner) == 1:
    return next(iter(inner.values()))
  return tensors | {f'{k}.{name}': v for k, part in inner.items() for name, v in part.items()}

"""Writes .pth files as torch does, without torch: the same pickle globals, ids and storages."""

import collections
import contextlib
import io
import pickle
import struct
import sys
import types
import zipfile

import ml_dtypes
import numpy as np

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
KINDS = {
  np.dtype(np.float32): 'Float',
  np.dtype(np.float64): 'Double',
  np.dtype(np.float16): 'Half',
  np.dtype(ml_dtypes.bfloat16): 'BFloat16',
  np.dtype(np.int64): 'Long',
  np.dtype(np.uint8): 'Byte',
  np.dtype(np.bool_): 'Bool',
}


class Tensor:
  """A view of a storage, written as torch writes a tensor."""

  def __init__(self, storage, size=None, stride=None, offset=0, parameter=False):
    self.storage, self.offset, self.parameter = np.asarray(storage), offset, parameter
    shape = self.storage.shape
    self.size = shape if size is None else size
    strides = tuple(s // self.storage.itemsize for s in self.storage.strides)
    self.stride = strides if stride is None else stride


def _stand_ins():
  """Modules and functions of torch's names, which pickle looks up when it writes them."""
  modules = {name: types.ModuleType(name) for name in ('torch', 'torch._utils')}
  for name in ('_rebuild_tensor_v2', '_rebuild_parameter'):
    function = types.FunctionType((lambda *a: None).__code__, {}, name)
    function.__module__, function.__qualname__ = 'torch._utils', name
    setattr(modules['torch._utils'], name, function)
  for kind in KINDS.values():
    name = f'{kind}Storage'
    setattr(modules['torch'], name, type(name, (), {'__module__': 'torch'}))
  return modules


class _Pickler(pickle.Pickler):
  def __init__(self, file, modules, legacy):
    super().__init__(file, protocol=2)
    self.modules, self.legacy, self.storages = modules, legacy, {}

  def persistent_id(self, value):
    if not isinstance(value, np.ndarray):
      return None
    seen = [key for key, known in self.storages.items() if known is value]
    key = seen[0] if seen else str(len(self.storages))
    self.storages[key] = value
    kind = getattr(self.modules['torch'], f'{KINDS[value.dtype]}Storage')
    return ('storage', kind, key, 'cuda:0', value.size, *([None] if self.legacy else []))

  def reducer_override(self, value):
    if not isinstance(value, Tensor):
      return NotImplemented
    utils = self.modules['torch._utils']
    hooks = collections.OrderedDict()
    view = (value.storage, value.offset, value.size, value.stride, False, hooks)
    if not value.parameter:
      return utils._rebuild_tensor_v2, view
    value.parameter = False
    return utils._rebuild_parameter, (value, True, hooks)


@contextlib.contextmanager
def _as_torch(modules):
  before = {name: sys.modules[name] for name in modules if name in sys.modules}
  sys.modules.update(modules)
  try:
    yield
  finally:
    for name in modules:
      del sys.modules[name]
    sys.modules.update(before)  # torch itself, where a test has imported it


def save(path, content, legacy=False, big_endian=False):
  """What `torch.save(content, path)` leaves, of either format."""
  modules, file = _stand_ins(), io.BytesIO()
  with _as_torch(modules):
    if legacy:
      for header in (MAGIC, VERSION, {'protocol_version': VERSION, 'little_endian': True}):
        pickle.dump(header, file, protocol=2)
    pickler = _Pickler(file, modules, legacy)
    pickler.dump(content)
  if legacy:
    pickle.dump(list(pickler.storages), file, protocol=2)
    for storage in pickler.storages.values():
      file.write(struct.pack('<q', storage.size) + storage.tobytes())
    path.write_bytes(file.getvalue())
    return
  with zipfile.ZipFile(path, 'w') as archive:
    archive.writestr('archive/data.pkl', file.getvalue())
    archive.writestr('archive/byteorder', 'big' if big_endian else 'little')
    for key, storage in pickler.storages.items():
      storage = storage.byteswap() if big_endian else storage
      archive.writestr(f'archive/data/{key}', storage.tobytes())

"""The manifest of a checkpoint: what is in it, array by array, with a sum over every array's bytes.

A state is any pytree; on disk it is nested dicts of plain arrays. This module goes from one to the
other and back, and says where two of them differ. It touches no file.
"""

import concurrent.futures
import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

Path = tuple[str, ...]


class Leaf(NamedTuple):
  """One array: dtype name, shape, crc32 of its bytes, and the kind of PRNG where it is a key."""

  dtype: str
  shape: tuple[int, ...]
  crc: int = 0
  key: str | None = None

  @property
  def kind(self) -> str:
    """Dtype and shape in words, such as `float32[4,16]`."""
    name = f'key<{self.key}>' if self.key else self.dtype
    return f'{name}[{",".join(map(str, self.shape))}]'


def flatten(tree: Any) -> dict[Path, Any]:
  """Path -> leaf of any pytree; the names are dict keys, field names and indices as strings."""
  return {path_of(keys): leaf for keys, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def path_of(keys: Iterable[Any]) -> Path:
  """The path of a leaf, as `jax.tree_util` gives it, in plain strings."""
  return tuple(jax.tree_util.keystr((key,), simple=True) for key in keys)


def nest(flat: Mapping[Path, Any]) -> dict[str, Any]:
  """Nested dicts of a flat mapping."""
  tree: dict[str, Any] = {}
  for (*inner, last), leaf in flat.items():
    node = tree
    for name in inner:
      node = node.setdefault(name, {})
    node[last] = leaf
  return tree


def describe(flat: Mapping[Path, Any]) -> tuple[dict[Path, Any], dict[Path, Leaf]]:
  """What to write of a state, and its manifest.

  Args:
    flat: path -> array, number or typed PRNG key, of any sharding. Where an array is spread over
      several processes, all of them must call this: the sum is over the whole array.

  Returns:
    `(data, leaves)`: NumPy arrays on this host (views where the device shares its memory), or the
    `jax.Array` itself where this process does not hold all of it; and the manifest.
  """
  data, leaves, whole = {}, {}, {}
  for path, leaf in flat.items():
    value = jax.random.key_data(leaf) if _is_key(leaf) else leaf
    key = str(jax.random.key_impl(leaf)) if _is_key(leaf) else None
    if isinstance(value, jax.Array) and not value.is_fully_addressable:
      if value.is_fully_replicated:
        value = value.addressable_data(0)
      else:
        gathered = np.asarray(multihost_utils.process_allgather(value, tiled=True))
        data[path] = value
        leaves[path] = Leaf(gathered.dtype.name, gathered.shape, crc(gathered), key)
        continue
    data[path] = whole[path] = np.asarray(value)
    leaves[path] = Leaf(whole[path].dtype.name, whole[path].shape, 0, key)
  for path, total in crcs(whole).items():
    leaves[path] = leaves[path]._replace(crc=total)
  return data, leaves


def expected(leaf: Any) -> Leaf:
  """What a manifest would say of a template's leaf (array, `ShapeDtypeStruct`, number), but the sum."""
  if _is_key(leaf):
    impl = ''

    def data_of(key: jax.Array) -> jax.Array:
      nonlocal impl
      impl = str(jax.random.key_impl(key))  # answers for a tracer, not for a ShapeDtypeStruct
      return jax.random.key_data(key)

    data = jax.eval_shape(data_of, jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))
    return Leaf(data.dtype.name, data.shape, key=impl)
  if not hasattr(leaf, 'dtype'):
    leaf = np.asarray(leaf)
  return Leaf(np.dtype(leaf.dtype).name, tuple(leaf.shape))


def differences(found: Mapping[Path, Leaf], wanted: Mapping[Path, Leaf]) -> list[str]:
  """One phrase for every leaf that is not the same kind of array in both, in order of the paths."""
  phrases = []
  for path in sorted({*found, *wanted}):
    have, want = found.get(path), wanted.get(path)
    if have is None or want is None or have.kind != want.kind:
      there = have.kind if have else 'absent'
      here = want.kind if want else 'absent'
      phrases.append(f'{"/".join(path)} is {there} in the checkpoint and {here} here')
  return phrases


def damages(arrays: Mapping[Path, np.ndarray], leaves: Mapping[Path, Leaf]) -> list[str]:
  """One phrase for every array that is not, bit for bit, what the manifest says."""
  phrases = []
  present = {path: arrays[path] for path in leaves if path in arrays}
  totals = crcs(present)
  for path, leaf in leaves.items():
    array = present.get(path)
    if array is None:
      phrases.append(f'{"/".join(path)} is missing')
    elif (array.dtype.name, array.shape) != (leaf.dtype, leaf.shape):
      read = Leaf(array.dtype.name, array.shape)
      phrases.append(
        f'{"/".join(path)} reads as {read.kind}, not as {leaf._replace(key=None).kind}'
      )
    elif totals[path] != leaf.crc:
      phrases.append(f'the checksum of {"/".join(path)} differs')
  return phrases


def place(array: np.ndarray, leaf: Any) -> Any:
  """The array as what, and where, the template's leaf is.

  Args:
    array: from disk; whole, on every process.
    leaf: a NumPy leaf gives NumPy, a Python number gives a number; anything else a `jax.Array` with
      the leaf's sharding, or on the default device where it has none or is not committed to it.
  """
  if isinstance(leaf, np.ndarray):
    return array
  if isinstance(leaf, np.generic):
    return array[()]
  if not hasattr(leaf, 'dtype'):
    return array.item()
  sharding = getattr(leaf, 'sharding', None)
  if sharding is None or (isinstance(leaf, jax.Array) and not leaf.committed):
    value = jnp.asarray(array)
  else:
    value = jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
  return jax.random.wrap_key_data(value, impl=expected(leaf).key) if _is_key(leaf) else value


def crcs(arrays: Mapping[Path, np.ndarray]) -> dict[Path, int]:
  """The crc32 of every array's bytes; zlib lets go of the interpreter, so threads help."""
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    return dict(zip(arrays, pool.map(crc, arrays.values())))


def crc(array: np.ndarray) -> int:
  """The crc32 of an array's bytes in C order."""
  return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def to_json(leaves: Mapping[Path, Leaf]) -> list[list[Any]]:
  """The manifest as JSON values."""
  return [[list(path), *leaf] for path, leaf in leaves.items()]


def from_json(lines: Iterable[Iterable[Any]]) -> dict[Path, Leaf]:
  """The inverse of `to_json`."""
  return {tuple(path): Leaf(dtype, tuple(shape), c, key) for path, dtype, shape, c, key in lines}


def crc_of_json(body: Mapping[str, Any]) -> int:
  """The crc32 of JSON values, whatever their order and spacing in a file."""
  return zlib.crc32(json.dumps(body, sort_keys=True).encode())


def _is_key(leaf: Any) -> bool:
  return hasattr(leaf, 'dtype') and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)

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


def hold(flat: Mapping[Path, Any]) -> tuple[dict[Path, Any], dict[Path, Leaf]]:
  """Takes hold of a state's arrays as they are now, and begins its manifest.

  Args:
    flat: path -> array, number or typed PRNG key, of any sharding. Where an array is spread over
      several processes, all of them must call this: the sum is over the whole array.

  Returns:
    `(data, leaves)`: NumPy arrays on this host, or the `jax.Array` where this process does not have
    all of it; and the manifest, in which `add_sums` has to put the sums of the former. Arrays on the
    CPU are not copied: a step that donates one finds it held and leaves it as it is.
  """
  values = {p: jax.random.key_data(leaf) if _is_key(leaf) else leaf for p, leaf in flat.items()}
  for value in values.values():
    if isinstance(value, jax.Array):
      value.copy_to_host_async()
  data: dict[Path, Any] = {}
  leaves = {}
  for path, value in values.items():
    total = 0
    if isinstance(value, jax.Array) and value.is_fully_addressable:
      data[path] = whole = np.asarray(value)
    elif isinstance(value, jax.Array) and value.is_fully_replicated:
      data[path] = whole = np.asarray(value.addressable_data(0))
    elif isinstance(value, jax.Array):
      data[path] = value
      whole = np.asarray(multihost_utils.process_allgather(value, tiled=True))
      total = crc(whole)
    else:
      data[path] = whole = np.array(value)  # a copy: NumPy arrays can be written to
    key = str(jax.random.key_impl(flat[path])) if _is_key(flat[path]) else None
    leaves[path] = Leaf(whole.dtype.name, whole.shape, total, key)
  return data, leaves


def add_sums(data: Mapping[Path, Any], leaves: Mapping[Path, Leaf]) -> dict[Path, Leaf]:
  """The manifest that `hold` began, whole: with the sums of the arrays that are on this host."""
  totals = crcs({path: array for path, array in data.items() if isinstance(array, np.ndarray)})
  return {path: leaf._replace(crc=totals.get(path, leaf.crc)) for path, leaf in leaves.items()}


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
  """One phrase for every leaf that is not the same kind of array in both, in `wanted`'s order."""
  phrases = []
  for path in [*wanted, *(path for path in found if path not in wanted)]:
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
  return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


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

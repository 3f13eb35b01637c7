"""Checkpoints: asynchronous, checked on the way back, and never the only copy thrown away.

Every step is one folder, written under a temporary name and renamed when it is whole:

    <directory>/<step>/state        the whole TrainState, for resuming (orbax, one nested dict)
    <directory>/<step>/generator    the generator's variables alone, for those who only sample
    <directory>/<step>/meta/meta.json   what the caller wanted to remember, the scores, and for every
                                    array its dtype, shape and crc32

orbax restores an array with a flipped bit without a word, so the sums are compared on every restore.
A step that cannot be read, or whose sums differ, is passed over with a warning and the one before is
taken; the next save moves it to <directory>/damaged. A checkpoint that is whole but belongs to
another network is an error and never a reason to go back.

Every process reads whole arrays from the (shared) directory and keeps its part, so that restoring
holds no collective in which one process with a damaged file could leave the others waiting. This is
the only module that imports orbax.
"""

import concurrent.futures
import json
import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from etils import epath
from jax.experimental import multihost_utils

from jaxgan.errors import UserError

_FORMAT = 1
_META_FILE = 'meta.json'
_REPLACED = '.replaced'  # a step that is being saved again waits under this name
_TEMPORARY = '.orbax-checkpoint-tmp'
_ESCAPES = (('%', '%25'), ('/', '%2F'), ('.', '%2E'))  # orbax joins and splits paths at these

Path = tuple[str, ...]


class CheckpointError(UserError):
  """A checkpoint cannot be used: none is whole, or it does not fit, or it cannot be written."""


class _Damaged(Exception):
  """One step cannot be trusted; the text says which file or array and why."""


class _Leaf(NamedTuple):
  """What the manifest remembers of one array: dtype name, shape, crc32, and the key's impl."""

  dtype: str
  shape: tuple[int, ...]
  crc: int
  key: str | None

  def __str__(self) -> str:
    name = f'key<{self.key}>' if self.key else self.dtype
    return f'{name}[{",".join(map(str, self.shape))}]'


class Checkpoints:
  """The checkpoints of one run.

  Args:
    directory: where the steps live; made on the first save.
    keep: how many of the newest steps to keep, at least 1.
    best: the name in `scores` by which the best step is kept too; None keeps only the newest.
    best_mode: 'max' or 'min'.

  Raises:
    CheckpointError: `keep` or `best_mode` is out of range.
  """

  def __init__(
    self, directory: Any, *, keep: int = 2, best: str | None = None, best_mode: str = 'max'
  ):
    if keep < 1:
      raise CheckpointError(
        f'keep is {keep}; at least the newest checkpoint is kept, give 1 or more'
      )
    if best_mode not in ('max', 'min'):
      raise CheckpointError(f"best_mode is {best_mode!r}; it must be 'max' or 'min'")
    self.directory = epath.Path(directory).expanduser().resolve()
    self.keep, self.best, self.best_mode = keep, best, best_mode
    self._damaged: dict[int, str] = {}
    self._newest: int | None = None  # the step saved last by this object
    self._tidied = False
    self._saver: ocp.AsyncCheckpointer | None = None
    self._finisher = concurrent.futures.ThreadPoolExecutor(1, 'checkpoint')
    self._pending: concurrent.futures.Future | None = None

  def save(
    self,
    step: int,
    state: Any,
    *,
    meta: Mapping[str, Any],
    generator: Any = None,
    scores: Mapping[str, float] | None = None,
  ) -> None:
    """Saves a step in the background, after the previous save is done.

    The arrays are copied before this returns, so the caller may donate them at once. Older steps
    are removed only when this one is whole on disk. Every process of a run must call this.

    Args:
      step: the number of finished steps; an existing step of this number is replaced.
      state: any pytree of arrays, numbers and typed PRNG keys.
      meta: JSON values handed back by `restore`.
      generator: variables (nested dict) that `restore_generator` serves alone.
      scores: name -> number, from which the best step is chosen; a score that is not finite loses.

    Raises:
      CheckpointError: `meta` is not JSON, or this or the previous save could not be written.
    """
    self.wait()
    step = int(step)
    trees = {'state': state} if generator is None else {'state': state, 'generator': generator}
    items, leaves = {}, {}
    for item, tree in trees.items():
      arrays, leaves[item] = _describe(_flatten(tree))
      items[item] = ocp.args.PyTreeSave(_nest(arrays))
    body = {
      'format': _FORMAT,
      'step': step,
      'meta': dict(meta),
      'scores': {name: float(value) for name, value in (scores or {}).items()},
      'best': [self.best, self.best_mode],
      'leaves': leaves,
    }
    try:
      body['crc'] = _crc_of_json(body)
    except TypeError as error:
      raise CheckpointError(f'meta of step {step} must hold JSON values only: {error}') from None
    try:
      self._make_room(step)
      self._newest = step
      args = ocp.args.Composite(**items, meta=ocp.args.JsonSave(body))
      self._ensure_saver().save(self.directory / str(step), args=args)
      self._pending = self._finisher.submit(self._finish)
    except OSError as error:
      raise self._unwritable(error) from error

  def restore(self, template: Any) -> tuple[Any, dict[str, Any], int] | None:
    """The newest step that is whole.

    Args:
      template: the state's pytree, of arrays or `jax.ShapeDtypeStruct`; a leaf's sharding says where
        the array goes, a NumPy leaf comes back as NumPy, a leaf without sharding goes to the default
        device.

    Returns:
      `(state, meta, step)`, every array bit for bit what was saved; None where nothing was saved.

    Raises:
      CheckpointError: the checkpoint's arrays are not those of the template (the first that differ
        are named), or every step is damaged.
    """
    wanted, structure = jax.tree_util.tree_flatten_with_path(template)
    names = [_path(path) for path, _ in wanted]

    def check(step: int, leaves: dict[Path, _Leaf]) -> None:
      self._check_fit(step, leaves, {n: _expected(leaf) for n, (_, leaf) in zip(names, wanted)})

    found = self._first_whole(self.steps()[::-1], 'state', check)
    if found is None:
      return None
    arrays, body = found
    placed = [_place(arrays[name], leaf) for name, (_, leaf) in zip(names, wanted)]
    return jax.tree_util.tree_unflatten(structure, placed), body['meta'], body['step']

  def restore_generator(
    self, which: str | int = 'latest'
  ) -> tuple[dict[str, Any], dict[str, Any], int]:
    """The generator's variables alone, without template or training code.

    Args:
      which: 'latest', 'best' (by the score the run kept its best by), or the number of a step.

    Returns:
      `(variables, meta, step)`: a nested dict of NumPy arrays. Damaged steps are passed over with a
      warning, except where one step was asked for by number.

    Raises:
      CheckpointError: there is no such step, or none is whole.
    """
    steps = self.steps()
    if not steps:
      raise CheckpointError(
        f'no checkpoint in {self.directory}: train first, or give another folder'
      )
    if which == 'latest':
      order = steps[::-1]
    elif which == 'best':
      order = self._ranked(steps)
      if not order:
        raise CheckpointError(f"no checkpoint in {self.directory} has a score; ask for 'latest'")
    elif isinstance(which, int) and which in steps:
      order = [which]
    else:
      known = ', '.join(map(str, steps))
      raise CheckpointError(
        f"no checkpoint {which!r} in {self.directory}: 'latest', 'best' or {known}"
      )
    found = self._first_whole(order, 'generator', lambda step, leaves: None)
    assert found is not None  # order is not empty: either an array was found or an error raised
    arrays, body = found
    return _nest(arrays, escape=False), body['meta'], body['step']

  def steps(self) -> list[int]:
    """The steps on disk, oldest first, damaged ones among them; those being written are not."""
    if not self.directory.exists():
      return []
    names = [path.name.removesuffix(_REPLACED) for path in self.directory.iterdir()]
    return sorted({int(name) for name in names if name.isdecimal()})

  def best_step(self) -> int | None:
    """The step with the best score, the newest of equals; None where no step has one."""
    ranked = self._ranked(self.steps())
    return ranked[0] if ranked else None

  def wait(self) -> None:
    """Returns when the save under way is whole on disk.

    Raises:
      CheckpointError: it could not be written.
    """
    pending, self._pending = self._pending, None
    try:
      if pending is not None:
        pending.result()
    except OSError as error:
      raise self._unwritable(error) from error

  def close(self) -> None:
    """Waits, then frees the background threads; the object can be used again."""
    self.wait()
    if self._saver is not None:
      self._saver.close()
      self._saver = None

  def delete_after(self, step: int) -> None:
    """Removes every step after the given one: for going back to it."""
    self.wait()
    _barrier('delete_after')
    if jax.process_index() == 0:
      for later in self.steps():
        if later > step:
          self._remove(later)
    self._newest = None
    _barrier('deleted_after')

  # ---- writing ----

  def _ensure_saver(self) -> ocp.AsyncCheckpointer:
    if self._saver is None:
      self._saver = ocp.AsyncCheckpointer(
        ocp.CompositeCheckpointHandler(
          state=ocp.PyTreeCheckpointHandler(),
          generator=ocp.PyTreeCheckpointHandler(),
          meta=ocp.JsonCheckpointHandler(filename=_META_FILE),
        )
      )
    return self._saver

  def _unwritable(self, error: OSError) -> CheckpointError:
    reason = error.strerror or str(error).splitlines()[0]
    return CheckpointError(
      f'checkpoint {self._newest} cannot be written to {self.directory}: {reason}'
    )

  def _make_room(self, step: int) -> None:
    """Clears what a killed save left behind, sets damaged steps and this step's old copy aside."""
    if jax.process_index() == 0:
      self.directory.mkdir(parents=True, exist_ok=True)
      if not self._tidied:
        for path in self.directory.iterdir():
          if _TEMPORARY in path.name:
            path.rmtree()
      for bad in self._damaged:
        if self._folder(bad).exists():
          aside = self.directory / 'damaged'
          aside.mkdir(exist_ok=True)
          if (aside / str(bad)).exists():
            (aside / str(bad)).rmtree()
          self._folder(bad).rename(aside / str(bad))
      old = self.directory / str(step)
      if old.exists():
        waiting = self.directory / f'{step}{_REPLACED}'
        if waiting.exists():
          waiting.rmtree()
        old.rename(waiting)
    self._damaged, self._tidied = {}, True
    _barrier('make_room')

  def _finish(self) -> None:
    """Waits for the save under way, then removes what is neither new nor best.

    Not in orbax's post_finalization_callback, which runs before the new step has its name.
    """
    assert self._saver is not None
    self._saver.wait_until_finished()
    if jax.process_index() != 0:
      return
    for path in self.directory.iterdir():
      whole = path.name.removesuffix(_REPLACED)
      if path.name.endswith(_REPLACED) and (self.directory / whole).exists():
        path.rmtree()
    steps = self.steps()
    kept = {*steps[-self.keep :], self._newest}
    if self.best is not None:
      kept.update(self._ranked(steps)[:1])
    for step in steps:
      if step not in kept:
        self._remove(step)

  def _remove(self, step: int) -> None:
    for name in (str(step), f'{step}{_REPLACED}'):
      if (self.directory / name).exists():
        (self.directory / name).rmtree()

  # ---- reading ----

  def _folder(self, step: int) -> epath.Path:
    folder = self.directory / str(step)
    return folder if folder.exists() else self.directory / f'{step}{_REPLACED}'

  def _first_whole(
    self, order: Iterable[int], item: str, check: Callable[[int, dict[Path, _Leaf]], None]
  ) -> tuple[dict[Path, np.ndarray], dict[str, Any]] | None:
    """The arrays and the manifest of the first step in `order` that every process can read."""
    self.wait()
    order = _agreed(list(order))
    passed: list[str] = []
    for step in order:
      problem, mismatch, arrays, body = '', None, {}, {}
      try:
        body = self._manifest(step)
        leaves = {
          tuple(path): _Leaf(d, tuple(s), c, k) for path, d, s, c, k in body['leaves'].get(item, [])
        }
        check(step, leaves)
        if not leaves:
          raise _Damaged(f'{self._folder(step)} holds no {item}')
        arrays = self._arrays(step, item, leaves)
      except _Damaged as error:
        problem = str(error)
      except CheckpointError as error:
        mismatch = error
      if _anywhere(mismatch is not None):
        raise mismatch or CheckpointError(f'checkpoint {step} does not fit on another process')
      if not _anywhere(bool(problem)):
        return arrays, body
      problem = problem or 'another process could not read it'
      passed.append(f'step {step}: {problem}')
      self._damaged[step] = problem
      logging.warning('checkpoint %d is damaged and passed over: %s', step, problem)
    if passed:
      raise CheckpointError(
        f'no checkpoint in {self.directory} can be read ({"; ".join(passed)}); '
        'remove the folder to start again, or put back a copy'
      )
    return None

  def _manifest(self, step: int) -> dict[str, Any]:
    """The verified meta.json of a step."""
    file = self._folder(step) / 'meta' / _META_FILE
    try:
      body = json.loads(file.read_text())
      crc = body.pop('crc')
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
      raise _Damaged(f'{file}: {_first_line(error)}') from error
    if crc != _crc_of_json(body):
      raise _Damaged(f'{file}: the checksum differs')
    if body['format'] > _FORMAT:
      raise CheckpointError(
        f'checkpoint {step} is of format {body["format"]}; update jaxgan to read it'
      )
    return body

  def _arrays(self, step: int, item: str, leaves: dict[Path, _Leaf]) -> dict[Path, np.ndarray]:
    """Every array of an item, compared with its crc32."""
    folder = self._folder(step) / item
    stored = {path: leaf for path, leaf in leaves.items() if math.prod(leaf.shape)}
    plan = _nest({path: ocp.RestoreArgs(restore_type=np.ndarray) for path in stored})
    handler = ocp.PyTreeCheckpointHandler()
    try:
      tree = (
        handler.restore(folder, args=ocp.args.PyTreeRestore(restore_args=plan)) if stored else {}
      )
    except MemoryError:
      raise
    except Exception as error:  # orbax and tensorstore raise bare Exception for damaged chunks
      raise _Damaged(f'{folder}: {_first_line(error)}') from error
    finally:
      handler.close()
    arrays = _flatten(tree, escaped=True)
    for path, leaf in leaves.items():
      if path not in stored:
        arrays[path] = np.zeros(leaf.shape, leaf.dtype)  # nothing to store in an empty array
      elif path not in arrays:
        raise _Damaged(f'{folder}: {"/".join(path)} is missing')
    differ = [
      path
      for path, crc in zip(leaves, _crcs([arrays[p] for p in leaves]))
      if crc != leaves[path].crc
    ]
    if differ:
      more = f' and {len(differ) - 1} more' if len(differ) > 1 else ''
      raise _Damaged(f'{folder}: the checksum of {"/".join(differ[0])}{more} differs')
    return {path: arrays[path] for path in leaves}

  def _check_fit(self, step: int, found: dict[Path, _Leaf], wanted: dict[Path, _Leaf]) -> None:
    """Raises where the checkpoint's arrays are not the template's."""
    differ = []
    for path in sorted({*found, *wanted}):
      have, want = found.get(path), wanted.get(path)
      if have is None or want is None or str(have) != str(want):
        differ.append(
          f'{"/".join(path)} is {have or "absent"} there and {want or "absent"} in the config'
        )
    if differ:
      more = f' (and {len(differ) - 2} more)' if len(differ) > 2 else ''
      raise CheckpointError(
        f'checkpoint {step} in {self.directory} does not fit the config: {"; ".join(differ[:2])}{more}; '
        'use the config the run began with, or another workdir'
      )

  def _ranked(self, steps: Iterable[int]) -> list[int]:
    """The steps that have a finite score, best first, the newest first among equals."""
    scored = []
    for step in steps:
      try:
        body = self._manifest(step)
      except (_Damaged, CheckpointError):
        continue  # restore says what is wrong with it
      name, mode = (self.best, self.best_mode) if self.best is not None else body['best']
      score = body['scores'].get(name, math.nan)
      if math.isfinite(score):
        scored.append((score if mode == 'max' else -score, step))
    return [step for _, step in sorted(scored, reverse=True)]


def _path(keys: tuple[Any, ...]) -> Path:
  """A tree path as plain strings."""
  return tuple(jax.tree_util.keystr((key,), simple=True) for key in keys)


def _flatten(tree: Any, escaped: bool = False) -> dict[Path, Any]:
  """Path -> leaf; with `escaped`, the names are those of `_nest`."""
  flat = {_path(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}
  if escaped:
    flat = {tuple(_unescape(name) for name in path): leaf for path, leaf in flat.items()}
  return flat


def _nest(flat: Mapping[Path, Any], escape: bool = True) -> dict[str, Any]:
  """Nested dicts of a flat mapping, by default with names that orbax keeps apart."""
  tree: dict[str, Any] = {}
  for path, leaf in flat.items():
    *inner, last = [_escape(name) for name in path] if escape else path
    node = tree
    for name in inner:
      node = node.setdefault(name, {})
    node[last] = leaf
  return tree


def _escape(name: str) -> str:
  for plain, coded in _ESCAPES:
    name = name.replace(plain, coded)
  return name


def _unescape(name: str) -> str:
  for plain, coded in reversed(_ESCAPES):
    name = name.replace(coded, plain)
  return name


def _is_key(leaf: Any) -> bool:
  return hasattr(leaf, 'dtype') and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _describe(flat: Mapping[Path, Any]) -> tuple[dict[Path, Any], list[list[Any]]]:
  """What orbax is to write, and the manifest's lines `[path, dtype, shape, crc, key]`."""
  write, host = {}, {}
  for path, leaf in flat.items():
    data = jax.random.key_data(leaf) if _is_key(leaf) else leaf
    if (
      isinstance(data, jax.Array) and not data.is_fully_addressable and not data.is_fully_replicated
    ):
      write[path] = data  # each process writes its share; the sum is over the whole
      host[path] = np.asarray(multihost_utils.process_allgather(data, tiled=True))
      continue
    if isinstance(data, jax.Array) and not data.is_fully_addressable:
      data = data.addressable_data(0)
    write[path] = host[path] = np.asarray(data)
  lines = []
  for (path, array), crc in zip(host.items(), _crcs(host.values())):
    key = str(jax.random.key_impl(flat[path])) if _is_key(flat[path]) else None
    lines.append([list(path), array.dtype.name, list(array.shape), crc, key])
  return {path: array for path, array in write.items() if array.size}, lines


def _expected(leaf: Any) -> _Leaf:
  """The manifest line that a template's leaf would have (without its sum)."""
  if _is_key(leaf):
    impl = ''

    def data_of(key: jax.Array) -> jax.Array:
      nonlocal impl
      impl = str(jax.random.key_impl(key))  # answers for a tracer, not for a ShapeDtypeStruct
      return jax.random.key_data(key)

    data = jax.eval_shape(data_of, leaf)
    return _Leaf(data.dtype.name, data.shape, 0, impl)
  if not hasattr(leaf, 'dtype'):
    leaf = np.asarray(leaf)
  return _Leaf(np.dtype(leaf.dtype).name, tuple(leaf.shape), 0, None)


def _place(array: np.ndarray, leaf: Any) -> Any:
  """The array where and as what the template's leaf wants it."""
  if isinstance(leaf, np.ndarray | np.generic):
    return array
  if not hasattr(leaf, 'dtype'):
    return array.item()
  sharding = getattr(leaf, 'sharding', None)
  if isinstance(leaf, jax.Array) and not leaf.committed:
    sharding = None
  if sharding is None:
    data = jnp.asarray(array)
  else:
    data = jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
  if _is_key(leaf):
    return jax.random.wrap_key_data(data, impl=_expected(leaf).key)
  return data


def _crcs(arrays: Iterable[np.ndarray]) -> list[int]:
  """The crc32 of every array's bytes; zlib lets go of the interpreter, so threads help."""
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    return list(
      pool.map(lambda a: zlib.crc32(np.ascontiguousarray(a).reshape(-1).view(np.uint8)), arrays)
    )


def _crc_of_json(body: Mapping[str, Any]) -> int:
  return zlib.crc32(json.dumps(body, sort_keys=True).encode())


def _first_line(error: BaseException) -> str:
  text = str(error).strip() or type(error).__name__
  return text.splitlines()[0][:300]


def _barrier(name: str) -> None:
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices(f'jaxgan.checkpoint.{name}')


def _agreed(steps: list[int]) -> list[int]:
  """The first process's list, on every process."""
  if jax.process_count() == 1:
    return steps
  count = int(multihost_utils.broadcast_one_to_all(np.int32(len(steps))))
  mine = np.resize(np.asarray([*steps, 0], np.int64), count)
  return [
    int(step) for step in multihost_utils.broadcast_one_to_all(mine.view(np.int32)).view(np.int64)
  ]


def _anywhere(flag: bool) -> bool:
  """Whether the flag is set on any process."""
  if jax.process_count() == 1:
    return flag
  return bool(np.any(multihost_utils.process_allgather(np.int32(flag))))

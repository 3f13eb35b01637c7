"""Checkpoints: asynchronous, checked on the way back, and never the only copy thrown away.

Every step is one folder, written under a temporary name and renamed when it is whole:

    <directory>/<step>/state            the whole TrainState, for resuming (orbax, nested dicts)
    <directory>/<step>/generator        the generator's variables alone, for those who only sample
    <directory>/<step>/meta/meta.json   what the caller wanted to remember, the scores, and for every
                                        array its dtype, shape and crc32

orbax restores an array with a flipped bit without a word, so the sums are compared on every restore.
A step that cannot be read, or whose sums differ, is passed over with a warning and the one before is
taken; the next save moves it to <directory>/damaged. A checkpoint that is whole but belongs to
another network is an error and never a reason to go back.

Every process reads whole arrays from the (shared) directory and keeps its part, so that restoring
holds no collective in which one process with a damaged file could leave the others waiting.
"""

import concurrent.futures
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from etils import epath

from jaxgan import manifest, processes, stored
from jaxgan.errors import UserError

_FORMAT = 1
_META_FILE = 'meta.json'
_REPLACED = '.replaced'  # a step that is being saved again waits under this name
_REMOVED = '.removed'  # a step on its way out: a kill in between leaves no half step behind
_TEMPORARY = '.orbax-checkpoint-tmp'


class CheckpointError(UserError):
  """A checkpoint cannot be used: none is whole, or it does not fit, or it cannot be written."""


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
      raise CheckpointError(f'keep is {keep}; the newest checkpoint is always kept, give 1 or more')
    if best_mode not in ('max', 'min'):
      raise CheckpointError(f"best_mode is {best_mode!r}; it must be 'max' or 'min'")
    self.directory = epath.Path(directory).expanduser().resolve()
    self.keep, self.best, self.best_mode = keep, best, best_mode
    self._damaged: set[int] = set()
    self._newest: int | None = None  # the step saved last by this object
    self._tidied = False
    self._saver: ocp.AsyncCheckpointer | None = None
    self._background = concurrent.futures.ThreadPoolExecutor(1, 'checkpoint')
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

    The caller may go on with the state, and donate it, as soon as this returns. Older steps are
    removed only when this one is whole on disk. Every process of a run must call this, and
    `close` at the end.

    Args:
      step: the number of finished steps; an existing step of this number is replaced.
      state: any pytree of arrays, numbers and typed PRNG keys.
      meta: JSON values handed back by `restore` (tuples come back as lists).
      generator: variables (nested dict) that `restore_generator` serves alone.
      scores: name -> number, from which the best step is chosen; a score that is not finite loses.

    Raises:
      CheckpointError: `meta` is not JSON, or this or the previous save could not be written.
    """
    self.wait()
    step = int(step)
    head = {
      'format': _FORMAT,
      'step': step,
      'meta': meta,
      'scores': {name: float(value) for name, value in (scores or {}).items()},
      'best': [self.best, self.best_mode],
    }
    try:
      head = json.loads(json.dumps(head))  # a copy, as it will be read
    except (TypeError, ValueError) as error:
      raise CheckpointError(f'meta of step {step} must hold JSON values only: {error}') from None
    trees = {'state': state} if generator is None else {'state': state, 'generator': generator}
    held = {item: manifest.hold(manifest.flatten(tree)) for item, tree in trees.items()}
    try:
      self._make_room(step)
      self._newest = step
      if jax.process_count() > 1:  # orbax's barriers are collectives and belong to this thread
        self._start(step, held, head)
        held = {}
      self._pending = self._background.submit(self._finish, step, held, head)
    except OSError as error:
      raise self._unwritable(step, error) from error

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
    self.wait()
    leaves, structure = jax.tree_util.tree_flatten_with_path(template)
    targets = {manifest.path_of(keys): leaf for keys, leaf in leaves}
    wanted = {path: manifest.expected(leaf) for path, leaf in targets.items()}

    def check(step: int, found: dict[manifest.Path, manifest.Leaf]) -> None:
      differ = manifest.differences(found, wanted)
      if differ:
        more = f' (and {len(differ) - 2} more)' if len(differ) > 2 else ''
        raise CheckpointError(
          f'checkpoint {step} in {self.directory} does not fit: {"; ".join(differ[:2])}{more}; '
          'use the config that the run began with, or another work folder'
        )

    found = self._first_whole(self.steps()[::-1], 'state', check)
    if found is None:
      return None
    arrays, body = found
    placed = [manifest.place(arrays[path], leaf) for path, leaf in targets.items()]
    return jax.tree_util.tree_unflatten(structure, placed), body['meta'], body['step']

  def restore_generator(
    self, which: str | int = 'latest', live: bool = False
  ) -> tuple[dict[str, Any], dict[str, Any], int]:
    """The generator's variables alone, without template or training code.

    Args:
      which: 'latest', 'best' (by the score that the run kept its best by), or the number of a step.
      live: the `players` of the training state instead of what was saved as generator.

    Returns:
      `(variables, meta, step)`: a nested dict of NumPy arrays. Damaged steps are passed over with a
      warning, except where one step was asked for by number.

    Raises:
      CheckpointError: there is no such step, or none is whole.
    """
    self.wait()
    steps = self.steps()
    if not steps:
      raise CheckpointError(
        f'no checkpoint in {self.directory}: train first, or name another folder'
      )
    if which == 'latest':
      order = steps[::-1]
    elif which == 'best':
      order = self._ranked(steps)
      if not order:
        raise CheckpointError(f"no checkpoint in {self.directory} has a score; ask for 'latest'")
    elif str(which).isdecimal() and int(which) in steps:
      order = [int(which)]
    else:
      known = ', '.join(map(str, steps))
      raise CheckpointError(
        f"no checkpoint {which!r} in {self.directory}; it has {known}, 'latest' and 'best'"
      )
    found = self._first_whole(order, 'state' if live else 'generator', lambda step, leaves: None)
    if found is None:
      raise CheckpointError(f'no checkpoint in {self.directory} was saved with a generator')
    arrays, body = found
    if live:
      arrays = {path[1:]: array for path, array in arrays.items() if path[0] == 'players'}
    return manifest.nest(arrays), body['meta'], body['step']

  def steps(self) -> list[int]:
    """The steps on disk, oldest first, damaged ones among them; those being written are not."""
    if not self.directory.exists():
      return []
    names = [path.name.removesuffix(_REPLACED) for path in self.directory.iterdir()]
    return sorted({int(name) for name in names if name.isdecimal()})

  def best_step(self) -> int | None:
    """The step with the best score, the newest of equals; None where no step has one."""
    self.wait()
    ranked = self._ranked(self.steps())
    return ranked[0] if ranked else None

  def wait(self) -> None:
    """Returns when the save under way is whole on disk.

    Raises:
      CheckpointError: it could not be written.
    """
    pending, self._pending = self._pending, None
    if pending is None:
      return
    try:
      pending.result()
    except Exception as error:  # a full disk comes as OSError, ValueError or bare Exception
      raise self._unwritable(self._newest, error) from error

  def close(self) -> None:
    """Waits, then frees the background threads; the object can be used again."""
    try:
      self.wait()
    finally:
      if self._saver is not None:
        self._saver.close()
        self._saver = None

  # ---- writing ----

  def _ensure_saver(self) -> ocp.AsyncCheckpointer:
    if self._saver is None:
      self._saver = ocp.AsyncCheckpointer(
        ocp.CompositeCheckpointHandler(
          state=ocp.PyTreeCheckpointHandler(**stored.FORMAT),
          generator=ocp.PyTreeCheckpointHandler(**stored.FORMAT),
          meta=ocp.JsonCheckpointHandler(filename=_META_FILE),
        )
      )
    return self._saver

  def _unwritable(self, step: int | None, error: Exception) -> CheckpointError:
    self._tidied = False  # there may be half a step to clear away
    reason = (isinstance(error, OSError) and error.strerror) or stored.first_line(error)
    return CheckpointError(f'checkpoint {step} cannot be written to {self.directory}: {reason}')

  def _make_room(self, step: int) -> None:
    """Clears what a killed save left behind, sets damaged steps and this step's old copy aside."""
    if jax.process_index() == 0:
      self.directory.mkdir(parents=True, exist_ok=True)
      if not self._tidied:
        for path in self.directory.iterdir():
          if _TEMPORARY in path.name or path.name.endswith(_REMOVED):
            path.rmtree()
      for bad in self._damaged & {*self.steps()}:
        aside = self.directory / 'damaged' / str(bad)
        aside.parent.mkdir(exist_ok=True)
        _move(self._folder(bad), aside)
      if (self.directory / str(step)).exists():
        _move(self.directory / str(step), self.directory / f'{step}{_REPLACED}')
    self._damaged, self._tidied = set(), True
    processes.barrier('checkpoint.make_room')

  def _start(self, step: int, held: Mapping[str, Any], head: Mapping[str, Any]) -> None:
    """Sums the arrays and hands all to orbax."""
    items, leaves = {}, {}
    for item, (data, begun) in held.items():
      described = manifest.add_sums(data, begun)
      leaves[item] = manifest.to_json(described)
      items[item] = ocp.args.PyTreeSave(stored.tree_to_write(data, described))
    body = {**head, 'leaves': leaves}
    meta = ocp.args.JsonSave({**body, 'crc': manifest.crc_of_json(body)})
    self._ensure_saver().save(
      self.directory / str(step), args=ocp.args.Composite(**items, meta=meta)
    )

  def _finish(self, step: int, held: Mapping[str, Any], head: Mapping[str, Any]) -> None:
    """Starts the save unless it has been, waits for it, then removes what is neither new nor best.

    Not in orbax's post_finalization_callback, which runs before the new step has its name.
    """
    if held:
      self._start(step, held, head)
    self._ensure_saver().wait_until_finished()
    if jax.process_index() != 0:
      return
    steps = self.steps()
    kept = {*steps[-self.keep :], self._newest}
    if self.best is not None:
      kept.update(self._ranked(steps)[:1])
    for step in steps:
      if step not in kept:
        self._remove(step)
      elif (self.directory / str(step)).exists():
        self._remove(step, _REPLACED)

  def _remove(self, step: int, *suffixes: str) -> None:
    for suffix in suffixes or ('', _REPLACED):
      folder = self.directory / f'{step}{suffix}'
      if folder.exists():
        gone = self.directory / f'{step}{_REMOVED}'
        _move(folder, gone)
        gone.rmtree()

  # ---- reading ----

  def _folder(self, step: int) -> epath.Path:
    folder = self.directory / str(step)
    return folder if folder.exists() else self.directory / f'{step}{_REPLACED}'

  def _first_whole(
    self,
    order: list[int],
    item: str,
    check: Callable[[int, dict[manifest.Path, manifest.Leaf]], None],
  ) -> tuple[dict[manifest.Path, np.ndarray], dict[str, Any]] | None:
    """The arrays and the meta file of the first step that every process can read; None = no step.

    `check(step, leaves)` raises CheckpointError where the step is not what the caller can use.
    """
    passed = []
    for step in processes.first_ones(order):
      damage, misfit, arrays, body = '', None, {}, {}
      try:
        body = self._meta(step)
        leaves = manifest.from_json(body['leaves'].get(item, []))
        if leaves:
          check(step, leaves)
          arrays = stored.read_arrays(self._folder(step) / item, leaves)
      except stored.Damaged as error:
        damage = str(error)
      except CheckpointError as error:
        misfit = error
      if processes.anywhere(misfit is not None):
        raise misfit or CheckpointError(f'checkpoint {step} cannot be used by another process')
      if not processes.anywhere(bool(damage)):
        if arrays:
          return arrays, body
        continue  # saved without this item
      damage = damage or 'another process could not read it'
      self._damaged.add(step)
      passed.append(f'step {step}: {damage}')
      logging.warning('checkpoint %d is damaged and passed over: %s', step, damage)
    if passed:
      raise CheckpointError(
        f'no checkpoint in {self.directory} is whole ({"; ".join(passed)}); '
        'remove the folder to begin anew, or put a copy back'
      )
    return None

  def _meta(self, step: int) -> dict[str, Any]:
    """The meta file of a step, checked."""
    body = stored.read_meta(self._folder(step) / 'meta' / _META_FILE)
    if body['format'] > _FORMAT:
      raise CheckpointError(
        f'checkpoint {step} in {self.directory} is of format {body["format"]}, '
        f'this jaxgan reads up to {_FORMAT}: update it'
      )
    return body

  def _ranked(self, steps: Iterable[int]) -> list[int]:
    """The steps that have a finite score, best first, the newest first among equals."""
    scored = []
    for step in steps:
      try:
        body = self._meta(step)
      except (stored.Damaged, CheckpointError):
        continue  # restore says what is wrong with it
      name, mode = (self.best, self.best_mode) if self.best is not None else body['best']
      score = body['scores'].get(name, math.nan)
      if math.isfinite(score):
        scored.append((score if mode == 'max' else -score, step))
    return [step for _, step in sorted(scored, reverse=True)]


def _move(source: epath.Path, target: epath.Path) -> None:
  """Renames a folder, over an older one of that name."""
  if target.exists():
    target.rmtree()
  source.rename(target)

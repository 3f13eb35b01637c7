"""A small classifier trained in seconds on a data set: whose class does a sample show?

The features before its head serve the k-nearest-neighbour scores too.

All layers are matrix products over pixels or 2x2 blocks: XLA's CPU backend runs those several times
faster than convolutions.
"""

import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.errors import UserError

PIXEL, BLOCK, QUARTER = 32, 64, 96  # widths at full, half and quarter resolution
FEATURES = 96
NOISE = 0.03  # of [-1, 1]: a generator's flat areas are never perfectly flat
MOST_BYTES = 2**28  # of pictures that one learns from, so that they fit into memory
GIVEN, TRAINED = 'given.npz', 'trained.npz'
# Modules come from where this process has them.
CHILD = (
  f'import sys; _, folder, *sys.path = sys.argv; from {__name__} import _serve; _serve(folder)'
)
# Sums in one order, however many cores there are; an error in the last line.
ONE_CORE = {'JAX_PLATFORMS': 'cpu', 'PJRT_NPROC': '1', 'JAX_TRACEBACK_FILTERING': 'off'}


class ClassifierError(UserError):
  """Pictures or labels that cannot be learnt from; the message says what was expected."""


class Classifier(NamedTuple):
  """A trained classifier.

  Attributes:
    params: name -> float32 array.
    accuracy: share of the held-out pictures whose class is found, in [0, 1].
  """

  params: dict[str, Any]
  accuracy: float


def _ready(images: Any) -> jax.Array:
  """Float pictures in [-1, 1]; those of 128 pixels and more are averaged down to 64 to 127."""
  images = jnp.asarray(images)
  scaled = images.astype(jnp.float32)
  if images.dtype == jnp.uint8:
    scaled = scaled / 127.5 - 1
  by = max(1, max(images.shape[1:3]) // 64)
  b, h, w, c = (scaled := _filled(scaled, by)).shape
  return scaled.reshape(b, h // by, by, w // by, by, c).mean((2, 4)) if by > 1 else scaled


def _filled(images: jax.Array, side: int) -> jax.Array:
  """[B, H, W, C] with edges repeated until height and width divide by the side."""
  pad = [(0, 0), (0, -images.shape[1] % side), (0, -images.shape[2] % side), (0, 0)]
  return jnp.pad(images, pad, mode='edge')


def _patches(images: jax.Array) -> jax.Array:
  """[B, H, W, C] -> [B, ~16, ~16, p * p * C]: blocks of pixels as channels, p = 1 up to 24 pixels."""
  side = max(1, round(max(images.shape[1:3]) / 16))
  b, h, w, c = (images := _filled(images, side)).shape
  images = images.reshape(b, h // side, side, w // side, side, c)
  return images.transpose(0, 1, 3, 2, 4, 5).reshape(b, h // side, w // side, -1)


def _blocks(x: jax.Array) -> jax.Array:
  """[B, H, W, C] -> [B, ceil(H / 2), ceil(W / 2), 4 C]: 2x2 pixels as channels."""
  x = jnp.pad(x, [(0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)])
  b, h, w, c = x.shape
  x = x.reshape(b, h // 2, 2, w // 2, 2, c)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, h // 2, w // 2, 4 * c)


def _dense(params: dict[str, Any], name: str, x: jax.Array) -> jax.Array:
  return x @ params[f'{name}/kernel'] + params[f'{name}/bias']


def _embed(params: dict[str, Any], images: jax.Array) -> jax.Array:
  """Features [B, FEATURES] of pictures [B, H, W, C] made `_ready`."""
  x = jax.nn.relu(_dense(params, 'pixel_0', _patches(images)))
  x = jax.nn.relu(_dense(params, 'pixel_1', x))
  everywhere = x.mean((1, 2))  # which colours there are, wherever they are
  x = jax.nn.relu(_dense(params, 'block', _blocks(x)))
  x = jax.nn.relu(_dense(params, 'quarter', _blocks(x)))
  x = jnp.concatenate([x.reshape(len(x), -1), everywhere], 1)
  return _dense(params, 'features', x)


def _logits(params: dict[str, Any], features: jax.Array) -> jax.Array:
  return _dense(params, 'head', jax.nn.relu(_dense(params, 'hidden', features)))


def _init(shape: tuple[int, ...], num_classes: int, seed: int) -> dict[str, Any]:
  """He-normal weights drawn with NumPy: no compilation, and the same on every machine."""
  rng = np.random.default_rng(seed)
  picture = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
  whole = jax.eval_shape(lambda x: _patches(_ready(x)), picture).shape
  h, w = (-(-side // 4) for side in whole[1:3])
  layers = {
    'pixel_0': (whole[-1], PIXEL, 2.0),
    'pixel_1': (PIXEL, PIXEL, 2.0),
    'block': (4 * PIXEL, BLOCK, 2.0),
    'quarter': (4 * BLOCK, QUARTER, 2.0),
    'features': (h * w * QUARTER + PIXEL, FEATURES, 1.0),
    'hidden': (FEATURES, FEATURES, 2.0),
    'head': (FEATURES, num_classes, 1.0),
  }
  params = {}
  for name, (inputs, outputs, gain) in layers.items():
    kernel = rng.standard_normal((inputs, outputs)) * np.sqrt(gain / inputs)
    params[f'{name}/kernel'] = kernel.astype(np.float32)
    params[f'{name}/bias'] = np.zeros(outputs, np.float32)
  # Rectifiers that all bend at mid-grey tell near colours apart badly: spread the bends.
  params['pixel_0/bias'] = rng.uniform(-1, 1, PIXEL).astype(np.float32)
  return params


def _loss(params: dict[str, Any], images: jax.Array, labels: jax.Array) -> jax.Array:
  """Cross-entropy of the class."""
  logits = _logits(params, _embed(params, images))
  return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _check(images: Any, labels: Any, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
  images, labels = np.asarray(images), np.asarray(labels)
  if images.ndim != 4 or images.dtype != np.uint8:
    raise ClassifierError(
      f'the classifier learns from uint8 [N, H, W, C], not {images.dtype} {list(images.shape)}'
    )
  if labels.shape != images.shape[:1] or labels.dtype.kind not in 'iu':
    raise ClassifierError(
      f'{len(images)} pictures need as many integer labels, not {labels.dtype} {list(labels.shape)}'
    )
  if len(images) < 20 or num_classes < 2:
    raise ClassifierError(
      f'the classifier needs 20 pictures and 2 classes at least, not {len(images)} and {num_classes}'
    )
  if labels.min() < 0 or labels.max() >= num_classes:
    raise ClassifierError(
      f'labels run from {labels.min()} to {labels.max()}, expected 0 to {num_classes - 1}'
    )
  return images, labels.astype(np.int32)


def _optimizer(steps: int, learning_rate: float) -> optax.GradientTransformation:
  schedule = optax.cosine_onecycle_schedule(steps, learning_rate, 0.2)
  return optax.adamw(schedule, weight_decay=1e-3)


@partial(jax.jit, static_argnums=(5, 6), donate_argnums=(0, 1))
def _step(params, opt_state, images, labels, key, steps, learning_rate):
  images = _ready(images)
  images += NOISE * jax.random.normal(key, images.shape)
  gradient = jax.grad(_loss)(params, images, labels)
  updates, opt_state = _optimizer(steps, learning_rate).update(gradient, opt_state, params)
  return optax.apply_updates(params, updates), opt_state


def train(
  images: Any,
  labels: Any,
  num_classes: int,
  seed: int = 0,
  steps: int = 500,
  batch_size: int = 96,
  learning_rate: float = 4e-3,
) -> Classifier:
  """Trains on nine tenths of the pictures and measures the accuracy on the last tenth.

  A process of its own trains on one CPU core: the order of XLA's sums depends on the number of cores and
  on the accelerator, training makes the last digit grow, and scores would depend on it.

  Args:
    images: uint8 [N, H, W, C].
    labels: integers [N], 0 to num_classes - 1.
    num_classes: how many classes there are.
    seed: of the split, the weights, the order and the noise: the same numbers every time.
    steps: of AdamW with a one-cycle learning rate.
    batch_size: pictures a step.
    learning_rate: its peak.

  Returns:
    A Classifier with its held-out accuracy.

  Raises:
    ClassifierError: for pictures or labels of another kind, or where the process ended without a
      classifier; the message has its last line.
  """
  images, labels = _check(images, labels, num_classes)
  given: dict[str, Any] = {'steps': steps, 'batch_size': batch_size, 'learning_rate': learning_rate}
  inherited = {k: v for k, v in os.environ.items() if not k.startswith(('JAX_', 'XLA_'))}
  with tempfile.TemporaryDirectory() as folder:
    np.savez(
      Path(folder, GIVEN), images=images, labels=labels, num_classes=num_classes, seed=seed, **given
    )
    ended = subprocess.run(
      [sys.executable, '-c', CHILD, folder, *sys.path],
      env=inherited | ONE_CORE,
      start_new_session=True,  # an interrupt is for the run that waits, which ends the process itself
      capture_output=True,
      text=True,
    )
    if ended.returncode:
      last = (ended.stderr.strip() or f'exit status {ended.returncode}').splitlines()[-1]
      raise ClassifierError(f'the process that trains the classifier failed: {last}')
    return _read(Path(folder, TRAINED))


def _train(
  images: np.ndarray,
  labels: np.ndarray,
  num_classes: int,
  seed: int,
  steps: int,
  batch_size: int,
  learning_rate: float,
) -> Classifier:
  """`train` in this process."""
  rng = np.random.default_rng(seed)
  order = rng.permutation(len(images))
  held_out, learnt = np.split(order, [len(images) // 10])
  batch_size = min(batch_size, len(learnt))
  params = _init(images.shape[1:], num_classes, seed)
  opt_state = _optimizer(steps, learning_rate).init(params)
  keys = jax.random.split(jax.random.key(seed, impl='rbg'), steps)
  queue = np.zeros(0, np.int64)
  for i in range(steps):
    while len(queue) < batch_size:
      queue = np.concatenate([queue, rng.permutation(learnt)])
    batch, queue = np.split(queue, [batch_size])
    params, opt_state = _step(
      params, opt_state, images[batch], labels[batch], keys[i], steps, learning_rate
    )
  trained = Classifier(jax.device_get(params), 0.0)
  accuracy = float(np.mean(predict(trained, images[held_out]) == labels[held_out]))
  return trained._replace(accuracy=accuracy)


def forward(params: dict[str, Any], images: jax.Array) -> tuple[jax.Array, jax.Array]:
  """(features [B, FEATURES], logits [B, K]) of pictures [B, H, W, C], uint8 or float in [-1, 1]."""
  found = _embed(params, _ready(images))
  return found, _logits(params, found)


@jax.jit
def _forward(params: dict[str, Any], images: jax.Array) -> tuple[jax.Array, jax.Array]:
  found, logits = forward(params, images)
  return found, jnp.argmax(logits, 1).astype(jnp.int32)


def _run(classifier: Classifier, images: Any, which: int, block: int = 512) -> np.ndarray:
  """`_forward` block by block; the last block is filled up so that one shape is compiled."""
  images = np.asarray(images)
  parts = []
  for start in range(0, len(images), block):
    part = images[start : start + block]
    filled = np.concatenate([part, np.repeat(part[-1:], block - len(part), 0)])
    parts.append(np.asarray(_forward(classifier.params, filled)[which])[: len(part)])
  return np.concatenate(parts)


def features(classifier: Classifier, images: Any) -> np.ndarray:
  """Features for k-nearest-neighbour scores.

  Args:
    classifier: as trained.
    images: [N, H, W, C], N > 0, uint8 or float in [-1, 1], of the size it was trained on.

  Returns:
    float32 [N, FEATURES].
  """
  return _run(classifier, images, 0)


def predict(classifier: Classifier, images: Any) -> np.ndarray:
  """The class of every picture.

  Args:
    classifier: as trained.
    images: [N, H, W, C], N > 0, uint8 or float in [-1, 1], of the size it was trained on.

  Returns:
    int32 [N].
  """
  return _run(classifier, images, 1)


def cached(
  images: Any, labels: Any, num_classes: int, cache_dir: Any, seed: int = 0, **settings: Any
) -> Classifier:
  """`train`, or what it gave the last time for the same pictures, labels, settings and code.

  Args:
    images, labels, num_classes, seed, settings: as for `train`.
    cache_dir: folder of the cache; made when missing. A damaged file is trained again.

  Returns:
    A Classifier.

  Raises:
    ClassifierError: as `train`.
  """
  images, labels = _check(images, labels, num_classes)
  code = inspect.getsource(sys.modules[__name__])
  digest = hashlib.sha256(
    repr((code, images.shape, num_classes, seed, sorted(settings.items()))).encode()
  )
  digest.update(np.ascontiguousarray(images).data)
  digest.update(np.ascontiguousarray(labels).data)
  path = os.path.join(os.fspath(cache_dir), f'classifier-{digest.hexdigest()[:24]}.npz')
  try:
    kept, like = _read(path), _init(images.shape[1:], num_classes, seed)
    shapes = lambda tree: {name: (leaf.shape, leaf.dtype) for name, leaf in tree.items()}
    fits = shapes(kept.params) == shapes(like)
    if fits and all(np.isfinite(leaf).all() for leaf in kept.params.values()):
      return kept
  except Exception:  # not there yet, or damaged: zip files break in a dozen ways
    pass
  trained = train(images, labels, num_classes, seed, **settings)
  try:
    _write(path, trained)
  except OSError as error:
    warnings.warn(f'cannot keep the classifier in {cache_dir}: {error}', stacklevel=2)
  return trained


def _read(path: str | Path) -> Classifier:
  with np.load(path) as file:
    params = {name: file[name] for name in file.files}
  return Classifier(params, float(params.pop('accuracy')))


def _write(path: str | Path, trained: Classifier) -> None:
  """Writes a neighbour of the path and renames it: readers never see half a file."""
  os.makedirs(os.path.dirname(path), exist_ok=True)
  handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), suffix='.tmp')
  try:
    with os.fdopen(handle, 'wb') as file:
      np.savez(file, accuracy=trained.accuracy, **trained.params)
    os.replace(temporary, path)
  except BaseException:
    os.unlink(temporary)
    raise


def _end_with(parent: int, folder: str) -> None:
  """Ends this process soon after the one that waits for it, however that ended, and leaves nothing."""
  while os.getppid() == parent:
    time.sleep(1)
  shutil.rmtree(folder, ignore_errors=True)
  os._exit(1)


def _serve(folder: str) -> None:
  """What the process of its own does: reads GIVEN from the folder and leaves TRAINED there."""
  threading.Thread(target=_end_with, args=(os.getppid(), folder), daemon=True).start()
  with np.load(Path(folder, GIVEN)) as file:
    arrays = {name: file[name] for name in file.files}
  plain = {name: array.item() for name, array in arrays.items() if not array.ndim}
  _write(Path(folder, TRAINED), _train(**(arrays | plain)))

"""From a data set and an order to batches: on the host as uint8, on the device as float32."""

import collections
import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.datasets.dataset import DataError, Dataset
from jaxgan.datasets.order import Sampler
from jaxgan.nn import replicas


def batches(
  dataset: Dataset, sampler: Sampler, start: int = 0, prefetch: int = 2
) -> Iterator[dict[str, np.ndarray]]:
  """Batches of the steps start, start + 1, ... without end, read ahead in the background.

  Args:
    dataset: its pictures are gathered by one thread when they are in memory, and by grain's
      threads when they are streamed; the order is the same. Read from its `large` where it has that.
    sampler: which examples a step has.
    start: the first step; a resumed run gives its own.
    prefetch: how many batches are read ahead, at least 1.

  Returns:
    An iterator of {'image': uint8 [B, H, W, C], 'label': int32 [B]}, B = this host's share.
    Close it, or let it go out of scope, to end the reading.

  Raises:
    DataError: when the sampler is of another size, or grain is needed and missing.
  """
  if sampler.size != dataset.size:
    raise DataError(
      f'{dataset.name} has {dataset.size} examples but the sampler was made for {sampler.size}'
    )
  dataset = dataset.large or dataset
  prefetch = max(1, prefetch)
  if dataset.arrays is None:
    from jaxgan.datasets import stream

    return stream.batches(dataset, sampler, start, prefetch)
  return _gathered(dataset, sampler, start, prefetch)


def _gathered(
  dataset: Dataset, sampler: Sampler, start: int, prefetch: int
) -> Iterator[dict[str, np.ndarray]]:
  pool = ThreadPoolExecutor(1, thread_name_prefix='batches')
  try:
    ahead: collections.deque = collections.deque()
    for step in itertools.count(start):
      ahead.append(pool.submit(lambda s: dataset.fetch(sampler.indices(s)), step))
      if len(ahead) > prefetch:
        yield ahead.popleft().result()
  finally:
    pool.shutdown(wait=False)  # joining would fail while the interpreter ends


def preprocess(
  batch: Mapping[str, Any],
  key: jax.Array,
  flip: bool = False,
  load_size: int = 0,
  window: tuple[int, int] | None = None,
  paired: bool = True,
) -> dict[str, jax.Array]:
  """Normalises pictures inside the step: x / 127.5 - 1, then a random crop and a random mirror image.

  Args:
    batch: uint8 arrays [B, H, W, C] are pictures; other arrays, as points, are passed through.
    key: PRNG key of the draws, the same on every replica.
    flip: mirror every example left to right with probability 1/2.
    load_size: height that pictures have, or else are enlarged to (bicubic), before a crop is taken
      anywhere in them; 0 = no crop.
    window: height and width of the crop; None = of the pictures as they come.
    paired: the pictures of one example (image and target) share crop and coin; else each has its own.

  Returns:
    The batch with float32 pictures in [-1, 1].

  Raises:
    ValueError: load_size is below the height of the crop, or image and target differ in size.
  """
  result = dict(batch)
  pictures = [k for k, v in batch.items() if v.ndim == 4 and v.dtype == jnp.uint8]
  for name in pictures:
    # Whole numbers and one product: no fusion can round it differently, eager, jit or pmap.
    result[name] = (2 * batch[name].astype(jnp.int32) - 255).astype(jnp.float32) * (1 / 255)
  if not pictures:
    return result
  size, *own, _ = batch[pictures[0]].shape
  folds = [0 if paired else 2 * i for i in range(len(pictures))]  # the corners fold in 0 and 1
  keys = [jax.random.fold_in(key, fold) if fold else key for fold in folds]
  if load_size:
    height, width = window or own
    if load_size < height:
      raise ValueError(f'data.load_size={load_size}; pictures have {height} already')
    if len({batch[name].shape[1:3] for name in pictures}) > 1:
      raise ValueError(f'data.load_size={load_size} with targets of another size; leave it 0')
    large = (load_size, round(width * load_size / height))
    for name, own_key in zip(pictures, keys):
      corners = [
        replicas.draw(
          jax.random.randint,
          jax.random.fold_in(own_key, i),
          (size,),
          minval=0,
          maxval=whole - part + 1,
        )
        for i, (whole, part) in enumerate(zip(large, (height, width)))
      ]
      result[name] = _cropped(result[name], large, corners, height, width)
  if flip:
    for name, own_key in zip(pictures, keys):
      coins = replicas.draw(lambda k, shape: jax.random.bernoulli(k, 0.5, shape), own_key, (size,))
      mirrored = result[name][:, :, ::-1]
      result[name] = jnp.where(coins[:, None, None, None], mirrored, result[name])
  return result


def _cropped(
  images: jax.Array, large: tuple[int, int], corners: list[jax.Array], height: int, width: int
) -> jax.Array:
  """Windows of the images enlarged, unless they are as large already, with those corners."""
  b, *_, channels = images.shape
  enlarged = jax.image.resize(images, (b, *large, channels), 'cubic').clip(-1, 1)
  window = lambda x, top, left: jax.lax.dynamic_slice(
    x, (top, left, jnp.zeros_like(top)), (height, width, channels)
  )
  return jax.vmap(window)(enlarged, *corners)

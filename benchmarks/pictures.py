"""The pictures that both sides of a comparison train on."""

from typing import Any

import numpy as np

from jaxgan import config as configs
from jaxgan import datasets

EMOJI = 64  # pixels of the embedded ones


def load(config: Any) -> datasets.Dataset:
  """The data of a config; emoji are enlarged beyond their 64 pixels, each pixel to a square, as fetched.

  What a step costs does not depend on what is on the pictures.
  """
  options = {k: v for k, v in config.data.items() if k not in configs.BATCHING}
  side = options['resolution']
  if options['name'] != 'emoji' or side <= EMOJI:
    return datasets.load(**options)
  small = datasets.load(**{**options, 'resolution': EMOJI})
  times = side // EMOJI

  def fetch(indices: np.ndarray) -> dict[str, np.ndarray]:
    enlarge = lambda x: x.repeat(times, 1).repeat(times, 2) if x.ndim == 4 else x
    return {name: enlarge(x) for name, x in small.fetch(indices).items()}

  arrays = {k: v for k, v in (small.arrays or {}).items() if k not in ('image', 'target')}
  shape = (times * EMOJI, times * EMOJI, small.image_shape[-1])
  return small._replace(image_shape=shape, fetch=fetch, arrays=arrays)

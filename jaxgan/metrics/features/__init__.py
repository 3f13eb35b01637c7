"""Networks that turn pictures into features, each with the hash of its weights and its resizer.

extractor = inception.load()                     # or efficientnet.load()
features = extract(extractor, images)['2048']    # uint8 [N, H, W, C] -> float32 [N, 2048]
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np


class Extractor(NamedTuple):
  """A network and what a score's stamp says of it.

  Attributes:
    name: of the network and its weights.
    sha256: of the file that the weights come from, 64 hexadecimal digits.
    resizer: how pictures are brought to its size.
    taps: name of features -> their number.
    default: the tap that distances are taken of.
    apply: (params, uint8 [B, H, W, 3]) -> tap -> float32 [B, D].
    params: of the network.
  """

  name: str
  sha256: str
  resizer: str
  taps: dict[str, int]
  default: str
  apply: Callable[[Any, jax.Array], dict[str, jax.Array]]
  params: Any


def extract(
  extractor: Extractor, images: Any, taps: Sequence[str] = (), batch_size: int = 32
) -> dict[str, np.ndarray]:
  """The features of pictures.

  Args:
    extractor: of this package.
    images: uint8 [N, H, W, C], C = 1 (repeated) or 3. Pictures in [-1, 1] are to be rounded to bytes
      first, as they would be saved: the rounding is part of every published score.
    taps: which features; () = the default one.
    batch_size: pictures at a time; the last batch is filled up, so that one shape is compiled.

  Returns:
    tap -> float32 [N, D].

  Raises:
    ValueError: for pictures of another kind, or an unknown tap.
  """
  images, taps = np.asarray(images), tuple(taps) or (extractor.default,)
  if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
    raise ValueError(
      f'uint8 pictures [N, H, W, 1 or 3] expected, not {images.dtype} {images.shape}'
    )
  unknown = [tap for tap in taps if tap not in extractor.taps]
  if unknown or not len(images) or batch_size < 1:
    raise ValueError(
      f'{len(images)} pictures, taps {list(taps)}; {extractor.name} has {", ".join(extractor.taps)}'
    )
  run = jax.jit(lambda params, x: {tap: extractor.apply(params, x)[tap] for tap in taps})
  parts = []
  for start in range(0, len(images), batch_size):
    part = images[start : start + batch_size]
    filled = np.concatenate([part, np.repeat(part[-1:], batch_size - len(part), 0)])
    filled = np.broadcast_to(filled, (*filled.shape[:3], 3))
    parts.append({k: np.asarray(v)[: len(part)] for k, v in run(extractor.params, filled).items()})
  return {tap: np.concatenate([part[tap] for part in parts]) for tap in taps}

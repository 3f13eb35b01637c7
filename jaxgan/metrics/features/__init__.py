"""Networks that turn pictures into features, each with the hash of its weights and its resizer.

extractor = inception.load()                     # or efficientnet.load()
features = extract(extractor, images)['2048']    # uint8 [N, H, W, C] -> float32 [N, 2048]
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec


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


@partial(jax.jit, static_argnums=(0, 1))
def _run(apply: Any, taps: tuple[str, ...], params: Any, images: Any) -> dict[str, jax.Array]:
  found = apply(params, images)
  return {tap: found[tap] for tap in taps}


def extract(
  extractor: Extractor,
  images: Any,
  taps: Sequence[str] = (),
  batch_size: int = 32,
  sharding: NamedSharding | None = None,
) -> dict[str, np.ndarray]:
  """The features of pictures.

  Args:
    extractor: of this package.
    images: uint8 [N, H, W, C], C = 1 (repeated) or 3. Pictures in [-1, 1] are to be rounded to bytes
      first, as they would be saved: the rounding is part of every published score.
    taps: which features; () = the default one.
    batch_size: pictures a device takes at a time; the last batch is filled up, so that one shape is
      compiled.
    sharding: how a batch lies on several devices; None = on the default one.

  Returns:
    tap -> float32 [N, D], of products in full float32 on every platform.

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
  params, put = extractor.params, lambda x: x
  if sharding is not None:
    batch_size *= sharding.num_devices
    params = jax.device_put(params, NamedSharding(sharding.mesh, PartitionSpec()))
    put = lambda x: jax.device_put(x, sharding)
  parts = []
  for start in range(0, len(images), batch_size):
    part = images[start : start + batch_size]
    filled = np.concatenate([part, np.repeat(part[-1:], batch_size - len(part), 0)])
    filled = put(np.broadcast_to(filled, (*filled.shape[:3], 3)))
    with jax.default_matmul_precision('highest'):  # accelerators else cut float32 to fewer digits
      found = _run(extractor.apply, taps, params, filled)
    parts.append({tap: np.asarray(x)[: len(part)] for tap, x in found.items()})
  return {tap: np.concatenate([part[tap] for part in parts]) for tap in taps}

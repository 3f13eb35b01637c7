"""Features of patches: what PatchNCE compares, from the inside of a generator."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn.precision import widen
from jaxgan.nn.spectral_norm import SNDense


class PatchProjector(nn.Module):
  """Feature maps of several layers -> unit vectors of some of their places, by a perceptron a layer.

  h / sqrt(|h|^2 + 1e-14), h = W_2 relu(W_1 f + b_1) + b_2, f the features at a place.

  Attributes:
    features: size of the vectors.
    kernel_init: name of the kernel initialiser.

  Source: Park et al. 2020, arXiv 2007.15651.
  """

  features: int = 256
  kernel_init: str = 'normal'

  @nn.compact
  def __call__(
    self, maps: Mapping[str, jax.Array], places: Mapping[str, jax.Array]
  ) -> dict[str, jax.Array]:
    """name -> [B, H, W, C] and name -> int [S], row by row, to name -> [B, S, features]."""
    projected = {}
    for name, x in maps.items():
      x = x.reshape(len(x), -1, x.shape[-1])[:, places[name]]
      for i in range(2):
        dense: Any = SNDense(
          features=self.features,
          spectral=False,
          kernel_init=self.kernel_init,
          name=f'{name}_dense_{i}',
        )
        x = dense(nn.relu(x) if i else widen(x))
      projected[name] = x * jax.lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + 1e-14)
    return projected


def draw_places(
  shapes: Mapping[str, Sequence[int]], count: int, key: jax.Array
) -> dict[str, jax.Array]:
  """`count` places of each map, or all of a smaller one, without repetition.

  Args:
    shapes: name -> shape [B, H, W, C].
    count: patches.
    key: PRNG key.

  Returns:
    name -> int [S].
  """
  return {
    name: jax.random.permutation(jax.random.fold_in(key, i), shape[1] * shape[2])[:count]
    for i, (name, shape) in enumerate(shapes.items())
  }

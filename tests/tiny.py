"""A game small enough to know by heart: linear generator and discriminator on points of a plane."""

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgan.datasets.dataset import Dataset, from_arrays
from jaxgan.games import Game
from jaxgan.games.adversarial import adversarial


class Generator(nn.Module):
  """z [B, 2] -> images [B, 4, 4, 1]."""

  @nn.compact
  def __call__(self, z, labels, train=False):
    return nn.Dense(16)(z).reshape(-1, 4, 4, 1)


class Discriminator(nn.Module):
  """Images -> logits [B]."""

  @nn.compact
  def __call__(self, x, labels, train=False):
    logits = nn.Dense(1)(x.reshape(len(x), -1))[:, 0]
    return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))


def game(**options) -> Game:
  """The adversarial game of the two."""
  return adversarial(Generator(), Discriminator(), dim_z=2, num_classes=3, **options)


def dataset(size: int = 64) -> Dataset:
  """Random 4x4 grey pictures of three classes."""
  rng = np.random.default_rng(0)
  arrays = {
    'image': rng.integers(0, 256, (size, 4, 4, 1), np.uint8),
    'label': rng.integers(0, 3, size).astype(np.int32),
  }
  return from_arrays('tiny', arrays, ('a', 'b', 'c'), 'made up')

"""Labels and codes at the input of networks that take none: for any architecture, by config."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn import latents, replicas

CONDITIONINGS = ('', 'concatenation', 'embedding')


class Codes(NamedTuple):
  """InfoGAN's codes: the last entries of the latent, which the discriminator's head reads back.

  Attributes:
    discrete: sizes of the uniform categorical codes, each one-hot.
    continuous: number of codes ~ U[-1, 1).
  """

  discrete: tuple[int, ...] = ()
  continuous: int = 0

  @property
  def size(self) -> int:
    """Entries of all codes together."""
    return sum(self.discrete) + self.continuous

  def draw(self, key: jax.Array, n: int) -> jax.Array:
    """Codes float32 [n, size]."""
    parts = []
    for i, count in enumerate(self.discrete):
      index = replicas.draw(
        jax.random.randint, jax.random.fold_in(key, i), (n,), minval=0, maxval=count
      )
      parts.append(jax.nn.one_hot(index, count))
    if self.continuous:
      parts.append(latents.uniform(jax.random.fold_in(key, len(parts)), (n, self.continuous)))
    return jnp.concatenate(parts, -1)

  def split(self, codes: Any) -> tuple[list[jax.Array], jax.Array]:
    """(one-hot [B, size of the code] of each discrete code, continuous codes [B, continuous])."""
    parts, start = [], 0
    for count in self.discrete:
      parts.append(codes[:, start : start + count])
      start += count
    return parts, codes[:, start:]


class LabelledGenerator(nn.Module):
  """A generator that gets the label with its latent: G([e(y), z]); codes stay at the end.

  Attributes:
    network: takes latents [B, dim_z + size of e(y)].
    num_classes: K.
    embedding: size of a learned e(y); 0 takes the one-hot label.

  Source: Mirza & Osindero 2014, arXiv 1411.1784 (one-hot).
  """

  network: nn.Module
  num_classes: int
  embedding: int = 0

  @nn.compact
  def __call__(self, z: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
    if self.embedding:
      label = nn.Embed(self.num_classes, self.embedding, name='label')(labels)
    else:
      label = jax.nn.one_hot(labels, self.num_classes, dtype=z.dtype)
    return self.network(jnp.concatenate([label, z], -1), labels, train)


class LabelledDiscriminator(nn.Module):
  """A discriminator that gets the label as more channels of the image: D([x, e(y)]).

  Attributes:
    network: takes images [B, H, W, C + K], or [B, H, W, C + 1] with an embedding.
    num_classes: K.
    embedding: not 0: one learned map [H, W] a class instead of K constant ones.
  """

  network: nn.Module
  num_classes: int
  embedding: int = 0

  @nn.compact
  def __call__(self, x: jax.Array, labels: jax.Array, train: bool = False) -> Any:
    n, h, w, _ = x.shape
    if self.embedding:
      label = nn.Embed(self.num_classes, h * w, name='label')(labels).reshape(n, h, w, 1)
    else:
      one_hot = jax.nn.one_hot(labels, self.num_classes)
      label = jnp.broadcast_to(one_hot[:, None, None], (n, h, w, self.num_classes))
    return self.network(jnp.concatenate([x, label.astype(x.dtype)], -1), labels, train)


def pack(x: jax.Array, count: int) -> jax.Array:
  """[B, H, W, C] -> [B / count, H, W, count C]: neighbours become one example of more channels.

  Source: PacGAN, Lin et al. 2017, arXiv 1712.04086.
  """
  if count == 1:
    return x
  n, h, w, c = x.shape
  return (
    x.reshape(n // count, count, h, w, c).transpose(0, 2, 3, 1, 4).reshape(n // count, h, w, -1)
  )


def check_packing(count: int, batch: Mapping[str, Any]) -> None:
  """Whether a batch can be packed.

  Raises:
    ValueError: `count` does not divide it.
  """
  n = batch['image'].shape[0]
  if n % count:
    raise ValueError(f'packing={count} does not divide {n} images; make data.batch_size a multiple')


def unpack(x: jax.Array, count: int) -> jax.Array:
  """The inverse of `pack`."""
  if count == 1:
    return x
  n, h, w, c = x.shape
  return (
    x.reshape(n, h, w, count, c // count).transpose(0, 3, 1, 2, 4).reshape(-1, h, w, c // count)
  )

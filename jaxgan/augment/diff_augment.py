"""DiffAugment: colour, translation and cutout, always on, for reals and fakes alike."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.augment.augmentation import Augmentation, check_known, stateless
from jaxgan.nn import replicas

TRANSLATION = 0.125  # the largest shift, as a part of the size
CUTOUT = 0.5  # the edge of the square, as a part of the size


def brightness(images: jax.Array, u: jax.Array) -> jax.Array:
  """x + u - 1/2; images [B, H, W, C], u [B] in [0, 1)."""
  return images + (u - 0.5)[:, None, None, None]


def saturation(images: jax.Array, u: jax.Array) -> jax.Array:
  """m + 2u (x - m), m the mean over the channels; images [B, H, W, C], u [B] in [0, 1)."""
  mean = images.mean(3, keepdims=True)
  return mean + (images - mean) * (2 * u)[:, None, None, None]


def contrast(images: jax.Array, u: jax.Array) -> jax.Array:
  """m + (u + 1/2) (x - m), m the mean of all of an image; images [B, H, W, C], u [B] in [0, 1)."""
  mean = images.mean((1, 2, 3), keepdims=True)
  return mean + (images - mean) * (u + 0.5)[:, None, None, None]


def translation(images: jax.Array, shift: jax.Array) -> jax.Array:
  """out[i, j] = x[i + shift_0, j + shift_1], zeros from outside.

  Args:
    images: [B, H, W, C].
    shift: int [B, 2], pixels, in magnitude at most `reach` of H and of W.

  Returns:
    [B, H, W, C].
  """
  size = images.shape[1:3]
  by = [reach(n) for n in size]
  padded = jnp.pad(images, ((0, 0), *((n, n) for n in by), (0, 0)))
  start = jnp.asarray(by) + shift
  cut = lambda x, at: jax.lax.dynamic_slice(x, (at[0], at[1], 0), (*size, x.shape[2]))
  return jax.vmap(cut)(padded, start)


def cutout(images: jax.Array, center: jax.Array) -> jax.Array:
  """A rectangle of half the height and half the width set to 0.

  Args:
    images: [B, H, W, C].
    center: int [B, 2], the pixel in the middle of the rectangle (for an even edge, the first after it).

  Returns:
    [B, H, W, C].
  """
  inside = []
  for axis, n in enumerate(images.shape[1:3]):
    size = edge(n)
    position = jnp.arange(n) - (center[:, axis, None] - size // 2)
    inside.append((position >= 0) & (position < size))
  hole = inside[0][:, :, None] & inside[1][:, None, :]
  return jnp.where(hole[..., None], jnp.zeros((), images.dtype), images)


def reach(n: int) -> int:
  """The largest shift along an axis of n pixels."""
  return int(n * TRANSLATION + 0.5)


def edge(n: int) -> int:
  """The edge of the rectangle along an axis of n pixels."""
  return int(n * CUTOUT + 0.5)


def _uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  return replicas.draw(jax.random.uniform, key, shape[:1])


def _shifts(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  return _integers(key, shape, [(-reach(n), reach(n) + 1) for n in shape[1:3]])


def _centers(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  # one more place for an even edge, which has no middle pixel: as far out on both sides
  return _integers(key, shape, [(0, n + 1 - edge(n) % 2) for n in shape[1:3]])


def _integers(key: jax.Array, shape: tuple[int, ...], bounds: list[tuple[int, int]]) -> jax.Array:
  """int32 [B, 2], each column from [low, high) of its own."""
  low, high = (jnp.asarray(bound) for bound in zip(*bounds))
  return replicas.draw(jax.random.randint, key, (shape[0], 2), minval=low, maxval=high)


Step = tuple[Callable[..., jax.Array], Callable[..., jax.Array]]
POLICIES: dict[
  str, tuple[Step, ...]
] = {  # name -> (change, its draws), in the order of application
  'color': ((brightness, _uniform), (saturation, _uniform), (contrast, _uniform)),
  'translation': ((translation, _shifts),),
  'cutout': ((cutout, _centers),),
}


def diff_augment(policy: str = 'color,translation,cutout') -> Augmentation:
  """T(x) of reals and fakes, each with draws of its own, in both players' updates.

  - color: brightness + U[-1/2, 1/2), saturation * U[0, 2), contrast * U[1/2, 3/2);
  - translation: by up to 1/8 of the size along each axis, zeros from outside;
  - cutout: a rectangle of half the height and width, its centre anywhere, set to 0.

  Args:
    policy: names of the above with commas between, applied in that order.

  Returns:
    The Augmentation, without state.

  Raises:
    ValueError: a name in the policy that is none of these.

  Source: Zhao et al. 2020, arXiv 2006.10738, and the authors' code.
  """
  names = [name.strip() for name in policy.split(',')]
  for name in names:
    check_known('policy', name, POLICIES)

  def augment(images, key, step):
    for i, (change, draws) in enumerate(s for name in names for s in POLICIES[name]):
      images = change(images, draws(jax.random.fold_in(key, i), images.shape))
    return images

  return stateless(augment)

"""ADA's colour transformations: affine maps of (red, green, blue), as 4x4 matrices a batch."""

import jax
import jax.numpy as jnp
import numpy as np

LUMA = np.array([1, 1, 1, 0]) / np.sqrt(3)  # the axis of the greys


def shifted(b: jax.Array) -> jax.Array:
  """[B, 4, 4]: b [B] added to every channel."""
  return jnp.eye(4, dtype=b.dtype) + b[:, None, None] * np.outer([1, 1, 1, 0], [0, 0, 0, 1])


def stretched(c: jax.Array) -> jax.Array:
  """[B, 4, 4]: every channel multiplied by c [B]."""
  return jnp.eye(4, dtype=c.dtype) + (c - 1)[:, None, None] * np.diag([1, 1, 1, 0])


def flipped(i: jax.Array) -> jax.Array:
  """[B, 4, 4]: luma of the other sign where i [B] is 1, nothing where it is 0."""
  return jnp.eye(4, dtype=i.dtype) - i[:, None, None] * (2 * np.outer(LUMA, LUMA))


def hued(angle: jax.Array) -> jax.Array:
  """[B, 4, 4]: colours turned around the axis of the greys by an angle [B] in radians."""
  x, y, z = LUMA[:3]
  cross = np.zeros((4, 4))
  cross[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
  greys = np.outer(LUMA, LUMA)
  sin, cos = jnp.sin(angle)[:, None, None], jnp.cos(angle)[:, None, None]
  plane = np.diag([1, 1, 1, 0]) - greys
  return jnp.eye(4, dtype=angle.dtype) + (cos - 1) * plane + sin * cross


def saturated(s: jax.Array) -> jax.Array:
  """[B, 4, 4]: distance from the axis of the greys multiplied by s [B]."""
  plane = np.diag([1, 1, 1, 0]) - np.outer(LUMA, LUMA)
  return jnp.eye(4, dtype=s.dtype) + (s - 1)[:, None, None] * plane


def recolor(images: jax.Array, matrices: jax.Array) -> jax.Array:
  """The images with their colours mapped.

  Args:
    images: [B, H, W, 3], or [B, H, W, 1] for grey ones, whose luma is mapped.
    matrices: [B, 4, 4].

  Returns:
    [B, H, W, C].
  """
  linear, offset = matrices[:, :3, :3], matrices[:, :3, 3]
  if images.shape[3] == 1:
    linear, offset = linear.sum(2).mean(1)[:, None, None], offset.mean(1)[:, None]
  # products and sums, not a matrix product: 3x3 is too small for one, and it would be rounded
  mapped = (images[..., None, :] * linear[:, None, None].astype(images.dtype)).sum(-1)
  return mapped + offset[:, None, None].astype(images.dtype)

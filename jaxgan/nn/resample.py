"""Resampling by a factor of two without convolutions: broadcast, blurred or shuffled up, reduced or blurred down."""

import jax
import jax.numpy as jnp


def upsample(x: jax.Array) -> jax.Array:
  """Nearest-neighbour enlargement [B, H, W, C] -> [B, 2H, 2W, C]; each pixel becomes four."""
  b, h, w, c = x.shape
  x = jnp.broadcast_to(x[:, :, None, :, None, :], (b, h, 2, w, 2, c))
  return x.reshape(b, 2 * h, 2 * w, c)


def pixel_shuffle(x: jax.Array) -> jax.Array:
  """Channels to pixels, [B, H, W, 4 C] -> [B, 2H, 2W, C]: y[2h + i, 2w + j, c] = x[h, w, 4c + 2i + j].

  Source: Shi et al. 2016, arXiv 1609.05158; channels in the order of PyTorch's.
  """
  b, h, w, c = x.shape
  x = x.reshape(b, h, w, c // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3)
  return x.reshape(b, 2 * h, 2 * w, c // 4)


def average_pool(x: jax.Array) -> jax.Array:
  """Mean of each 2x2 window, [B, H, W, C] -> [B, H/2, W/2, C]; H and W even."""
  return _windows(x).mean((2, 4))


def max_pool(x: jax.Array) -> jax.Array:
  """Maximum of each 2x2 window, [B, H, W, C] -> [B, H/2, W/2, C]; H and W even."""
  return _windows(x).max((2, 4))


def _windows(x: jax.Array) -> jax.Array:
  b, h, w, c = x.shape
  return x.reshape(b, h // 2, 2, w // 2, 2, c)


def blur_downsample(x: jax.Array) -> jax.Array:
  """Halved without aliasing, [B, H, W, C] -> [B, ceil(H/2), ceil(W/2), C].

  y[i] = (x[2i - 1] + 2 x[2i] + x[2i + 1]) / 4 along both axes, mirrored at the edges.

  Source: Zhang 2019, arXiv 1904.11486.
  """
  for axis in (1, 2):
    padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(4)], 'reflect')
    count = -(-x.shape[axis] // 2)
    take = lambda first: jax.lax.slice_in_dim(
      padded,  # noqa: B023  called within this turn
      first,
      first + 2 * count - 1,  # noqa: B023
      2,
      axis,  # noqa: B023
    )
    x = (take(0) + 2 * take(1) + take(2)) / 4
  return x


def blur_upsample(x: jax.Array) -> jax.Array:
  """Doubled without aliasing, [B, H, W, C] -> [B, 2H, 2W, C]; edges repeated.

  y[2i] = (x[i - 1] + 3 x[i]) / 4, y[2i + 1] = (3 x[i] + x[i + 1]) / 4 along both axes: zeros put
  between the pixels, and the filter [1, 3, 3, 1] / 4.

  Source: Zhang 2019, arXiv 1904.11486.
  """
  for axis in (1, 2):
    padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(4)], 'edge')
    size = x.shape[axis]
    take = lambda first: jax.lax.slice_in_dim(padded, first, first + size, axis=axis)  # noqa: B023
    pair = jnp.stack([(take(0) + 3 * x) / 4, (3 * x + take(2)) / 4], axis + 1)
    x = pair.reshape(*x.shape[:axis], 2 * size, *x.shape[axis + 1 :])
  return x

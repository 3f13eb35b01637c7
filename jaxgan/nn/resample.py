"""Resampling by a factor of two without convolutions: broadcast up, reshape and reduce down."""

import jax
import jax.numpy as jnp


def upsample(x: jax.Array) -> jax.Array:
  """Nearest-neighbour enlargement [B, H, W, C] -> [B, 2H, 2W, C]; each pixel becomes four."""
  b, h, w, c = x.shape
  x = jnp.broadcast_to(x[:, :, None, :, None, :], (b, h, 2, w, 2, c))
  return x.reshape(b, 2 * h, 2 * w, c)


def average_pool(x: jax.Array) -> jax.Array:
  """Mean of each 2x2 window, [B, H, W, C] -> [B, H/2, W/2, C]; H and W even."""
  return _windows(x).mean((2, 4))


def max_pool(x: jax.Array) -> jax.Array:
  """Maximum of each 2x2 window, [B, H, W, C] -> [B, H/2, W/2, C]; H and W even."""
  return _windows(x).max((2, 4))


def _windows(x: jax.Array) -> jax.Array:
  b, h, w, c = x.shape
  return x.reshape(b, h // 2, 2, w // 2, 2, c)

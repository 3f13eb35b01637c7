"""Margins of pictures before a convolution: mirrored, repeated or zero."""

import jax
import jax.numpy as jnp

MODES = {'reflect': 'reflect', 'replicate': 'edge', 'zero': 'constant'}


def pad(x: jax.Array, width: int, mode: str = 'reflect') -> jax.Array:
  """A margin of `width` pixels on every side, [B, H, W, C] -> [B, H + 2 width, W + 2 width, C].

  Args:
    x: pictures or feature maps.
    width: pixels.
    mode: 'reflect' (mirrored, the edge itself not repeated), 'replicate' (the edge repeated) or 'zero'.

  Raises:
    ValueError: another mode, or a mirror of more pixels than there are.
  """
  if mode not in MODES:
    raise ValueError(f'padding={mode!r}; expected one of {", ".join(MODES)}')
  if mode == 'reflect' and min(x.shape[1:3]) <= width:
    raise ValueError(
      f'a map of {x.shape[1]}x{x.shape[2]} cannot be mirrored by {width}; give larger pictures'
    )
  return jnp.pad(x, ((0, 0), (width, width), (width, width), (0, 0)), MODES[mode])

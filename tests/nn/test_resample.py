"""Resampling by a factor of two: what goes where."""

import jax.numpy as jnp
import numpy as np

from jaxgan.nn.resample import pixel_shuffle


def test_pixel_shuffle_puts_channels_where_its_equation_says():
  x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 3, 5, 8)))
  y = pixel_shuffle(x)
  assert y.shape == (2, 6, 10, 2)
  for i in range(2):
    for j in range(2):
      for c in range(2):
        np.testing.assert_array_equal(y[:, i::2, j::2, c], x[..., 4 * c + 2 * i + j])

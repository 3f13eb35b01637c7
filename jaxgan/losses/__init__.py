"""Losses: pure functions, arrays in, per-example arrays out. Importing this imports jax alone."""

from jaxgan.losses.adversarial import (
  hinge_discriminator,
  hinge_generator,
  least_squares_discriminator,
  least_squares_generator,
  minimax_discriminator,
  minimax_generator,
  non_saturating_discriminator,
  non_saturating_generator,
  pair,
  wasserstein_discriminator,
  wasserstein_generator,
)

__all__ = [
  'hinge_discriminator',
  'hinge_generator',
  'least_squares_discriminator',
  'least_squares_generator',
  'minimax_discriminator',
  'minimax_generator',
  'non_saturating_discriminator',
  'non_saturating_generator',
  'pair',
  'wasserstein_discriminator',
  'wasserstein_generator',
]

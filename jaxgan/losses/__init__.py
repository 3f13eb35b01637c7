"""Losses: pure functions, arrays in, per-example arrays out. Importing this imports jax alone."""

from jaxgan.losses.adversarial import (
  hinge_discriminator,
  hinge_generator,
  least_squares_discriminator,
  least_squares_generator,
  logistic_discriminator,
  logistic_generator,
  minimax_discriminator,
  minimax_generator,
  non_saturating_discriminator,
  non_saturating_generator,
  wasserstein_discriminator,
  wasserstein_generator,
)
from jaxgan.losses.conditional import (
  contrastive_2c,
  cross_entropy,
  d2d_cross_entropy,
  info_continuous,
  info_discrete,
  multi_hinge,
)
from jaxgan.losses.f_gan import f_gan_discriminator, f_gan_generator
from jaxgan.losses.feature_matching import feature_matching
from jaxgan.losses.pairs import Pair, pair
from jaxgan.losses.patch_nce import patch_nce
from jaxgan.losses.reconstruction import l1
from jaxgan.losses.relativistic import (
  relativistic_average_discriminator,
  relativistic_average_generator,
  relativistic_average_hinge_discriminator,
  relativistic_average_hinge_generator,
  relativistic_average_least_squares_discriminator,
  relativistic_average_least_squares_generator,
  relativistic_discriminator,
  relativistic_generator,
)
from jaxgan.losses.top_k import top_k_count, top_k_weights

__all__ = [
  'Pair',
  'contrastive_2c',
  'cross_entropy',
  'd2d_cross_entropy',
  'f_gan_discriminator',
  'f_gan_generator',
  'feature_matching',
  'hinge_discriminator',
  'hinge_generator',
  'info_continuous',
  'info_discrete',
  'l1',
  'least_squares_discriminator',
  'least_squares_generator',
  'logistic_discriminator',
  'logistic_generator',
  'minimax_discriminator',
  'minimax_generator',
  'multi_hinge',
  'non_saturating_discriminator',
  'non_saturating_generator',
  'pair',
  'patch_nce',
  'relativistic_average_discriminator',
  'relativistic_average_generator',
  'relativistic_average_hinge_discriminator',
  'relativistic_average_hinge_generator',
  'relativistic_average_least_squares_discriminator',
  'relativistic_average_least_squares_generator',
  'relativistic_discriminator',
  'relativistic_generator',
  'top_k_count',
  'top_k_weights',
  'wasserstein_discriminator',
  'wasserstein_generator',
]

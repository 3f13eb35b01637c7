"""Scores: features in, numbers out; and the networks that turn pictures into features."""

from jaxgan.metrics.frechet import (
  frechet_distance,
  frechet_infinity,
  frechet_of_features,
  intra_class_frechet,
  moments,
)
from jaxgan.metrics.inception import inception_score
from jaxgan.metrics.kernel import kernel_distance
from jaxgan.metrics.memorisation import memorisation
from jaxgan.metrics.path_length import perceptual_path_length
from jaxgan.metrics.prdc import prdc, precision_recall
from jaxgan.metrics.sliced import patch_swd, sliced_wasserstein
from jaxgan.metrics.ssim import ms_ssim, ms_ssim_diversity, psnr, ssim

__all__ = [
  'frechet_distance',
  'frechet_infinity',
  'frechet_of_features',
  'inception_score',
  'intra_class_frechet',
  'kernel_distance',
  'memorisation',
  'moments',
  'ms_ssim',
  'ms_ssim_diversity',
  'patch_swd',
  'perceptual_path_length',
  'prdc',
  'precision_recall',
  'psnr',
  'sliced_wasserstein',
  'ssim',
]

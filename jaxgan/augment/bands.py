"""ADA's image filter: four frequency bands, each louder or softer."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.augment.geometry import along_both, reflected

POWER = np.array([10, 1, 1, 1]) / 13  # share of each band in the spectrum of natural images, 1/f


def _filter_bank() -> np.ndarray:
  """[4, 43]: symmetric filters of the octaves from low to high, which add up to the identity.

  Made of H(z) H(1/z) / 2, H the scaling filter of Daubechies' wavelet with two vanishing moments.
  """
  root = np.sqrt(3)
  low = np.array([1 - root, 3 - root, 3 + root, 1 + root]) / (4 * np.sqrt(2))
  high = low * (-1) ** np.arange(4)
  low, high = (np.convolve(h, h[::-1]) / 2 for h in (low, high))
  bank = np.eye(4, 1)
  for band in range(1, 4):
    spread = np.zeros((4, 2 * bank.shape[1] - 1))
    spread[:, ::2] = bank
    bank = np.stack([np.convolve(taps, low) for taps in spread])
    start = (bank.shape[1] - len(high)) // 2
    bank[band, start : start + len(high)] += high
  return bank


BANK = _filter_bank()


def gains(factors: jax.Array) -> jax.Array:
  """Gains of the bands, such that changing one leaves the expected power as it is.

  g = prod_i t_i / sqrt(sum_j POWER_j t_ij^2), t_i the vector of ones but for the i-th factor.

  Args:
    factors: [B, 4], 1 for no change.

  Returns:
    [B, 4].
  """
  eye = jnp.eye(4, dtype=factors.dtype)
  alone = 1 + (factors - 1)[:, :, None] * eye  # [B, changed band, band]
  power = (alone**2 * jnp.asarray(POWER, factors.dtype)).sum(-1, keepdims=True)
  return (alone / jnp.sqrt(power)).prod(1)


def equalize(images: jax.Array, gain: jax.Array) -> jax.Array:
  """Each band of each image times its gain, along both axes, with mirrored edges.

  Args:
    images: [B, H, W, C].
    gain: [B, 4].

  Returns:
    [B, H, W, C]. The filter reaches 21 pixels far; in smaller images the mirror images repeat, where
    the authors' code fails.
  """
  maps = []
  for n in images.shape[1:3]:
    reach = BANK.shape[1] // 2
    at = np.arange(n + 2 * reach)[None] - np.arange(n)[:, None]
    inside = (at >= 0) & (at < BANK.shape[1])
    shifts = np.where(inside, BANK[:, at.clip(0, BANK.shape[1] - 1)], 0)  # [4, n, n + 2 reach]
    banks = jnp.asarray(shifts @ reflected(n, reach), images.dtype)
    maps.append(jnp.einsum('bi,inm->bnm', gain.astype(images.dtype), banks, precision='highest'))
  return along_both(maps[0], images, maps[1])

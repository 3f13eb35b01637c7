"""How alike two pictures are, pixel by pixel: PSNR and SSIM; per example."""

import jax
import jax.numpy as jnp
import numpy as np

WINDOW, SIGMA = 11, 1.5  # of SSIM


def psnr(x: jax.Array, target: jax.Array) -> jax.Array:
  """10 log10(R^2 / mean (x - target)^2), R = 2 the range of pictures in [-1, 1].

  Args:
    x, target: float [B, H, W, C] in [-1, 1].

  Returns:
    float32 [B] in decibel; at most 100, for pictures that are the same.

  Raises:
    ValueError: the two differ in shape.
  """
  x, target = _alike(x, target)
  error = jnp.square(x - target).mean((1, 2, 3))
  return 10 * jnp.log10(4 / jnp.maximum(error, 4e-10))


def ssim(x: jax.Array, target: jax.Array) -> jax.Array:
  """Structural similarity, the mean over windows and channels.

  (2 m_x m_y + c_1) (2 s_xy + c_2) / ((m_x^2 + m_y^2 + c_1) (s_x^2 + s_y^2 + c_2)), means, variances and
  covariance under a Gaussian window of 11 pixels and deviation 1.5, c_1 = (0.01 R)^2, c_2 = (0.03 R)^2,
  R = 2. Windows lie within the picture.

  Args:
    x, target: float [B, H, W, C] in [-1, 1], of 11 pixels at least.

  Returns:
    float32 [B], 1 for pictures that are the same.

  Raises:
    ValueError: the two differ in shape, or are smaller.

  Source: Wang et al. 2004, IEEE TIP 13(4), with the window and the constants of that paper.
  """
  x, target = _alike(x, target)
  if min(x.shape[1:3]) < WINDOW:
    raise ValueError(f'pictures of {x.shape[1]}x{x.shape[2]}; SSIM needs {WINDOW} pixels')
  mean_x, mean_y = _blur(x), _blur(target)
  var_x = _blur(x * x) - mean_x**2
  var_y = _blur(target * target) - mean_y**2
  covariance = _blur(x * target) - mean_x * mean_y
  c1, c2 = (2 * 0.01) ** 2, (2 * 0.03) ** 2
  means = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
  return (means * (2 * covariance + c2) / (var_x + var_y + c2)).mean((1, 2, 3))


def _alike(x: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
  if x.shape != target.shape or x.ndim != 4:
    raise ValueError(f'x {x.shape} and target {target.shape}; expected [B, H, W, C], alike')
  return jnp.asarray(x, jnp.float32), jnp.asarray(target, jnp.float32)


def _blur(x: jax.Array) -> jax.Array:
  """Under the window, where it fits: [B, H, W, C] -> [B, H - 10, W - 10, C]."""
  taps = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / SIGMA) ** 2)
  taps /= taps.sum()
  for axis in (1, 2):
    size = x.shape[axis] - WINDOW + 1
    matrix = np.zeros((size, x.shape[axis]), np.float32)
    for i in range(size):
      matrix[i, i : i + WINDOW] = taps
    x = jnp.moveaxis(jnp.tensordot(matrix, x, ((1,), (axis,)), precision='highest'), 0, axis)
  return x

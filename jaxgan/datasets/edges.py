"""Edges of pictures by Canny's operator: the input of the edges-to-picture task."""

import numpy as np

BLOCK = 256  # pictures at a time


def canny(
  images: np.ndarray, sigma: float = 1.0, low: float = 0.06, high: float = 0.15
) -> np.ndarray:
  """Thin edges: ridges of the gradient that reach `high`, followed as long as they stay above `low`.

  Args:
    images: uint8 [N, H, W, 3]; luma is what counts.
    sigma: of the Gaussian, in pixels.
    low, high: thresholds of the gradient, in parts of black to white a pixel.

  Returns:
    bool [N, H, W].

  Source: Canny 1986, "A Computational Approach to Edge Detection".
  """
  return np.concatenate(
    [_canny(images[i : i + BLOCK], sigma, low, high) for i in range(0, len(images), BLOCK)]
  )


def _canny(images: np.ndarray, sigma: float, low: float, high: float) -> np.ndarray:
  from scipy import ndimage

  luma = images @ np.array([0.299, 0.587, 0.114], np.float32) / 255
  smooth = ndimage.gaussian_filter(luma, (0, sigma, sigma), mode='nearest')
  across = lambda axis: ndimage.correlate1d(
    ndimage.correlate1d(smooth, [-0.5, 0, 0.5], axis, mode='nearest'),
    [0.25, 0.5, 0.25],
    3 - axis,
    mode='nearest',
  )  # Sobel's, as a slope
  dy, dx = across(1), across(2)
  size = np.hypot(dy, dx)
  octant = np.round(np.arctan2(dy, dx) / (np.pi / 4)).astype(int) % 4
  padded = np.pad(size, ((0, 0), (1, 1), (1, 1)))
  height, width = size.shape[1:]
  beside = lambda y, x: padded[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width]
  ridge = np.zeros(size.shape, bool)
  for direction, (y, x) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
    top = (size >= beside(y, x)) & (size > beside(-y, -x))
    ridge |= (octant == direction) & top
  joined = np.zeros((3, 3, 3), bool)
  joined[1] = True  # eight neighbours, within a picture
  labels, count = ndimage.label(ridge & (size > low), joined)
  strong = np.zeros(count + 1, bool)
  strong[labels[ridge & (size > high)]] = True
  strong[0] = False
  return strong[labels]

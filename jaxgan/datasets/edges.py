"""Edges of pictures by Canny's operator: the input of the edges-to-picture task."""

import numpy as np

BLOCK = 256  # pictures at a time


def canny(
  images: np.ndarray, sigma: float = 1.0, low: float = 0.03, high: float = 0.07
) -> np.ndarray:
  """Thin edges: ridges of the gradient that reach `high`, followed as long as they stay above `low`.

  The gradient of a pixel is that of the channel that changes most there: yellow on white is an edge too.

  Args:
    images: uint8 [N, H, W, C].
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

  smooth = ndimage.gaussian_filter(
    images.astype(np.float32) / 255, (0, sigma, sigma, 0), mode='nearest'
  )
  across = lambda axis: ndimage.correlate1d(
    ndimage.correlate1d(smooth, [-0.5, 0, 0.5], axis, mode='nearest'),
    [0.25, 0.5, 0.25],
    3 - axis,
    mode='nearest',
  )  # Sobel's, as a slope
  dy, dx = across(1), across(2)
  most = np.hypot(dy, dx).argmax(-1)[..., None]
  dy, dx = (np.take_along_axis(slope, most, -1)[..., 0] for slope in (dy, dx))
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

"""ADA's geometric transformations: 3x3 matrices a batch, and one resampling that carries them out.

Coordinates are (x, y, 1) in pixels from the middle of the image, y downwards. Matrices [B, 3, 3] are
inverse: they take a point of the result to the point of the original that it shows.
"""

import jax
import jax.numpy as jnp
import numpy as np

# The scaling filter of Daubechies' least asymmetric wavelet with 6 vanishing moments, 'sym6'; its sum
# is sqrt(2). Upsampling with it and downsampling with its reverse is the identity.
SYM6 = np.array(
  [
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
  ]
)
AROUND = len(SYM6) // 4  # pixels of the transformed image on each side that downsampling uses up


def compose(*matrices: jax.Array) -> jax.Array:
  """Their product from left to right, exact to the dtype also where products are rounded by default."""
  product = matrices[0]
  for matrix in matrices[1:]:
    product = jnp.matmul(product, matrix, precision='highest')
  return product


def _matrices(rows: list[list[jax.Array | float]]) -> jax.Array:
  """[B, n, n] of entries that are [B] or numbers."""
  entries = jnp.broadcast_arrays(*(jnp.asarray(x) for row in rows for x in row))
  return jnp.stack(entries, -1).reshape(*entries[0].shape, len(rows), -1)


def moved(x: jax.Array, y: jax.Array) -> jax.Array:
  """Inverse of the translation by (x, y), each [B], in pixels."""
  one, zero = jnp.ones_like(x), jnp.zeros_like(x)
  return _matrices([[one, zero, -x], [zero, one, -y], [zero, zero, one]])


def scaled(x: jax.Array, y: jax.Array) -> jax.Array:
  """Inverse of the scaling by x and y, each [B]."""
  one, zero = jnp.ones_like(x), jnp.zeros_like(x)
  return _matrices([[1 / x, zero, zero], [zero, 1 / y, zero], [zero, zero, one]])


def turned(angle: jax.Array) -> jax.Array:
  """Inverse of the rotation by `-angle`, [B] in radians, that is the rotation by `angle`."""
  one, zero = jnp.ones_like(angle), jnp.zeros_like(angle)
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  return _matrices([[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]])


def reflected(n: int, margin: int) -> np.ndarray:
  """[n + 2 margin, n]: the linear map that continues n pixels by mirrors on the outermost pixels."""
  source = np.pad(np.arange(n), margin, 'reflect' if n > 1 else 'edge')
  return np.eye(n)[source]


def _upsampling(n: int, margin: int) -> np.ndarray:
  """[2 (n + 2 margin), n]: mirror, double with SYM6, zeros beyond the mirror images."""
  long = n + 2 * margin
  taps = SYM6 / SYM6.sum() * 2
  k, i = np.arange(2 * long)[:, None], np.arange(long)[None]
  at = k - 2 * i + len(taps) // 2 - 1
  return np.where((at >= 0) & (at < len(taps)), taps[at.clip(0, len(taps) - 1)], 0) @ reflected(
    n, margin
  )


def _downsampling(n: int) -> np.ndarray:
  """[n, 2 (n + 2 AROUND)]: halve with the reverse of SYM6, and cut."""
  taps = SYM6 / SYM6.sum()
  at = np.arange(2 * (n + 2 * AROUND))[None] - 1 - 2 * np.arange(n)[:, None]
  return np.where((at >= 0) & (at < len(taps)), taps[at.clip(0, len(taps) - 1)], 0)


def along_both(rows: jax.Array, images: jax.Array, columns: jax.Array) -> jax.Array:
  """A linear map of each axis: [M, H] of the rows, [N, W] of the columns; [B, H, W, C] -> [B, M, N, C].

  The maps may have a leading axis B, one an image. Matrix products, since a filter per image or per
  channel would be a grouped convolution, which is slow on every backend.
  """
  batch, height, _, channels = images.shape
  each = 'b' if columns.ndim == 3 else ''
  images = jnp.einsum(f'bhwc,{each}nw->bhnc', images, columns, precision='highest')
  # columns first and rows as one product an image: the large array is then written in its layout
  rows = jnp.broadcast_to(rows, (batch, *rows.shape[-2:]))
  images = jnp.matmul(rows, images.reshape(batch, height, -1), precision='highest')
  return images.reshape(batch, rows.shape[1], columns.shape[-2], channels)


def bilinear(images: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
  """Values at points between pixels, zeros from outside.

  Args:
    images: [B, H, W, C].
    y, x: [B, N], in units of rows and columns; 0 is the middle of the first pixel.

  Returns:
    [B, N, C]. Linear in the images.
  """
  height, width = images.shape[1:3]
  flat = images.reshape(images.shape[0], height * width, -1)
  top, left = jnp.floor(y), jnp.floor(x)
  total = jnp.zeros((), images.dtype)
  for row, weight_y in ((top, 1 - (y - top)), (top + 1, y - top)):
    for column, weight_x in ((left, 1 - (x - left)), (left + 1, x - left)):
      inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
      weight = jnp.where(inside, weight_y * weight_x, 0).astype(images.dtype)
      index = jnp.clip(row, 0, height - 1) * width + jnp.clip(column, 0, width - 1)
      values = jax.vmap(lambda v, i: v.at[i].get(mode='promise_in_bounds'))(
        flat, index.astype(jnp.int32)
      )
      total += weight[..., None] * values
  return total


def resample(
  images: jax.Array, inverse: jax.Array, margins: tuple[int, int] | None = None
) -> jax.Array:
  """The images transformed: mirrored at the edges, doubled, sampled bilinearly, halved.

  Args:
    images: [B, H, W, C].
    inverse: [B, 3, 3], see above.
    margins: pixels of mirror image above and below, left and right; what lies beyond is 0. By default
      the most there can be, H - 1 and W - 1.

  Returns:
    [B, H, W, C], linear in the images; for the identity equal to them up to rounding.

  Source: Karras et al. 2020, arXiv 2006.06676, appendix B. The authors' code takes the margins that
  the farthest-moved example of the batch needs; here they are always the largest, so that shapes are
  static and an example does not depend on its neighbours. Both give the same pixels, except at the
  border where images shrink to less than 0.7 and the batch has no larger move: there the last taps of
  the filter see zeros in the authors' code (1e-3 of contrast at 0.5).
  """
  height, width = images.shape[1:3]
  dtype = images.dtype
  margins = margins or (height - 1, width - 1)
  maps = [jnp.asarray(_upsampling(n, m), dtype) for n, m in zip((height, width), margins)]
  large = along_both(maps[0], images, maps[1])
  # the middles of the doubled result's pixels, in pixels from the middle of the image: the filter
  # puts the doubled image half a doubled pixel off, before and after
  y, x = (
    (np.arange(2 * n) - (2 * n - 1) / 2 + 0.5) / 2
    for n in (height + 2 * AROUND, width + 2 * AROUND)
  )
  points = np.stack([a.ravel() for a in np.meshgrid(x, y)])
  source = jnp.einsum(
    'bij,jn->bin', inverse[:, :2, :2], jnp.asarray(points, inverse.dtype), precision='highest'
  )
  source = 2 * (source + inverse[:, :2, 2:]) - 0.5
  middle = [(n - 1) / 2 for n in large.shape[1:3]]
  sampled = bilinear(large, source[:, 1] + middle[0], source[:, 0] + middle[1])
  sampled = sampled.reshape(images.shape[0], y.size, x.size, -1)
  maps = [jnp.asarray(_downsampling(n), dtype) for n in (height, width)]
  return along_both(maps[0], sampled, maps[1])

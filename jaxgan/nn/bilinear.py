"""The faces of a convolution (see `convolution`) as matrix products, for XLA's CPU backend.

XLA multiplies matrices near the machine's peak on a CPU, but runs some convolutions, above all weight
gradients and narrow layers, at a fraction of it. Every form here is a bilinear algorithm: linear
transforms of the two operands, matrix products over the channels, a linear transform of the products.

- 'pointwise': a 1x1 convolution is a matrix product.
- 'patches': with few channels on one side, the windows of that side are laid out as rows. So are those of a
  few places with many channels, as in the middle of a U-Net: the kernel is then most of what is read.
- 'winograd': F(2x2, rxr), r = 2 or 3: a 2x2 tile of the output takes (r+1)^2 products a channel instead of
  (2r)^2, 2.25 times fewer for 3x3 kernels and 1.78 times fewer for 2x2. Stride s is brought to 1 by moving
  s x s pixels into channels, so that a 4x4 kernel at stride 2 is a 2x2 kernel on four times the channels.
  The transforms add, subtract and halve: the rounding error is that of a plain convolution. Parts of
  the batch go through one after the other, so that what is laid out stays in the cache.
- 'native': XLA's convolution, where it is the faster.

bfloat16 and float16 are computed in float32 and rounded once.

Source: Winograd 1980, Arithmetic Complexity of Computations; Lavin & Gray 2015, arXiv 1509.09308, who
have the first face; the two others are its transposes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

# F(2, r): y = A [(B x) * (G w)] for the r-tap filter w and r + 1 inputs x.
B = {
  2: ((1, -1, 0), (0, 1, 0), (0, -1, 1)),
  3: ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1)),
}
G = {
  2: ((1, 0), (1, 1), (0, 1)),
  3: ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
}
A = {2: ((1, 1, 0), (0, 1, 1)), 3: ((1, 1, 1, 0), (0, 1, -1, 1))}

FEW = 4  # channels of a picture: up to here windows are laid out whole
PLACES, WIDE = 64, 2**16  # of the output in all examples, and inner times outer channels
WORTH = 2**29  # operations of a layer from which on a transform pays for its compilation
PART = {'y': 2**23, 'x': 2**24, 'w': 2**23}  # bytes laid out at a time, by face

Grid = Sequence[Sequence[jax.Array]]


class Geometry(NamedTuple):
  """The static side of a convolution.

  Attributes:
    size: (H, W) of x.
    kernel: (kh, kw) of w.
    stride: (vertical, horizontal).
    padding: ((top, bottom), (left, right)), zeros, may be negative (a crop).
  """

  size: tuple[int, int]
  kernel: tuple[int, int]
  stride: tuple[int, int]
  padding: tuple[tuple[int, int], tuple[int, int]]

  @property
  def out(self) -> tuple[int, int]:
    """(h, w) of y."""
    h, w = (
      (n + low + high - k) // s + 1
      for n, k, s, (low, high) in zip(self.size, self.kernel, self.stride, self.padding)
    )
    return max(h, 0), max(w, 0)

  def dual(self) -> 'Geometry':
    """At stride 1: the convolution from y to x, whose kernel is turned round and transposed."""
    around = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(self.kernel, self.padding))
    return Geometry(self.out, self.kernel, (1, 1), around)  # type: ignore[arg-type]


def turned(w: jax.Array) -> jax.Array:
  """The kernel [kh, kw, C, D] of the dual convolution, [kh, kw, D, C]."""
  return w[::-1, ::-1].swapaxes(2, 3)


def native(face: str, a: jax.Array, b: jax.Array, geometry: Geometry) -> jax.Array:
  """A face by XLA's convolution: what `lax.conv_general_dilated` and its derivatives are."""
  conv = lambda x, w: jax.lax.conv_general_dilated(
    x, w, geometry.stride, geometry.padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )
  if face == 'y':
    return conv(a, b)
  if face == 'x':
    x = jax.ShapeDtypeStruct((a.shape[0], *geometry.size, b.shape[2]), a.dtype)
    return jax.linear_transpose(lambda x: conv(x, b), x)(a)[0]
  w = jax.ShapeDtypeStruct((*geometry.kernel, a.shape[-1], b.shape[-1]), a.dtype)
  return jax.linear_transpose(lambda w: conv(a, w), w)(b)[0]


def on_cpu(face: str, a: jax.Array, b: jax.Array, geometry: Geometry) -> jax.Array:
  """A face in the form that is fastest on XLA's CPU backend; the same value to rounding."""
  if a.dtype in (jnp.bfloat16, jnp.float16):
    wide = on_cpu(face, a.astype(jnp.float32), b.astype(jnp.float32), geometry)
    return wide.astype(a.dtype)
  nothing = 0 in (*a.shape, *b.shape, *geometry.out, *geometry.size)
  if nothing or not jnp.issubdtype(a.dtype, jnp.floating):
    return native(face, a, b, geometry)
  inner, outer = (a.shape[-1], b.shape[-1]) if face == 'w' else b.shape[2:]
  simple = geometry.stride == (1, 1)
  if simple and geometry.kernel == (1, 1) and geometry.padding == ((0, 0), (0, 0)):
    return _pointwise(face, a, b)
  if inner <= FEW:
    return _patches(face, a, b, geometry)
  if simple and outer <= FEW:
    return _by_dual(_patches, face, a, b, geometry)
  rows, places = a.shape[0], math.prod(geometry.out)
  if not isinstance(rows, int):  # exported for a batch of any size
    rows = 1
  elif rows * places <= PLACES and inner * outer >= WIDE:
    return _patches(face, a, b, geometry)
  products = 2 * rows * places * math.prod(geometry.kernel) * inner * outer
  if products >= WORTH and _tiles(geometry) and min(inner, outer) >= 16:
    if face == 'x' and simple and _tiles(geometry.dual()):
      return _by_dual(_winograd, face, a, b, geometry)
    return _winograd(face, a, b, geometry)
  return native(face, a, b, geometry)


def _by_dual(
  form: Callable[..., jax.Array], face: str, a: jax.Array, b: jax.Array, geometry: Geometry
) -> jax.Array:
  """T(x, w, g) = T'(g, w turned, x): x and y change places, and so do the operands of face 'w'."""
  if face == 'w':
    return turned(form('w', b, a, geometry.dual()))
  return form('x' if face == 'y' else 'y', a, turned(b), geometry.dual())


def _rows(x: jax.Array) -> jax.Array:
  return x.reshape(-1, x.shape[-1])


def _pointwise(face: str, a: jax.Array, b: jax.Array) -> jax.Array:
  if face == 'w':
    return (_rows(a).T @ _rows(b))[None, None]
  w = b[0, 0] if face == 'y' else b[0, 0].T
  return (_rows(a) @ w).reshape(*a.shape[:-1], w.shape[1])


def _patches(face: str, a: jax.Array, b: jax.Array, geometry: Geometry) -> jax.Array:
  """The windows of x as rows, [B h w, kh kw C], and one matrix product.

  Of few channels s x s pixels become channels first where the stride divides the kernel: few long runs of
  memory are copied instead of many short ones.
  """
  (h, w), (kh, kw), (sh, sw) = geometry.out, geometry.kernel, geometry.stride
  inner = a.shape[-1] if face == 'w' else b.shape[2]
  s = sh if inner <= FEW and sh == sw and kh % sh == 0 and kw % sh == 0 else 1
  rows, columns, sh, sw = kh // s, kw // s, sh // s, sw // s
  ends = (s * (sh * (h - 1) + rows), s * (sw * (w - 1) + columns))
  around = _around(geometry, ends)

  def windows(x: jax.Array, axes: tuple[int, int] = (2, 1)) -> jax.Array:
    x = _into_channels(jax.lax.pad(x, jnp.zeros((), x.dtype), _borders(around)), s)
    for axis in axes:
      count, step, length = ((rows, sh, h), (columns, sw, w))[axis - 1]
      cut = lambda i: jax.lax.slice_in_dim(x, i, i + step * (length - 1) + 1, step, axis)  # noqa: B023
      x = jnp.concatenate([cut(i) for i in range(count)], axis=-1)
    return _rows(x)

  if face == 'w':
    # laid out in another order than for face y: XLA would keep those of y until now
    w_rows = (windows(a, (1, 2)).T @ _rows(b)).reshape(columns, rows, s, s, inner, b.shape[-1])
    return w_rows.transpose(1, 2, 0, 3, 4, 5).reshape(kh, kw, inner, b.shape[-1])
  kernel = b.reshape(rows, s, columns, s, inner, b.shape[-1]).transpose(0, 2, 1, 3, 4, 5)
  kernel = kernel.reshape(-1, b.shape[-1])
  if face == 'y':
    return (windows(a) @ kernel).reshape(a.shape[0], h, w, -1)
  x = jax.ShapeDtypeStruct((a.shape[0], *geometry.size, inner), a.dtype)
  return jax.linear_transpose(windows, x)(_rows(a) @ kernel.T)[0]


def _around(geometry: Geometry, ends: Sequence[int]) -> list[tuple[int, int]]:
  """The padding of x that makes its sides as long as `ends`."""
  return [
    (low, end - size - low) for end, size, (low, _) in zip(ends, geometry.size, geometry.padding)
  ]


def _borders(padding: Any) -> list[tuple[int, int, int]]:
  return [(0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)]


def _tiles(geometry: Geometry) -> int:
  """r of the F(2, r) that computes this convolution with fewer products than a plain one; 0 = none."""
  (kh, kw), (sh, sw) = geometry.kernel, geometry.stride
  r = -(-kh // sh)
  square = kh == kw and sh == sw and r in B and not any(n % 2 for n in geometry.out)
  return r if square and (sh * (r + 1)) ** 2 < 0.7 * (2 * kh) ** 2 else 0


def _winograd(face: str, a: jax.Array, b: jax.Array, geometry: Geometry) -> jax.Array:
  r, s, k = _tiles(geometry), geometry.stride[0], geometry.kernel[0]
  tiles = (geometry.out[0] // 2, geometry.out[1] // 2)
  inner, outer = (a.shape[-1], b.shape[-1]) if face == 'w' else b.shape[2:]
  # zeros around x up to a whole number of tiles, and around the kernel up to s r taps
  around = _around(geometry, [s * (2 * t + r - 1) for t in tiles])

  def spread(x: jax.Array) -> jax.Array:
    """x with its border, s x s pixels in the channels: [B, 2 t + r - 1, 2 t' + r - 1, s s C]."""
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), _borders(around))
    return _into_channels(x, s)

  def gather(x: jax.Array) -> jax.Array:
    """The transpose of `spread`."""
    back = [(-low, -high) for low, high in around]
    return jax.lax.pad(_out_of_channels(x, s), jnp.zeros((), x.dtype), _borders(back))

  def kernel(w: jax.Array) -> list[jax.Array]:
    """G w G^T: (r+1)^2 matrices [s s C, D]."""
    w = jax.lax.pad(w, jnp.zeros((), w.dtype), [(0, s * r - k, 0)] * 2 + [(0, 0, 0)] * 2)
    w = w.reshape(r, s, r, s, inner, outer).transpose(0, 2, 1, 3, 4, 5)
    w = w.reshape(r, r, s * s * inner, outer)
    return _flat(_apply(G[r], w))

  # rows a power of two apart fall on the same lines of the cache when columns are read, as 'w' does
  spare = 16 if face == 'w' and s * s * inner % 256 == 0 else 0

  def inputs(x: jax.Array) -> list[jax.Array]:
    """B x B^T of every tile: (r+1)^2 matrices [tiles, s s C + spare]."""
    x = jnp.pad(spread(x), [(0, 0)] * 3 + [(0, spare)])
    cut = lambda x, axis: [
      jax.lax.slice_in_dim(x, i, i + 2 * tiles[axis - 1] - 1, 2, axis) for i in range(r + 1)
    ]
    return [_rows(v) for v in _flat(_apply(B[r], [cut(row, 2) for row in cut(x, 1)]))]

  def outputs(g: jax.Array) -> list[jax.Array]:
    """A^T g A of every tile: (r+1)^2 matrices [tiles, D]."""
    g = g.reshape(-1, tiles[0], 2, tiles[1], 2, outer)
    return [
      _rows(v)
      for v in _flat(_apply(_t(A[r]), [[g[:, :, i, :, j] for j in (0, 1)] for i in (0, 1)]))
    ]

  grid = lambda parts, *shape: [
    [parts[i * (r + 1) + j].reshape(shape) for j in range(r + 1)] for i in range(r + 1)
  ]

  laid_out = math.prod(tiles) * (r + 1) ** 2 * s * s * inner * a.dtype.itemsize
  parts = _parts(a.shape[0], laid_out / PART[face])

  if face == 'y':
    us = kernel(b)

    def forward(x: jax.Array) -> jax.Array:
      products = [v @ u for v, u in zip(inputs(x), us)]
      rows = _apply(A[r], grid(products, -1, *tiles, outer))
      y = jnp.stack([jnp.stack(row, 3) for row in rows], 2)
      return y.reshape(-1, *geometry.out, outer)

    return _in_parts(forward, a, parts)

  if face == 'x':
    us = kernel(b)

    def backward(g: jax.Array) -> jax.Array:
      products = [v @ u.T for v, u in zip(outputs(g), us)]
      x = _apply(_t(B[r]), grid(products, -1, *tiles, s * s * inner))
      return gather(_overlap([_overlap(row, 2) for row in x], 1))

    return _in_parts(backward, a, parts)

  pick = lambda x, i: jax.lax.dynamic_index_in_dim(
    x.reshape(-1, parts, *x.shape[1:]), i, 1, keepdims=False
  )
  product = lambda i: [v.T @ g for v, g in zip(inputs(pick(a, i)), outputs(pick(b, i)))]
  total = product(0)
  if parts > 1:
    total = jax.lax.fori_loop(
      1, parts, lambda i, total: [t + p for t, p in zip(total, product(i))], total
    )
  taps = _apply(_t(G[r]), grid([t[: s * s * inner] for t in total], s * s * inner, outer))
  w = jnp.stack([jnp.stack(row) for row in taps]).reshape(r, r, s, s, inner, outer)
  return w.transpose(0, 2, 1, 3, 4, 5).reshape(s * r, s * r, inner, outer)[:k, :k]


def _t(matrix: Any) -> Any:
  return tuple(zip(*matrix))


def _flat(grid: Grid) -> list[jax.Array]:
  return [x for row in grid for x in row]


def _combine(matrix: Any, parts: Sequence[jax.Array]) -> list[jax.Array]:
  """The matrix times the vector of arrays, without the products by 0 and 1."""
  sums = []
  for row in matrix:
    total = None
    for weight, part in zip(row, parts):
      if weight:
        term = part if abs(weight) == 1 else abs(weight) * part
        if total is None:
          total = term if weight > 0 else -term
        else:
          total = total + term if weight > 0 else total - term
    sums.append(total)
  return sums  # type: ignore[return-value]


def _apply(matrix: Any, grid: Any) -> list[list[jax.Array]]:
  """matrix . grid . matrix^T for a square grid of arrays."""
  rows = [_combine(matrix, list(row)) for row in grid]
  columns = [_combine(matrix, column) for column in zip(*rows)]
  return [list(row) for row in zip(*columns)]


def _into_channels(x: jax.Array, s: int) -> jax.Array:
  """[B, s H, s W, C] -> [B, H, W, s s C]."""
  if s == 1:
    return x
  n, h, w, c = x.shape
  x = x.reshape(n, h // s, s, w // s, s, c).transpose(0, 1, 3, 2, 4, 5)
  return x.reshape(n, h // s, w // s, s * s * c)


def _out_of_channels(x: jax.Array, s: int) -> jax.Array:
  """The inverse of `_into_channels`."""
  if s == 1:
    return x
  n, h, w, c = x.shape
  x = x.reshape(n, h, w, s, s, c // s**2).transpose(0, 1, 3, 2, 4, 5)
  return x.reshape(n, h * s, w * s, c // s**2)


def _overlap(parts: Sequence[jax.Array], axis: int) -> jax.Array:
  """Adds the tiles up where they overlap: entry i of tile t lies at 2 t + i; length 2 t + r - 1."""
  n = len(parts)
  most = (n + 1) // 2
  zero = jnp.zeros((), parts[0].dtype)

  def phase(q: int) -> jax.Array:
    total = None
    for j, part in enumerate(parts[q::2]):
      edges = [(j, most - 1 - j, 0) if d == axis else (0, 0, 0) for d in range(part.ndim)]
      shifted = jax.lax.pad(part, zero, edges)
      total = shifted if total is None else total + shifted
    return total  # type: ignore[return-value]

  both = jnp.stack([phase(0), phase(1)], axis + 1)
  shape = list(both.shape)
  shape[axis : axis + 2] = [2 * shape[axis]]
  length = 2 * parts[0].shape[axis] + n - 2
  return jax.lax.slice_in_dim(both.reshape(shape), 0, length, 1, axis)


def _parts(rows: Any, share: float) -> int:
  """In how many equal parts to compute a batch, each example `share` of what one part may lay out.

  A part has a multiple of 8 examples, or of the largest power of two that the batch has, so that each of as
  many devices has its own.
  """
  if not isinstance(rows, int):  # exported for a batch of any size
    return 1
  unit = math.gcd(rows, 8)
  counts = (n for n in range(1, rows // unit + 1) if rows // unit % n == 0)
  return min(counts, key=lambda n: abs(n - rows * share))


def _in_parts(function: Callable[[jax.Array], jax.Array], x: jax.Array, parts: int) -> jax.Array:
  """`function(x)` of every `parts`-th example after the other (so that a sharded batch stays so)."""
  if parts == 1:
    return function(x)
  x = x.reshape(-1, parts, *x.shape[1:])
  part = lambda i: function(jax.lax.dynamic_index_in_dim(x, i, 1, keepdims=False))
  shape = jax.eval_shape(part, 0)
  # zeros that depend on x: XLA would keep plain ones for the whole step, to share them
  zero = 0 * x[(slice(None), slice(None), *[slice(1)] * (x.ndim - 2))].astype(shape.dtype)
  whole = jnp.broadcast_to(zero, (shape.shape[0], parts, *shape.shape[1:]))
  put = lambda i, whole: jax.lax.dynamic_update_index_in_dim(whole, part(i), i, 1)
  whole = jax.lax.fori_loop(0, parts, put, whole)
  return whole.reshape(-1, *whole.shape[2:])

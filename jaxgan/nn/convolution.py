"""Convolution and transposed convolution, fast on every platform and differentiable to every order.

A convolution is bilinear in image x and kernel w; with a cotangent g it is one trilinear form,
T(x, w, g) = sum g . conv(x, w). It has three faces, each the gradient of T in one argument:

  'y': (x, w) -> y    convolution
  'x': (g, w) -> x    gradient in the image, which is transposed convolution
  'w': (x, g) -> w    gradient in the kernel

The derivatives of a face are the two others, so that one primitive with three faces is closed under
`jax.grad`, `jax.jvp`, `jax.vmap` and any nesting of them. On GPU and TPU a face is the same XLA
convolution that `jax.lax.conv_general_dilated` and its derivatives lower to. On the CPU it takes the
form that `jaxgan.nn.bilinear` chooses. What decides is the platform that a program is compiled for,
not that of the process: an export for TPU from a CPU machine has the TPU's form. Within `shard_map`, and
over meshes with explicit axes, where types say how arrays are shared out, it is XLA's everywhere.
"""

import operator
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import AxisType

from jaxgan.nn import bilinear
from jaxgan.nn.bilinear import Geometry

Padding = str | int | Sequence[int | tuple[int, int]]


def conv(
  x: jax.Array, w: jax.Array, *, stride: int | Sequence[int] = 1, padding: Padding = 'SAME'
) -> jax.Array:
  """2-D convolution (correlation), as `jax.lax.conv_general_dilated`.

  y[b, i, j, d] = sum_{p, q, c} x[b, s i + p - top, s j + q - left, c] w[p, q, c, d]

  Args:
    x: [B, H, W, C].
    w: [kh, kw, C, D], of the dtype of x.
    stride: s, or a pair.
    padding: zeros on every side: a number, a pair (vertical, horizontal), ((top, bottom), (left,
      right)), 'SAME' (ceil(size / stride), the odd zero at the end) or 'VALID' (none).

  Returns:
    y [B, h, w, D], h = floor((H + top + bottom - kh) / s) + 1.

  Raises:
    ValueError: shapes, dtypes or a padding that do not fit.
  """
  _check(x, w)
  return _bind('y', x, w, _geometry(x.shape[1:3], w.shape[:2], stride, padding))


def conv_transpose(
  x: jax.Array, w: jax.Array, *, stride: int | Sequence[int] = 2, padding: Padding = 1
) -> jax.Array:
  """2-D transposed convolution: the gradient of `conv` in its image.

  y[b, i, j, d] = sum_{m, n, p, q, c : i = s m + p - top, j = s n + q - left} x[b, m, n, c] w[p, q, c, d]

  Args:
    x: [B, H, W, C].
    w: [kh, kw, C, D], of the dtype of x. PyTorch's ConvTranspose2d stores [C, D, kh, kw].
    stride: s, or a pair.
    padding: of the convolution that this one is the transpose of: what is cut off on every side; as in
      `conv`, and 'SAME' makes the result s times as large.

  Returns:
    y [B, h, w, D], h = s (H - 1) + kh - top - bottom; with the kernel 4, stride 2 and padding 1 of
    DCGAN twice the size.

  Raises:
    ValueError: shapes, dtypes or a padding that do not fit.
  """
  _check(x, w)
  strides = _pair(stride)
  if isinstance(padding, str) and padding.upper() == 'SAME':
    size = tuple(n * s for n, s in zip(x.shape[1:3], strides))
    geometry = _geometry(size, w.shape[:2], stride, padding)
  else:
    edges = _geometry(w.shape[:2], w.shape[:2], stride, padding).padding
    size = tuple(
      s * (n - 1) + k - low - high
      for n, k, s, (low, high) in zip(x.shape[1:3], w.shape[:2], strides, edges)
    )
    if min(size) < 0:
      raise ValueError(f'padding={padding!r} cuts off more than the result of {list(x.shape)} has')
    geometry = _geometry(size, w.shape[:2], stride, edges)
  return _bind('x', x, w.swapaxes(2, 3), geometry)


def _check(x: jax.Array, w: jax.Array) -> None:
  if x.ndim != 4 or w.ndim != 4 or x.shape[-1] != w.shape[2] or x.dtype != w.dtype:
    raise ValueError(
      f'x {x.dtype}{list(x.shape)} and w {w.dtype}{list(w.shape)}; '
      'expected one dtype, [B, H, W, C] and [kh, kw, C, D]'
    )


def _pair(stride: int | Sequence[int]) -> tuple[int, int]:
  try:
    one, two = map(operator.index, stride if isinstance(stride, Iterable) else (stride, stride))
  except (TypeError, ValueError):
    one = two = 0
  if min(one, two) < 1:
    raise ValueError(f'stride={stride!r}; expected a whole number from 1 on, or a pair of them')
  return one, two


def _edges(padding: Any) -> tuple[tuple[int, int], tuple[int, int]]:
  both = lambda side: side if isinstance(side, Iterable) else (side, side)
  try:
    low, wide = (tuple(map(operator.index, both(side))) for side in both(padding))
    (_, _), (_, _) = low, wide
  except (TypeError, ValueError):
    raise ValueError(
      f"padding={padding!r}; expected 'SAME', 'VALID', a whole number, a pair of them, "
      'or ((top, bottom), (left, right))'
    ) from None
  return low, wide  # type: ignore[return-value]


def _geometry(
  size: Sequence[int], kernel: Sequence[int], stride: int | Sequence[int], padding: Padding
) -> Geometry:
  strides = _pair(stride)
  if isinstance(padding, str) and padding.upper() in ('SAME', 'VALID'):
    padding = jax.lax.padtype_to_pads(size, kernel, strides, padding.upper())
  return Geometry((size[0], size[1]), (kernel[0], kernel[1]), strides, _edges(padding))


WRITTEN_OUT = 32  # vmapped kernels at most: more of them would take minutes to compile
_face = Primitive('convolution_face')


def _bind(face: str, a: jax.Array, b: jax.Array, geometry: Geometry) -> jax.Array:
  meshes = (jax.typeof(operand).sharding.mesh for operand in (a, b))
  if any(kind != AxisType.Auto for mesh in meshes for kind in mesh.axis_types):
    return bilinear.native(face, a, b, geometry)
  return _face.bind(a, b, face=face, geometry=geometry)


@partial(jax.jit, static_argnames=('face', 'geometry'))
def _eager(a: jax.Array, b: jax.Array, *, face: str, geometry: Geometry) -> jax.Array:
  return _bind(face, a, b, geometry)


def _form(implementation: Any, a: jax.Array, b: jax.Array, *, face: str, geometry: Geometry) -> Any:
  return implementation(face, a, b, geometry)


def _abstract(a: Any, b: Any, *, face: str, geometry: Geometry) -> Any:
  if face == 'y':
    shape = (a.shape[0], *geometry.out, b.shape[3])
  elif face == 'x':
    shape = (a.shape[0], *geometry.size, b.shape[2])
  else:
    shape = (*geometry.kernel, a.shape[3], b.shape[3])
  return jax.core.ShapedArray(shape, a.dtype)


# d T / d first operand and d T / d second operand, as (face, operands) of (cotangent, first, second)
def _first(cotangent: Any, a: Any, b: Any, *, face: str, geometry: Geometry) -> Any:
  """The transpose in the first operand: x of 'y', g of 'x', x of 'w'."""
  if face == 'w':
    return _bind('x', b, cotangent, geometry)
  return _bind('x' if face == 'y' else 'y', cotangent, b, geometry)


def _second(cotangent: Any, a: Any, b: Any, *, face: str, geometry: Geometry) -> Any:
  """The transpose in the second operand: w of 'y', w of 'x', g of 'w'."""
  if face == 'w':
    return _bind('y', a, cotangent, geometry)
  return _bind('w', *((a, cotangent) if face == 'y' else (cotangent, a)), geometry)


def _batch(operands: Any, dims: Any, *, face: str, geometry: Geometry) -> Any:
  a, b = operands
  if dims[1] is None and face != 'w':  # one kernel for all: more examples
    a = jnp.moveaxis(a, dims[0], 0)
    y = _bind(face, a.reshape(-1, *a.shape[2:]), b, geometry)
    return y.reshape(*a.shape[:2], *y.shape[1:]), 0
  # Kernels of their own, as those of several runs. A vmapped convolution is a grouped one, which XLA's
  # CPU backend runs at a third of the speed: there each is written out.
  at = lambda x, dim, i: x if dim is None else jax.lax.index_in_dim(x, i, dim, keepdims=False)
  count = next(x.shape[dim] for x, dim in zip(operands, dims) if dim is not None)
  each = lambda a, b: jnp.stack(
    [_bind(face, at(a, dims[0], i), at(b, dims[1], i), geometry) for i in range(count)]
  )
  grouped = jax.vmap(lambda a, b: bilinear.native(face, a, b, geometry), dims)
  on_cpu = each if count <= WRITTEN_OUT else grouped
  return jax.lax.platform_dependent(a, b, cpu=on_cpu, default=grouped), 0


_face.def_impl(_eager)
_face.def_abstract_eval(_abstract)
ad.defbilinear(_face, _first, _second)
batching.primitive_batchers[_face] = _batch
for _platform, _implementation in ((None, bilinear.native), ('cpu', bilinear.on_cpu)):
  mlir.register_lowering(
    _face,
    mlir.lower_fun(partial(_form, _implementation), multiple_results=False),
    platform=_platform,
  )

"""Multiplications and additions of a function, counted on its jaxpr.

Counted is what `torch.utils.flop_counter` counts too: convolutions and products of matrices, two
operations a product. A product with a vector (power iteration) counts for nothing on either side,
and a convolution counts as a plain one whatever algorithm computes it.
"""

import math
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr


def count(function: Any, *arguments: Any) -> int:
  """FLOPs of `function(*arguments)`."""
  return _of(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of(jaxpr: Any) -> int:
  return sum(_equation(equation) for equation in jaxpr.eqns)


def _equation(equation: Any) -> int:
  name, parameters = equation.primitive.name, equation.params
  a, *rest = (v.aval for v in equation.invars) if equation.invars else (None,)
  out = equation.outvars[0].aval if equation.outvars else None
  if name == 'dot_general':
    (left, _), (batch, _) = parameters['dimension_numbers']
    free = [x.ndim - len(left) - len(batch) for x in (a, rest[0])]
    inner = math.prod(a.shape[i] for i in left)
    return 2 * inner * math.prod(out.shape) if min(free) else 0
  if name == 'convolution_face':
    face, geometry = parameters['face'], parameters['geometry']
    y = {'y': out, 'x': a, 'w': rest[0]}[face]
    w = out if face == 'w' else rest[0]
    return 2 * math.prod(y.shape) * math.prod(geometry.kernel) * w.shape[2]
  if name == 'conv_general_dilated':
    numbers = parameters['dimension_numbers']
    w = rest[0].shape
    taps = math.prod(w[i] for i in numbers.rhs_spec[2:]) * w[numbers.rhs_spec[1]]
    return 2 * math.prod(out.shape) * taps
  inside = [
    p.jaxpr if isinstance(p, ClosedJaxpr) else p
    for value in parameters.values()
    for p in (value if isinstance(value, tuple | list) else (value,))
    if isinstance(p, ClosedJaxpr | Jaxpr)
  ]
  if name == 'cond':
    return max(map(_of, inside))
  times = parameters['length'] if name == 'scan' else 1
  return times * sum(map(_of, inside))

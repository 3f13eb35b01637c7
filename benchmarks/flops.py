"""Multiplications and additions of a function, counted on its jaxpr.

Counted is what `torch.utils.flop_counter` counts too: convolutions and products of matrices, two
operations a product. A product with a vector (power iteration) counts for nothing on either side,
and a convolution counts as a plain one whatever algorithm computes it. What is computed twice from the
same operands counts once, as XLA computes it.
"""

import itertools
import math
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

OPAQUE = ('scan', 'while', 'cond', 'checkpoint', 'remat2')  # are not looked into for what is known


def count(function: Any, *arguments: Any) -> int:
  """FLOPs of `function(*arguments)`."""
  closed = jax.make_jaxpr(function)(*arguments)
  return Counter().closed(closed)


class Counter:
  """Walks through a jaxpr; every value has a number, equal ones the same."""

  def __init__(self):
    self.flops, self.fresh = 0, itertools.count()
    self.known: dict[Any, list[Any]] = {}  # operation and operands -> results

  def closed(self, inside: Any) -> int:
    """FLOPs of a jaxpr of its own, nothing of whose operands is known."""
    self.walk(inside, [next(self.fresh) for _ in getattr(inside, 'jaxpr', inside).invars])
    return self.flops

  def walk(self, inside: Any, numbers: list[Any]) -> list[Any]:
    """The numbers of the results."""
    jaxpr = getattr(inside, 'jaxpr', inside)
    constants = [('constant', id(x)) for x in getattr(inside, 'consts', ())]
    constants = constants or [next(self.fresh) for _ in jaxpr.constvars]
    found = dict(zip(jaxpr.invars, numbers)) | dict(zip(jaxpr.constvars, constants))
    of = lambda v: ('literal', str(v.aval), repr(v.val)) if isinstance(v, Literal) else found[v]
    for equation in jaxpr.eqns:
      found.update(zip(equation.outvars, self.results(equation, [of(v) for v in equation.invars])))
    return [of(v) for v in jaxpr.outvars]

  def results(self, equation: Any, numbers: list[Any]) -> list[Any]:
    """The numbers of the results of one equation, whose FLOPs are added unless it is known."""
    name, parameters = equation.primitive.name, equation.params
    new = [next(self.fresh) for _ in equation.outvars]
    inside = [
      p
      for value in parameters.values()
      for p in (value if isinstance(value, tuple | list) else (value,))
      if isinstance(p, ClosedJaxpr | Jaxpr)
    ]
    if name in OPAQUE or len(inside) > 1:
      each = [Counter().closed(p) for p in inside]
      many = parameters['length'] if name == 'scan' else 1
      self.flops += max(each) if name == 'cond' else many * sum(each)
      return new
    if inside:
      return self.walk(inside[0], numbers)
    key = (name, str(sorted(parameters.items(), key=lambda item: item[0])), *numbers)
    if key not in self.known:
      self.known[key] = new
      self.flops += _equation(equation)
    return self.known[key]


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
  return 0

"""Options that a config gives to a function: known ones, none missing, of the kind its signature says."""

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax

from jaxgan import schedules

KINDS = {bool: 'true or false', int: 'a whole number', float: 'a number', str: 'a name'}


def check(
  owner: str,
  function: Callable[..., Any],
  given: Any,
  *,
  supplied: Collection[str] = (),
  also: Collection[str] = (),
) -> None:
  """Whether a function can be called with a config's section.

  Args:
    owner: what the messages call it, such as "penalty 'r1'".
    function: whose signature says the options, their kinds, and which have no default.
    given: option -> value; a number may be a schedule, see `jaxgan.schedules`.
    supplied: parameters that are not the config's to give.
    also: options that someone else takes.

  Raises:
    ValueError: no section, an option that nobody has, one that is missing, a value of another kind,
      or a number below 0 (no option of a game means anything there) or not finite.
  """
  if not isinstance(given, Mapping):
    raise ValueError(f'{owner}: {given!r}; expected a section: OPTION=... for each of its options')
  keywords = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
  signature = inspect.signature(function).parameters
  parameters = {n: p for n, p in signature.items() if n not in supplied and p.kind in keywords}
  names = [*parameters, *(name for name in also if name not in parameters)]
  loose = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.values())
  for option, value in given.items():
    if option not in names and not loose:
      raise ValueError(
        f'{owner} has no option {option!r}; expected some of {", ".join(names) or "none"}'
      )
    if option in parameters:
      check_value(f'{owner}: {option}', value, kind_of(parameters[option]))
  for name, parameter in parameters.items():
    if parameter.default is parameter.empty and name not in given:
      raise ValueError(f'{owner} needs {name}: give a value')


def kind_of(parameter: inspect.Parameter) -> type | None:
  """bool, int, float or str, as the annotation or, without one, the default says; else None."""
  for kind in KINDS:
    if parameter.annotation in (kind, kind | None):
      return kind
  kind = type(parameter.default)
  return kind if parameter.annotation is parameter.empty and kind in KINDS else None


def check_value(name: str, value: Any, kind: type | None) -> None:
  """Whether a value is of a kind; a traced number (of a sweep) is.

  Raises:
    ValueError: it is not, or it is a number below 0 or not finite.
  """
  schedules.check(name, value)
  if kind is float and schedules.is_schedule(value):
    ends = [value['start'], value['end']]
  else:
    ends = [value]
  for end in ends:
    if kind is None or end is None or isinstance(end, jax.core.Tracer):
      continue
    right = isinstance(end, int | float if kind is float else kind)
    if not right or (isinstance(end, bool) and kind is not bool):
      raise ValueError(f'{name}={value!r}; expected {KINDS[kind]}')
    if kind in (int, float) and not (math.isfinite(end) and end >= 0):
      raise ValueError(f'{name}={value!r}; expected 0 or more')

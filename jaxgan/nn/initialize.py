"""Variables of a Linen module in about a second: shapes from an abstract trace, values from NumPy.

`jax.jit(module.init)` of a BigGAN takes longer to compile than its train step. Here `init` is only
traced: the initialisers of this file hand out NumPy arrays while it runs, so the forward pass never
is compiled or computed. Modules with other initialisers work too, through the ordinary init.
"""

import contextvars
import dataclasses
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

Variables = dict[str, Any]
_generator: contextvars.ContextVar[np.random.Generator | None] = contextvars.ContextVar(
  'numpy_init', default=None
)


@dataclasses.dataclass(frozen=True)
class Initializer:
  """An initialiser `(key, shape, dtype) -> array` that has a NumPy form for `initialize`.

  Attributes:
    with_jax: `(key, shape, dtype) -> jax array`, used by an ordinary `module.init`.
    with_numpy: `(np.random.Generator, shape) -> float array`, of the same distribution.
  """

  with_jax: Callable[..., Any]
  with_numpy: Callable[..., Any]

  def __call__(self, key: Any, shape: Any, dtype: Any = jnp.float32) -> jax.Array:
    rng = _generator.get()
    if rng is None:
      return self.with_jax(key, shape, dtype)
    return cast(jax.Array, np.asarray(self.with_numpy(rng, tuple(shape)), dtype=dtype))


def constant(value: float) -> Initializer:
  """Every entry is `value`."""
  return Initializer(jax.nn.initializers.constant(value), lambda rng, shape: np.full(shape, value))


zeros = constant(0.0)
ones = constant(1.0)


def normal(stddev: float = 1.0) -> Initializer:
  """N(0, stddev^2)."""
  return Initializer(
    jax.nn.initializers.normal(stddev),
    lambda rng, shape: stddev * rng.standard_normal(shape, dtype=np.float32),
  )


def fan_in(gain: float = 1.0) -> Initializer:
  """N(0, gain^2 / fan_in); kernels [..., in, out]."""
  return Initializer(
    jax.nn.initializers.variance_scaling(gain**2, 'fan_in', 'normal'),
    lambda rng, shape: (
      gain / math.sqrt(math.prod(shape[:-1])) * rng.standard_normal(shape, dtype=np.float32)
    ),
  )


def glorot_uniform() -> Initializer:
  """U[-a, a], a = sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010); kernels [..., in, out]."""

  def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    window = math.prod(shape[:-2])
    limit = math.sqrt(6.0 / (window * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, shape)

  return Initializer(jax.nn.initializers.glorot_uniform(), draw)


def orthogonal(scale: float = 1.0) -> Initializer:
  """scale * Q, the kernel flattened to [-1, out] having orthonormal columns or rows.

  Source: Saxe, McClelland, Ganguli 2014, arXiv 1312.6120.
  """

  def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(
      rng.standard_normal((max(rows, columns), min(rows, columns)), dtype=np.float32)
    )
    q *= np.sign(np.diagonal(r))  # makes the distribution uniform over orthogonal matrices
    return scale * (q if rows >= columns else q.T).reshape(shape)

  return Initializer(jax.nn.initializers.orthogonal(scale), draw)


@contextmanager
def _numpy(seed: np.ndarray) -> Iterator[None]:
  token = _generator.set(
    np.random.Generator(np.random.Philox(np.random.SeedSequence([int(w) for w in seed])))
  )
  try:
    yield
  finally:
    _generator.reset(token)


def initialize(module: nn.Module, key: jax.Array, *args: Any, **kwargs: Any) -> Variables:
  """The variables of `module.init(key, *args, **kwargs)`, without compiling it where that can be.

  Args:
    module: a Linen module; a field `remat` is switched off for the trace (it changes no variable).
    key: concrete PRNG key.
    *args, **kwargs: what the module is called with; values do not matter, shapes do.

  Returns:
    A plain dict of collections. Same distribution as `module.init`, other numbers; a pure function
    of module, key and shapes, the same on every platform and device layout.
  """
  if getattr(module, 'remat', False):
    module = module.clone(remat=False)
  harvest: Variables = {}
  rngs = lambda key: {'params': key, 'dropout': key}
  if isinstance(key, jax.core.Tracer):  # under eval_shape or jit there is nothing to gain
    return dict(module.init(rngs(key), *args, **kwargs))

  def trace(*args: Any) -> None:
    harvest.update(module.init(rngs(jax.random.key(0)), *args, **kwargs))

  with _numpy(np.asarray(jax.random.key_data(key)).ravel()):
    jax.eval_shape(trace, *args)
  if all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(harvest)):
    return jax.device_put(harvest)  # jnp.asarray compiles a program for every shape
  return jax.jit(lambda k, *a: module.init(rngs(k), *a, **kwargs))(key, *args)

"""Latent samplers, alike for every device layout, and the truncation trick in its two conventions."""

import math
from collections.abc import Callable

import jax

from jaxgan.errors import nearest
from jaxgan.nn import replicas


def normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """z ~ N(0, I), float32 of the given shape, batch first."""
  return replicas.draw(jax.random.normal, key, shape)


def uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """z ~ U[-1, 1), float32 of the given shape, batch first."""
  return replicas.draw(jax.random.uniform, key, shape, minval=-1.0, maxval=1.0)


def bernoulli(key: jax.Array, shape: tuple[int, ...], p: float = 0.5) -> jax.Array:
  """z of zeros and ones, each 1 with probability p; float32 of the given shape, batch first.

  Raises:
    ValueError: p is no probability.
  """
  if not 0 <= p <= 1:
    raise ValueError(f'p={p}; expected a probability, 0 to 1')
  return replicas.draw(_bernoulli, key, shape, p)


def _bernoulli(key: jax.Array, shape: tuple[int, ...], p: float) -> jax.Array:
  return jax.random.bernoulli(key, p, shape).astype(float)  # the default float, as the others


def categorical(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """One of shape[-1] classes, uniformly, as a one-hot vector along the last axis.

  Args:
    key: PRNG key.
    shape: batch first, classes last: (B, classes) or (B, variables, classes).

  Returns:
    float32 array of the given shape.

  Raises:
    ValueError: fewer than two axes.
  """
  if len(shape) < 2:
    raise ValueError(f'shape={shape}; expected (batch, ..., classes)')
  classes = replicas.draw(jax.random.randint, key, shape[:-1], minval=0, maxval=shape[-1])
  return jax.nn.one_hot(classes, shape[-1])


def truncated_normal(
  key: jax.Array, shape: tuple[int, ...], truncation: float = 1.0, convention: str = 'scaled'
) -> jax.Array:
  """z from a truncated normal, for sampling with less variety and more fidelity.

  - 'scaled' (BigGAN, TF-Hub): z = truncation * t, t ~ N(0, 1) cut to [-2, 2]; 1 still cuts at 2.
  - 'clipped' (StudioGAN): z ~ N(0, 1) cut to [-truncation, truncation], not scaled.

  Args:
    key: PRNG key.
    shape: batch first.
    truncation: > 0; smaller is truer to the class, larger more varied.
    convention: 'scaled' or 'clipped'.

  Returns:
    float32 array of the given shape.

  Raises:
    ValueError: another convention, or a truncation that is not positive.

  Source: Brock, Donahue, Simonyan 2018, arXiv 1809.11096, section 3.1 (values outside the range
  are resampled, which is what a truncated normal is).
  """
  if not 0 < truncation < math.inf:
    raise ValueError(
      f'truncation={truncation}; expected a number > 0 (for a plain normal leave it out)'
    )
  if convention == 'scaled':
    return truncation * replicas.draw(_truncated, key, shape, cut=2.0)
  if convention == 'clipped':
    return replicas.draw(_truncated, key, shape, cut=truncation)
  raise ValueError(
    f"convention={convention!r}; expected 'scaled' (BigGAN, TF-Hub) or 'clipped' (StudioGAN)"
  )


def _truncated(key: jax.Array, shape: tuple[int, ...], cut: float) -> jax.Array:
  return jax.random.truncated_normal(key, -cut, cut, shape)


def truncated(
  name: str, key: jax.Array, shape: tuple[int, ...], truncation: float, convention: str = 'scaled'
) -> jax.Array:
  """The truncation trick on the latent of that name.

  Normal latents as in `truncated_normal`; uniform ones are U[-truncation, truncation).

  Raises:
    ValueError: the latent is discrete, or a truncation that is not positive.
  """
  if name in ('normal', 'truncated_normal'):
    return truncated_normal(key, shape, truncation, convention)
  if name == 'uniform':
    if not 0 < truncation < math.inf:
      raise ValueError(f'truncation={truncation}; expected a number > 0')
    return truncation * uniform(key, shape)
  sampler(name)  # is there one of that name?
  raise ValueError(f'latent {name!r} cannot be truncated: it is discrete; leave truncation out')


def sampler(name: str) -> Callable[[jax.Array, tuple[int, ...]], jax.Array]:
  """The latent sampler of that name.

  Raises:
    ValueError: there is none; the message names the nearest, or lists those that exist.
  """
  known = {
    'normal': normal,
    'uniform': uniform,
    'truncated_normal': truncated_normal,
    'bernoulli': bernoulli,
    'categorical': categorical,
  }
  if name not in known:
    raise ValueError(f'unknown latent {name!r}; {nearest(name, known)}')
  return known[name]

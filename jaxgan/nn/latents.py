"""Latent samplers, alike for every device layout, and the truncation trick in its two conventions."""

from collections.abc import Callable

import jax

from jaxgan.nn import replicas


def normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """z ~ N(0, I), float32 of the given shape, batch first."""
  return replicas.draw(jax.random.normal, key, shape)


def uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """z ~ U[-1, 1), float32 of the given shape, batch first."""
  return replicas.draw(jax.random.uniform, key, shape, minval=-1.0, maxval=1.0)


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
  if truncation <= 0:
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


def sampler(name: str) -> Callable[[jax.Array, tuple[int, ...]], jax.Array]:
  """The latent sampler of that name.

  Raises:
    ValueError: there is none; the message lists those that exist.
  """
  known = {'normal': normal, 'uniform': uniform, 'truncated_normal': truncated_normal}
  if name not in known:
    raise ValueError(f'unknown latent {name!r}; expected one of {", ".join(known)}')
  return known[name]

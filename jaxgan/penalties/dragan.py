"""DRAGAN: the critic's gradient penalised around the real data alone, in the conventions in use."""

import jax
import jax.numpy as jnp

from jaxgan.nn import replicas
from jaxgan.nn.precision import widen
from jaxgan.penalties.gradient import Critic, safe_sqrt, squared_norms

CONVENTIONS = ('authors', 'studiogan', 'compare_gan')


def dragan(
  critic: Critic,
  real: jax.Array,
  key: jax.Array,
  *,
  weight: float = 10.0,
  target: float = 1.0,
  convention: str = 'authors',
) -> jax.Array:
  """weight * (|grad critic(x)| - target)^2 at a real picture x that noise has moved, see `perturb`.

  Args:
    critic: images -> logits [B].
    real: [B, ...], in [-1, 1].
    key: PRNG key of the noise.
    weight: lambda of the paper.
    target: the norm asked for, k of the paper, for pictures in [-1, 1] (a norm of 1 for pictures in
      [0, 1], as compare_gan has them, is 1/2 here).
    convention: how the noise is made: 'authors', 'studiogan' or 'compare_gan'.

  Returns:
    float32 [B], finite also where the gradient is zero. Its noise is as large as the spread of the
    whole batch says, so an example's penalty depends on the others in this way.

  Raises:
    ValueError: another convention.

  Source: Kodali et al. 2017, arXiv 1705.07215. The paper writes Gaussian noise of variance c, the
  authors' code what stands here. compare_gan also adds 1e-4 under the root, which is left out.
  """
  excess = safe_sqrt(squared_norms(critic, perturb(real, key, convention))) - target
  return weight * excess**2


def perturb(real: jax.Array, key: jax.Array, convention: str = 'authors') -> jax.Array:
  """Real data moved by noise in proportion to std, the standard deviation of the whole batch.

  With u ~ U[0, 1) per pixel and t ~ U[0, 1) per sample:
  - 'authors': real + t std/2 u, never darker than the real picture; std divides by N.
  - 'studiogan': the same, where std divides by N - 1.
  - 'compare_gan': real + std (u - 1/2), cut to [-1, 1]; std divides by N.

  Args:
    real: [B, ...].
    key: PRNG key.
    convention: one of the three.

  Returns:
    [B, ...], of the dtype of `real`.

  Raises:
    ValueError: another convention.
  """
  if convention not in CONVENTIONS:
    raise ValueError(f'unknown convention {convention!r}; expected one of {", ".join(CONVENTIONS)}')
  std = _deviation(widen(real), unbiased=convention == 'studiogan')
  u = replicas.draw(jax.random.uniform, jax.random.fold_in(key, 1), real.shape)
  if convention == 'compare_gan':
    return jnp.clip(real + (std * (u - 0.5)).astype(real.dtype), -1.0, 1.0)
  one_a_sample = (real.shape[0],) + (1,) * (real.ndim - 1)
  t = replicas.draw(jax.random.uniform, jax.random.fold_in(key, 0), one_a_sample)
  return real + (t * 0.5 * std * u).astype(real.dtype)


def _deviation(x: jax.Array, unbiased: bool) -> jax.Array:
  """Standard deviation over all axes and all replicas."""
  variance = replicas.mean(jnp.square(x - replicas.mean(x.mean())).mean())
  count = x.size * replicas.size()
  return safe_sqrt(variance * count / (count - 1) if unbiased else variance)

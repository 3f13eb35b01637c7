"""Kernel distance between two sets of features (KID)."""

import jax
import jax.numpy as jnp


def kernel_distance(a: jax.Array, b: jax.Array) -> jax.Array:
  """The unbiased estimate of MMD^2 with the kernel k(x, y) = (x . y / D + 1)^3.

  mean_(i != j) k(a_i, a_j) + mean_(i != j) k(b_i, b_j) - 2 mean_(i, j) k(a_i, b_j)

  Args:
    a, b: features float [N, D] and [M, D], N and M at least 2.

  Returns:
    float32 []; around 0, also below it, for sets of one distribution.

  Raises:
    ValueError: other shapes.

  Source: Binkowski et al. 2018, arXiv 1801.01401, on all features at once, not in subsets.
  """
  if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
    raise ValueError(f'features {a.shape} and {b.shape}; expected [N, D] and [M, D], N, M >= 2')
  a, b = jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32)
  kernel = lambda x, y: (jnp.matmul(x, y.T, precision='highest') / x.shape[1] + 1) ** 3
  within = lambda x: (kernel(x, x).sum() - jnp.trace(kernel(x, x))) / (len(x) * (len(x) - 1))
  return within(a) + within(b) - 2 * kernel(a, b).mean()

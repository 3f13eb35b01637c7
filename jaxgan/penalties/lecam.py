"""LeCam regularisation: the logits held near running means, for few training pictures."""

import jax
import jax.numpy as jnp

from jaxgan.losses import inputs
from jaxgan.nn import replicas
from jaxgan.nn.precision import widen


def lecam(
  real_logits: jax.Array,
  fake_logits: jax.Array,
  real_mean: jax.Array,
  fake_mean: jax.Array,
  *,
  weight: float = 0.3,
  one_sided: bool = False,
) -> jax.Array:
  """weight * ((D(x) - fake_mean)^2 + (D(G(z)) - real_mean)^2), for the discriminator.

  Args:
    real_logits, fake_logits: [B] of the discriminator.
    real_mean, fake_mean: scalars, the running means of the logits of real and of fake examples (see
      `lecam_means`), constants of the gradient.
    weight: lambda of the paper; 0.3 is what the authors' script for CIFAR-10 says.
    one_sided: the form of the official code and of StudioGAN, max(0, D(x) - fake_mean)^2 +
      max(0, real_mean - D(G(z)))^2, which leaves logits on the wrong side alone.

  Returns:
    float32 [B].

  Raises:
    ValueError: the logits are not of one shape [B].

  Source: Tseng et al. 2021, arXiv 2104.03310; the paper writes the two-sided form, which is the
  default.
  """
  real_logits, fake_logits = inputs.logits(real_logits, fake_logits)
  real_mean, fake_mean = jax.lax.stop_gradient((real_mean, fake_mean))
  of_real, of_fake = real_logits - fake_mean, real_mean - fake_logits
  if one_sided:
    of_real, of_fake = jnp.maximum(of_real, 0.0), jnp.maximum(of_fake, 0.0)
  return weight * (of_real**2 + of_fake**2)


def lecam_means(
  means: tuple[jax.Array, jax.Array],
  real_logits: jax.Array,
  fake_logits: jax.Array,
  decay: jax.Array | float = 0.99,
) -> tuple[jax.Array, jax.Array]:
  """The running means after one more batch: decay * mean + (1 - decay) * batch mean.

  StudioGAN updates them before the regulariser uses them, and starts with decay 0 (the mean of the
  batch alone) for as long as the regulariser is off, so that what they begin with never counts.

  Args:
    means: (real_mean, fake_mean), scalars.
    real_logits, fake_logits: of any shape; the means are over all replicas.
    decay: 0 to 1; may be traced, such as `jnp.where(step < start, 0.0, 0.99)`.

  Returns:
    (real_mean, fake_mean), scalars of at least float32, without gradient.

  Source: Tseng et al. 2021, arXiv 2104.03310.
  """
  of = lambda logits: widen(jnp.asarray(logits)).mean()
  batch = replicas.mean((of(real_logits), of(fake_logits)))
  real, fake = (decay * mean + (1 - decay) * new for mean, new in zip(means, batch))
  return jax.lax.stop_gradient((real, fake))

"""Adversarial losses, per example, in pairs: one for the discriminator and one for the generator.

Every function takes logits (the discriminator's raw outputs; large means real), float [B], and gives
the loss of each example, float32 [B], to be minimised. Means and weights are the caller's business.
"""

import jax
import jax.numpy as jnp

from jaxgan.losses import inputs


def minimax_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """-log D(x) - log(1 - D(G(z))), with D = sigmoid(logit).

  Args:
    real: logits [B] of real examples.
    fake: logits [B] of generated examples.

  Returns:
    float32 [B].

  Raises:
    ValueError: the two are not of one shape [B].

  Source: Goodfellow et al. 2014, arXiv 1406.2661, equation 1.
  """
  real, fake = inputs.logits(real, fake)
  return jax.nn.softplus(-real) + jax.nn.softplus(fake)


def minimax_generator(fake: jax.Array) -> jax.Array:
  """log(1 - D(G(z))): the zero-sum answer, whose gradient vanishes when D is sure.

  Args:
    fake: logits [B] of generated examples.

  Returns:
    float32 [B].

  Source: Goodfellow et al. 2014, arXiv 1406.2661, equation 1.
  """
  (fake,) = inputs.logits(fake)
  return -jax.nn.softplus(fake)


def non_saturating_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """-log D(x) - log(1 - D(G(z))), that of `minimax_discriminator`; arguments and result likewise."""
  return minimax_discriminator(real, fake)


def non_saturating_generator(fake: jax.Array) -> jax.Array:
  """-log D(G(z)), with D = sigmoid(logit).

  Args:
    fake: logits [B] of generated examples.

  Returns:
    float32 [B].

  Source: Goodfellow et al. 2014, arXiv 1406.2661, section 3.
  """
  (fake,) = inputs.logits(fake)
  return jax.nn.softplus(-fake)


# StyleGAN's name for it (Karras et al. 2018, arXiv 1812.04948)
logistic_discriminator = non_saturating_discriminator
logistic_generator = non_saturating_generator


def least_squares_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """((D(x) - 1)^2 + D(G(z))^2) / 2, on raw logits, with labels a = 0, b = c = 1.

  Args:
    real: logits [B] of real examples.
    fake: logits [B] of generated examples.

  Returns:
    float32 [B].

  Raises:
    ValueError: the two are not of one shape [B].

  Source: Mao et al. 2016, arXiv 1611.04076, equation 9.
  """
  real, fake = inputs.logits(real, fake)
  return 0.5 * (jnp.square(real - 1) + jnp.square(fake))


def least_squares_generator(fake: jax.Array) -> jax.Array:
  """(D(G(z)) - 1)^2 / 2, on raw logits.

  Args:
    fake: logits [B] of generated examples.

  Returns:
    float32 [B].

  Source: Mao et al. 2016, arXiv 1611.04076, equation 9.
  """
  (fake,) = inputs.logits(fake)
  return 0.5 * jnp.square(fake - 1)


def hinge_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """max(0, 1 - D(x)) + max(0, 1 + D(G(z))).

  Args:
    real: logits [B] of real examples.
    fake: logits [B] of generated examples.

  Returns:
    float32 [B].

  Raises:
    ValueError: the two are not of one shape [B].

  Source: Lim & Ye 2017, arXiv 1705.02894; Tran et al. 2017, arXiv 1702.08896.
  """
  real, fake = inputs.logits(real, fake)
  return jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)


def hinge_generator(fake: jax.Array) -> jax.Array:
  """-D(G(z)).

  Args:
    fake: logits [B] of generated examples.

  Returns:
    float32 [B].

  Source: Lim & Ye 2017, arXiv 1705.02894.
  """
  (fake,) = inputs.logits(fake)
  return -fake


def wasserstein_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """D(G(z)) - D(x): minus the estimate of the Wasserstein distance by a 1-Lipschitz critic D.

  Args:
    real: logits [B] of real examples.
    fake: logits [B] of generated examples.

  Returns:
    float32 [B].

  Raises:
    ValueError: the two are not of one shape [B].

  Source: Arjovsky, Chintala, Bottou 2017, arXiv 1701.07875.
  """
  real, fake = inputs.logits(real, fake)
  return fake - real


def wasserstein_generator(fake: jax.Array) -> jax.Array:
  """-D(G(z)).

  Args:
    fake: logits [B] of generated examples.

  Returns:
    float32 [B].

  Source: Arjovsky, Chintala, Bottou 2017, arXiv 1701.07875.
  """
  (fake,) = inputs.logits(fake)
  return -fake

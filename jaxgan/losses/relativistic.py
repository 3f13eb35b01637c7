"""Relativistic losses: the discriminator says which of two is the more real, not whether one is.

Functions take logits (large means real), float [B], and give losses, float32 [B], to be minimised.
The generator's need the logits of real examples as well.

The pairing form compares the i-th real example with the i-th fake. The average forms compare each
example with the mean logit of the other kind over the whole batch, so that an example's loss depends
on its batch: under `pmap` the mean is over all replicas, and smaller microbatches give other numbers.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.losses import inputs
from jaxgan.nn import replicas


def relativistic_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """-log sigmoid(D(x) - D(G(z))), of pairs (RpGAN).

  Args:
    real: logits [B] of real examples.
    fake: logits [B] of generated examples.

  Returns:
    float32 [B].

  Raises:
    ValueError: the two are not of one shape [B].

  Source: Jolicoeur-Martineau 2018, arXiv 1807.00734; Huang et al. 2024 (R3GAN), arXiv
  2501.05441, which adds the penalties R1 and R2.
  """
  real, fake = inputs.logits(real, fake)
  return jax.nn.softplus(fake - real)


def relativistic_generator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """-log sigmoid(D(G(z)) - D(x)); arguments, result and source of `relativistic_discriminator`."""
  return relativistic_discriminator(fake, real)


def relativistic_average_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """-log sigmoid(D(x) - mean D(G(z))) - log(1 - sigmoid(D(G(z)) - mean D(x))) (RaSGAN, RaGAN).

  Args:
    real: logits [B] of real examples.
    fake: logits [B] of generated examples.

  Returns:
    float32 [B]: the i-th real example's loss plus the i-th fake's. Means are over the whole batch.

  Raises:
    ValueError: the two are not of one shape [B].

  Source: Jolicoeur-Martineau 2018, arXiv 1807.00734. The author's code halves it.
  """
  return _average(_logistic, real, fake)


def relativistic_average_generator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """`relativistic_average_discriminator` with the kinds exchanged; arguments and result likewise."""
  return _average(_logistic, fake, real)


def relativistic_average_hinge_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """max(0, 1 - (D(x) - mean D(G(z)))) + max(0, 1 + D(G(z)) - mean D(x)) (RaHingeGAN).

  Args:
    real: logits [B] of real examples.
    fake: logits [B] of generated examples.

  Returns:
    float32 [B]. Means are over the whole batch.

  Raises:
    ValueError: the two are not of one shape [B].

  Source: Jolicoeur-Martineau 2018, arXiv 1807.00734. The author's code halves it.
  """
  return _average(_hinge, real, fake)


def relativistic_average_hinge_generator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """The same with the kinds exchanged; see `relativistic_average_hinge_discriminator`."""
  return _average(_hinge, fake, real)


def relativistic_average_least_squares_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """(D(x) - mean D(G(z)) - 1)^2 + (D(G(z)) - mean D(x) + 1)^2 (RaLSGAN).

  Args:
    real: logits [B] of real examples.
    fake: logits [B] of generated examples.

  Returns:
    float32 [B]. Means are over the whole batch. Targets are 1 and -1, since a difference has a sign.

  Raises:
    ValueError: the two are not of one shape [B].

  Source: Jolicoeur-Martineau 2018, arXiv 1807.00734. The author's code halves it.
  """
  return _average(_squares, real, fake)


def relativistic_average_least_squares_generator(real: jax.Array, fake: jax.Array) -> jax.Array:
  """The same with the kinds exchanged; see `relativistic_average_least_squares_discriminator`."""
  return _average(_squares, fake, real)


# What a margin costs: the loss of being told apart from the other kind by that much.
_logistic = lambda margin: jax.nn.softplus(-margin)
_hinge = lambda margin: jax.nn.relu(1 - margin)
_squares = lambda margin: jnp.square(margin - 1)


def _average(
  cost: Callable[[jax.Array], jax.Array], above: jax.Array, below: jax.Array
) -> jax.Array:
  """The cost of `above` for its margin over the mean of `below`, and the other way round."""
  above, below = inputs.logits(above, below)
  mean = lambda x: replicas.mean(x.mean())
  return cost(above - mean(below)) + cost(mean(above) - below)

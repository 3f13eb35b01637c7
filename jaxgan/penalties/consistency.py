"""Consistency regularisation: the discriminator judges alike what should not change its judgement.

A critic is a pure function images [B, H, W, C] -> logits [B]. All penalties are per example, [B]
float32; the caller takes the mean.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.nn import replicas
from jaxgan.nn.precision import widen
from jaxgan.penalties.gradient import Critic, judged

Augment = Callable[[jax.Array, jax.Array], jax.Array]
Generate = Callable[[jax.Array], jax.Array]


def flip_and_shift(images: jax.Array, key: jax.Array) -> jax.Array:
  """T of the papers: a mirroring with chance 1/2, then a shift by up to 1/8 of the size each way.

  Args:
    images: [B, H, W, C].
    key: PRNG key.

  Returns:
    [B, H, W, C]; what a shift leaves open shows the picture reflected at its edge.

  Raises:
    ValueError: images that have not four axes.

  Source: Zhang et al. 2019, arXiv 1910.12027 (there up to 4 of 32 pixels).
  """
  if images.ndim != 4:
    raise ValueError(f'images of shape {images.shape}; expected [batch, height, width, channels]')
  n, *size, _ = images.shape
  flip = replicas.draw(jax.random.uniform, jax.random.fold_in(key, 0), (n,)) < 0.5
  down, right = (
    replicas.draw(
      jax.random.randint, jax.random.fold_in(key, i), (n,), minval=-most, maxval=most + 1
    )
    for i, most in enumerate((int(side / 8 + 0.5) for side in size), 1)
  )
  return flipped_and_shifted(images, flip, down, right)


def flipped_and_shifted(
  images: jax.Array, flip: jax.Array, down: jax.Array, right: jax.Array
) -> jax.Array:
  """The mirrored picture read `down` rows and `right` columns further on, reflected at its edges.

  Args:
    images: [B, H, W, C].
    flip: bool [B], whether left and right change places, before the shift.
    down, right: int [B]; output[i, j] = input[i + down, j + right].

  Returns:
    [B, H, W, C].
  """
  _, height, width, _ = images.shape
  rows, columns = _reflected(down, height), _reflected(right, width)
  columns = jnp.where(flip[:, None], width - 1 - columns, columns)
  images = jnp.take_along_axis(images, rows[:, :, None, None], 1)
  return jnp.take_along_axis(images, columns[:, None, :, None], 2)


def _reflected(shift: jax.Array, size: int) -> jax.Array:
  """The indices [B, size] that each sample reads along an axis, mirrored without its edge pixel."""
  index = jnp.abs(jnp.arange(size) + shift[:, None])
  return (size - 1) - jnp.abs((size - 1) - index)


def consistency(
  critic: Critic,
  real: jax.Array,
  key: jax.Array,
  *,
  augment: Augment = flip_and_shift,
  weight: float = 10.0,
) -> jax.Array:
  """weight * (D(x) - D(T(x)))^2 on real pictures: CR-GAN.

  Args:
    critic: images -> logits [B].
    real: [B, H, W, C].
    key: PRNG key of T.
    augment: T, (images, key) -> images of the same shape.
    weight: lambda of the paper.

  Returns:
    float32 [B]; its gradient goes through both judgements.

  Source: Zhang et al. 2019, arXiv 1910.12027, where D(x) is the logit too.
  """
  return weight * jnp.square(judged(critic, real) - judged(critic, augment(real, key)))


def balanced_consistency(
  critic: Critic,
  fake_critic: Critic,
  real: jax.Array,
  fake: jax.Array,
  key: jax.Array,
  *,
  augment: Augment = flip_and_shift,
  weight: float = 10.0,
  fake_weight: float = 10.0,
) -> jax.Array:
  """weight * (D(x) - D(T(x)))^2 + fake_weight * (D(G(z)) - D(T(G(z))))^2: bCR.

  Real pictures alone teach the discriminator that T's traces are real; this does not.

  Args:
    critic, fake_critic: images -> logits [B], with the labels of the reals and of the fakes.
    real, fake: [B, H, W, C].
    key: PRNG key of T, drawn apart for both.
    augment: T, (images, key) -> images of the same shape.
    weight, fake_weight: lambda_real and lambda_fake of the paper.

  Returns:
    float32 [B].

  Source: Zhao et al. 2020, arXiv 2002.04724.
  """
  of_real, of_fake = (jax.random.fold_in(key, i) for i in range(2))
  return consistency(critic, real, of_real, augment=augment, weight=weight) + consistency(
    fake_critic, fake, of_fake, augment=augment, weight=fake_weight
  )


def latent_consistency(
  fake_critic: Critic,
  generate: Generate,
  z: jax.Array,
  key: jax.Array,
  *,
  weight: float = 5.0,
  noise: float = 0.05,
) -> jax.Array:
  """weight * (D(G(z)) - D(G(z + dz)))^2, dz ~ N(0, noise^2): zCR, the discriminator's part.

  Args:
    fake_critic: images -> logits [B], with the labels of the fakes.
    generate: z -> images [B, ...], with the same labels; no gradient goes into it.
    z: latents [B, dim_z].
    key: PRNG key of dz.
    weight: lambda_dis of the paper.
    noise: standard deviation of each component of dz.

  Returns:
    float32 [B].

  Source: Zhao et al. 2020, arXiv 2002.04724.
  """
  fake, near = jax.lax.stop_gradient((generate(z), generate(_near(z, key, noise))))
  return weight * jnp.square(judged(fake_critic, fake) - judged(fake_critic, near))


def latent_diversity(
  generate: Generate, z: jax.Array, key: jax.Array, *, weight: float = 0.5, noise: float = 0.05
) -> jax.Array:
  """-weight * mean over pixels of (G(z) - G(z + dz))^2, dz ~ N(0, noise^2): zCR, the generator's part.

  It keeps the generator sensitive to z, which the discriminator's part alone would not.

  Args:
    generate: z -> images [B, ...].
    z: latents [B, dim_z].
    key: PRNG key of dz.
    weight: lambda_gen of the paper.
    noise: standard deviation of each component of dz.

  Returns:
    float32 [B], at most 0.

  Source: Zhao et al. 2020, arXiv 2002.04724; the paper writes a squared norm, here it is
  divided by the number of pixels and channels, as in StudioGAN, so that one weight suits all sizes.
  """
  moved = widen(generate(z)) - widen(generate(_near(z, key, noise)))
  return -weight * jnp.square(moved).mean(axis=tuple(range(1, moved.ndim)))


def _near(z: jax.Array, key: jax.Array, noise: float) -> jax.Array:
  return z + noise * replicas.draw(jax.random.normal, key, z.shape).astype(z.dtype)

"""APA: some of the reals are fakes, as many as keep the discriminator from overfitting."""

import jax
import jax.numpy as jnp

from jaxgan.augment.adaptive import adaptive_probability
from jaxgan.augment.augmentation import Augmentation
from jaxgan.nn import replicas


def deceive(real: jax.Array, fake: jax.Array, u: jax.Array, p: jax.Array | float) -> jax.Array:
  """fake where u < p, else real, example by example.

  Args:
    real, fake: [B, ...] of one shape; no gradient reaches the fakes from here.
    u: [B] in [0, 1).
    p: probability, a scalar.

  Returns:
    [B, ...].

  Raises:
    ValueError: real and fake differ in shape.
  """
  if real.shape != fake.shape:
    raise ValueError(
      f'real {real.shape} and fake {fake.shape}; expected one shape, a pair a sample'
    )
  pseudo = (u < p).reshape((-1,) + (1,) * (real.ndim - 1))
  return jnp.where(pseudo, jax.lax.stop_gradient(fake).astype(real.dtype), real)


def apa(
  p: float = 0.0, target: float | None = 0.6, kimg: float = 500, interval: int = 4
) -> Augmentation:
  """Each real is, with probability p, the fake of its place in the batch; fakes stay as they are.

  Args:
    p, target, kimg, interval: of the probability, see `adaptive.adaptive_probability`; it moves by
      lambda_r = E[sign(D(x))] over the reals as the discriminator saw them.

  Returns:
    The Augmentation. It changes only batches that have both reals and fakes. A pretended real keeps
    the label of the real it stands for.

  Raises:
    ValueError: a number out of range.

  Source: Jiang et al. 2021, arXiv 2111.06849, section 3. As in StudioGAN the fakes are those of this
  update; the authors' code takes those of the generator's last update.
  """
  init, update = adaptive_probability(p, target, kimg, interval)

  def apply(real, fake, key, state, step):
    if real is None or fake is None:
      return real, fake
    u = replicas.draw(jax.random.uniform, key, real.shape[:1])
    return deceive(real, fake, u, state.get('p', p)), fake

  return Augmentation(init, apply, update)

"""Instance noise: reals and fakes overlap from the start, and less and less while training goes on."""

import jax
import jax.numpy as jnp

from jaxgan.augment.augmentation import Augmentation, check_between, check_known, stateless
from jaxgan.nn import replicas

SCHEDULES = ('linear', 'cosine')


def sigma(step: jax.Array | int, start: float, steps: int, schedule: str = 'linear') -> jax.Array:
  """Standard deviation at a step, float32: from `start` at step 0 to 0 at `steps` and after.

  linear: start (1 - t); cosine: start (1 + cos(pi t)) / 2; t = min(step / steps, 1).
  """
  t = jnp.clip(jnp.asarray(step, jnp.float32) / steps, 0, 1)
  # the cosine of float32 pi is not -1 to the last bit
  rest = 1 - t if schedule == 'linear' else jnp.square(jnp.cos(jnp.pi / 2 * t)) * (t < 1)
  return start * rest


def instance_noise(
  start: float = 0.1, steps: int = 100_000, schedule: str = 'linear'
) -> Augmentation:
  """x + sigma(step) N(0, I), on reals and fakes, in both players' updates.

  Args:
    start: sigma at step 0, in units of pixel values, which run from -1 to 1.
    steps: the step from which sigma is 0.
    schedule: 'linear' or 'cosine'.

  Returns:
    The Augmentation, without state.

  Raises:
    ValueError: another schedule, or a number out of range.

  Source: Sonderby et al. 2016, arXiv 1610.04490, section 4; Arjovsky & Bottou 2017, arXiv 1701.04862,
  section 3.
  """
  check_known('schedule', schedule, SCHEDULES)
  check_between('start', start, 0)
  check_between('steps', steps, 1)

  def augment(images, key, step):
    noise = replicas.draw(jax.random.normal, key, images.shape, dtype=images.dtype)
    return images + sigma(step, start, steps, schedule).astype(images.dtype) * noise

  return stateless(augment)

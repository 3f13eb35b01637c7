"""Instance noise: reals and fakes overlap from the start, and less and less while training goes on."""

import jax

from jaxgan import schedules
from jaxgan.augment.augmentation import Augmentation, check_between, check_known, stateless
from jaxgan.nn import replicas


def instance_noise(
  start: float = 0.1, steps: int = 100_000, schedule: str = 'linear'
) -> Augmentation:
  """x + sigma(step) N(0, I), on reals and fakes, in both players' updates.

  Args:
    start: sigma at step 0, in units of pixel values, which run from -1 to 1.
    steps: the step from which sigma is 0.
    schedule: 'linear' or 'cosine', see `jaxgan.schedules`.

  Returns:
    The Augmentation, without state.

  Raises:
    ValueError: another schedule, or a number out of range.

  Source: Sonderby et al. 2016, arXiv 1610.04490, section 4; Arjovsky & Bottou 2017, arXiv 1701.04862,
  section 3.
  """
  check_known('schedule', schedule, schedules.SHAPES)
  check_between('start', start, 0)
  check_between('steps', steps, 1)
  sigma = {'start': start, 'end': 0.0, 'steps': steps, 'shape': schedule}

  def augment(images, key, step):
    noise = replicas.draw(jax.random.normal, key, images.shape, dtype=images.dtype)
    return images + schedules.at(sigma, step).astype(images.dtype) * noise

  return stateless(augment)

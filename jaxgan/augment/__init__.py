"""Augmentation of what the discriminator sees: on the device, differentiable, for any game by config."""

from collections.abc import Callable

from jaxgan.augment.ada import ada
from jaxgan.augment.apa import apa
from jaxgan.augment.augmentation import Augmentation, check_known
from jaxgan.augment.diff_augment import diff_augment
from jaxgan.augment.instance_noise import instance_noise

__all__ = ['Augmentation', 'ada', 'apa', 'diff_augment', 'instance_noise']


def find(name: str) -> Callable[..., Augmentation]:
  """The augmentation of that name, to be called with the config's options: `find('ada')(target=0.6)`.

  Raises:
    ValueError: there is none; the message has the nearest name, or all of them.
  """
  check_known('augmentation', name, [n for n in __all__ if n != 'Augmentation'])
  return globals()[name]

"""CycleGAN: between two domains without pairs, held by a cycle that must lead back.

Two residual generators and two discriminators of patches of 70 pixels, instance norms everywhere.

Source: Zhu, Park, Isola, Efros 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks", arXiv 1703.10593.
"""

from typing import Any

from jaxgan.games import Game
from jaxgan.games.translating import from_translators
from jaxgan.games.translation import cycle

DEFAULTS: dict[str, Any] = {'generator': 'resnet', 'norm': 'instance'}


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The game for pictures of the given shape; options as in `from_translators`."""
  return from_translators(cycle, image_shape, **(DEFAULTS | options))

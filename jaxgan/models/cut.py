"""CUT: from one domain to another without pairs and without a way back, held by a contrast of patches.

Source: Park, Efros, Zhang, Zhu 2020, "Contrastive Learning for Unpaired Image-to-Image Translation", arXiv
2007.15651. Kernels begin as those of CycleGAN; the authors' code has Xavier's.
"""

from typing import Any

from jaxgan.games import Game
from jaxgan.games.translating import from_translators
from jaxgan.games.translation import contrastive

DEFAULTS: dict[str, Any] = {'generator': 'resnet', 'norm': 'instance', 'antialias': True}


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The game for pictures of the given shape; options as in `from_translators`."""
  return from_translators(contrastive, image_shape, **(DEFAULTS | options))

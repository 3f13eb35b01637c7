"""pix2pix: from pairs, a conditional GAN beside an L1 distance.

A U-Net whose noise is dropout, against a discriminator of patches of 70 pixels that sees the input
beside the result.

Source: Isola, Zhu, Zhou, Efros 2016, "Image-to-Image Translation with Conditional Adversarial Networks", arXiv
1611.07004. Gains of batch norms begin at 1, those of the authors' code at N(1, 0.02^2).
"""

from typing import Any

from jaxgan.games import Game
from jaxgan.games.translating import from_translators
from jaxgan.games.translation import paired

DEFAULTS: dict[str, Any] = {'generator': 'unet', 'norm': 'batch'}


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The game for pictures of the given shape; options as in `from_translators`."""
  return from_translators(paired, image_shape, **(DEFAULTS | options))

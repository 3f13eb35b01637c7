"""SRGAN: small pictures in, large ones out, by what belongs together and by an adversary that sees the large ones.

The game of pix2pix, whose discriminator does not see the input: SRResNet against a discriminator of
whole pictures.

Source: Ledig et al. 2016, "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network", arXiv 1609.04802. Beside it, L1 is the distance of pixels, not MSE; `perceptual` compares features of the
VGG16 of `jaxgan.metrics.features.perceptual`, not of a VGG19.
"""

from typing import Any

from jaxgan.games import Game
from jaxgan.games.translating import from_translators
from jaxgan.games.translation import paired

DEFAULTS: dict[str, Any] = {
  'generator': 'srresnet',
  'discriminator': 'strided',
  'conditional': False,
  'noise': False,
  'adversarial': 1e-3,
  'l1': 1.0,
}


def make(*, image_shape: tuple[int, int, int], num_classes: int, **options: Any) -> Game:
  """The game for small pictures of the given shape; options as in `from_translators`."""
  return from_translators(paired, image_shape, **(DEFAULTS | options))

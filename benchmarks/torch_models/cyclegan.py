"""CycleGAN in PyTorch: two ResNet generators and two PatchGANs."""

from torch import nn

from benchmarks.sides.torch_games import cycle as play  # noqa: F401
from benchmarks.torch_models.patchgan import NORMS, Discriminator, initialize


class Block(nn.Module):
  def __init__(self, channels, norm):
    super().__init__()
    conv = lambda: nn.Conv2d(channels, channels, 3, bias=norm != 'batch')
    self.main = nn.Sequential(
      nn.ReflectionPad2d(1), conv(), NORMS[norm](channels), nn.ReLU(True),
      nn.ReflectionPad2d(1), conv(), NORMS[norm](channels),
    )  # fmt: skip

  def forward(self, x):
    return x + self.main(x)


class Generator(nn.Module):
  """Images [B, C, H, W] -> images of the same shape; sides multiples of 4."""

  def __init__(self, image_channels, channels, blocks, norm):
    super().__init__()
    bias = norm != 'batch'
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(image_channels, channels, 7, bias=bias)]
    layers += [NORMS[norm](channels), nn.ReLU(True)]
    for i in (1, 2):
      layers += [nn.Conv2d(channels * i, 2 * channels * i, 3, 2, 1, bias=bias)]
      layers += [NORMS[norm](2 * channels * i), nn.ReLU(True)]
    layers += [Block(4 * channels, norm) for _ in range(blocks)]
    for i in (2, 1):
      layers += [nn.ConvTranspose2d(2 * channels * i, channels * i, 3, 2, 1, 1, bias=bias)]
      layers += [NORMS[norm](channels * i), nn.ReLU(True)]
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(channels, image_channels, 7), nn.Tanh()]
    self.main = nn.Sequential(*layers)

  def forward(self, x):
    return self.main(x)


def make(game, image_shape, num_classes):
  """The two players of a config's game section, of two networks each."""
  image_channels, norm, channels = image_shape[-1], game.get('norm', 'instance'), game['channels']
  generators = {
    name: Generator(image_channels, channels, game.get('blocks', 9), norm)
    for name in ('AtoB', 'BtoA')
  }
  width = game.get('discriminator_channels', channels)
  discriminators = {
    name: Discriminator(image_channels, width, game.get('layers', 3), norm) for name in 'AB'
  }
  players = nn.ModuleDict(generators), nn.ModuleDict(discriminators)
  for player in players:
    initialize(player)
  return players

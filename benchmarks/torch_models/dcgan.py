"""DCGAN in PyTorch."""

from torch import nn

from benchmarks.sides.torch_games import adversarial as play  # noqa: F401


class Generator(nn.Module):
  """z [B, dim_z] -> images [B, C, H, W]."""

  def __init__(self, resolution, image_channels, dim_z, channels):
    super().__init__()
    times = resolution.bit_length() - 3
    width = channels << (times - 1)
    layers = [nn.ConvTranspose2d(dim_z, width, 4, 1, 0, bias=False)]
    for _ in range(1, times):
      layers += [nn.BatchNorm2d(width), nn.ReLU(True)]
      layers += [nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False)]
      width //= 2
    layers += [nn.BatchNorm2d(width), nn.ReLU(True)]
    layers += [nn.ConvTranspose2d(width, image_channels, 4, 2, 1, bias=False), nn.Tanh()]
    self.main = nn.Sequential(*layers)

  def forward(self, z, labels):
    return self.main(z[:, :, None, None])


class Discriminator(nn.Module):
  """Images -> logits [B]."""

  separate = True  # real and fake have batch statistics of their own

  def __init__(self, resolution, image_channels, channels):
    super().__init__()
    times = resolution.bit_length() - 3
    layers = [nn.Conv2d(image_channels, channels, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for i in range(1, times):
      layers += [nn.Conv2d(channels << (i - 1), channels << i, 4, 2, 1, bias=False)]
      layers += [nn.BatchNorm2d(channels << i), nn.LeakyReLU(0.2, True)]
    layers += [nn.Conv2d(channels << (times - 1), 1, 4, 1, 0, bias=False)]
    self.main = nn.Sequential(*layers)

  def forward(self, x, labels):
    return self.main(x).flatten()


def make(game, image_shape, num_classes):
  """The two networks of a config's game section."""
  resolution, _, image_channels = image_shape
  networks = (
    Generator(resolution, image_channels, game['dim_z'], game['channels']),
    Discriminator(resolution, image_channels, game['channels']),
  )
  for network in networks:
    for p in network.parameters():
      if p.ndim > 1:
        nn.init.normal_(p, 0.0, 0.02)
  return networks

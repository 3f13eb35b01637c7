"""What the image-to-image twins share: the discriminator of patches and the norms."""

from torch import nn

NORMS = {'batch': nn.BatchNorm2d, 'instance': nn.InstanceNorm2d}


class Discriminator(nn.Module):
  """Images [B, C, H, W] -> logits [B, 1, h, w]."""

  def __init__(self, image_channels, channels, layers, norm):
    super().__init__()
    self.separate = norm == 'batch'  # real and fake have batch statistics of their own
    bias = norm != 'batch'
    modules = [nn.Conv2d(image_channels, channels, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    width = channels
    for i in range(1, layers + 1):
      wider = channels * min(2**i, 8)
      modules.append(nn.Conv2d(width, wider, 4, 2 if i < layers else 1, 1, bias=bias))
      modules += [NORMS[norm](wider), nn.LeakyReLU(0.2, True)]
      width = wider
    self.main = nn.Sequential(*modules, nn.Conv2d(width, 1, 4, 1, 1))

  def forward(self, x):
    return self.main(x)


def initialize(network):
  """Kernels from N(0, 0.02^2), as the authors have them."""
  for p in network.parameters():
    if p.ndim > 1:
      nn.init.normal_(p, 0.0, 0.02)

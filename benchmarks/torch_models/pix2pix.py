"""pix2pix in PyTorch: U-Net and PatchGAN."""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.sides.torch_games import paired as play  # noqa: F401
from benchmarks.torch_models.patchgan import NORMS, Discriminator, initialize


class Generator(nn.Module):
  """Images [B, C, H, W] -> images of the same shape; H = W a power of two, 64 or more."""

  def __init__(self, resolution, image_channels, channels, norm, dropout):
    super().__init__()
    self.depth, self.dropout = resolution.bit_length() - 1, dropout
    widths = [channels * min(2**i, 8) for i in range(self.depth)]
    bias = norm != 'batch'
    self.down, self.up = nn.ModuleList(), nn.ModuleList()
    self.down_norm, self.up_norm = nn.ModuleList(), nn.ModuleList()
    for i, (a, b) in enumerate(zip([image_channels, *widths], widths)):
      self.down.append(nn.Conv2d(a, b, 4, 2, 1, bias=bias))
      self.down_norm.append(NORMS[norm](b) if 0 < i < self.depth - 1 else nn.Identity())
      inside = b if i == self.depth - 1 else 2 * b  # beside what the encoder gave
      out = widths[i - 1] if i else image_channels
      self.up.append(nn.ConvTranspose2d(inside, out, 4, 2, 1, bias=bias or not i))
      self.up_norm.append(NORMS[norm](out) if i else nn.Identity())

  def forward(self, x, draws=1):
    """Results of so many draws of dropout from one pass up to the first; a gradient has the last one's."""
    skips = []
    for i in range(self.depth):
      x = self.down_norm[i](self.down[i](F.leaky_relu(x, 0.2) if i else x))
      skips.append(x)
    for i in range(self.depth - 1, self.depth - 3, -1):
      x = self.up_norm[i](
        self.up[i](F.relu(x if i == self.depth - 1 else torch.cat([skips[i], x], 1)))
      )
    with torch.no_grad():
      results = [self.finish(x, skips) for _ in range(draws - 1)]
    return [*results, self.finish(x, skips)]

  def finish(self, x, skips):
    """From the first dropout on."""
    for i in range(self.depth - 3, -1, -1):
      x = F.dropout(x, self.dropout, self.training) if i >= 3 else x
      x = self.up_norm[i](self.up[i](F.relu(torch.cat([skips[i], x], 1))))
    return torch.tanh(x)


def make(game, image_shape, num_classes):
  """The two networks of a config's game section."""
  resolution, _, image_channels = image_shape
  norm, channels = game.get('norm', 'batch'), game['channels']
  networks = (
    Generator(resolution, image_channels, channels, norm, game.get('dropout', 0.5)),
    Discriminator(2 * image_channels, channels, game.get('layers', 3), norm),
  )
  for network in networks:
    initialize(network)
  return networks

"""BigGAN in PyTorch: spectral norm, shared embedding, hierarchical z, self-attention."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from benchmarks.sides.torch_games import adversarial as play  # noqa: F401
from jaxgan.models.biggan import DISCRIMINATOR_WIDTHS, GENERATOR_WIDTHS


def conv(inputs, outputs, kernel=3, bias=True):
  return spectral_norm(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias), eps=1e-6)


def linear(inputs, outputs, bias=True):
  return spectral_norm(nn.Linear(inputs, outputs, bias=bias), eps=1e-6)


class Attention(nn.Module):
  def __init__(self, channels):
    super().__init__()
    self.theta = conv(channels, max(channels // 8, 1), 1, bias=False)
    self.phi = conv(channels, max(channels // 8, 1), 1, bias=False)
    self.g = conv(channels, channels // 2, 1, bias=False)
    self.o = conv(channels // 2, channels, 1, bias=False)
    self.gamma = nn.Parameter(torch.zeros(()))

  def forward(self, x):
    b, _, h, w = x.shape
    theta = self.theta(x).flatten(2)
    phi = F.max_pool2d(self.phi(x), 2).flatten(2)
    g = F.max_pool2d(self.g(x), 2).flatten(2)
    weights = F.softmax(torch.bmm(theta.transpose(1, 2), phi), -1)
    o = torch.bmm(g, weights.transpose(1, 2)).view(b, -1, h, w)
    return x + self.gamma * self.o(o)


class ConditionalNorm(nn.Module):
  def __init__(self, channels, condition):
    super().__init__()
    self.norm = nn.BatchNorm2d(channels, affine=False)
    self.gain = linear(condition, channels, bias=False)
    self.bias = linear(condition, channels, bias=False)

  def forward(self, x, y):
    gain, bias = 1 + self.gain(y), self.bias(y)
    return self.norm(x) * gain[:, :, None, None] + bias[:, :, None, None]


class GeneratorBlock(nn.Module):
  def __init__(self, inputs, outputs, condition):
    super().__init__()
    self.norm1, self.norm2 = ConditionalNorm(inputs, condition), ConditionalNorm(outputs, condition)
    self.conv1, self.conv2 = conv(inputs, outputs), conv(outputs, outputs)
    self.shortcut = conv(inputs, outputs, 1)

  def forward(self, x, y):
    h = F.interpolate(F.relu(self.norm1(x, y)), scale_factor=2)
    h = self.conv2(F.relu(self.norm2(self.conv1(h), y)))
    return h + F.interpolate(self.shortcut(x), scale_factor=2)


class DiscriminatorBlock(nn.Module):
  def __init__(self, inputs, outputs, down, first):
    super().__init__()
    self.down, self.first = down, first
    self.conv1, self.conv2 = conv(inputs, outputs), conv(outputs, outputs)
    self.shortcut = conv(inputs, outputs, 1) if down or inputs != outputs else nn.Identity()

  def forward(self, x):
    h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
    if self.down:
      h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
    return h + self.shortcut(x)


class Generator(nn.Module):
  """z [B, dim_z], labels [B] -> images [B, C, H, W]."""

  def __init__(
    self, resolution, image_channels, num_classes, channels, dim_z, shared_dim, attention
  ):
    super().__init__()
    widths = [channels * m for m in GENERATOR_WIDTHS[resolution]]
    self.slots = len(widths)
    self.shared = nn.Embedding(num_classes, shared_dim)
    self.linear = linear(dim_z // self.slots, widths[0] * 16)
    condition = shared_dim + dim_z // self.slots
    self.blocks, self.attention = nn.ModuleList(), nn.ModuleList()
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
      self.blocks.append(GeneratorBlock(a, b, condition))
      self.attention.append(Attention(b) if 2 ** (i + 3) in attention else nn.Identity())
    self.norm = nn.BatchNorm2d(widths[-1])
    self.out = conv(widths[-1], image_channels)

  def forward(self, z, labels):
    first, *chunks = torch.chunk(z, self.slots, 1)
    y = self.shared(labels)
    x = self.linear(first)
    x = x.view(x.shape[0], -1, 4, 4)
    for block, attention, chunk in zip(self.blocks, self.attention, chunks):
      x = attention(block(x, torch.cat([y, chunk], 1)))
    return torch.tanh(self.out(F.relu(self.norm(x))))


class Discriminator(nn.Module):
  """Images, labels -> logits [B]."""

  separate = False

  def __init__(self, resolution, image_channels, num_classes, channels, attention):
    super().__init__()
    multiples, downs = DISCRIMINATOR_WIDTHS[resolution]
    self.blocks, inputs, size = nn.ModuleList(), image_channels, resolution
    for i, multiple in enumerate(multiples):
      self.blocks.append(DiscriminatorBlock(inputs, channels * multiple, i < downs, i == 0))
      inputs = channels * multiple
      size //= 1 + (i < downs)
      if size in attention:
        self.blocks.append(Attention(inputs))
    self.linear = linear(inputs, 1)
    self.embed = spectral_norm(nn.Embedding(num_classes, inputs), eps=1e-6)

  def forward(self, x, labels):
    for block in self.blocks:
      x = block(x)
    h = F.relu(x).sum((2, 3))
    return self.linear(h)[:, 0] + (self.embed(labels) * h).sum(1)


def make(game, image_shape, num_classes):
  """The two networks of a config's game section."""
  resolution, _, image_channels = image_shape
  shape = {'resolution': resolution, 'image_channels': image_channels, 'num_classes': num_classes}
  common = {k: game[k] for k in ('channels', 'attention')}
  generator = Generator(**shape, **common, dim_z=game['dim_z'], shared_dim=game['shared_dim'])
  networks = generator, Discriminator(**shape, **common)
  for network in networks:
    for p in network.parameters():
      if p.ndim > 1:
        nn.init.orthogonal_(p)
  return networks

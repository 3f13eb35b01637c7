"""The residual generator block of the convolutional GANs since 2017, and widths by resolution."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import linen as nn

from jaxgan.nn.resample import upsample


class GeneratorBlock(nn.Module):
  """norm-act-up-conv-norm-act-conv, plus a 1x1 shortcut; [B, H, W, C] -> [B, 2H, 2W, features].

  Attributes:
    features: output channels.
    conv, norm: make the layers; `norm` is called with (x, *condition, train).
    activation: elementwise.

  Source: Gulrajani et al. 2017, arXiv 1704.00028; Miyato et al. 2018, arXiv 1802.05957.
  """

  features: int
  conv: Callable[..., Any]
  norm: Callable[..., Any]
  activation: Callable[[jax.Array], jax.Array]

  @nn.compact
  def __call__(self, x: jax.Array, condition: tuple[jax.Array, ...], train: bool) -> jax.Array:
    h = self.activation(self.norm(name='norm1')(x, *condition, train))
    h = self.conv(features=self.features, name='conv1')(upsample(h), train)
    h = self.activation(self.norm(name='norm2')(h, *condition, train))
    h = self.conv(features=self.features, name='conv2')(h, train)
    # A 1x1 convolution and nearest upsampling commute; this order is four times cheaper.
    shortcut = self.conv(features=self.features, kernel_size=1, name='shortcut')(x, train)
    return h + upsample(shortcut)


def widths_at(table: Mapping[int, Any], resolution: int) -> Any:
  """The row of a table of widths.

  Raises:
    ValueError: there is none for that resolution; the message lists those that exist.
  """
  if resolution not in table:
    raise ValueError(f'resolution={resolution}; expected one of {", ".join(map(str, table))}')
  return table[resolution]

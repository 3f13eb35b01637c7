"""DCGAN-64 as it is usually compared: widths 64 to 512, batch 64, on pictures that come along."""

from jaxgan import config as configs


def get_config():
  """Pixel faces at 64x64."""
  config = configs.load('dcgan')
  config.game.channels, config.data.batch_size = 64, 64
  return config

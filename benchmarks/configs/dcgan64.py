"""DCGAN-64 as it is usually compared: widths 64 to 512, batch 64, on pictures that come along."""

from jaxgan import config as configs


def get_config():
  """The paper's recipe on pixel faces at 64x64."""
  config = configs.load('dcgan:celeb_a')
  config.data.update(source='embedded', name='pixel_faces', batch_size=64)
  return config

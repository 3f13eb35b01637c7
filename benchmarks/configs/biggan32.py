"""BigGAN-32, channels 32, batch 32, attention at 16, one D step, on pictures that come along."""

from jaxgan import config as configs


def get_config():
  """Pixel faces at 32x32."""
  config = configs.load('biggan')
  config.game.update(channels=32, attention=(16,), dim_z=60, shared_dim=32)
  config.data.update(batch_size=32, resolution=32)
  config.updates.discriminator = 1
  return config

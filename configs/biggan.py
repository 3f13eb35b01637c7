"""BigGAN."""

from jaxgan import config as configs
from ml_collections import ConfigDict


def get_config(variant: str = '') -> ConfigDict:
  config = configs.base()
  config.model = 'biggan'
  config.data.name = 'pixel_faces'
  config.total_steps = 3000
  config.batch_size = 64
  config.game = dict(channels=12, dim_z=48, shared_dim=32, attention=(8,), loss='hinge')
  config.optimizer = dict(
    generator=dict(name='adam', learning_rate=2e-4, b1=0.0, b2=0.999, eps=1e-6),
    discriminator=dict(name='adam', learning_rate=4e-4, b1=0.0, b2=0.999, eps=1e-6),
  )
  config.ema.decay = 0.99
  config.evaluators = dict(samples=dict(every=300), class_score=dict(every=600), spectra=dict(every=3000))
  config.checkpoint.best = 'precision'
  return config

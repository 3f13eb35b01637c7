"""DCGAN: the convolutional GAN that everything since is built on, 64x64.

Paper: Radford, Metz, Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", arXiv 1511.06434.

  python -m jaxgan.main --config=configs/dcgan.py             pixel faces, comes with the package
  python -m jaxgan.main --config=configs/dcgan.py:emoji       Fluent emoji, comes with the package
  python -m jaxgan.main --config=configs/dcgan.py:celeb_a     faces, from tensorflow-datasets

| variant | hardware, time | score |
|---|---|---|
| pixel faces | | |
| emoji | | |
| celeb_a | one GPU; not run here | none measured (the paper gives no score for faces) |
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'emoji', 'celeb_a')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  if variant not in VARIANTS:
    raise configs.ConfigError(
      f'configs/dcgan.py has no variant {variant!r}; {configs.nearest(variant, VARIANTS[1:])}'
    )
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='non_saturating', channels=64, dim_z=100, latent='uniform')
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.data.batch_size, config.data.resolution = 128, 64
  config.smoke = {'game': {'channels': 4}}
  if variant == 'celeb_a':
    # The paper's recipe: batch 128, uniform latents; 25 epochs as in its code.
    config.data.update(source='tfds', name='celeb_a', label='none', flip=False)
    config.total_steps = 40_000
    config.evaluators = {'samples': {'every': 1000}}
    config.smoke.data = {'source': 'embedded', 'name': 'pixel_faces', 'resolution': 16}
    return config
  # Narrower, and half the batch: minutes on two CPU cores.
  config.game.channels, config.data.batch_size = 32, 64
  config.data.name = 'fluent_emoji' if variant == 'emoji' else 'pixel_faces'
  config.total_steps = 2000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 250}, 'class_score': {'every': 500}}
  config.checkpoint.best = 'recall'
  return config

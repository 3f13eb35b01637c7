"""DCGAN: the convolutional GAN that everything since is built on, 64x64.

Paper: Radford, Metz, Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", arXiv 1511.06434.

  python -m jaxgan.main --config=configs/dcgan.py             pixel faces, comes with the package
  python -m jaxgan.main --config=configs/dcgan.py:celeb_a     the paper's recipe on photographs of faces

| variant | hardware, time | score |
|---|---|---|
| pixel faces | 2 cores of an x86-64 server, 8 min 13 s for 1,500 steps, other work beside it | precision 0.514 ± 0.019, recall 0.741 ± 0.011 (3 seeds on an H100; 2,048 samples, k = 5) |
| celeb_a | one GPU; not run here | none measured |

The default adds the R1 penalty (Mescheder et al. 2018, arXiv 1801.04406). Without it the
discriminator tells these flat colours from anything a network paints within a hundred steps, and the
generator learns nothing; the same networks in PyTorch fail there in the same way. With the paper's learning rate
of 2e-4, a fifth of the default's, and gamma = 1 recall was 0.17 after as many steps, and colours were grey.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'celeb_a')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='non_saturating', channels=64, dim_z=100, latent='uniform')
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.data.resolution = 64
  config.smoke = {'game': {'channels': 4}}
  {'': pixel_faces, 'celeb_a': celeb_a}[variant](config)
  return config


def pixel_faces(config: ConfigDict) -> None:
  """The embedded default: narrower, a quarter of the batch, and R1; minutes on two CPU cores."""
  config.data.name, config.data.batch_size = 'pixel_faces', 32
  config.game.channels = 32
  config.game.discriminator_penalties = {'r1': {'gamma': 0.2}}
  for player in config.optimizer.values():
    player.learning_rate = 1e-3
  config.total_steps = 1500
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 250}, 'class_score': {'every': 500}}
  config.checkpoint.best = 'recall'


def celeb_a(config: ConfigDict) -> None:
  """The paper's: batch 128, uniform latents, Adam 2e-4 with beta1 0.5; 25 epochs, as its code."""
  config.data.update(source='tfds', name='celeb_a', label='none', batch_size=128)
  config.total_steps = 40_000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data = {'source': 'embedded', 'name': 'pixel_faces'}

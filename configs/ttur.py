"""Two time scales: a learning rate of its own for each player, so that the discriminator keeps up.

Paper: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", arXiv 1706.08500.

  python -m jaxgan.main --config=configs/ttur.py              a tenth of Fashion-MNIST, comes with the package
  python -m jaxgan.main --config=configs/ttur.py:celeb_a      the paper's: DCGAN on photographs of faces

| variant | hardware, time | score |
|---|---|---|
| fashion | 2 cores of an x86-64 server, 5 min 49 s for 3,000 steps, other work beside it | precision 0.773 ± 0.008, recall 0.845 ± 0.005 (3 seeds on an H100; 2,048 samples, k = 5) |
| celeb_a | one GPU; not run here | none measured |

Two optimiser sections are all it takes, in any config. celeb_a has the batch, latents, beta1 and 81 epochs of the
authors' code, whose kernels are 5x5 instead of 4x4; it takes the rates from the command line, and these two are our
choice.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'celeb_a')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='non_saturating', channels=64, dim_z=100)
  for player, rate in (('generator', 5e-4), ('discriminator', 1e-5)):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': rate, 'b1': 0.5}
  config.smoke = {'data': {'name': 'pixel_faces', 'resolution': 16}, 'game': {'channels': 4}}
  {'': fashion, 'celeb_a': celeb_a}[variant](config)
  return config


def fashion(config: ConfigDict) -> None:
  """The embedded default: 32x32, narrower networks; here the discriminator is the faster one."""
  config.data.update(name='fashion_mnist_10k', resolution=32, crop='pad', batch_size=64)
  config.game.channels = 32
  config.optimizer.generator.learning_rate = 2e-4
  config.optimizer.discriminator.learning_rate = 6e-4
  config.total_steps = 3000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 500}, 'class_score': {'every': 1000}}
  config.checkpoint.best = 'recall'


def celeb_a(config: ConfigDict) -> None:
  """CelebA at 64x64, uniform latents: 5e-4 for the generator, 1e-5 for the discriminator."""
  config.game.latent = 'uniform'
  config.data.update(source='tfds', name='celeb_a', resolution=64, batch_size=64, label='none')
  config.total_steps = 256_365
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data.update(source='embedded', name='pixel_faces')

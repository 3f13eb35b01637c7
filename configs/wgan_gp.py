"""WGAN-GP: a critic held to gradient norm 1 between real and fake.

Paper: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", arXiv 1704.00028.

  python -m jaxgan.main --config=configs/wgan_gp.py              pixel faces, comes with the package
  python -m jaxgan.main --config=configs/wgan_gp.py:cifar10      the paper's data set

| variant | hardware, time | score |
|---|---|---|
| pixel faces | 2 cores of an x86-64 server, 6 min 11 s for 1,500 steps, other work beside it | precision 0.408 ± 0.004, recall 0.733 ± 0.031 (3 seeds on an H100; 2,048 samples, k = 5) |
| cifar10 | one GPU; not run here | none measured |

The critic has no batch normalisation, since its gradient at a sample must be that sample's own. cifar10 is the
authors' code for residual networks, unconditional, but for the generator's batch, twice the critic's there, and
noise of one grey level on real pictures; the average of the generator is the library's default.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'cifar10')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='wasserstein', channels=64, dim_z=128, discriminator_norm='none')
  config.game.discriminator_penalties = {'gradient_penalty': {'weight': 10.0}}
  config.updates = {'discriminator': 5, 'generator': 1}
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 1e-4, 'b1': 0.0, 'b2': 0.9}
  config.smoke = {'game': {'channels': 4}}
  {'': pixel_faces, 'cifar10': cifar10}[variant](config)
  return config


def pixel_faces(config: ConfigDict) -> None:
  """The embedded default: 16x16, a learning rate for a short run."""
  config.data.update(name='pixel_faces', batch_size=64)
  config.game.channels = 64
  for player in config.optimizer.values():
    player.learning_rate = 4e-4
  config.total_steps = 1500
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 250}, 'class_score': {'every': 500}}
  config.checkpoint.best = 'recall'


def cifar10(config: ConfigDict) -> None:
  """CIFAR-10 with the paper's residual networks: 128 channels, no norm in the critic, 2e-4 falling to 0."""
  config.model = 'sngan'
  config.game.update(channels=32, discriminator_channels=64, condition='none', head='none')
  config.game.update(pool='mean', discriminator_spectral=False)
  for player in config.optimizer.values():
    player.update(learning_rate=2e-4, schedule='linear')
  config.data.update(source='tfds', name='cifar10', resolution=32, batch_size=64)
  config.total_steps = 100_000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data = {'source': 'embedded', 'name': 'pixel_faces'}
  config.smoke.game.discriminator_channels = 4

"""ReACGAN: AC-GAN without its collapse: features on the sphere, data-to-data cross entropy.

Paper: Kang et al. 2021, "Rebooting ACGAN: Auxiliary Classifier GANs with Stable Training", arXiv 2111.01118.

  python -m jaxgan.main --config=configs/reacgan.py              pixel faces, nine hair shades, comes with the package
  python -m jaxgan.main --config=configs/reacgan.py:cifar10      the paper's data set

| variant | hardware, time | score |
|---|---|---|
| pixel faces | 2 cores of an x86-64 server, 8 min 07 s for 1,500 steps, other work beside it | class accuracy 47.6 ± 7.7 %, precision 0.476 ± 0.018, recall 0.465 ± 0.108 (3 seeds on an H100; 2,048 samples, k = 5) |
| cifar10 | one GPU; not run here | none measured |

On pixel faces the weight trades classes for variety: 0.05 as here, with 0.25 class accuracy 0.803 and recall 0.009.
Margins stop easy examples from being pushed on: 0.98, at temperature 0.5. cifar10 has BigGAN's networks, as the
authors' experiments.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'cifar10')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'sngan'
  config.game.update(loss='hinge', channels=64, dim_z=128, spectral=True, head='d2d_cross_entropy')
  config.updates = {'discriminator': 5, 'generator': 1}
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.smoke = {'game': {'channels': 4}}
  {'': pixel_faces, 'cifar10': cifar10}[variant](config)
  return config


def pixel_faces(config: ConfigDict) -> None:
  """The embedded default: 16x16, a quarter of the width, two critic steps."""
  config.data.update(name='pixel_faces', batch_size=64)
  config.game.update(channels=16, embed_dim=128, head_weight=0.05)
  config.updates.discriminator = 2
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 1e-3, 'b1': 0.0, 'b2': 0.99}
  config.total_steps = 1500
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 250}, 'class_score': {'every': 500}}
  config.checkpoint.best = 'class_accuracy'


def cifar10(config: ConfigDict) -> None:
  """CIFAR-10, as the authors' code: batch 128, five critic steps, weight 0.5, Adam 2e-4 times sqrt 2."""
  config.model = 'biggan'
  config.game.update(channels=96, discriminator_channels=48, dim_z=80, shared_dim=128)
  config.game.update(hierarchical=True, attention=(16,), embed_dim=512)
  config.game.head_weight = 0.5
  for player in config.optimizer.values():
    player.learning_rate = 2.8284e-4
  config.data.update(source='tfds', name='cifar10', resolution=32, batch_size=128, flip=True)
  config.total_steps = 100000
  config.ema.decay, config.ema.start = 0.9999, 1000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data = {'source': 'embedded', 'name': 'pixel_faces'}
  config.smoke.game.update(discriminator_channels=2, dim_z=8, shared_dim=4, embed_dim=16)

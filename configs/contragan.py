"""ContraGAN: embeddings near those of their class, by contrast with the others in the batch.

Paper: Kang & Park 2020, "ContraGAN: Contrastive Learning for Conditional Image Generation", arXiv 2006.12681.

  python -m jaxgan.main --config=configs/contragan.py              pixel faces, nine hair shades, comes with the package
  python -m jaxgan.main --config=configs/contragan.py:cifar10      the paper's data set

| variant | hardware, time | score |
|---|---|---|
| pixel faces | 2 cores of an x86-64 server, 8 min 16 s for 1,500 steps, other work beside it | class accuracy 17.8 ± 12.0 %, precision 0.515 ± 0.010, recall 0.402 ± 0.140 (3 seeds on an H100; 2,048 samples, k = 5) |
| cifar10 | one GPU; not run here | none measured |

The 2C loss sees the whole batch: large batches help. On pixel faces every class becomes one hair shade, but shades and
names are permuted: the loss contrasts fakes with each other, and only the one proxy of its class tells a fake which
group is its own. With weight 1 the generator painted one face a class. cifar10 has BigGAN's networks, as the authors' experiments;
their first release stopped at 80,000 steps and averaged from step 20,000.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'cifar10')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'sngan'
  config.game.update(loss='hinge', channels=64, dim_z=128, spectral=True, head='contrastive')
  config.updates = {'discriminator': 5, 'generator': 1}
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.smoke = {'game': {'channels': 4}}
  {'': pixel_faces, 'cifar10': cifar10}[variant](config)
  return config


def pixel_faces(config: ConfigDict) -> None:
  """The embedded default: 16x16, a quarter of the width, two critic steps."""
  config.data.update(name='pixel_faces', batch_size=64)
  config.game.update(channels=16, embed_dim=128, head_weight=0.1)
  config.updates.discriminator = 2
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 1e-3, 'b1': 0.0, 'b2': 0.99}
  config.total_steps = 1500
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 250}, 'class_score': {'every': 500}}
  config.checkpoint.best = 'class_accuracy'


def cifar10(config: ConfigDict) -> None:
  """CIFAR-10, as the authors' code: batch 64, five critic steps, weight 1, temperature 1."""
  config.model = 'biggan'
  config.game.update(channels=96, discriminator_channels=48, dim_z=80, shared_dim=128)
  config.game.update(hierarchical=True, attention=(16,), embed_dim=512)
  config.data.update(source='tfds', name='cifar10', resolution=32, batch_size=64, flip=True)
  config.total_steps = 100000
  config.ema.decay, config.ema.start = 0.9999, 1000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data = {'source': 'embedded', 'name': 'pixel_faces'}
  config.smoke.game.update(discriminator_channels=2, dim_z=8, shared_dim=4, embed_dim=16)

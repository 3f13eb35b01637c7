"""DRAGAN: the gradient penalty around real pictures, against sharp gradients there and collapse.

Paper: Kodali et al. 2017, "On Convergence and Stability of GANs", arXiv 1705.07215.

  python -m jaxgan.main --config=configs/dragan.py              pixel faces, comes with the package
  python -m jaxgan.main --config=configs/dragan.py:celeb_a      photographs of faces

| variant | hardware, time | score |
|---|---|---|
| pixel faces | 2 cores of an x86-64 server, 9 min 41 s for 4,000 steps, other work beside it | precision 0.435 ± 0.020, recall 0.714 ± 0.017 (3 seeds on an H100; 2,048 samples, k = 5) |
| celeb_a | one GPU; not run here | none measured |

The loss is the non-saturating one: the penalty and the loss are independent choices. celeb_a has the penalty (weight
10, norm 1, noise up to half of the batch's spread), Adam, latents and batch of the authors' code, which trains
perceptrons on MNIST; the networks and the length of the run are our choice.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'celeb_a')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='non_saturating', channels=64, dim_z=100, discriminator_norm='none')
  config.game.discriminator_penalties = {'dragan': {'weight': 10.0}}
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.smoke = {'game': {'channels': 4}}
  {'': pixel_faces, 'celeb_a': celeb_a}[variant](config)
  return config


def pixel_faces(config: ConfigDict) -> None:
  """The embedded default: 16x16."""
  config.data.update(name='pixel_faces', batch_size=64)
  config.total_steps = 4000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 666}, 'class_score': {'every': 1333}}
  config.checkpoint.best = 'recall'


def celeb_a(config: ConfigDict) -> None:
  """CelebA at 64x64: Adam 1e-4 with beta1 0.5 and beta2 0.9, batch 128, uniform latents."""
  config.game.latent = 'uniform'
  for player in config.optimizer.values():
    player.update(learning_rate=1e-4, b2=0.9)
  config.data.update(source='tfds', name='celeb_a', resolution=64, batch_size=128, label='none')
  config.total_steps = 100000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data = {'source': 'embedded', 'name': 'pixel_faces'}

"""SAGAN: self-attention and spectral norm in both players, classes by projection.

Paper: Zhang et al. 2018, "Self-Attention Generative Adversarial Networks", arXiv 1805.08318.

  python -m jaxgan.main --config=configs/sagan.py                  pixel faces, nine hair shades, comes with the package
  python -m jaxgan.main --config=configs/sagan.py:imagenet128      the paper's data set

| variant | hardware, time | score |
|---|---|---|
| pixel faces | 2 cores of an x86-64 server, 15 min 52 s for 2,400 steps, much other work beside it | class accuracy 81.3 ± 4.7 %, precision 0.569 ± 0.025, recall 0.535 ± 0.063 (3 seeds on an H100; 2,048 samples, k = 5) |
| imagenet128 | one GPU; not run here | none measured |

Two learning rates (TTUR) instead of several critic steps. imagenet128 has the paper's Adam (beta2 0.9; its code leaves
TensorFlow's 0.999), batch and a million steps, and attention at the maps of 32 pixels, as its code. There the gains
and biases of the norms are not spectrally normalised, and the generator is not averaged.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'imagenet128')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'sngan'
  config.game.update(loss='hinge', channels=64, dim_z=128, spectral=True, attention=(32,))
  for player, rate in (('generator', 1e-4), ('discriminator', 4e-4)):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': rate, 'b1': 0.0, 'b2': 0.9}
  config.smoke = {'game': {'channels': 4}}
  {'': pixel_faces, 'imagenet128': imagenet128}[variant](config)
  return config


def pixel_faces(config: ConfigDict) -> None:
  """The embedded default: 16x16, a quarter of the width, attention at 8."""
  config.data.update(name='pixel_faces', batch_size=64)
  config.game.update(channels=16, attention=(8,))
  for player, rate in (('generator', 4e-4), ('discriminator', 1.6e-3)):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': rate, 'b1': 0.0, 'b2': 0.99}
  config.total_steps = 2400
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 400}, 'class_score': {'every': 800}}
  config.checkpoint.best = 'class_accuracy'


def imagenet128(config: ConfigDict) -> None:
  """ImageNet at 128x128: batch 256, 1e-4 for the generator, 4e-4 for the discriminator."""
  config.data.update(source='tfds', name='imagenet2012', resolution=128, batch_size=256)
  config.total_steps = 1000000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.data.in_memory = False
  config.smoke.data = {
    'source': 'embedded',
    'name': 'pixel_faces',
    'resolution': 16,
    'in_memory': True,
  }
  config.smoke.game.attention = (8,)

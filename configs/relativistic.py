"""Relativistic GAN: the discriminator says how much more real a real picture is than a fake one.

Paper: Jolicoeur-Martineau 2018, "The relativistic discriminator", arXiv 1807.00734.

  python -m jaxgan.main --config=configs/relativistic.py              a tenth of Fashion-MNIST, comes with the package
  python -m jaxgan.main --config=configs/relativistic.py:cifar10      the paper's data set

| variant | hardware, time | score |
|---|---|---|
| fashion | 2 cores of an x86-64 server, 4 min 19 s for 3,000 steps, other work beside it | precision 0.720 ± 0.009, recall 0.818 ± 0.016 (3 seeds on an H100; 2,048 samples, k = 5) |
| cifar10 | one GPU; not run here | none measured |

The default is RaGAN; --config.game.loss=relativistic pairs each real with one fake (RpGAN), and
relativistic_average_hinge and relativistic_average_least_squares are the other forms. cifar10 has the values of the
author's code, whose networks (SN-GAN's plain ones) have a 3x3 convolution more at the images, and in the
discriminator at each size.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'cifar10')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='relativistic_average', channels=64, dim_z=100)
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.smoke = {'data': {'name': 'pixel_faces', 'resolution': 16}, 'game': {'channels': 4}}
  {'': fashion, 'cifar10': cifar10}[variant](config)
  return config


def fashion(config: ConfigDict) -> None:
  """The embedded default: 32x32, narrower networks."""
  config.data.update(name='fashion_mnist_10k', resolution=32, crop='pad', batch_size=64)
  config.game.channels = 32
  config.total_steps = 3000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 500}, 'class_score': {'every': 1000}}
  config.checkpoint.best = 'recall'


def cifar10(config: ConfigDict) -> None:
  """CIFAR-10: spectral norm in D, Adam 2e-4 with beta1 0.5, batch 32, 100,000 steps, 512 to 128 channels."""
  config.data.update(source='tfds', name='cifar10', resolution=32, batch_size=32)
  config.total_steps = 100000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.game.update(channels=128, dim_z=128, slope=0.1)
  config.game.update(discriminator_norm='none', discriminator_spectral=True)
  config.smoke.data.update(source='embedded', name='pixel_faces')

"""Unrolled GAN: the generator answers the discriminator as it will be some updates on.

Paper: Metz et al. 2016, "Unrolled Generative Adversarial Networks", arXiv 1611.02163.

  python -m jaxgan.main --config=configs/unrolled_gan.py              a tenth of Fashion-MNIST, comes with the package
  python -m jaxgan.main --config=configs/unrolled_gan.py:cifar10      photographs of ten kinds

| variant | hardware, time | score |
|---|---|---|
| fashion | 2 cores of an x86-64 server, 8 min 48 s for 2,000 steps, other work beside it | precision 0.704 ± 0.017, recall 0.620 ± 0.032 (3 seeds on an H100; 2,048 samples, k = 5) |
| cifar10 | one GPU; not run here | none measured |

The gradient runs through every inner update, all of them on the same pictures, as in the paper. A step costs as much
as so many more discriminator steps. On CIFAR-10 the paper compares 0, 1, 5 and 10 of them; networks, learning rates,
batch and length are our choice. In the authors' code, a mixture of Gaussians, the inner Adam goes on from the
discriminator's moments; here it starts anew, and its first steps have their full length however small the gradient.
So inner steps as long as the discriminator's own look at one far stronger than it will be: on clothes and faces, with
and without norms, in perceptrons too, the discriminator won. A tenth of that length trains well.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'cifar10')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='non_saturating', channels=64, dim_z=100)
  config.game.unroll = {'steps': 5, 'learning_rate': 2e-4, 'name': 'adam', 'b1': 0.5}
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.smoke = {
    'data': {'name': 'pixel_faces', 'resolution': 16},
    'game': {'channels': 4, 'unroll': {'steps': 2}},
  }
  {'': fashion, 'cifar10': cifar10}[variant](config)
  return config


def fashion(config: ConfigDict) -> None:
  """The embedded default: narrow networks, 32x32, inner steps a tenth of the discriminator's own."""
  config.data.update(name='fashion_mnist_10k', resolution=32, crop='pad', batch_size=64)
  config.game.channels = 16
  config.game.unroll.learning_rate = 2e-5
  config.total_steps = 2000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 333}, 'class_score': {'every': 666}}
  config.checkpoint.best = 'recall'


def cifar10(config: ConfigDict) -> None:
  """CIFAR-10 with five steps."""
  config.data.update(source='tfds', name='cifar10', resolution=32, batch_size=64)
  config.total_steps = 100000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data.update(source='embedded')

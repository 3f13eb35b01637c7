"""InfoGAN: codes in the latent that can be read from the picture, found without labels.

Paper: Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information Maximizing GANs", arXiv 1606.03657.

  python -m jaxgan.main --config=configs/infogan.py            a tenth of Fashion-MNIST, comes with the package
  python -m jaxgan.main --config=configs/infogan.py:mnist      the paper's digits

| variant | hardware, time | score |
|---|---|---|
| fashion | 2 cores of an x86-64 server, 4 min 42 s for 3,000 steps, other work beside it | precision 0.934 ± 0.018, recall 0.532 ± 0.046; the discrete code holds 65 % of the information on the class of clothes, by chance 1 % (3 seeds on an H100; 2,048 samples, k = 5) |
| mnist | one GPU; not run here | none measured |

One categorical code of ten values and two continuous ones, as in the paper; labels are never used.

mnist has the paper's learning rates and weight 1 for all codes, and the batch, latents and length of the authors'
code. Its networks are DCGAN's at 32 pixels: the paper's have two convolutions, dense layers of 1,024 units and one of
128 before the codes, and fix the variance of the continuous codes at 1, which is learned here.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'mnist')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='non_saturating', channels=64, dim_z=62, latent='uniform', slope=0.1)
  config.game.update(head='info', info_discrete=1, info_categories=10, info_continuous=2)
  config.game.objectives = {'info': {'discrete': 1.0, 'continuous': 1.0}}
  for player, rate in (('generator', 1e-3), ('discriminator', 2e-4)):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': rate, 'b1': 0.5}
  config.smoke = {'data': {'name': 'pixel_faces', 'resolution': 16}, 'game': {'channels': 4}}
  {'': fashion, 'mnist': mnist}[variant](config)
  return config


def fashion(config: ConfigDict) -> None:
  """The embedded default: 32x32, narrower networks; continuous codes weigh less."""
  config.data.update(name='fashion_mnist_10k', resolution=32, crop='pad', batch_size=64)
  config.game.channels = 32
  config.game.objectives.info.continuous = 0.1
  config.total_steps = 3000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 500}, 'class_score': {'every': 1000}}
  config.checkpoint.best = 'recall'


def mnist(config: ConfigDict) -> None:
  """MNIST padded to 32x32; 1e-3 for the generator, 2e-4 for the discriminator, 5,000 steps of 128."""
  config.data.update(source='tfds', name='mnist', resolution=32, crop='pad', batch_size=128)
  config.total_steps = 5000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data.update(source='embedded')

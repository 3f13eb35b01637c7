"""Conditional GAN: both players are told the label, as a learned vector beside their input.

Paper: Mirza & Osindero 2014, "Conditional Generative Adversarial Nets", arXiv 1411.1784.

  python -m jaxgan.main --config=configs/cgan.py            a tenth of Fashion-MNIST, comes with the package
  python -m jaxgan.main --config=configs/cgan.py:mnist      the paper's digits

| variant | hardware, time | score |
|---|---|---|
| fashion | 2 cores of an x86-64 server, 11 min 08 s for 15,000 steps, other work beside it | class accuracy 87.8 ± 1.4 %, precision 0.932 ± 0.005, recall 0.661 ± 0.036 (3 seeds on an H100; 2,048 samples, k = 5) |
| mnist | one GPU; not run here | none measured |

As in the paper the label reaches both networks through a layer of its own. conditioning='concatenation' puts it
one-hot instead; both work with every network that takes no labels itself.

mnist has the paper's SGD with momentum (0.5 to 0.7), batch, dropout 0.5 in the discriminator and sizes of the layers
in which picture or latent and label meet. Its learning rate falls from 0.1 by a factor of 1.00004 a step, here in a
straight line between the same ends. The label's layers are linear here, 32 numbers and a map; in the paper latent
and label have ReLU layers of 200 and 1,000 units, picture and label maxout layers of 240 and 50, the last maxout has
4 pieces instead of 5, the generator has dropout too, and latents lie in [0, 1]. The length of the run, over which
the momentum rises, is our choice.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'mnist')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'gan'
  config.game.update(loss='non_saturating', dim_z=100, conditioning='embedding')
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.smoke = {'game': {'hidden': 16}}
  {'': fashion, 'mnist': mnist}[variant](config)
  return config


def fashion(config: ConfigDict) -> None:
  """The embedded default: 28x28, ten kinds of clothes."""
  config.data.update(name='fashion_mnist_10k', batch_size=64)
  config.total_steps = 15000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 2500}, 'class_score': {'every': 5000}}
  config.checkpoint.best = 'class_accuracy'


def mnist(config: ConfigDict) -> None:
  """MNIST with maxout, dropout, uniform latents and SGD with momentum, as the paper."""
  config.data.update(source='tfds', name='mnist', resolution=28, batch_size=100)
  config.game.update(hidden=1200, layers=2, latent='uniform')
  config.game.update(discriminator_hidden=240, discriminator_layers=2, discriminator_maxout=5)
  config.game.discriminator_dropout = 0.5
  config.total_steps = steps = 50_000
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {
      'name': 'sgd',
      'learning_rate': {'start': 0.1, 'end': 0.1 / 1.00004**steps, 'steps': steps},
      'momentum': {'start': 0.5, 'end': 0.7, 'steps': steps},
    }
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.update(
    data={'source': 'embedded', 'name': 'fashion_mnist_10k'},
    game={'hidden': 16, 'discriminator_hidden': 8},
  )

"""GAN: the first one, two multilayer perceptrons.

Paper: Goodfellow et al. 2014, "Generative Adversarial Nets", arXiv 1406.2661.

  python -m jaxgan.main --config=configs/gan.py            a tenth of Fashion-MNIST, comes with the package
  python -m jaxgan.main --config=configs/gan.py:mnist      the paper's digits

| variant | hardware, time | score |
|---|---|---|
| fashion | 2 cores of an x86-64 server, 3 min 38 s for 15,000 steps, other work beside it | precision 0.925 ± 0.002, recall 0.638 ± 0.020 (3 seeds on an H100; 2,048 samples, k = 5) |
| mnist | one GPU; not run here | none measured |

The generator's loss is the non-saturating one, as the paper trains it; --config.game.loss=minimax is the game
of its theorems.

mnist has the networks, batch and SGD of the authors' code: rate 0.1, divided by 1.000004 a step (here in a straight
line between the same ends), momentum 0.5 to 0.7 over 250 epochs. The code halves the discriminator's loss, so that
its rate is 0.05 here. It names no last step: we stop after the 250 epochs. Its discriminator also drops a fifth of
the pixels, its pictures lie in [0, 1] and its latents in [-sqrt 3, sqrt 3].
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'mnist')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'gan'
  config.game.update(loss='non_saturating', dim_z=100)
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.smoke = {'game': {'hidden': 16}}
  {'': fashion, 'mnist': mnist}[variant](config)
  return config


def fashion(config: ConfigDict) -> None:
  """The embedded default: 28x28."""
  config.data.update(name='fashion_mnist_10k', batch_size=64)
  config.total_steps = 15000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 2500}, 'class_score': {'every': 5000}}
  config.checkpoint.best = 'recall'


def mnist(config: ConfigDict) -> None:
  """MNIST with the paper's networks (ReLU; maxout with dropout), uniform latents and SGD with momentum."""
  config.data.update(source='tfds', name='mnist', split='train[:50000]', resolution=28)
  config.data.batch_size = 100
  config.game.update(hidden=1200, layers=2, latent='uniform')
  config.game.update(discriminator_hidden=240, discriminator_layers=2, discriminator_maxout=5)
  config.game.discriminator_dropout = 0.5
  config.total_steps = steps = 125_000
  for player, rate in (('generator', 0.1), ('discriminator', 0.05)):
    config.optimizer[player] = {
      'name': 'sgd',
      'learning_rate': {'start': rate, 'end': rate / 1.000004**steps, 'steps': steps},
      'momentum': {'start': 0.5, 'end': 0.7, 'steps': steps},
    }
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.update(
    data={'source': 'embedded', 'name': 'fashion_mnist_10k'},
    game={'hidden': 16, 'discriminator_hidden': 8},
  )

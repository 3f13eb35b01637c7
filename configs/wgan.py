"""WGAN: a critic held to a Lipschitz constant by clipping its weights, and a loss that measures.

Paper: Arjovsky, Chintala, Bottou 2017, "Wasserstein GAN", arXiv 1701.07875.

  python -m jaxgan.main --config=configs/wgan.py           a tenth of Fashion-MNIST, comes with the package
  python -m jaxgan.main --config=configs/wgan.py:lsun      the paper's: LSUN bedrooms

| variant | hardware, time | score |
|---|---|---|
| fashion | 2 cores of an x86-64 server, 8 min 25 s for 1,500 steps, other work beside it | precision 0.602 ± 0.023, recall 0.753 ± 0.028 (3 seeds on an H100; 2,048 samples, k = 5) |
| lsun | one GPU; not run here | none measured |

RMSProp, five critic steps, no batch normalisation asked of the critic; minus the discriminator's loss is
the estimate of the distance (times the unknown constant), which falls as the pictures get better.

lsun has the networks and values of the authors' code, whose critic takes 100 steps instead of five in each of the
first 25 steps and in every 500th.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'lsun')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='wasserstein', channels=64, dim_z=100)
  config.updates = {'discriminator': 5, 'generator': 1}
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'rmsprop', 'learning_rate': 5e-5, 'decay': 0.99}
  config.optimizer.discriminator.clip_weights = 0.01
  config.smoke = {'data': {'name': 'pixel_faces', 'resolution': 16}, 'game': {'channels': 4}}
  {'': fashion, 'lsun': lsun}[variant](config)
  return config


def fashion(config: ConfigDict) -> None:
  """The embedded default: 32x32, narrower networks, a learning rate for a short run."""
  config.data.update(name='fashion_mnist_10k', resolution=32, crop='pad', batch_size=64)
  config.game.channels = 32
  for player in config.optimizer.values():
    player.learning_rate = 2e-4
  config.total_steps = 1500
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 250}, 'class_score': {'every': 500}}
  config.checkpoint.best = 'recall'


def lsun(config: ConfigDict) -> None:
  """The paper's: batch 64, RMSProp 5e-5, clipping at 0.01; 25 epochs, as its code."""
  for player in config.optimizer.values():
    player.eps_in_sqrt = False  # as PyTorch: gradients of a clipped critic are small
  config.data.update(source='tfds', name='lsun/bedroom', resolution=64, batch_size=64, label='none')
  config.total_steps = 228_000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data.update(source='embedded', name='pixel_faces')

"""PacGAN: the discriminator judges pictures in packs, so that a lack of variety shows.

Paper: Lin et al. 2017, "PacGAN: The power of two samples in generative adversarial networks", arXiv 1712.04086.

  python -m jaxgan.main --config=configs/pacgan.py              a tenth of Fashion-MNIST, comes with the package
  python -m jaxgan.main --config=configs/pacgan.py:celeb_a      photographs of faces

| variant | hardware, time | score |
|---|---|---|
| fashion | 2 cores of an x86-64 server, 6 min 26 s for 2,000 steps, other work beside it | precision 0.742 ± 0.023, recall 0.766 ± 0.013 (3 seeds on an H100; 2,048 samples, k = 5) |
| celeb_a | one GPU; not run here | none measured |

A pack is one picture of packing times as many channels. Any config can have it: --config.game.packing=2. celeb_a is
the authors' code: 64 packs a batch, two updates of the generator a step, Adam 2e-4 with beta1 0.5, 25 epochs;
its kernels are 5x5 instead of 4x4 and its pictures cut closer, to the middle 108 pixels.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'celeb_a')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='non_saturating', channels=64, dim_z=100, packing=2)
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.smoke = {'data': {'name': 'pixel_faces', 'resolution': 16}, 'game': {'channels': 4}}
  {'': fashion, 'celeb_a': celeb_a}[variant](config)
  return config


def fashion(config: ConfigDict) -> None:
  """The embedded default: 32x32, narrower networks, twice the batch for as many judgements."""
  config.data.update(name='fashion_mnist_10k', resolution=32, crop='pad', batch_size=64)
  config.game.channels = 32
  config.data.batch_size = 128
  config.total_steps = 2000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 333}, 'class_score': {'every': 666}}
  config.checkpoint.best = 'recall'


def celeb_a(config: ConfigDict) -> None:
  """CelebA at 64x64, 64 packs of two (PacDCGAN2), two generator steps."""
  config.data.update(source='tfds', name='celeb_a', resolution=64, batch_size=128, label='none')
  config.updates.generator = 2
  config.total_steps = 79_125
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data.update(source='embedded', name='pixel_faces')

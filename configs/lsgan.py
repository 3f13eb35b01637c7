"""LSGAN: least squares instead of cross entropy, which pulls fakes that are right already too.

Paper: Mao et al. 2016, "Least Squares Generative Adversarial Networks", arXiv 1611.04076.

  python -m jaxgan.main --config=configs/lsgan.py           a tenth of Fashion-MNIST, comes with the package
  python -m jaxgan.main --config=configs/lsgan.py:lsun      the paper's: LSUN bedrooms

| variant | hardware, time | score |
|---|---|---|
| fashion | 2 cores of an x86-64 server, 6 min 25 s for 3,000 steps, other work beside it | precision 0.770 ± 0.006, recall 0.775 ± 0.015 (3 seeds on an H100; 2,048 samples, k = 5) |
| lsun | one GPU; not run here | none measured |

Labels a = 0, b = c = 1, equation 9 of the paper. lsun is the authors' DCGAN for 64 pixels, with which they compare
stability, but with batch normalisation in the generator too; their pictures of 112 pixels come from a deeper
generator with 3x3 kernels, trained at 1e-3. Kernels are 4x4 here, 5x5 there; the length of the run is our choice.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'lsun')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.game.update(loss='least_squares', channels=64, dim_z=100)
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.smoke = {'data': {'name': 'pixel_faces', 'resolution': 16}, 'game': {'channels': 4}}
  {'': fashion, 'lsun': lsun}[variant](config)
  return config


def fashion(config: ConfigDict) -> None:
  """The embedded default: 32x32, narrower networks."""
  config.data.update(name='fashion_mnist_10k', resolution=32, crop='pad', batch_size=64)
  config.game.channels = 32
  config.total_steps = 3000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 500}, 'class_score': {'every': 1000}}
  config.checkpoint.best = 'recall'


def lsun(config: ConfigDict) -> None:
  """LSUN bedrooms: batch 64, 1,024 uniform latents, Adam 2e-4 with beta1 0.5."""
  config.game.update(dim_z=1024, latent='uniform')
  config.data.update(source='tfds', name='lsun/bedroom', resolution=64, batch_size=64, label='none')
  config.total_steps = 200000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data.update(source='embedded', name='pixel_faces')

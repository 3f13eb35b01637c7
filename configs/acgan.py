"""AC-GAN: the discriminator names the class as well, and the generator is made to obey.

Paper: Odena, Olah, Shlens 2016, "Conditional Image Synthesis with Auxiliary Classifier GANs", arXiv 1610.09585.

  python -m jaxgan.main --config=configs/acgan.py              pixel faces, nine hair shades, comes with the package
  python -m jaxgan.main --config=configs/acgan.py:tac          TAC-GAN, Gong et al. 2019, arXiv 1907.02690
  python -m jaxgan.main --config=configs/acgan.py:adc          ADC-GAN, Hou et al. 2021, arXiv 2107.10060
  python -m jaxgan.main --config=configs/acgan.py:cifar10      the paper's second data set

| variant | hardware, time | score |
|---|---|---|
| pixel faces | 2 cores of an x86-64 server, 9 min 09 s for 1,800 steps, other work beside it | class accuracy 90.4 ± 2.7 %, precision 0.591 ± 0.055, recall 0.459 ± 0.032 (3 seeds on an H100; 2,048 samples, k = 5) |
| tac, adc | 2 CPU cores; run in their smoke form only | none measured |
| cifar10 | one GPU; not run here | none measured |

tac and adc are its two later forms, on pixel faces with the same weight. On pixel faces the discriminator learns the class from real pictures alone, with weight 0.2. With the paper's 1, fakes
counted, the generator painted one face a class (81 % right, recall 0); with 0.1 and fakes counted it drew the class
in signs of its own (40 % right). The background still goes with the class.

cifar10 trains as the paper does on ImageNet (weight 1, batch 100, 50,000 steps, Adam 2e-4 with beta1 0.5); on
CIFAR-10 it chose among 27 settings. The networks are DCGAN's, of widths of our choice: kernels of 4x4 instead of the
generator's 5x5, no dropout and no noise in the discriminator.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'tac', 'adc', 'cifar10')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'sngan'
  config.game.update(loss='non_saturating', channels=64, dim_z=100, head='auxiliary_classifier')
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.smoke = {'game': {'channels': 4}}
  {'': own, 'tac': tac, 'adc': adc, 'cifar10': cifar10}[variant](config)
  return config


def own(config: ConfigDict) -> None:
  """The embedded default; the discriminator learns the class from real pictures alone."""
  pixel_faces(config)
  config.game.objectives = {'auxiliary_classifier': {'fakes': False}}


def tac(config: ConfigDict) -> None:
  """A twin classifier, of the fakes, which the generator escapes."""
  pixel_faces(config)
  config.game.head = 'twin_auxiliary_classifier'


def adc(config: ConfigDict) -> None:
  """Twice as many classes: real and fake of each."""
  pixel_faces(config)
  config.game.head = 'adc'


def pixel_faces(config: ConfigDict) -> None:
  """16x16, a quarter of the width, two critic steps."""
  config.data.update(name='pixel_faces', batch_size=64)
  config.game.update(loss='hinge', channels=16, head_weight=0.2)
  config.updates.discriminator = 2
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 1e-3, 'b1': 0.0, 'b2': 0.99}
  config.total_steps = 1800
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 300}, 'class_score': {'every': 600}}
  config.checkpoint.best = 'class_accuracy'


def cifar10(config: ConfigDict) -> None:
  """CIFAR-10 with plain convolutions and the class beside the latent, as in the paper."""
  config.model = 'dcgan'
  config.game.update(conditioning='concatenation', channels=96, discriminator_channels=128)
  config.data.update(source='tfds', name='cifar10', resolution=32, batch_size=100)
  config.total_steps = 50_000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data = {'source': 'embedded', 'name': 'pixel_faces'}
  config.smoke.game.discriminator_channels = 4

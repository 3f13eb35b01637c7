"""Stacked MNIST: a thousand modes, three digits as red, green and blue, and how many a GAN finds.

Papers: Metz et al. 2016, arXiv 1611.02163 (unrolled GAN), Srivastava et al. 2017, arXiv 1705.07761 (VEEGAN), Lin et
al. 2017, arXiv 1712.04086 (PacGAN), Huang et al. 2024, arXiv 2501.05441 (R3GAN).

  python -m jaxgan.main --config=configs/stacked_mnist.py              DCGAN, weak discriminator
  python -m jaxgan.main --config=configs/stacked_mnist.py:unrolled     unrolled, also pacgan2 and r3gan
  python -m jaxgan.main --config=configs/stacked_mnist.py:weak_paper   unrolled GAN's table, 500,000 steps
  python -m jaxgan.main --config=configs/stacked_mnist.py:paper        VEEGAN's and PacGAN's table, 100,000 steps

All but the last two stack the tenth of Fashion-MNIST that comes with the package; digits by
--config.data.name=mnist --config.data.data_dir=FOLDER, a prepared set of tensorflow-datasets.

Modes of 1,000 and KL of digits, mean and deviation of 3 seeds that trained in one program (--config.runs.seeds=3), on
an NVIDIA H100 that the four rows shared; times are those of all 3 seeds, with a minute for the classifier:

| variant | hardware, time of 3 runs | score: modes | KL | papers: modes |
|---|---|---|---|---|
| '' (DCGAN) | H100, 5 min for 4,000 steps | 211 ± 122 | 3.86 ± 1.13 | 30.6 and 78.5 (500,000 steps) |
| unrolled | H100, 5 min for 2,000 of its 4,000 steps | 442 ± 80 | 3.27 ± 0.86 | 236.4 |
| pacgan2 | H100, 5 min for 4,000 steps | 703 ± 74 | 1.55 ± 0.30 | 484.5 |
| r3gan | H100, 5 min for 4,000 steps | 379 ± 218 | 3.06 ± 0.84 | not given |
| weak_paper | not run here | none measured | | as above |
| paper | one GPU; not run here | none measured | | DCGAN 99.0 (VEEGAN), 78.9 (PacGAN's repetition), unrolled 48.7, PacGAN 1,000; R3GAN with its own networks 1,000 |

So packing helps most and unrolling next, as in the papers. That the numbers are higher than theirs after so few steps may
come from rough pictures, each of which a classifier takes for some digit; that was not measured.

A mode is a triple of classes that a classifier of the grey pictures sees in at least one of 26,000 samples; on
MNIST that classifier is right on 98.9 % of the test set, so that a few of the modes counted are its mistakes. Other
than in PacGAN's code the pictures are 32x32 with a black margin, kernels 4x4 and halvings three (the weak generator
lacks the last layer of width 8, the weak discriminator the first normalisation), and the data span [-1, 1] as
the generator does, where VEEGAN's experiment has them in [0, 1].
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'unrolled', 'pacgan2', 'r3gan', 'weak_paper', 'paper')
RATES = {'generator': 1e-4, 'discriminator': 2e-4}


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is DCGAN in the weak setting."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'dcgan'
  config.data.update(source='stacked', name='fashion_mnist_10k', resolution=32)
  config.game.update(loss='non_saturating', packing=1)
  config.ema.players = ()  # the papers count the modes of the live generator
  config.smoke = {'data': {'name': 'fashion_mnist_10k'}, 'game': {'channels': 4}}
  if variant == 'paper':
    paper(config)
  else:
    weak(config)
    {
      '': dcgan,
      'unrolled': unrolled,
      'pacgan2': pacgan2,
      'r3gan': r3gan,
      'weak_paper': weak_paper,
    }[variant](config)
  return config


def weak(config: ConfigDict) -> None:
  """Unrolled GAN's setting with a quarter discriminator (widths 2, 4, 8 against 64 to 16), its rates, 4,000 steps."""
  config.data.batch_size = 128
  config.game.update(channels=16, discriminator_channels=2, slope=0.3, dim_z=256, latent='normal')
  for player, rate in RATES.items():
    config.optimizer[player] = {'name': 'adam', 'learning_rate': rate, 'b1': 0.5, 'b2': 0.99}
  config.total_steps = 4000
  config.log.every, config.checkpoint.every = 100, 1000
  config.evaluators = {'samples': {'every': 1000}, 'modes': {'every': 1000}}


def dcgan(config: ConfigDict) -> None:
  """As it is."""


def unrolled(config: ConfigDict) -> None:
  """Five steps of the discriminator are looked ahead."""
  config.game.unroll = {'steps': 5, 'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5, 'b2': 0.99}
  config.smoke.game.unroll = {'steps': 2}


def pacgan2(config: ConfigDict) -> None:
  """Two pictures are judged together; twice the batch for as many judgements."""
  config.game.packing = 2
  config.data.batch_size = 256


def r3gan(config: ConfigDict) -> None:
  """R3GAN's loss and penalties on the same networks, without batch normalisation."""
  config.game.update(loss='relativistic', norm='none')
  config.game.discriminator_penalties = {'r1': {'gamma': 1.0}, 'r2': {'gamma': 1.0}}
  for player in config.optimizer.values():
    player.update(b1=0.0, b2=0.99)


def weak_paper(config: ConfigDict) -> None:
  """The quarter-width discriminator for as long as in PacGAN's repetition of unrolled GAN's table."""
  config.data.name = 'mnist'
  config.total_steps = 500_000
  config.checkpoint.every = 5000
  config.evaluators = {'samples': {'every': 20_000}, 'modes': {'every': 20_000}}


def paper(config: ConfigDict) -> None:
  """DCGAN of widths 64 to 256 with two generator updates a step, as VEEGAN and PacGAN have it; 50 epochs."""
  config.data.update(name='mnist', batch_size=64)
  config.game.update(channels=64, dim_z=100, latent='uniform')
  config.updates = {'discriminator': 1, 'generator': 2}
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5}
  config.total_steps = 100_000
  config.log.every, config.checkpoint.every = 100, 5000
  config.evaluators = {'samples': {'every': 5000}, 'modes': {'every': 5000}}

"""Mixtures of Gaussians in the plane: which modes does a GAN find, and how does it look while it does?

Papers: Goodfellow et al. 2014, arXiv 1406.2661 (GAN); the rings and grids are those of Metz et al. 2016,
arXiv 1611.02163 (unrolled GAN), Srivastava et al. 2017, arXiv 1705.07761 (VEEGAN) and Lin et al. 2017,
arXiv 1712.04086 (PacGAN).

  python -m jaxgan.main --config=configs/mixture.py            ring of 8, plain GAN
  python -m jaxgan.main --config=configs/mixture.py:grid25     grid of 25

A run leaves modes.gif: samples, the discriminator's surface and its gradients over time. A method is one option:

  --config.game.packing=2                                    PacGAN
  --config.game.discriminator_penalties.r1.gamma=0.1         R1; with r2.gamma and loss=relativistic, R3GAN
  --config.game.unroll.steps=5                               unrolled GAN; with the rates below
  --config.game.loss=wasserstein --config.game.discriminator_penalties.gradient_penalty.weight=0.1    WGAN-GP
  --config.data.name='-1,0;1,0@0.1'                          other means, and their deviation

Each score is of 2,500 samples after 5,000 steps, mean and deviation (of n) over 3 seeds: modes with a sample within 3
deviations, the share of such samples, KL of the histogram of nearest modes against uniform, W1 of 500 samples.

| ring of 8 | hardware, time of a run | score: modes | within 3 deviations | KL | W1 |
|---|---|---|---|---|---|
| GAN | 2 CPU cores, 42 s | 8 ± 0 | 0.54 ± 0.05 | 0.052 ± 0.034 | 0.145 ± 0.021 |
| PacGAN, 2 | 22 s | 8 ± 0 | 0.89 ± 0.01 | 0.003 ± 0.001 | 0.074 ± 0.026 |
| R1 | 30 s | 8 ± 0 | 0.68 ± 0.01 | 0.002 ± 0.001 | 0.077 ± 0.013 |
| WGAN-GP, one critic step | 23 s | 8 ± 0 | 0.17 ± 0.12 | 0.013 ± 0.008 | 0.145 ± 0.026 |
| R3GAN | 24 s | 8 ± 0 | 0.73 ± 0.00 | 0.001 ± 0.001 | 0.072 ± 0.014 |
| unrolled, 5 steps | 2.5 min, one core | 8 ± 0 | 0.59 ± 0.12 | 0.001 ± 0.001 | 0.084 ± 0.023 |

| grid of 25 | time of a run | score: modes | within 3 deviations | KL | W1 |
|---|---|---|---|---|---|
| GAN | 14 s | 17.7 ± 6.8 | 0.07 ± 0.04 | 0.379 ± 0.450 | 0.312 ± 0.210 |
| PacGAN, 2 | 46 s | 22.0 ± 1.6 | 0.13 ± 0.02 | 0.074 ± 0.035 | 0.138 ± 0.014 |
| R1 | 2 min | 22.7 ± 0.9 | 0.10 ± 0.02 | 0.057 ± 0.025 | 0.149 ± 0.018 |
| WGAN-GP, one critic step | 43 s, one core | 7.7 ± 0.5 | 0.02 ± 0.00 | 1.042 ± 0.206 | 0.630 ± 0.177 |
| R3GAN | 35 s, one core | 22.7 ± 0.5 | 0.07 ± 0.02 | 0.025 ± 0.014 | 0.145 ± 0.005 |
| unrolled, 5 steps | 2 min, one core | 19.3 ± 0.9 | 0.02 ± 0.00 | 0.065 ± 0.021 | 0.175 ± 0.005 |

How the players move decides whether the plain GAN finds the ring when the learning rates stay constant
(`python -m benchmarks.modes --table=plays8`, the same scores and seeds; consensus and symplectic adjustment are played
simultaneously, gamma and lambda are 0.1):

| ring of 8, constant learning rates | score: modes | within 3 deviations | KL | W1 |
|---|---|---|---|---|
| alternating | 3.3 ± 3.4 | 0.23 ± 0.31 | 0.997 ± 0.700 | 0.648 ± 0.390 |
| simultaneous | 1.0 ± 0 | 0.01 ± 0.01 | 2.061 ± 0.026 | 0.982 ± 0.079 |
| extragradient | 2.3 ± 2.6 | 0.12 ± 0.17 | 1.334 ± 0.660 | 0.731 ± 0.280 |
| optimistic | 8 ± 0 | 0.82 ± 0.14 | 0.011 ± 0.007 | 0.078 ± 0.014 |
| look-ahead, 5 steps | 8 ± 0 | 0.72 ± 0.10 | 0.021 ± 0.007 | 0.123 ± 0.027 |
| consensus | 8 ± 0 | 0.78 ± 0.04 | 0.002 ± 0.001 | 0.073 ± 0.016 |
| symplectic gradient adjustment | 8 ± 0 | 0.78 ± 0.03 | 0.002 ± 0.000 | 0.085 ± 0.012 |
| unrolled, 5 steps (one seed; discriminator at 1e-4) | 8 | 0.35 | 0.002 | 0.073 |

| grid of 25, constant learning rates | score: modes | within 3 deviations | KL | W1 |
|---|---|---|---|---|
| alternating | 24.0 ± 0.8 | 0.24 ± 0.12 | 0.043 ± 0.029 | 0.136 ± 0.018 |
| simultaneous | 16.3 ± 10.1 | 0.08 ± 0.04 | 0.834 ± 1.109 | 0.371 ± 0.322 |
| extragradient | 12.3 ± 5.4 | 0.04 ± 0.00 | 0.574 ± 0.689 | 0.362 ± 0.197 |
| optimistic | 23.3 ± 0.5 | 0.35 ± 0.05 | 0.056 ± 0.046 | 0.119 ± 0.005 |
| look-ahead, 5 steps | 24.0 ± 0.8 | 0.28 ± 0.06 | 0.077 ± 0.032 | 0.129 ± 0.014 |
| consensus | 24.3 ± 0.9 | 0.20 ± 0.07 | 0.037 ± 0.017 | 0.135 ± 0.018 |
| symplectic gradient adjustment | 24.7 ± 0.5 | 0.28 ± 0.04 | 0.015 ± 0.008 | 0.111 ± 0.017 |

Unrolled GAN needs the discriminator at a tenth of the generator's rate, as in the paper's code
(--config.optimizer.discriminator.learning_rate=1e-4 --config.game.unroll.learning_rate=1e-4); with equal rates a
single seed came to 6 modes. It took 3 minutes.

Times are without the picture, on an x86-64 server with other work beside it, and differ for that reason more than
for the method's; with the picture the default took 63 s there. `python -m benchmarks.modes --table=ring8` makes the
table. Whether the plain GAN collapses hangs on the learning rate: with a constant one a run stayed on one mode
(--config.optimizer.generator.schedule=constant, and the discriminator's).
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'grid25')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the ring of 8."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'gan'
  config.data.update(source='points', name=variant or 'ring8', batch_size=256)
  config.game.update(loss='non_saturating', output='linear', dim_z=16, hidden=128, layers=2)
  config.game.update(packing=1, discriminator_penalties={})
  config.game.unroll = {'steps': 0, 'learning_rate': 1e-3, 'name': 'adam', 'b1': 0.5}
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 1e-3, 'b1': 0.5}
    config.optimizer[player].schedule = 'linear'  # ever smaller steps, to settle on narrow modes
  config.ema.players = ()  # an average over steps hides that modes come and go
  config.total_steps, config.steps_per_call = 5000, 4
  config.runs.at_once = 4  # many runs of this size at a time fall out of a CPU's cache
  config.log.every, config.checkpoint.every = 100, 5000
  config.evaluators = {'modes': {'every': 200}}
  config.smoke = {'game': {'hidden': 8}}
  return config

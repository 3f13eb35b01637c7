"""Mixtures of Gaussians in the plane: which modes does a GAN find, and how does it look while it does?

Papers: Goodfellow et al. 2014, arXiv 1406.2661 (GAN); the rings and grids are those of Metz et al. 2016,
arXiv 1611.02163 (unrolled GAN), Srivastava et al. 2017, arXiv 1705.07761 (VEEGAN) and Lin et al. 2017,
arXiv 1712.04086 (PacGAN).

  python -m jaxgan.main --config=configs/mixture.py            ring of 8, plain GAN
  python -m jaxgan.main --config=configs/mixture.py:grid25     grid of 25

A run leaves modes.gif: samples, the discriminator's surface and its gradients over time. A method is one option:

  --config.game.packing=2                                    PacGAN
  --config.game.discriminator_penalties.r1.gamma=0.1         R1; with r2.gamma and loss=relativistic, R3GAN
  --config.game.unroll.steps=5                               unrolled GAN
  --config.game.loss=wasserstein --config.game.discriminator_penalties.gradient_penalty.weight=0.1    WGAN-GP
  --config.data.name='-1,0;1,0@0.1'                          other means, and their deviation

Each score is of 2,500 samples after 5,000 steps, mean and deviation over 3 seeds: modes with a sample within 3
deviations, the share of such samples, KL of the histogram of nearest modes against uniform, W1 of 500 samples.

MEASURED

Times are those of 2 cores of an x86-64 server with other work beside it; with the picture the default took 63 s
there. `python -m benchmarks.modes --table=ring8` makes the table. Whether the plain GAN collapses hangs on the
learning rate: with a constant one it stays on one mode (--config.optimizer.generator.schedule=constant, and the
discriminator's).
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
  config.game.unroll.eps_root = 1e-8  # or the gradient through a unit that is off is not finite
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {'name': 'adam', 'learning_rate': 1e-3, 'b1': 0.5}
    config.optimizer[player].schedule = 'linear'  # ever smaller steps, to settle on narrow modes
  config.ema.players = ()  # an average over steps hides that modes come and go
  config.total_steps, config.steps_per_call = 5000, 4
  config.log.every, config.checkpoint.every = 100, 5000
  config.evaluators = {'modes': {'every': 200}}
  config.smoke = {'game': {'hidden': 8}}
  return config

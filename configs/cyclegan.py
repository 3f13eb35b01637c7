"""CycleGAN: between two kinds of pictures, learnt without pairs.

Paper: Zhu, Park, Isola, Efros 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks", arXiv 1703.10593.

  python -m jaxgan.main --config=configs/cyclegan.py               Fluent and Noto emoji, 64x64, come with the package
  python -m jaxgan.main --config=configs/cyclegan.py:cut           the same by CUT (arXiv 2007.15651), one way
  python -m jaxgan.main --config=configs/cyclegan.py:horse2zebra   the paper's, 256x256, of tensorflow-datasets
  python -m jaxgan.translate --workdir=runs/cyclegan --input=FOLDER --output=FOLDER --direction=BtoA

| variant | hardware, time | score |
|---|---|---|
| emoji, A and B still mirrored together | 2 cores of an x86-64 server, 27 to 42 min for 3,000 steps beside much other work, at 2.3 steps/s without | Fluent to Noto: kernel distance 94.8 % below that of the inputs, 84 % taken for Noto (true targets 88 %), class accuracy 42.7 % (inputs 47 %, true targets 60 %); Noto to Fluent: 99.2 % below, 87 % (96 %), 40.9 % (inputs 60 %, true targets 47 %) |
| cut, in an older order of the data | the same, 17 min 4 s for 3,000 steps | Fluent to Noto: 50.4 % below, 78 % taken for Noto, class accuracy 34.8 %; with nce=1 62.9 %, 79 %, 36.0 %, in brown and blue |
| horse2zebra | one GPU; not run here | none measured |

Folders of one's own: --config.data.source=unpaired --config.data.name= --config.data.data_dir=FOLDER, which holds
trainA and trainB. No emoji is in both domains. horse2zebra is the authors' recipe: 9 blocks, batch 1, 286 cropped
to 256, 200 epochs of 1,334 pictures, the second half with a falling rate. Scores: kernel distance of translated
held-out emoji to the target style, in features of a classifier of style and category that was trained on the training
pictures; `kernel_below_copy`, by which share that is below the distance of the inputs; `class_accuracy`, how often the
same classifier finds the category of a translation (8 of them; 164 held-out emoji); and L1 to the emoji in the other
style. The margin around a drawing seems to count as style, too: with pictures resized to 70 and cropped, and patches of 34
pixels, the same 3,000 steps (in the older order) came to 41 and 84 % below the inputs.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'cut', 'horse2zebra')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'cyclegan'
  config.game.update(
    generator='resnet', discriminator='patch', channels=64, blocks=9, loss='least_squares'
  )
  config.game.update(cycle=10.0, identity=0.5, pool=50)
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {
      'name': 'adam',
      'learning_rate': 2e-4,
      'b1': 0.5,
      'schedule': 'linear',
    }
  config.play = 'simultaneous'  # as in the authors' code, see `jaxgan.games.translation.cycle`
  config.ema.players = ()
  config.data.update(source='unpaired', flip=True, batch_size=1)
  config.smoke = {
    'data': {'name': 'emoji', 'resolution': 32, 'load_size': 0},
    'game': {'channels': 2, 'blocks': 1, 'layers': 1, 'pool': 3},
  }
  {'': emoji, 'cut': cut, 'horse2zebra': horse2zebra}[variant](config)
  return config


def emoji(config: ConfigDict) -> None:
  """The embedded default: 64x64, uncropped, judged as wholes; 4 blocks, narrower, blurred where sizes change."""
  config.data.update(name='emoji', load_size=0, batch_size=2)
  config.game.update(channels=24, discriminator_channels=32, blocks=4, antialias=True, cycle=5.0)
  config.ema.players, config.ema.decay = ('generator',), 0.995
  config.total_steps = 3000
  for player in config.optimizer.values():
    player.hold = 1500
  config.evaluators = {
    'translations': {'every': 1000, 'judge': True, 'directions': ('AtoB', 'BtoA')}
  }
  config.checkpoint.best, config.checkpoint.mode = 'kernel_distance', 'min'


def cut(config: ConfigDict) -> None:
  """Contrastive translation: half of the networks; with the paper's weight of 1 for it colours get lost here."""
  emoji(config)
  config.model, config.play = 'cut', 'alternating'
  for option in ('cycle', 'identity', 'pool'):
    del config.game[option]
  config.game.update(nce=5.0, patches=64, features=64)
  config.game.nce_layers = ('pixels', 'half', 'quarter', 'block_0', 'block_3')
  config.evaluators.translations.directions = ('AtoB',)
  config.smoke.game = {'channels': 2, 'blocks': 1, 'layers': 1, 'features': 32, 'patches': 16}
  config.smoke.game.nce_layers = ('pixels', 'half', 'quarter', 'block_0')


def horse2zebra(config: ConfigDict) -> None:
  """The authors' recipe; their pool and 9 blocks."""
  config.data.update(name='cycle_gan/horse2zebra', resolution=256, load_size=286, crop='none')
  config.total_steps = 200 * 1334
  for player in config.optimizer.values():
    player.hold = 100 * 1334
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'translations': {'every': 4000, 'directions': ('AtoB', 'BtoA')}}

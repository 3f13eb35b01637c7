"""R3GAN: a relativistic loss with R1 and R2, and plain residual networks without a trick.

Paper: Huang, Gokaslan, Kuleshov, Tompkin 2024, "The GAN is dead; long live the GAN! A Modern GAN
Baseline", arXiv 2501.05441.

  python -m jaxgan.main --config=configs/r3gan.py               pixel faces, 16x16, 9 hair shades, comes with the package
  python -m jaxgan.main --config=configs/r3gan.py:cifar10       32x32, 10 classes
  python -m jaxgan.main --config=configs/r3gan.py:imagenet64    64x64, 1,000 classes

All but the first read tensorflow-datasets: --config.data.data_dir=... says where they are prepared.

| variant | hardware, time | score |
|---|---|---|
| pixel faces | 2 CPU cores; a short trial only | none measured |
| cifar10 | 8 GPUs; not run here | paper: FID 1.96 |
| imagenet64 | 64 GPUs; not run here | paper: FID 2.09 |

The large variants are the paper's networks, batches and optimisers at the values that its schedules end
with. The paper moves the learning rate, gamma and Adam's beta2 there along a cosine within the first part
of the run (2e-4 to 5e-5, ten times gamma to gamma, 0.9 to 0.99), lengthens the average's half-life as it
does so, and augments the discriminator's pictures; these stay constant here, and there is no augmentation.
"""

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'cifar10', 'imagenet64')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  if variant not in VARIANTS:
    raise configs.ConfigError(
      f'configs/r3gan.py has no variant {variant!r}; {configs.nearest(variant, VARIANTS[1:])}'
    )
  config = configs.base()
  config.model = 'r3gan'
  config.game.update(loss='relativistic', dim_z=64, expansion=2, group_size=16, dtype='float32')
  config.smoke = {'game': {'channels': 4, 'group_size': 4, 'blocks': 1, 'dim_z': 8}}
  {'': pixel_faces, 'cifar10': cifar10, 'imagenet64': imagenet64}[variant](config)
  return config


def optimise(config: ConfigDict, learning_rate: float, b2: float, gamma: float) -> None:
  """Adam without momentum for both, R1 and R2 of one strength."""
  for player in ('generator', 'discriminator'):
    config.optimizer[player] = {
      'name': 'adam',
      'learning_rate': learning_rate,
      'b1': 0.0,
      'b2': b2,
    }
  config.game.discriminator_penalties = {'r1': {'gamma': gamma}, 'r2': {'gamma': gamma}}


def pixel_faces(config: ConfigDict) -> None:
  """The embedded default: narrow, one block a map; minutes on two CPU cores."""
  config.data.name, config.data.batch_size = 'pixel_faces', 32
  config.game.update(channels=64, blocks=1)
  optimise(config, 1e-3, 0.99, 0.5)
  for player in config.optimizer.values():
    player.schedule = 'cosine'
  config.total_steps = 2000
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 250}, 'class_score': {'every': 500}}
  config.checkpoint.best = 'class_accuracy'


def cifar10(config: ConfigDict) -> None:
  """The paper's: 20.8 million parameters a network, batch 512, gamma 0.05 to 0.005."""
  config.data.update(source='tfds', name='cifar10', resolution=32, flip=True, batch_size=512)
  config.game.update(channels=768, blocks=2)
  optimise(config, 5e-5, 0.99, 0.005)
  config.total_steps = 200_000
  config.ema.decay = 0.5 ** (512 / 5e6)  # a half-life of 5 million pictures
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}, 'class_score': {'every': 5000}}
  config.checkpoint.best = 'precision'
  config.smoke.data = {'source': 'embedded', 'name': 'pixel_faces'}


def imagenet64(config: ConfigDict) -> None:
  """The paper's: twice as wide, batch 4,096, gamma 1 to 0.1."""
  config.data.update(
    source='tfds',
    name='imagenet2012',
    resolution=64,
    flip=True,
    in_memory=False,
    batch_size=4096,
  )
  config.game.update(channels=1536, blocks=2, dtype='bfloat16')
  optimise(config, 5e-5, 0.99, 0.1)
  config.total_steps = 250_000
  config.ema.decay = 0.5 ** (4096 / 5e7)
  config.log.every, config.checkpoint.every = 100, 1000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.update(
    data={'source': 'embedded', 'name': 'pixel_faces', 'resolution': 32, 'in_memory': True}
  )

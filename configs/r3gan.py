"""R3GAN: a relativistic loss with R1 and R2, and plain residual networks without a trick.

Paper: Huang, Gokaslan, Kuleshov, Tompkin 2024, "The GAN is dead; long live the GAN! A Modern GAN
Baseline", arXiv 2501.05441.

  python -m jaxgan.main --config=configs/r3gan.py               pixel faces, 16x16, 9 hair shades, comes with the package
  python -m jaxgan.main --config=configs/r3gan.py:cifar10       32x32, 10 classes
  python -m jaxgan.main --config=configs/r3gan.py:ffhq64        64x64, --config.data.data_dir=FOLDER of pictures
  python -m jaxgan.main --config=configs/r3gan.py:imagenet32    32x32, 1,000 classes (Chrabaszcz et al. 2017)

cifar10 and imagenet32 read tensorflow-datasets: --config.data.data_dir=... says where they are prepared.

| variant | hardware, time | score |
|---|---|---|
| pixel faces | 2 cores of an x86-64 server, 10 min 26 s for 1,200 steps, other work beside it | class accuracy 68.7 ± 0.8 %, precision 0.490 ± 0.052, recall 0.375 ± 0.051 (3 seeds on an H100; 2,048 samples, k = 5); still blurred |
| cifar10 | 8 GPUs in the paper; not run here | paper: FID 1.96 |
| ffhq64 | 8 GPUs in the paper; not run here | paper: FID 1.95 |
| imagenet32 | 32 GPUs in the paper; not run here | paper: FID 1.27 |

The large variants have the networks, batches and schedules of the authors' code: learning rate (2e-4 to 5e-5),
gamma (from ten times its last value), Adam's beta2 (0.9 to 0.99) and the half-life of the average change over
the first 20 million pictures (ImageNet: 200 million). The code sets no end; the length of the runs is our choice.
Two schedules differ: the half-life grows in a straight line instead of a cosine, and the augmentation has its last
probability from the start, where theirs grows from 0. Maps of 4 pixels are bfloat16 too, float32 in their code.
"""

from typing import Any

from ml_collections import ConfigDict

from jaxgan import config as configs

VARIANTS = ('', 'cifar10', 'ffhq64', 'imagenet32')


def get_config(variant: str = '') -> ConfigDict:
  """The config of a variant; '' is the embedded default."""
  configs.check_variant(__file__, variant, VARIANTS)
  config = configs.base()
  config.model = 'r3gan'
  config.game.update(loss='relativistic', dim_z=64, expansion=2, group_size=16, dtype='float32')
  config.smoke = {'game': {'channels': 4, 'group_size': 4, 'blocks': 1, 'dim_z': 8}}
  {'': pixel_faces, 'cifar10': cifar10, 'ffhq64': ffhq64, 'imagenet32': imagenet32}[variant](config)
  return config


def optimise(config: ConfigDict, learning_rate: Any, b2: Any, gamma: Any) -> None:
  """Adam without momentum for both, R1 and R2 of one strength; each a number or a schedule."""
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
  optimise(config, 1e-3, 0.99, 2.0)
  for player in config.optimizer.values():
    player.schedule = 'cosine'
  config.total_steps = 1200
  config.ema.decay = 0.99
  config.evaluators = {'samples': {'every': 200}, 'class_score': {'every': 400}}
  config.checkpoint.best = 'class_accuracy'


def cifar10(config: ConfigDict) -> None:
  """Batch 512, gamma 0.05 to 0.005; about 21 million parameters a network."""
  config.data.update(source='tfds', name='cifar10', resolution=32, flip=True, batch_size=512)
  config.total_steps = 200_000
  large(config, burn_in=2e7, half_life=5e6, gamma=0.005, augmented=0.55)
  config.evaluators.class_score = {'every': 5000}
  config.checkpoint.best = 'precision'


def ffhq64(config: ConfigDict) -> None:
  """A folder of photographs without classes: batch 256, gamma 2 to 0.2."""
  config.data.update(source='folder', label='none', resolution=64, flip=True, batch_size=256)
  config.total_steps = 400_000
  large(config, burn_in=2e7, half_life=5e5, gamma=0.2, augmented=0.3)
  config.smoke.data.update(label='none', resolution=32)


def imagenet32(config: ConfigDict) -> None:
  """Twice as wide, groups of 32, batch 4,096, gamma 0.5 to 0.05."""
  config.data.update(source='tfds', name='imagenet_resized/32x32', resolution=32)
  config.data.update(flip=True, batch_size=4096)
  config.total_steps = 250_000
  large(config, burn_in=2e8, half_life=5e7, gamma=0.05, augmented=0.5)
  config.game.update(channels=1536, group_size=32)


def large(
  config: ConfigDict, burn_in: float, half_life: float, gamma: float, augmented: float
) -> None:
  """What the paper's three share: widths of 768, two blocks a map, an average over many pictures.

  Learning rate, gamma and beta2 follow a cosine through the first `burn_in` pictures, and the half-life
  of the average grows with them. Each change of the augmentation has the probability `augmented`,
  each of colour half of it.
  """
  part = round(burn_in / config.data.batch_size)
  cosine = lambda start, end: {'start': start, 'end': end, 'steps': part, 'shape': 'cosine'}
  optimise(config, cosine(2e-4, 5e-5), cosine(0.9, 0.99), cosine(10 * gamma, gamma))
  config.ema.ramp = part
  config.game.update(channels=768, blocks=2, dtype='bfloat16')
  colours = dict.fromkeys(('brightness', 'contrast', 'lumaflip', 'hue', 'saturation'), 0.5)
  fixed = {'policy': 'bgc', 'p': augmented, 'target': 0.0, 'cutout': 1.0}
  config.game.augment = {'ada': {**fixed, **colours}}
  config.ema.decay = 0.5 ** (config.data.batch_size / half_life)
  config.log.every, config.checkpoint.every = 100, 2000
  config.evaluators = {'samples': {'every': 1000}}
  config.smoke.data = {'source': 'embedded', 'name': 'pixel_faces'}

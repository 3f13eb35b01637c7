"""python -m jaxgan.sample --workdir=... : pictures from a trained generator, from its work folder alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from jaxgan import command
from jaxgan.config import ConfigError, nearest

WORKDIR = flags.DEFINE_string('workdir', None, 'work folder of a training run')
OUTPUT = flags.DEFINE_string(
  'output', None, 'file (grid, npz) or folder (png) to write [in the work folder]'
)
FORMAT = flags.DEFINE_enum(
  'format', 'grid', ['grid', 'png', 'npz', 'interpolation', 'truncation'], 'what to write'
)
NUMBER = flags.DEFINE_integer('n', 64, 'pictures', 1)
LABEL = flags.DEFINE_string('class', None, 'name or number of one class [all of them in turn]')
TRUNCATION = flags.DEFINE_float('truncation', 0.0, 'truncation of the latents; 0 = none', 0.0)
CONVENTION = flags.DEFINE_enum(
  'convention',
  'scaled',
  ['scaled', 'clipped'],
  'scaled = t * truncnorm(-2, 2) (BigGAN), clipped = truncnorm(-t, t) (StudioGAN)',
)
SEED = flags.DEFINE_integer('seed', 0, 'of the latents')
TO_SEED = flags.DEFINE_integer('to_seed', 1, 'where --format=interpolation ends')
CHECKPOINT = flags.DEFINE_string('checkpoint', 'latest', 'latest, best or a step')
EMA = flags.DEFINE_bool('ema', True, 'averaged weights; --noema takes the live ones')
STANDING = flags.DEFINE_integer(
  'standing', 0, 'batches from which batch statistics are recomputed; 0 = those of training', 0
)
BATCH = 64


class Trained(NamedTuple):
  """A trained game, ready to predict.

  Attributes:
    game: its predict functions.
    players: the variables that they need.
    class_names: of the data it was trained on; () = none.
    step: of the checkpoint.
  """

  game: Any
  players: Mapping[str, Any]
  class_names: tuple[str, ...]
  step: int


def load(workdir: str | Path, checkpoint: str | int = 'latest', ema: bool = True) -> Trained:
  """The trained game of a work folder, without its data and its optimiser.

  Args:
    workdir: of a training run.
    checkpoint: 'latest', 'best' or a step.
    ema: averaged variables where the run has them, else the live ones.

  Raises:
    CheckpointError: there is no such checkpoint, or it is damaged.
  """
  from jaxgan import models
  from jaxgan.checkpoint import Checkpoints

  path = Path(workdir).expanduser()
  if not (path / 'checkpoints').is_dir():
    raise ConfigError(
      f'{path} holds no checkpoints; give the work folder of a training run, such as runs/biggan'
    )
  checkpoints = Checkpoints(path / 'checkpoints')
  which = int(checkpoint) if str(checkpoint).isdigit() else checkpoint
  players, meta, step = checkpoints.restore_generator(which, live=not ema)
  data = meta['dataset']
  game = models.make(
    meta['config']['model'],
    image_shape=tuple(data['image_shape']),
    num_classes=len(data['class_names']),
    **meta['config']['game'],
  )
  return Trained(game, players, tuple(data['class_names']), step)


def class_number(given: str, names: Sequence[str]) -> int:
  """The class of that name or number.

  Raises:
    ConfigError: there is none; the message names the nearest.
  """
  if given.isdigit() and int(given) < len(names):
    return int(given)
  short = {name.split(' #')[0]: i for i, name in enumerate(names)} | {
    name: i for i, name in enumerate(names)
  }
  if given in short:
    return short[given]
  raise ConfigError(
    f'no class {given!r}; '
    + (
      nearest(given, {name.split(' #')[0] for name in names})
      if names
      else 'the data have no classes'
    )
  )


def draw(
  trained: Trained, labels: Any, seed: int = 0, truncation: float = 0.0, convention: str = 'scaled'
) -> tuple[Any, Any]:
  """Pictures and their latents, picture i the same however many are drawn.

  Args:
    trained: see `load`.
    labels: int [n].
    seed: of the latents.
    truncation: 0 = the latents of training.
    convention: see `jaxgan.nn.latents.truncated_normal`.

  Returns:
    (float32 [n, H, W, C] in [-1, 1], float32 [n, dim_z]).
  """
  import jax
  import jax.numpy as jnp
  import numpy as np

  predict, key = trained.game.predict, jax.random.key(seed)
  latent = jax.jit(
    lambda k: predict['latent'](
      trained.players, k, n=BATCH, truncation=truncation, convention=convention
    )
  )
  sample = jax.jit(predict['sample'])
  padded = np.pad(np.asarray(labels, np.int32), (0, -len(labels) % BATCH), mode='edge').reshape(
    -1, BATCH
  )
  images, latents = [], []
  for i, part in enumerate(padded):
    latents.append(latent(jax.random.fold_in(key, i)))
    images.append(np.asarray(sample(trained.players, key, label=jnp.asarray(part), z=latents[-1])))
  return np.concatenate(images)[: len(labels)], np.concatenate(latents)[: len(labels)]


def main(argv: Sequence[str]) -> int:
  """Writes what the flags ask for; returns the exit code."""
  if WORKDIR.value is None:
    raise ConfigError('no work folder given; try --workdir=runs/biggan')
  import jax
  import numpy as np

  from jaxgan import plots
  from jaxgan.evaluators.samples import Sheets

  trained = load(WORKDIR.value, CHECKPOINT.value, EMA.value)
  if 'sample' not in trained.game.predict:
    raise ConfigError(f'this system cannot sample; it can {", ".join(trained.game.predict)}')
  if STANDING.value:
    players = trained.game.predict['standing'](
      trained.players, jax.random.key(SEED.value), batches=STANDING.value
    )
    trained = trained._replace(players=players)
  number, kind = NUMBER.value, FORMAT.value
  default = {'png': 'sampled', 'npz': 'samples.npz'}.get(kind, f'{kind}_seed{SEED.value}.png')
  output = Path(OUTPUT.value or Path(WORKDIR.value) / default).expanduser()
  if kind in ('interpolation', 'truncation'):
    sheets = Sheets(trained.game, trained.class_names, seed=SEED.value)
    sheet = (
      sheets.interpolation(trained.players, (SEED.value, TO_SEED.value))
      if kind == 'interpolation'
      else sheets.truncation(trained.players, CONVENTION.value)
    )
    plots.save(output, sheet)
  else:
    classes = max(len(trained.class_names), 1)
    labels = (
      np.arange(number) % classes
      if LABEL.value is None
      else np.full(number, class_number(LABEL.value, trained.class_names))
    )
    images, latents = draw(trained, labels, SEED.value, TRUNCATION.value, CONVENTION.value)
    pictures = plots.to_uint8(images)[..., : images.shape[-1]]
    if kind == 'grid':
      plots.save(
        output,
        plots.grid(
          pictures, columns=min(classes if LABEL.value is None and classes > 1 else 8, number)
        ),
      )
    elif kind == 'npz':
      output.parent.mkdir(parents=True, exist_ok=True)
      np.savez_compressed(
        output,
        image=pictures,
        label=labels.astype(np.int32),
        z=latents,
        class_names=np.array(trained.class_names),
      )
    else:
      for i, picture in enumerate(pictures):
        plots.save(output / f'{i:06d}.png', picture)
  print(f'step {trained.step}: wrote {output}')
  return 0


def run() -> None:
  """The console entry."""
  command.run(main, __doc__)


if __name__ == '__main__':
  run()

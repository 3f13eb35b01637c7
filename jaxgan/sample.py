"""python -m jaxgan.sample --workdir=... : pictures from a trained generator, from its work folder alone."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from jaxgan import command
from jaxgan.config import ConfigError, nearest

BATCH = 64


def define_flags() -> None:
  """Defines the command's flags; not on import, for `load` and `draw` are used by other programs."""
  flags.DEFINE_string('workdir', None, 'work folder of a training run')
  flags.DEFINE_string(
    'output', None, 'file (grid, npz) or folder (png) to write [in the work folder]'
  )
  flags.DEFINE_enum(
    'format', 'grid', ['grid', 'png', 'npz', 'interpolation', 'truncation'], 'what to write'
  )
  flags.DEFINE_integer('n', 64, 'pictures', 1)
  flags.DEFINE_string('class', None, 'name or number of one class [all of them in turn]')
  flags.DEFINE_float('truncation', 0.0, 'truncation of the latents; 0 = none', 0.0)
  flags.DEFINE_enum(
    'convention',
    'scaled',
    ['scaled', 'clipped'],
    'scaled = t * truncnorm(-2, 2) (BigGAN), clipped = truncnorm(-t, t) (StudioGAN)',
  )
  flags.DEFINE_integer('seed', 0, 'of the latents')
  flags.DEFINE_integer('to_seed', 1, 'where --format=interpolation ends')
  flags.DEFINE_string('checkpoint', 'latest', 'latest, best or a step')
  flags.DEFINE_bool('ema', True, 'averaged weights; --noema takes the live ones')
  flags.DEFINE_integer(
    'standing', 0, 'batches from which batch statistics are recomputed; 0 = those of training', 0
  )


class Trained(NamedTuple):
  """A trained game, ready to predict.

  Attributes:
    game: its predict functions.
    players: the variables that they need.
    class_names: of the data it was trained on; () = none, or none that it takes notice of.
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
  which = int(checkpoint) if str(checkpoint).isdecimal() else checkpoint
  players, meta, step = checkpoints.restore_generator(which, live=not ema)
  data = meta['dataset']
  game = models.make(
    meta['config']['model'],
    image_shape=tuple(data['image_shape']),
    num_classes=len(data['class_names']),
    **meta['config']['game'],
  )
  names = tuple(data['class_names']) if game.conditional else ()
  return Trained(game, players, names, step)


def class_number(given: str, names: Sequence[str]) -> int:
  """The class of that name or number.

  Raises:
    ConfigError: there is none; the message names the nearest.
  """
  if given.isdecimal() and int(given) < len(names):
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
      else 'this model takes no notice of classes, or its data have none'
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
  given: Any = flags.FLAGS
  if len(argv) > 1:
    raise ConfigError(f'unexpected argument {argv[1]!r}; flags look like --n=16')
  if given.workdir is None:
    raise ConfigError('no work folder given; try --workdir=runs/biggan')
  if not math.isfinite(given.truncation):
    raise ConfigError(f'truncation={given.truncation}; expected a number, such as 0.5')
  kind = given.format
  default = {'png': 'sampled', 'npz': 'samples.npz'}.get(kind, f'{kind}_seed{given.seed}.png')
  output = Path(given.output or Path(given.workdir) / default).expanduser()
  trained = load(given.workdir, given.checkpoint, given.ema)
  needed = {'sample', 'latent', *(['standing'] if given.standing else [])}
  if needed - {*trained.game.predict}:
    raise ConfigError(
      f'this needs a system that can {", ".join(sorted(needed))}; this one can {", ".join(trained.game.predict)}'
    )
  from flax.errors import FlaxError

  if given.standing:
    import jax

    key = jax.random.key(given.seed)
    players = trained.game.predict['standing'](trained.players, key, batches=given.standing)
    trained = trained._replace(players=players)
  try:
    (write_sheet if kind in ('interpolation', 'truncation') else write_pictures)(trained, output)
  except OSError as error:
    raise ConfigError(f'{output} cannot be written: {error.strerror or error}') from error
  except FlaxError as error:
    raise ConfigError(
      f'step {trained.step} in {given.workdir} was made by another version of its model: {error}'
    ) from error
  print(f'step {trained.step}: wrote {output}')
  return 0


def write_sheet(trained: Trained, output: Path) -> None:
  """Writes a sheet of the kind that training leaves at its end."""
  from jaxgan import plots
  from jaxgan.evaluators.samples import Sheets

  given: Any = flags.FLAGS
  sheets = Sheets(trained.game, trained.class_names, seed=given.seed)
  if given.format == 'truncation':
    sheet = sheets.truncation(trained.players, given.convention)
  else:
    sheet = sheets.interpolation(trained.players, (given.seed, given.to_seed))
  plots.save(output, sheet)


def write_pictures(trained: Trained, output: Path) -> None:
  """Writes as many pictures as asked for, of one class or of all in turn."""
  import numpy as np

  from jaxgan import plots

  given: Any = flags.FLAGS
  number, names, one = given.n, trained.class_names, given['class'].value
  classes = max(len(names), 1)
  labels = np.arange(number) % classes if one is None else np.full(number, class_number(one, names))
  images, latents = draw(trained, labels, given.seed, given.truncation, given.convention)
  pictures = plots.to_uint8(images)[..., : images.shape[-1]]
  if given.format == 'grid':
    columns = classes if one is None and classes > 1 else 8
    plots.save(output, plots.grid(pictures, min(columns, number)))
  elif given.format == 'png':
    for i, picture in enumerate(pictures):
      plots.save(output / f'{i:06d}.png', picture)
  else:
    arrays = {'image': pictures, 'label': labels.astype(np.int32), 'z': latents}
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open('wb') as file:  # given a name, NumPy appends .npz to it
      np.savez_compressed(file, **arrays, class_names=np.array(names))


def run() -> None:
  """The console entry."""
  define_flags()
  command.run(main, __doc__)


if __name__ == '__main__':
  run()

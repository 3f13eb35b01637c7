"""python -m jaxgan.sample --workdir=... : pictures from a trained generator, from its work folder alone."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from jaxgan import command
from jaxgan.config import ConfigError, nearest

BATCH = 64
SHEETS = ('interpolation', 'truncation', 'arithmetic', 'mix')


def define_flags() -> None:
  """Defines the command's flags; not on import, for `load` and `draw` are used by other programs."""
  flags.DEFINE_string('workdir', None, 'work folder of a training run')
  flags.DEFINE_string(
    'output', None, 'file (grid, npz) or folder (png) to write [in the work folder]'
  )
  flags.DEFINE_enum('format', 'grid', ['grid', 'png', 'npz', *SHEETS], 'what to write')
  flags.DEFINE_string(
    'latents',
    None,
    'numbers of pictures of the grid, for --format=arithmetic as 0+1-2 or (0,1,2)-(3,4,5)+(6,7,8), '
    'whose brackets are means, for --format=mix as 0,1,2',
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
  flags.DEFINE_integer('seed', 0, 'of the latents', 0, command.LARGEST_SEED)
  flags.DEFINE_integer('to_seed', 1, 'where --format=interpolation ends', 0, command.LARGEST_SEED)
  flags.DEFINE_string('checkpoint', 'latest', 'latest, best or a step')
  flags.DEFINE_integer('run', 0, 'which run of a work folder with several', 0)
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
    config: of the run, as nested dicts.
    image_shape: (height, width, channels) of what it draws.
  """

  game: Any
  players: Mapping[str, Any]
  class_names: tuple[str, ...]
  step: int
  config: Mapping[str, Any]
  image_shape: tuple[int, int, int]


def load(
  workdir: str | Path, checkpoint: str | int = 'latest', ema: bool = True, run: int = 0
) -> Trained:
  """The trained game of a work folder, without its data and its optimiser.

  Args:
    workdir: of a training run.
    checkpoint: 'latest', 'best' or a step.
    ema: averaged variables where the run has them, else the live ones.
    run: which one of the runs that were trained side by side (`jaxgan.sweeps`).

  Raises:
    CheckpointError: there is no such checkpoint, or it is damaged.
    ConfigError: there is no such run, or it has diverged.
  """
  import jax
  import numpy as np

  from jaxgan import models, sweeps
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
  config, players = sweeps.one(meta['config'], players, run)
  game = models.make(
    config['model'],
    image_shape=tuple(data['image_shape']),
    num_classes=len(data['class_names']),
    **config['game'],
  )
  if not all(np.isfinite(np.asarray(x, np.float32)).all() for x in jax.tree.leaves(players)):
    raise ConfigError(
      f'{path}, run {run}, has diverged: its parameters at step {step} are not finite; '
      'give another --run or --checkpoint'
    )
  names = tuple(data['class_names']) if game.conditional else ()
  return Trained(game, players, names, step, config, tuple(data['image_shape']))


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
  import numpy as np

  predict, key = trained.game.predict, jax.random.key(seed)
  latent = jax.jit(
    lambda k: predict['latent'](
      trained.players, k, n=BATCH, truncation=truncation, convention=convention
    )
  )
  batches = -(-len(labels) // BATCH)
  latents = np.concatenate([latent(jax.random.fold_in(key, i)) for i in range(batches)])
  return pictures(trained, latents[: len(labels)], labels), latents[: len(labels)]


def pictures(trained: Trained, z: Any, labels: Any) -> Any:
  """Pictures of the given latents, whatever is drawn with them.

  Args:
    trained: see `load`.
    z: float [n, dim_z].
    labels: int [n].

  Returns:
    float32 [n, H, W, C] in [-1, 1].

  Raises:
    ConfigError: they are not finite.
  """
  import jax
  import jax.numpy as jnp
  import numpy as np

  sample, key = jax.jit(trained.game.predict['sample']), jax.random.key(0)
  z, labels = np.asarray(z, np.float32), np.asarray(labels, np.int32)
  images = []
  for i in range(0, len(z), BATCH):
    part = np.arange(i, i + BATCH).clip(max=len(z) - 1)  # one shape is compiled
    images.append(
      np.asarray(sample(trained.players, key, label=jnp.asarray(labels[part]), z=z[part]))
    )
  if not np.isfinite(images).all():
    raise ConfigError(
      f'the samples at step {trained.step} are not finite: the run has diverged; give another '
      '--checkpoint'
    )
  return np.concatenate(images)[: len(z)]


def main(argv: Sequence[str]) -> int:
  """Writes what the flags ask for; returns the exit code."""
  given: Any = flags.FLAGS
  if len(argv) > 1:
    raise ConfigError(f'unexpected argument {argv[1]!r}; flags look like --n=16')
  if given.workdir is None:
    raise ConfigError('no work folder given; try --workdir=runs/biggan')
  if (given.format in ('arithmetic', 'mix')) != (given.latents is not None):
    raise ConfigError(
      '--latents=0+1-2 goes with --format=arithmetic, and --latents=0,1,2 with --format=mix'
    )
  if not math.isfinite(given.truncation):
    raise ConfigError(f'truncation={given.truncation}; expected a number, such as 0.5')
  kind = given.format
  default = {'png': 'sampled', 'npz': 'samples.npz'}.get(kind, f'{kind}_seed{given.seed}.png')
  output = Path(given.output or Path(given.workdir) / default).expanduser()
  trained = load(given.workdir, given.checkpoint, given.ema, given.run)
  needed = {'sample', 'latent', *(['standing'] if given.standing else [])}
  if needed - {*trained.game.predict}:
    raise ConfigError(
      f'this needs a system that can {", ".join(sorted(needed))}; this one can {", ".join(trained.game.predict)}'
    )
  from flax.errors import FlaxError

  if kind != 'npz' and trained.image_shape[-1] not in (1, 3):
    raise ConfigError(f'these are points, not pictures; --format={kind} needs pictures, give npz')
  if given.standing:
    import jax

    key = jax.random.key(given.seed)
    players = trained.game.predict['standing'](trained.players, key, batches=given.standing)
    trained = trained._replace(players=players)
  try:
    (write_sheet if kind in SHEETS else write_pictures)(trained, output)
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
  from jaxgan import arithmetic, plots
  from jaxgan.evaluators.samples import Sheets

  given: Any = flags.FLAGS
  if given.format in ('arithmetic', 'mix'):
    sheet_of = getattr(arithmetic, f'{given.format}_sheet')
    plots.save(output, sheet_of(trained, given.latents, partial(numbered, trained), given.seed))
    return
  sheets = Sheets(trained.game, trained.class_names, seed=given.seed)
  if given.format == 'truncation' and not sheets.truncates():
    raise ConfigError('the latents of this model are discrete and cannot be truncated')
  if given.format == 'truncation':
    sheet = sheets.truncation(trained.players, given.convention)
  else:
    sheet = sheets.interpolation(trained.players, (given.seed, given.to_seed))
  plots.save(output, sheet)


def numbered(trained: Trained, count: int) -> tuple[Any, Any, Any]:
  """(pictures, latents, labels) of the first `count` that the flags ask for, see `draw`."""
  import numpy as np

  given: Any = flags.FLAGS
  names, one = trained.class_names, given['class'].value
  labels = np.arange(count) % max(len(names), 1)
  if one is not None:
    labels = np.full(count, class_number(one, names))
  return *draw(trained, labels, given.seed, given.truncation, given.convention), labels


def write_pictures(trained: Trained, output: Path) -> None:
  """Writes as many pictures as asked for, of one class or of all in turn."""
  import numpy as np

  from jaxgan import plots

  given: Any = flags.FLAGS
  number, names, one = given.n, trained.class_names, given['class'].value
  images, latents, labels = numbered(trained, number)
  drawn = images
  if images.shape[-1] in (1, 3):
    drawn = plots.to_uint8(images)[..., : images.shape[-1]]
  if given.format == 'grid':
    columns = len(names) if one is None and len(names) > 1 else 8
    plots.save(output, plots.grid(drawn, min(columns, number)))
  elif given.format == 'png':
    for i, picture in enumerate(drawn):
      plots.save(output / f'{i:06d}.png', picture)
  else:
    arrays = {'image': drawn, 'label': labels.astype(np.int32), 'z': latents}
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open('wb') as file:  # given a name, NumPy appends .npz to it
      np.savez_compressed(file, **arrays, class_names=np.array(names))


def run() -> None:
  """The console entry."""
  define_flags()
  command.run(main, __doc__)


if __name__ == '__main__':
  run()

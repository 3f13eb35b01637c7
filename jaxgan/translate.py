"""python -m jaxgan.translate --workdir=... --input=FOLDER --output=FOLDER : pictures through a trained translator."""

import html
import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from absl import flags

from jaxgan import command
from jaxgan.config import ConfigError

MULTIPLE = 256  # a side that every network takes


def define_flags() -> None:
  """Defines the command's flags; not on import."""
  flags.DEFINE_string('workdir', None, 'work folder of a training run')
  flags.DEFINE_string('input', None, 'folder of pictures')
  flags.DEFINE_string('output', None, 'folder to write: pictures of the same names, and index.html')
  flags.DEFINE_string('target', None, 'folder of what should come out, by name, for the page')
  flags.DEFINE_enum(
    'direction', None, ['AtoB', 'BtoA'], 'which way, A and B of the data [as data.direction says]'
  )
  flags.DEFINE_enum(
    'size',
    'trained',
    ['trained', 'own'],
    "trained = as in training; own = every picture's, cut to what the network takes",
  )
  flags.DEFINE_string('checkpoint', 'latest', 'latest, best or a step')
  flags.DEFINE_integer('run', 0, 'which run of a work folder with several', 0)
  flags.DEFINE_bool(
    'ema', True, 'averaged weights where there are any; --noema takes the live ones'
  )
  flags.DEFINE_bool('noise', None, 'dropout, as in training [as the config says]')
  flags.DEFINE_integer('seed', None, 'of the noise [that of the run]', 0, command.LARGEST_SEED)


def pictures_in(root: Path) -> list[tuple[str, Path]]:
  """(name without its ending, path) of the pictures below a folder, in the order of their names.

  Raises:
    DataError: there is none.
    ConfigError: there is no such folder, or two pictures differ in their ending alone.
  """
  from jaxgan.datasets import folder

  if not root.is_dir():
    raise ConfigError(f'{root} is not a folder of pictures')
  files = folder.find(root, 'none')
  found = sorted((str(Path(n).with_suffix('')), p) for n, p in zip(files.names, files.paths))
  for (name, one), (other, two) in itertools.pairwise(found):
    if name == other:
      raise ConfigError(f'{one} and {two} would both become {name}.png; rename one of them')
  return found


def check_apart(output: Path, **folders: Path) -> None:
  """Whether what is written cannot fall among what is read.

  Raises:
    ConfigError: the output is one of the folders, or one holds the other.
  """
  out = output.resolve()
  for name, folder in folders.items():
    there = folder.resolve()
    if out == there or out in there.parents or there in out.parents:
      raise ConfigError(
        f'--output={output} and --{name}={folder}: one holds the other; give an output of its own'
      )


def free(wanted: str, names: Iterable[str]) -> str:
  """A folder's name, with underscores where pictures lie in one of that name."""
  taken = {name.split('/')[0].lower() for name in names if '/' in name}
  while wanted in taken:
    wanted += '_'
  return wanted


def read(path: Path, trained: Any, own_size: bool, multiple: int) -> Any:
  """A picture as the network takes it, uint8 [H, W, C].

  Raises:
    ConfigError: it cannot be read, or is too small.
  """
  from jaxgan.datasets import DataError, pictures

  height, width, channels = trained.image_shape
  try:
    picture = pictures.decode(path)
  except DataError as error:
    raise ConfigError(f'{path} cannot be read: {error}') from None
  if not own_size:
    return pictures.pixels(pictures.fit(picture, height, trained.config['data']['crop']), channels)
  width, height = (side - side % multiple for side in picture.size)
  if not width or not height:
    raise ConfigError(
      f'{path} has {picture.size[0]}x{picture.size[1]} pixels; this network takes multiples of '
      f'{multiple}: give larger pictures, or --size=trained'
    )
  left, top = (picture.size[0] - width) // 2, (picture.size[1] - height) // 2
  return pictures.pixels(picture.crop((left, top, left + width, top + height)), channels)


def multiple_of(trained: Any) -> int:
  """The sides of pictures that the trained network takes are multiples of this."""
  import jax
  import numpy as np

  def takes(side: int) -> bool:
    image = jax.ShapeDtypeStruct((1, side, side, trained.image_shape[-1]), np.float32)
    translate = lambda image: trained.game.predict['translate'](
      trained.players, jax.random.key(0), image=image
    )
    try:
      jax.eval_shape(translate, image)
    except ValueError:
      return False
    return True

  # the smallest power of two of which three make no other
  return next((2**i for i in range(9) if takes(3 * 2**i)), MULTIPLE)


def page(rows: Sequence[Sequence[tuple[str, str]]], title: str) -> str:
  """HTML of pictures side by side: rows of (caption, relative path)."""
  cell = lambda caption, path: (
    f'<figure><img src="{quote(path)}" alt="{html.escape(caption, quote=True)}">'
    f'<figcaption>{html.escape(caption)}</figcaption></figure>'
  )
  body = '\n'.join(f'<div>{"".join(cell(*one) for one in row)}</div>' for row in rows)
  style = (
    'body{font:14px sans-serif;margin:2em}div{display:flex;gap:1em;margin-bottom:1em}'
    'figure{margin:0}img{max-width:30vw;min-width:128px;image-rendering:pixelated}'
  )
  head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{style}</style>'
  return f'<!doctype html><html><head>{head}</head><body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n'


def main(argv: Sequence[str]) -> int:
  """Writes what the flags ask for; returns the exit code."""
  given: Any = flags.FLAGS
  if len(argv) > 1:
    raise ConfigError(f'unexpected argument {argv[1]!r}; flags look like --direction=BtoA')
  for name in ('workdir', 'input', 'output'):
    if given[name].value is None:
      raise ConfigError(f'--{name} is missing; expected --workdir, --input and --output')
  folders = {k: Path(given[k].value).expanduser() for k in ('input', 'target') if given[k].value}
  output = Path(given.output).expanduser()
  checkpoints = Path(given.workdir).expanduser() / 'checkpoints'
  check_apart(output, **folders, workdir=checkpoints)
  found = pictures_in(folders['input'])
  targets = dict(pictures_in(folders['target'])) if 'target' in folders else {}
  from jaxgan import sample

  trained = sample.load(given.workdir, given.checkpoint, given.ema, given.run)
  if 'translate' not in trained.game.predict:
    known = ', '.join(trained.game.predict)
    raise ConfigError(f'the system in {given.workdir} can {known} but not translate')
  forth = way(trained, given.direction)
  try:
    bad = write(trained, found, targets, output, *forth)
  except OSError as error:
    raise ConfigError(f'{given.output} cannot be written: {error.strerror or error}') from error
  wrote = len(found) - sum(path in bad for _, path in found)
  print(f'step {trained.step}: wrote {wrote} pictures and index.html to {given.output}')
  for reason in bad.values():
    print(f'left out: {reason}', file=sys.stderr)
  return 1 if bad else 0


def way(trained: Any, wanted: str | None) -> tuple[str, str]:
  """(direction in the data's names, the same in the game's): those are exchanged where the data were turned.

  Raises:
    ConfigError: the system does not go that way.
  """
  from jaxgan.evaluators.translations import goes

  learnt = trained.config['data']['direction']
  named = wanted or learnt
  forth = 'AtoB' if named == learnt else 'BtoA'
  if not goes(trained.game, trained.players, trained.image_shape, forth):
    raise ConfigError(f'--direction={named}; this system was trained {learnt}, and knows no other')
  return named, forth


def write(
  trained: Any,
  found: Sequence[tuple[str, Path]],
  targets: dict[str, Path],
  output: Path,
  named: str,
  direction: str,
) -> dict[Path, str]:
  """Translates pictures one by one, and writes them, what was put in, and the page.

  Returns:
    Picture -> reason, of those that cannot be read or are too small.
  """
  from tqdm import tqdm

  from jaxgan import plots
  from jaxgan.evaluators.translations import translator

  given: Any = flags.FLAGS
  own = given.size == 'own'
  multiple = multiple_of(trained) if own else 1
  seed = trained.config['seed'] if given.seed is None else given.seed
  translate = translator(trained.game, direction, given.noise, seed)
  inputs, beside = (free(name, (n for n, _ in found)) for name in ('inputs', 'targets'))
  for half in output.rglob('.*.tmp'):  # of a run that was killed
    if re.fullmatch(r'\..+\.(png|html)\w{8}\.tmp', half.name):
      half.unlink()
  rows, bad = [], {}
  for name, path in tqdm(found, 'translating', unit='img', leave=False):
    try:
      image = read(path, trained, own, multiple)
      drawn = translate(trained.players, image[None])[0]
    except ConfigError as error:
      bad[path] = str(error)
      continue
    except ValueError as error:  # a multiple may still be too small
      height, width = image.shape[:2]
      bad[path] = f'{path}, cut to {width}x{height} pixels: {error}'
      continue
    plots.save(output / inputs / f'{name}.png', image)
    plots.save(output / f'{name}.png', drawn)
    row = [(f'{name}: input', f'{inputs}/{name}.png'), ('output', f'{name}.png')]
    if name in targets:
      like = trained._replace(image_shape=drawn.shape)  # larger than the input of super-resolution
      try:
        target = read(targets[name], like, own, multiple)
        plots.save(output / beside / f'{name}.png', target)
        row.append(('target', f'{beside}/{name}.png'))
      except ConfigError as error:
        bad[targets[name]] = str(error)
    rows.append(row)
  title = f'{trained.config["model"]} {named}, step {trained.step}'
  plots.atomically(output / 'index.html', lambda file: file.write(page(rows, title).encode()))
  return bad


def run() -> None:
  """The console entry."""
  define_flags()
  command.run(main, __doc__)


if __name__ == '__main__':
  run()

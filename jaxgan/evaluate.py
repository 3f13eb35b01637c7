"""python -m jaxgan.evaluate --workdir=... : scores of a trained generator, or of anybody's pictures, as records.

--workdir=runs/biggan                          against the data it was trained on
--workdir=runs/biggan --checkpoint=all         every checkpoint that is kept
--samples=FOLDER --reference=FOLDER            pictures against pictures; also FILE.npz, or an embedded data
                                               set or a part of it, such as pixel_faces:train[90%:]
--workdir=runs/biggan --bootstrap=100          with 95 % intervals, from so many random halves of both sides
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags

from jaxgan import command
from jaxgan.config import ConfigError, nearest

if TYPE_CHECKING:  # --help shall not wait for jax
  from jaxgan.measures import Pictures

MOST_CLASSES = 2**16  # whose numbers a file may have instead of names


def define_flags() -> None:
  """Defines the command's flags."""
  flags.DEFINE_string('workdir', None, 'work folder of a training run')
  flags.DEFINE_string('checkpoint', 'latest', 'latest, best, a step, or all')
  flags.DEFINE_integer('run', 0, 'which run of a work folder with several', 0)
  flags.DEFINE_bool('ema', True, 'averaged weights; --noema takes the live ones')
  flags.DEFINE_float('truncation', 0.0, 'truncation of the latents; 0 = none', 0.0)
  flags.DEFINE_string('samples', None, 'pictures in place of a work folder: a folder or FILE.npz')
  flags.DEFINE_string(
    'reference', None, 'a folder, FILE.npz or an embedded data set [the data of the run]'
  )
  flags.DEFINE_integer(
    'resolution',
    0,
    'side that the pictures of folders and embedded data sets are scaled to; 0 = as they come',
    0,
  )
  flags.DEFINE_list(
    'metrics',
    None,
    'some of frechet_distance, kernel_distance, precision, recall, density, coverage [these], '
    'inception_score, frechet_infinity, sliced_wasserstein, patch_swd, ms_ssim_diversity; with the '
    'classes of both sides intra_class_frechet; with --held_out memorisation, copied; with both '
    'classification_accuracy_score',
  )
  flags.DEFINE_string(
    'features',
    'auto',
    'domain = a classifier trained on the reference, efficientnet (ImageNet), inception (of the FID); '
    'auto = domain where the reference has classes',
  )
  flags.DEFINE_string(
    'held_out',
    None,
    'real pictures that training did not see: with --workdir a part of its data that shares nothing '
    'with data.split of the run, such as test [health.held_out of the run], else as --reference',
  )
  flags.DEFINE_integer('bootstrap', 0, 'random halves that give 95 % intervals; 0 = none', 0)
  flags.DEFINE_integer('n', 2048, 'samples, and real pictures at most', 2)
  flags.DEFINE_integer('k', 5, 'neighbour of precision, recall, density and coverage', 1)
  flags.DEFINE_integer(
    'seed', 0, 'of the latents and of the choice of real pictures', 0, command.LARGEST_SEED
  )
  flags.DEFINE_string(
    'cache_dir',
    '',
    'where classifiers, moments and opened pictures are kept [~/.cache/jaxgan/data]',
  )
  flags.DEFINE_string('output', None, 'JSON lines [scores.jsonl in the work folder]')


class Samples(NamedTuple):
  """What is scored.

  Attributes:
    step: of the checkpoint; None for pictures that are there already.
    run: what the stamp says of it, see `scores.of_run`, or of the pictures.
    draw: gives the pictures, with the classes asked for.
  """

  step: int | None
  run: Mapping[str, Any]
  draw: 'Callable[[], Pictures]'


def read(given: str, cache_dir: str = '', resolution: int = 0) -> 'Pictures':
  """The pictures of a folder, an npz file, an embedded data set, or a part of that (NAME:SPLIT).

  Args:
    given: which ones.
    cache_dir: where opened folders are kept.
    resolution: their side in pixels, which those of a file must have; 0 = as they come.

  Raises:
    ConfigError, DataError: there are none, or they are of unlike sizes.
  """
  from jaxgan import datasets, scoring
  from jaxgan.datasets import embedded

  path = Path(given).expanduser()
  if path.suffix == '.npz':
    found = _of_npz(path)
    if resolution and found.images.shape[1:3] != (resolution, resolution):
      raise ConfigError(
        f'{path} holds pictures of {found.images.shape[1:]}, which --resolution={resolution} does '
        'not scale; give a folder'
      )
    return found
  if path.is_dir():
    folder: dict[str, Any] = {'data_dir': given, 'cache_dir': cache_dir, 'resolution': resolution}
    return scoring.of_dataset(datasets.load('folder', **folder), 'train')
  name, _, split = given.partition(':')
  if name in embedded.SETS:
    split = split or 'train'
    return scoring.of_dataset(
      datasets.load('embedded', name, split=split, resolution=resolution), split
    )
  raise ConfigError(
    f'{given!r} is no folder and no .npz file; of embedded data sets {nearest(name, embedded.SETS)}'
  )


def _of_npz(path: Path) -> 'Pictures':
  from jaxgan.measures import Pictures

  try:
    file = np.load(path)
    if not isinstance(file, np.lib.npyio.NpzFile):
      raise ConfigError(f'{path} is a single array of .npy; expected what np.savez writes')
    with file:
      name = next((n for n in ('image', 'images', 'arr_0', 'x') if n in file.files), '')
      if not name:
        raise ConfigError(
          f'{path} holds {", ".join(file.files)}; expected the array image or arr_0'
        )
      images = file[name]
      of_class = next((n for n in ('label', 'labels', 'y') if n in file.files), '')
      labels = file[of_class] if of_class else np.zeros(len(images), np.int64)
      names = file['class_names'].tolist() if 'class_names' in file.files else []
  except ConfigError:
    raise
  except Exception as error:  # zip files break in a dozen ways
    raise ConfigError(f'{path} cannot be read as .npz: {" ".join(str(error).split())}') from error
  if (
    images.ndim != 4
    or images.dtype != np.uint8
    or images.shape[-1] not in (1, 3)
    or not len(images)
  ):
    raise ConfigError(
      f'{path}: {name} is {images.dtype} {images.shape}; expected uint8 [N, H, W, 1 or 3]'
    )
  if labels.shape != images.shape[:1] or labels.dtype.kind not in 'iu' or labels.min() < 0:
    raise ConfigError(
      f'{path}: {of_class} is {labels.dtype} {labels.shape}; expected {len(images)} class numbers'
    )
  most = int(labels.max())
  if names and most >= len(names):
    raise ConfigError(
      f'{path}: {of_class} goes up to {most}, but class_names has {len(names)}; expected a name '
      f'for each of 0 to {most}'
    )
  if of_class and not names:
    if most >= MOST_CLASSES:
      raise ConfigError(
        f'{path}: {of_class} goes up to {most}; expected class numbers below {MOST_CLASSES:,}, '
        'which ids are not: leave them out'
      )
    names = [str(i) for i in range(most + 1)]
  return Pictures(path.name, name, images, labels.astype(np.int64), tuple(map(str, names)))


def table(records: Sequence[Any]) -> str:
  """Scores as lines for the terminal, in columns."""
  rows = [(record.stamp.title, record.told) for record in records]
  width = max(len(name) for name, _ in rows)
  return '\n'.join(f'  {name:<{width}}  {value}' for name, value in rows)


def main(argv: Sequence[str]) -> int:
  """Measures what the flags ask for; returns the exit code."""
  from jaxgan import measures, plots, scores, scoring

  given: Any = flags.FLAGS
  if len(argv) > 1:
    raise ConfigError(f'unexpected argument {argv[1]!r}; flags look like --n=16')
  if (given.workdir is None) == (given.samples is None):
    raise ConfigError('give --workdir=RUN, or --samples=FOLDER with --reference=FOLDER')
  if given.workdir is None and given.reference is None:
    raise ConfigError('no reference given; try --reference=FOLDER or --reference=pixel_faces')
  if not math.isfinite(given.truncation):
    raise ConfigError(f'truncation={given.truncation}; expected a number, such as 0.5')
  foreign = [f for f in ('ema', 'truncation', 'checkpoint', 'run') if flags.FLAGS[f].present]
  if given.workdir is None and foreign:
    raise ConfigError(f'--{foreign[0]} is of a run; --samples are there already: leave it out')
  chosen = scoring.DEFAULT if given.metrics is None else given.metrics
  measures.check(chosen, given.workdir is not None or bool(given.held_out))
  if given.reference is None and given.resolution:
    raise ConfigError(
      f'--resolution={given.resolution} is of --samples and --reference; the data of a run have '
      'its size: leave it out'
    )
  if given.bootstrap == 1:
    raise ConfigError('--bootstrap=1; one half has no spread, expected 2 or more, such as 100')
  if given.workdir is None:
    look = lambda place: read(place, given.cache_dir, given.resolution)
    pictures = scoring.drawn(look(given.samples), given.n, given.seed)
    made_by: dict[str, Any] = {'truncation': None, 'samples': scoring.named(pictures).name}
    fakes, reference = [Samples(None, made_by, lambda: pictures)], look(given.reference)
    held_out = look(given.held_out) if given.held_out else None
    output = Path(given.output or 'scores.jsonl')
  else:
    fakes, reference, held_out = _of_workdir(given)
    output = Path(given.output or Path(given.workdir) / 'scores.jsonl')
  measures.check(chosen, held_out is not None)
  output = output.expanduser()
  scores.append(output, [])
  made = fakes[0].draw()
  judge = scoring.Judge(
    reference,
    given.features,
    chosen,
    given.n,
    given.k,
    given.seed,
    given.cache_dir,
    held_out,
    given.bootstrap,
    made,
  )
  plotted = []
  for step, told, draw in fakes:
    made = made if step == fakes[0].step else draw()
    records = judge(made.images, labels=made.labels, classes=made.classes, **told)
    scores.append(output, records)
    print(f'{"step " + format(step, ",") if step is not None else given.samples}:')
    print(table(records), flush=True)
    plotted += [{'step': step, r.stamp.metric: r.value} for r in records]
  if len(fakes) > 1:
    plots.curves(plotted, output.with_suffix('.png'), 'scores of the checkpoints')
  s = records[0].stamp
  print(
    f'{s.count:,} samples against {s.reference_count:,} of {s.reference} ({s.split}), '
    f'features {s.extractor}; written to {output}'
  )
  return 0


def _of_workdir(given: Any) -> 'tuple[list[Samples], Pictures, Pictures | None]':
  """(samples of every checkpoint asked for, reference, what training did not see) of a trained run."""
  from jaxgan import datasets, plots, sample, scores, scoring
  from jaxgan.checkpoint import Checkpoints
  from jaxgan.config import BATCHING
  from jaxgan.evaluators.health import check_held_out
  from jaxgan.measures import Pictures

  which: list[Any] = [given.checkpoint]
  if given.checkpoint == 'all':
    which = Checkpoints(Path(given.workdir).expanduser() / 'checkpoints').steps() or ['latest']
  trained = sample.load(given.workdir, which[-1], given.ema, given.run)
  if not {'sample', 'latent'} <= {*trained.game.predict}:
    raise ConfigError(f'this system can {", ".join(trained.game.predict)} and draws no samples')
  data = {k: v for k, v in trained.config['data'].items() if k not in BATCHING}
  load = lambda split: datasets.load(**{**data, 'split': split})
  part = lambda split: scoring.of_dataset(load(split), split)
  reference = (
    part(data['split'])
    if given.reference is None
    else read(given.reference, given.cache_dir, given.resolution)
  )
  unseen = given.held_out or trained.config.get('health', {}).get('held_out')
  if unseen:
    try:
      check_held_out(data['split'], unseen, lambda split: load(split).size)
    except ValueError as error:
      raise ConfigError(str(error)) from error
  held_out = part(unseen) if unseen else None
  made_by = {**scores.of_run(trained.config, given.ema), 'truncation': given.truncation}

  def sampler(step: Any) -> Callable[[], Pictures]:
    def draw() -> Pictures:
      at = trained
      if step != trained.step:
        at = sample.load(given.workdir, step, given.ema, given.run)
      like = reference.classes == at.class_names and len(at.class_names) > 1
      among = reference.labels if like else max(1, len(at.class_names))  # each as often as others
      labels = np.random.default_rng(given.seed).choice(among, given.n)
      images = sample.draw(at, labels, given.seed, given.truncation)[0]
      images = plots.to_uint8(images)[..., : images.shape[-1]]
      return Pictures('samples', '', images, labels, at.class_names)

    return draw

  steps = [trained.step] if given.checkpoint != 'all' else which
  fakes = [Samples(step, {**made_by, 'step': step}, sampler(step)) for step in steps]
  return fakes, reference, held_out


def run() -> None:
  """The console entry."""
  define_flags()
  command.run(main, __doc__)


if __name__ == '__main__':
  run()

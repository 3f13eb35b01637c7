"""python -m jaxgan.evaluate --workdir=... : scores of a trained generator, or of anybody's pictures, as records.

--workdir=runs/biggan                          against the data it was trained on
--workdir=runs/biggan --checkpoint=all         every checkpoint that is kept
--samples=FOLDER --reference=FOLDER            pictures against pictures; also FILE.npz, or the name of an
                                               embedded data set
"""

import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags

from jaxgan import command
from jaxgan.config import ConfigError, nearest

if TYPE_CHECKING:  # --help shall not wait for jax
  from jaxgan import scoring


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
  flags.DEFINE_list(
    'metrics',
    None,
    'some of frechet_distance, kernel_distance, precision, recall, density, coverage, inception_score '
    '[all but the last]',
  )
  flags.DEFINE_string(
    'features',
    'auto',
    'domain = a classifier trained on the reference, efficientnet (ImageNet), inception (of the FID); '
    'auto = domain where the reference has classes',
  )
  flags.DEFINE_integer('n', 2048, 'samples, and real pictures at most', 2)
  flags.DEFINE_integer('k', 5, 'neighbour of precision, recall, density and coverage', 1)
  flags.DEFINE_integer('seed', 0, 'of the latents and of the choice of real pictures', 0)
  flags.DEFINE_string('cache_dir', '', 'where classifiers and moments are kept [~/.cache/jaxgan]')
  flags.DEFINE_string('output', None, 'JSON lines [scores.jsonl in the work folder]')


class Samples(NamedTuple):
  """What is scored.

  Attributes:
    step: of the checkpoint; None for pictures that are there already.
    run: what `scores.of_run` says of it; {} for pictures.
    draw: gives uint8 [N, H, W, C].
  """

  step: int | None
  run: Mapping[str, Any]
  draw: Callable[[], np.ndarray]


def read(given: str) -> 'scoring.Pictures':
  """The pictures of a folder, an npz file, or an embedded data set.

  Raises:
    ConfigError, DataError: there are none, or they are of unlike sizes.
  """
  from jaxgan import datasets, scoring
  from jaxgan.datasets import embedded

  path = Path(given).expanduser()
  if path.suffix == '.npz':
    return _of_npz(path)
  if path.is_dir():
    return scoring.of_dataset(datasets.load('folder', data_dir=given), 'train')
  if given in embedded.SETS:
    return scoring.of_dataset(datasets.load('embedded', given), 'train')
  raise ConfigError(
    f'{given!r} is no folder and no .npz file; of embedded data sets {nearest(given, embedded.SETS)}'
  )


def _of_npz(path: Path) -> 'scoring.Pictures':
  from jaxgan import scoring

  try:
    with np.load(path) as file:
      name = next((n for n in ('image', 'images', 'arr_0', 'x') if n in file.files), '')
      if not name:
        raise ConfigError(
          f'{path} holds {", ".join(file.files)}; expected the array image or arr_0'
        )
      images = file[name]
  except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
    raise ConfigError(f'{path} cannot be read as .npz: {error}') from error
  if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
    raise ConfigError(
      f'{path}: {name} is {images.dtype} {images.shape}; expected uint8 [N, H, W, 1 or 3]'
    )
  return scoring.Pictures(path.name, name, images, np.zeros(len(images), np.int64))


def table(records: Sequence[Any]) -> str:
  """Scores as lines for the terminal, in columns."""
  rows = [
    (
      record.stamp.title,
      f'{record.value:.5g}' + ('' if record.error is None else f' ± {record.error:.2g}'),
    )
    for record in records
  ]
  width = max(len(name) for name, _ in rows)
  return '\n'.join(f'  {name:<{width}}  {value}' for name, value in rows)


def main(argv: Sequence[str]) -> int:
  """Measures what the flags ask for; returns the exit code."""
  from jaxgan import plots, scores, scoring

  given: Any = flags.FLAGS
  if len(argv) > 1:
    raise ConfigError(f'unexpected argument {argv[1]!r}; flags look like --n=16')
  if (given.workdir is None) == (given.samples is None):
    raise ConfigError('give --workdir=RUN, or --samples=FOLDER with --reference=FOLDER')
  if given.workdir is None and given.reference is None:
    raise ConfigError('no reference given; try --reference=FOLDER or --reference=pixel_faces')
  if not math.isfinite(given.truncation):
    raise ConfigError(f'truncation={given.truncation}; expected a number, such as 0.5')
  chosen = scoring.DEFAULT if given.metrics is None else given.metrics
  scoring.check_metrics(chosen)
  if given.workdir is None:
    images = scoring.drawn(read(given.samples).images, given.n, given.seed)
    fakes, reference = [Samples(None, {}, lambda: images)], read(given.reference)
    output = Path(given.output or 'scores.jsonl')
  else:
    fakes, reference = _of_workdir(given)
    output = Path(given.output or Path(given.workdir) / 'scores.jsonl')
  judge = scoring.Judge(
    reference, given.features, chosen, given.n, given.k, given.seed, given.cache_dir
  )
  lines = []
  for step, made_by, draw in fakes:
    records = judge(draw(), given.truncation, **made_by)
    print(f'{"step " + format(step, ",") if step is not None else given.samples}:')
    print(table(records), flush=True)
    lines += [json.dumps({'step': step, **json.loads(scores.to_json(r))}) for r in records]
  try:
    output.expanduser().parent.mkdir(parents=True, exist_ok=True)
    with output.expanduser().open('a') as file:
      file.write('\n'.join(lines) + '\n')
  except OSError as error:
    raise ConfigError(f'{output} cannot be written: {error.strerror or error}') from error
  if len(fakes) > 1:
    rows = [json.loads(line) for line in lines]
    plotted = [{'step': r['step'], r['stamp']['metric']: r['value']} for r in rows]
    plots.curves(plotted, output.with_suffix('.png'), 'scores of the checkpoints')
  s = records[0].stamp
  print(
    f'{s.count:,} samples against {s.reference_count:,} of {s.reference} ({s.split}), '
    f'features {s.extractor}; written to {output}'
  )
  return 0


def _of_workdir(given: Any) -> 'tuple[list[Samples], scoring.Pictures]':
  """(samples of every checkpoint asked for, reference) of a trained run."""
  from jaxgan import datasets, plots, sample, scores, scoring
  from jaxgan.checkpoint import Checkpoints
  from jaxgan.config import BATCHING

  which: list[Any] = [given.checkpoint]
  if given.checkpoint == 'all':
    which = Checkpoints(Path(given.workdir).expanduser() / 'checkpoints').steps()
  trained = sample.load(given.workdir, which[-1], given.ema, given.run)
  if not {'sample', 'latent'} <= {*trained.game.predict}:
    raise ConfigError(f'this system can {", ".join(trained.game.predict)} and draws no samples')
  data = dict(trained.config['data'])
  if given.reference is not None:
    reference = read(given.reference)
  else:
    dataset = datasets.load(**{k: v for k, v in data.items() if k not in BATCHING})
    reference = scoring.of_dataset(dataset, data['split'])
  made_by = scores.of_run(trained.config, given.ema)

  def sampler(step: Any) -> Callable[[], np.ndarray]:
    def draw() -> np.ndarray:
      at = trained
      if step != trained.step:
        at = sample.load(given.workdir, step, given.ema, given.run)
      classes = max(len(at.class_names), 1)
      rng = np.random.default_rng(given.seed)
      labels = rng.choice(reference.labels, given.n) if classes > 1 else np.zeros(given.n, int)
      images = sample.draw(at, labels % classes, given.seed, given.truncation)[0]
      return plots.to_uint8(images)[..., : images.shape[-1]]

    return draw

  steps = [trained.step] if given.checkpoint != 'all' else which
  return [Samples(step, made_by, sampler(step)) for step in steps], reference


def run() -> None:
  """The console entry."""
  define_flags()
  command.run(main, __doc__)


if __name__ == '__main__':
  run()

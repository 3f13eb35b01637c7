"""python -m jaxgan.evaluate --workdir=... : scores of a trained generator, or of anybody's pictures, as records.

--workdir=runs/biggan                          against the data it was trained on
--workdir=runs/biggan --checkpoint=all         every checkpoint that is kept
--samples=FOLDER --reference=FOLDER            pictures against pictures; also FILE.npz, or the name of an
                                               embedded data set
"""

import hashlib
import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from jaxgan import command
from jaxgan.config import ConfigError, nearest

SUBSETS = 10  # whose kernel distances give its standard error
METRICS = {
  'frechet_distance': (),
  'kernel_distance': (),
  'precision': ('k',),
  'recall': ('k',),
  'density': ('k',),
  'coverage': ('k',),
  'inception_score': (),
}
DEFAULT = ['frechet_distance', 'kernel_distance', 'precision', 'recall', 'density', 'coverage']
MOST_BYTES = 2**28  # of pictures that a classifier learns from
FEATURES = ('auto', 'domain', 'efficientnet', 'inception')


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
  flags.DEFINE_list('metrics', DEFAULT, f'some of {", ".join(METRICS)}')
  flags.DEFINE_enum(
    'features',
    'auto',
    FEATURES,
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
    config: hash of the config of the run.
    draw: gives uint8 [N, H, W, C].
  """

  step: int | None
  config: str
  draw: Callable[[], np.ndarray]


class Pictures(NamedTuple):
  """Some pictures and what a stamp says of them.

  Attributes:
    name, split: which ones.
    images: uint8 [N, H, W, C].
    labels: int [N]; all 0 without classes.
    classes: how many; 0 or 1 = none.
  """

  name: str
  split: str
  images: np.ndarray
  labels: np.ndarray
  classes: int = 0


def read(given: str) -> Pictures:
  """The pictures of a folder, an npz file, or an embedded data set.

  Raises:
    ConfigError, DataError: there are none, or they are of unlike sizes.
  """
  from jaxgan import datasets
  from jaxgan.datasets import embedded

  path = Path(given).expanduser()
  if path.suffix == '.npz':
    return _of_npz(path)
  if path.is_dir():
    return of_dataset(datasets.load('folder', data_dir=given), 'train')
  if given in embedded.SETS:
    return of_dataset(datasets.load('embedded', given), 'train')
  raise ConfigError(
    f'{given!r} is no folder and no .npz file; of embedded data sets {nearest(given, embedded.SETS)}'
  )


def _of_npz(path: Path) -> Pictures:
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
  return Pictures(path.name, name, images, np.zeros(len(images), np.int64))


def of_dataset(dataset: Any, split: str) -> Pictures:
  """The pictures of a data set, as many as MOST_BYTES hold.

  Raises:
    ConfigError: it holds no pictures.
  """
  if not dataset.pictures:
    raise ConfigError(f'{dataset.name} has points, not pictures; see the evaluator modes')
  most = max(1, MOST_BYTES // int(np.prod(dataset.image_shape)))
  rows = np.sort(np.random.default_rng(0).permutation(dataset.size)[:most])
  batch = dataset.fetch(rows)
  classes = len(dataset.class_names)
  return Pictures(dataset.name, split, batch['image'], batch['label'], classes)


def drawn(images: np.ndarray, count: int, seed: int) -> np.ndarray:
  """So many of the pictures at most, without repetition."""
  return images[np.sort(np.random.default_rng(seed).permutation(len(images))[:count])]


def extractor_of(name: str, reference: Pictures, cache_dir: str) -> Any:
  """The network of that name; 'auto' is the reference's own classifier where it has classes.

  Raises:
    ConfigError: a classifier is asked for and there are no classes to learn, or weights are missing.
  """
  from jaxgan.datasets import cache
  from jaxgan.importers.torch_file import WeightsError
  from jaxgan.metrics.features import domain, efficientnet, inception

  if name == 'auto':
    name = 'domain' if reference.classes > 1 else 'efficientnet'
  if name == 'domain':
    if reference.classes < 2:
      raise ConfigError(
        f'{reference.name} has no classes that a classifier could learn; give --features=efficientnet'
      )
    folder = cache.folder(cache_dir) / 'classifiers'
    return domain.load(reference.images, reference.labels, reference.classes, folder)
  try:
    return {'efficientnet': efficientnet, 'inception': inception}[name].load()
  except WeightsError as error:
    raise ConfigError(str(error)) from error


def measure(
  metrics: Sequence[str], real: Mapping[str, Any], fake: Mapping[str, Any], k: int
) -> dict[str, tuple[float, float | None]]:
  """name -> (value, standard error or None) of features.

  Args:
    metrics: some of METRICS.
    real, fake: 'features' [N, D] of each, and 'logits'.
    k: neighbour of `prdc`.

  Raises:
    ConfigError: too few pictures, or logits that the network does not have.
  """
  from jaxgan import metrics as scores

  x, y = real['features'], fake['features']
  least = min(len(x), len(y))
  if least <= k:
    raise ConfigError(f'{len(y)} samples and {len(x)} real pictures; k={k} needs more of both')
  found: dict[str, tuple[float, float | None]] = {}
  near = {'precision', 'recall', 'density', 'coverage'} & set(metrics)
  if near:
    values = scores.prdc(x, y, k)
    found |= {name: (float(values[name]), None) for name in near}
  if 'frechet_distance' in metrics:
    one, two = scores.moments(x), scores.moments(y)
    found['frechet_distance'] = (scores.frechet_distance(*one[:2], *two[:2]), None)
  if 'kernel_distance' in metrics:
    whole = scores.kernel_distance(y, x, subset_size=None)
    size = max(2, least // SUBSETS)  # disjoint ones: their spread is that of new samples
    parts = scores.kernel_distance(y, x, subsets=None, subset_size=size)
    found['kernel_distance'] = (whole.mean, parts.standard_error)
  if 'inception_score' in metrics:
    if 'logits' not in fake:
      raise ConfigError('inception_score needs logits, which this network does not give')
    score = scores.inception_score(fake['logits'])
    found['inception_score'] = (score.mean, score.standard_error)
  return {name: found[name] for name in metrics}


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
  from jaxgan import plots, scores

  given: Any = flags.FLAGS
  if len(argv) > 1:
    raise ConfigError(f'unexpected argument {argv[1]!r}; flags look like --n=16')
  if (given.workdir is None) == (given.samples is None):
    raise ConfigError('give --workdir=RUN, or --samples=FOLDER with --reference=FOLDER')
  if given.workdir is None and given.reference is None:
    raise ConfigError('no reference given; try --reference=FOLDER or --reference=pixel_faces')
  if not math.isfinite(given.truncation):
    raise ConfigError(f'truncation={given.truncation}; expected a number, such as 0.5')
  for name in given.metrics:
    if name not in METRICS:
      raise ConfigError(f'no metric {name!r}; {nearest(name, METRICS)}')
  if given.workdir is None:
    images = drawn(read(given.samples).images, given.n, given.seed)
    fakes, reference = [Samples(None, '', lambda: images)], read(given.reference)
    output = Path(given.output or 'scores.jsonl')
  else:
    fakes, reference = _of_workdir(given)
    output = Path(given.output or Path(given.workdir) / 'scores.jsonl')
  judge = Judge(reference, given)
  lines = []
  for step, config, draw in fakes:
    records = judge(draw(), config)
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


class Judge:
  """A reference and a network, ready to score samples.

  Args:
    reference: the real pictures.
    given: the flags.
  """

  def __init__(self, reference: Pictures, given: Any):
    self.given, self.extractor = given, extractor_of(given.features, reference, given.cache_dir)
    self.reference = reference._replace(images=drawn(reference.images, given.n, given.seed))
    self.real = self.seen(self.reference.images)

  def seen(self, images: np.ndarray) -> dict[str, np.ndarray]:
    """'features' and, where the network has them, 'logits' of pictures."""
    from jaxgan.metrics import features

    taps = [self.extractor.default, *({'logits'} & set(self.extractor.taps))]
    found = features.extract(self.extractor, images, taps)
    return {('features' if tap == self.extractor.default else tap): found[tap] for tap in taps}

  def __call__(self, images: np.ndarray, config: str) -> list[Any]:
    """The records of some samples.

    Raises:
      ConfigError: pictures of another size, where the network takes only one.
    """
    from jaxgan import scores

    given = self.given
    shape, known = images.shape[1:], self.reference.images.shape[1:]
    if self.extractor.resizer == 'none' and shape != known:
      raise ConfigError(
        f'samples of {shape}, reference of {known}; a classifier of the reference needs one size: '
        'give --features=efficientnet'
      )
    found = measure(given.metrics, self.real, self.seen(images), given.k)
    return [
      scores.Score(
        value,
        scores.Stamp(
          metric=name,
          extractor=self.extractor.name,
          sha256=self.extractor.sha256,
          tap=self.extractor.default,
          resizer=self.extractor.resizer,
          reference=self.reference.name,
          split=self.reference.split,
          reference_count=len(self.reference.images),
          count=len(images),
          seed=given.seed,
          truncation=given.truncation,
          ema=given.ema,
          config=config,
          settings=tuple((option, getattr(given, option)) for option in METRICS[name]),
        ),
        error,
      )
      for name, (value, error) in found.items()
    ]


def _of_workdir(given: Any) -> tuple[list[Samples], Pictures]:
  """(samples of every checkpoint asked for, reference) of a trained run."""
  from jaxgan import datasets, plots, sample
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
    reference = of_dataset(dataset, data['split'])
  told = json.dumps(trained.config, sort_keys=True, default=str)
  config = hashlib.sha256(told.encode()).hexdigest()[:12]

  def sampler(step: Any) -> Callable[[], np.ndarray]:
    def draw() -> np.ndarray:
      at = sample.load(given.workdir, step, given.ema, given.run)
      classes = max(len(at.class_names), 1)
      rng = np.random.default_rng(given.seed)
      labels = rng.choice(reference.labels, given.n) if classes > 1 else np.zeros(given.n, int)
      images = sample.draw(at, labels % classes, given.seed, given.truncation)[0]
      return plots.to_uint8(images)[..., : images.shape[-1]]

    return draw

  steps = [trained.step] if given.checkpoint != 'all' else which
  return [Samples(step, config, sampler(step)) for step in steps], reference


def run() -> None:
  """The console entry."""
  define_flags()
  command.run(main, __doc__)


if __name__ == '__main__':
  run()

"""A score is a record: a number with the stamp of how it was measured, so that unlike ones never compare."""

import dataclasses
import functools
import hashlib
import json
import math
import os
import subprocess
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import jaxgan
from jaxgan import plots
from jaxgan.errors import UserError
from jaxgan.metrics.features import inception
from jaxgan.metrics.frechet import Moments

VERSION = 3  # of the metrics of this package; raised whenever the number of one of them changes
WHOSE = ('config', 'commit', 'step', 'samples')  # of whom the score is: what is compared
FRECHET = 'frechet_distance'


class ScoreError(UserError):
  """Scores that do not compare, or a record that cannot be read; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Stamp:
  """How a score was measured.

  Attributes:
    metric: name of the function of `jaxgan.metrics`.
    extractor, sha256, tap, resizer: of the features; see `metrics.features.Extractor`.
    reference, split, reference_count: the real pictures, and how many of them.
    count: of samples.
    seed: of the samples.
    truncation: of the latents, 0 = those of training; None = nobody knows.
    ema: whether the averaged weights made the samples; None = nobody knows.
    dtype: that the features were computed in, products and convolutions too.
    config: hash of the config of the run.
    commit: of the code that measured, see `commit`.
    step: of the checkpoint; None = there is none.
    samples: name and content of pictures that were there already; '' = a run's own.
    settings: the metric's own, as (name, value), sorted.
    version: of the metric.
  """

  metric: str
  extractor: str
  sha256: str
  tap: str
  resizer: str
  reference: str
  split: str
  reference_count: int
  count: int
  seed: int = 0
  truncation: float | None = None
  ema: bool | None = None
  dtype: str = 'float32'
  config: str = ''
  commit: str = ''
  step: int | None = None
  samples: str = ''
  settings: tuple[tuple[str, Any], ...] = ()
  version: int = VERSION

  @property
  def title(self) -> str:
    """What the score may be called: FID only for the Frechet distance on the FID's own Inception."""
    features = (self.sha256, self.tap, self.resizer)
    if self.metric == FRECHET and features == (inception.SHA256, '2048', inception.RESIZER):
      return 'FID'
    return f'{self.metric}({"/".join(filter(None, (self.extractor, self.tap)))})'


@dataclasses.dataclass(frozen=True)
class Score:
  """A number and its stamp.

  Attributes:
    value: the number.
    stamp: how it was measured.
    error: its standard error; None where the metric has none.
    interval: (low, high) that holds 95 %, see `measures.interval`; None where it was not asked for.
    resamples: from which the interval is.
  """

  value: float
  stamp: Stamp
  error: float | None = None
  interval: tuple[float, float] | None = None
  resamples: int = 0

  @property
  def told(self) -> str:
    """The number in words: 2.5 ± 0.25 [2.1, 2.9]."""
    sure = self.error is not None and math.isfinite(self.error)
    error = f' ± {self.error:.2g}' if sure else ''
    interval = '' if self.interval is None else ' [{:.5g}, {:.5g}]'.format(*self.interval)
    return f'{self.value:.5g}{error}{interval}'

  def __str__(self) -> str:
    s = self.stamp
    return f'{s.title} {self.told} ({s.count} samples, {s.reference} {s.split} {s.reference_count})'


@functools.cache
def commit() -> str:
  """Which code this is: the commit of the checkout, + where it was changed since, or else the version."""
  root = Path(jaxgan.__file__).parents[1]
  if (root / '.git').exists():  # a file in a second work tree
    words = [
      'git',
      '-C',
      str(root),
      'describe',
      '--always',
      '--abbrev=12',
      '--dirty=+',
      '--exclude=*',
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}  # of a hook
    try:
      done = subprocess.run(
        words, capture_output=True, text=True, env=clean, timeout=10, check=True
      )
      return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
      pass  # no git here, or none that reads it
  return jaxgan.__version__


def of_run(config: Mapping[str, Any], ema: bool = True) -> dict[str, Any]:
  """What a stamp says of a run by its config: the hash of that, and whether averages made the samples.

  Args:
    config: nested dicts.
    ema: whether averages are taken where there are any.
  """
  told = json.dumps(config, sort_keys=True, default=str)
  averaged = ema and 'generator' in config['ema']['players']
  return {'config': hashlib.sha256(told.encode()).hexdigest()[:12], 'ema': averaged}


def differing(one: Stamp, two: Stamp) -> dict[str, tuple[Any, Any]]:
  """Field -> (of one, of two), of those that must be alike and are not; what nobody knows is like all."""
  fields = (f.name for f in dataclasses.fields(Stamp) if f.name not in WHOSE)
  pairs = {name: (getattr(one, name), getattr(two, name)) for name in fields}
  return {name: p for name, p in pairs.items() if p[0] != p[1] and None not in p}


def difference(one: Score, two: Score) -> float:
  """The value of one less that of two.

  Raises:
    ScoreError: they were not measured alike; names every field that differs. Only the config, the commit,
      the step and the pictures' name may: they say whose scores they are.
  """
  unlike = differing(one.stamp, two.stamp)
  if unlike:
    told = ', '.join(f'{name} {a!r} and {b!r}' for name, (a, b) in unlike.items())
    raise ScoreError(
      f'{one.stamp.title} and {two.stamp.title} do not compare: they differ in {told}'
    )
  return one.value - two.value


def to_json(score: Score) -> str:
  """The record as one line of JSON, in which a number that is not finite is null."""
  body = dataclasses.asdict(score)
  plain = lambda x: x if x is None or math.isfinite(x) else None
  ends = None if score.interval is None else [plain(x) for x in score.interval]
  body |= {'value': plain(score.value), 'error': plain(score.error), 'interval': ends}
  return json.dumps(body, sort_keys=True, allow_nan=False)


def append(path: Any, records: Sequence[Score]) -> None:
  """Adds records to a file, a line each, with the step in front; its folder is made when missing.

  Raises:
    ScoreError: it cannot be written; without records it is only tried.
  """
  lines = [f'{{"step": {json.dumps(r.stamp.step)}, {to_json(r)[1:]}\n' for r in records]
  try:
    path = Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as file:
      file.writelines(lines)
  except OSError as error:
    raise ScoreError(f'{path} cannot be written: {error.strerror or error}') from error


def from_json(text: str) -> Score:
  """What `to_json` wrote.

  Raises:
    ScoreError: something else.
  """
  try:
    body = json.loads(text)
    stamp = dict(body['stamp'])
    stamp['settings'] = tuple((name, value) for name, value in stamp['settings'])
    ends, number = body.get('interval'), lambda x: math.nan if x is None else float(x)
    return Score(
      number(body['value']),
      Stamp(**stamp),
      body['error'],
      None if ends is None else (number(ends[0]), number(ends[1])),
      int(body.get('resamples', 0)),
    )
  except (ValueError, KeyError, TypeError, IndexError) as error:
    raise ScoreError(f'no record of a score: {" ".join(str(error).split())[:80]}') from error


def reference_moments(
  cache_dir: Any, stamp: Stamp, compute: Callable[[], Moments]
) -> tuple[Moments, Path]:
  """Moments of the reference, computed once for every way of measuring them and shared by all runs.

  Args:
    cache_dir: folder; made when missing. A damaged file is computed again; where nothing can be written
      they are computed every time, with a warning.
    stamp: of which the extractor, the resizer, the reference and the dtype count.
    compute: gives the moments.

  Returns:
    (moments, the file that holds them), written atomically.

  Raises:
    ScoreError: they are of another number of pictures than the stamp says.
  """
  names = (
    'extractor',
    'sha256',
    'tap',
    'resizer',
    'reference',
    'split',
    'reference_count',
    'dtype',
  )
  said: Mapping[str, Any] = {name: getattr(stamp, name) for name in names}
  told = json.dumps(said, sort_keys=True)
  key = hashlib.sha256(told.encode()).hexdigest()[:24]
  path = Path(cache_dir).expanduser() / f'moments-{key}.npz'
  try:
    with np.load(path) as file:
      found = Moments(file['mean'], file['cov'], int(file['size']))
      whole = str(file['stamp']) == told and found.mean.ndim == 1 and np.isfinite(found.cov).all()
      if whole and found.cov.shape == 2 * found.mean.shape and found.size == stamp.reference_count:
        return found, path
  except Exception:  # not there yet, or damaged: zip files break in a dozen ways
    pass
  found = compute()
  if found.size != stamp.reference_count:
    raise ScoreError(
      f'moments of {found.size} pictures; the stamp says reference_count={stamp.reference_count}'
    )
  write = lambda file: np.savez(
    file, mean=found.mean, cov=found.cov, size=found.size, stamp=np.array(told)
  )
  try:
    plots.atomically(path, write)
  except OSError as error:
    warnings.warn(f'cannot keep the moments of the reference in {cache_dir}: {error}', stacklevel=2)
  return found, path

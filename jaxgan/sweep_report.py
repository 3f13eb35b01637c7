"""What came of many runs: mean and standard deviation over seeds of every score, as table, JSON and plot."""

import itertools
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgan import health, plots, sweeps
from jaxgan.config import ConfigError
from jaxgan.sweeps import Sweep


class Report:
  """The scores of the runs of a sweep, how healthy they are, and which runs have diverged.

  Args:
    sweep: the runs.
    folder: run r leaves the looks at its health in its subfolder r.
  """

  def __init__(self, sweep: Sweep, folder: Path):
    self.sweep, self.folder, self.step = sweep, folder, 0
    self.scores: dict[int, dict[str, float]] = {run: {} for run in range(sweep.size)}
    self.diverged: dict[
      int, int
    ] = {}  # run -> the step in which it met a number that is not finite

  def alive(self) -> list[int]:
    """The runs that have not diverged."""
    return [run for run in self.scores if run not in self.diverged]

  def name(self, run: int) -> str:
    """'run 3 (r1.gamma=10, seed 1 of 2)'."""
    seeds, told = self.sweep.seeds, sweeps.told(self.sweep.points[run // self.sweep.seeds])
    of = f'seed {run % seeds + 1} of {seeds}' if seeds > 1 else ''
    return f'run {run} ({", ".join(filter(None, [told, of]))})'

  def add(self, step: int, found: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """Takes the scores of the runs at a step; returns NAME and NAME_std over all of them."""
    self.step = step
    for run, scores in found.items():
      self.scores[run] |= scores
    means: dict[str, float] = {}
    for name in dict.fromkeys(name for scores in found.values() for name in scores):
      values = [scores[name] for scores in found.values() if name in scores]
      means[name], means[f'{name}_std'] = spread(values)
    return means

  def names(self) -> list[str]:
    """Of the scores there are."""
    return list(dict.fromkeys(name for scores in self.scores.values() for name in scores))

  def of(self, point: int, name: str) -> list[float]:
    """A score of the runs of a point that have not diverged."""
    runs = [run for run in self.alive() if run // self.sweep.seeds == point]
    return [self.scores[run][name] for run in runs if name in self.scores[run]]

  def health(self, runs: Iterable[int]) -> str:
    """How those runs were judged last, in words; '' where none was."""
    return health.tally(self.folder / str(run) / 'health.json' for run in runs)

  def lost(self, point: int) -> list[int]:
    """The steps in which runs of a point diverged."""
    return sorted(s for run, s in self.diverged.items() if run // self.sweep.seeds == point)

  def table(self) -> list[str]:
    """Aligned lines: a row a point, its swept numbers, then mean ± standard deviation of each score."""
    seeds, names, alive = self.sweep.seeds, self.names(), self.alive()
    rows = [[*sweeps.labels(self.sweep.values), *names, 'health']]
    for i, point in enumerate(self.sweep.points):
      lost = self.lost(i)
      steps = ', '.join(map(str, lost))
      note = f'{len(lost)} of {seeds} diverged (step {steps})' if lost else ''
      judged = self.health(run for run in alive if run // seeds == i)
      found = [told(self.of(i, n)) for n in names]
      rows.append([*(f'{v:g}' for v in point.values()), *found, judged, note])
    rows[0].append('')
    if not any(row[-2] for row in rows[1:]):
      rows = [[*row[:-2], row[-1]] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ['  '.join(f'{cell:<{w}}' for cell, w in zip(row, widths)).rstrip() for row in rows]
    over = f'mean ± standard deviation over {seeds} seeds' if seeds > 1 else 'one seed each'
    return ['', f'{self.sweep.size} runs, {over}', *(f'  {line}' for line in lines)]

  def to_json(self) -> dict[str, Any]:
    """What a checkpoint keeps: the step of the last scores, and a dict a run."""
    points, seeds = self.sweep.points, self.sweep.seeds
    runs = [
      {
        'point': points[run // seeds],
        'seed': run % seeds,
        'scores': {k: v if math.isfinite(v) else None for k, v in scores.items()},
        'diverged': self.diverged.get(run),
      }
      for run, scores in self.scores.items()
    ]
    return {'step': self.step, 'runs': runs}

  def recall(self, known: Mapping[str, Any]) -> None:
    """Takes over what `to_json` gave.

    Raises:
      ConfigError: it is of other runs.
    """
    for run, (row, now) in enumerate(zip(known['runs'], self.to_json()['runs'])):
      if (row['point'], row['seed']) != (now['point'], now['seed']):
        was = sweeps.told(row['point']) or 'nothing swept'
        raise ConfigError(
          f'run {run} was trained with {was}, seed {row["seed"]}, and is now {self.name(run)}; '
          'give the same runs.sweep and runs.seeds, or another --workdir'
        )
    self.step = known['step']
    for run, row in enumerate(known['runs']):
      self.scores[run] = {k: math.nan if v is None else v for k, v in row['scores'].items()}
      if row['diverged'] is not None:
        self.diverged[run] = row['diverged']

  def write(self, folder: Path) -> None:
    """Writes sweep.json."""
    known = self.to_json()
    for run, row in enumerate(known['runs']):
      looks = health.read(self.folder / str(run) / 'health.json')
      row['health'] = str(health.of(looks[-1])) if looks else None
    text = json.dumps(known, indent=2) + '\n'
    plots.atomically(folder / 'sweep.json', lambda file: file.write(text.encode()))

  def plot(self, path: Path) -> None:
    """Writes the scores against the first swept number, one panel a score; nothing without both.

    Numbers with equal ratios between them lie on a logarithmic axis. Error bars are standard
    deviations over seeds, dots the runs; other swept numbers make lines of their own, side by side
    where they meet. A cross below tells of diverged runs.
    """
    names, paths = self.names(), list(self.sweep.values)
    if not names or not paths:
      return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(4.8 * columns, 3.4 * lines), facecolor=plots.PAPER)
    canvas = FigureCanvasAgg(figure)
    figure.set_layout_engine('constrained', w_pad=0.12, h_pad=0.12)
    every = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, name in itertools.zip_longest(every, names):
      if name is None:
        axes.set_visible(False)
      else:
        self._panel(axes, name)
    handles, labels = every[0].get_legend_handles_labels()
    if any(labels):
      style = {'fontsize': 8.5, 'frameon': False, 'labelcolor': plots.INK}
      fit = max(1, 70 * columns // (max(map(len, labels)) + 8))  # of about so many letters
      figure.legend(handles, labels, loc='outside lower center', ncols=fit, **style)
    plots.atomically(path, lambda file: canvas.print_png(file))

  def _panel(self, axes: Any, name: str) -> None:
    first, *others = sweeps.labels(self.sweep.values)
    points = self.sweep.points
    groups: dict[tuple[float, ...], list[int]] = {}
    for i, point in enumerate(points):
      groups.setdefault(tuple(point.values())[1:], []).append(i)
    at = [next(iter(point.values())) for point in points]
    from matplotlib.transforms import ScaledTranslation

    colors = itertools.cycle(plots.PALETTE)
    for i, (color, (rest, members)) in enumerate(zip(colors, groups.items())):
      aside = 5 / 72 * (i - (len(groups) - 1) / 2) * min(1, 6 / len(groups))  # inches
      shift = ScaledTranslation(aside, 0, axes.figure.dpi_scale_trans)
      place = axes.transData + shift
      label = ', '.join(f'{k}={v:g}' for k, v in zip(others, rest))
      members = sorted((i for i in members if self.of(i, name)), key=at.__getitem__)
      mean, std = zip(*(spread(self.of(i, name)) for i in members)) if members else ((), ())
      x = [at[i] for i in members]
      style: dict[str, Any] = {
        'transform': place,
        'color': color,
        'marker': 'o',
        'markersize': 5,
        'linewidth': 1.8,
        'capsize': 3,
      }
      axes.errorbar(x, mean, yerr=std if self.sweep.seeds > 1 else None, label=label, **style)
      limits = [(a, m + s) for a, m, d in zip(x, mean, std) for s in (-d, d)]
      for i in members if self.sweep.seeds > 1 else ():
        of = self.of(i, name)
        limits += [(at[i], value) for value in of]
        axes.plot(
          [at[i]] * len(of), of, '.', color=color, alpha=0.35, markersize=5, transform=place
        )
      if limits:  # which matplotlib does not see where lines are moved aside
        axes.update_datalim(limits)
    lost = sorted({at[i] for i in range(len(points)) if self.lost(i)})
    if lost:
      place = axes.get_xaxis_transform()
      axes.plot(lost, [0.03] * len(lost), 'x', color='#d00000', transform=place, clip_on=False)
    values = sorted({*at})
    scale, options = scale_of(values)
    axes.set_xscale(scale, **options)
    axes.autoscale_view()
    across = axes.transData + axes.transAxes.inverted()
    texts, last = [], -math.inf
    for v, x in zip(values, across.transform([(v, 0) for v in values])[:, 0]):
      free = x - last > 0.12  # of the width: labels do not run into each other
      texts.append(f'{v:g}' if free else '')
      last = x if free else last
    axes.set_xticks(values, texts)
    axes.minorticks_off()
    axes.set_xlabel(first + (' (cross: runs diverged)' if lost else ''), color=plots.FAINT)
    axes.set_title(name, loc='left', fontsize=11, color=plots.INK, fontweight='bold')
    axes.grid(axis='y', color='#e6e8ed', linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ('top', 'right', 'left'):
      axes.spines[side].set_visible(False)
    axes.tick_params(colors=plots.FAINT, labelsize=8.5)


def spread(values: Sequence[float]) -> tuple[float, float]:
  """(mean, standard deviation with n - 1; 0 of one value)."""
  if not all(map(math.isfinite, values)):
    return math.nan, math.nan
  return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def told(values: Sequence[float]) -> str:
  """'0.52 ± 0.03'; one value alone; '-' for none."""
  mean, deviation = spread(values) if values else (math.nan, 0.0)
  if not values:
    return '-'
  return f'{mean:.4g} ± {deviation:.2g}' if len(values) > 1 else f'{mean:.4g}'


def scale_of(values: Sequence[float]) -> tuple[str, dict[str, float]]:
  """The axis, with its options, on which sorted distinct values lie most evenly."""
  positive = [v for v in values if v > 0]
  if values[0] < 0 or len(positive) < 2 or positive[-1] < 5 * positive[0]:
    return 'linear', {}
  if len(positive) > 2 and uneven(positive) < uneven([math.log(v) for v in positive]):
    return 'linear', {}
  zero = len(positive) < len(values)
  return ('symlog', {'linthresh': positive[0]}) if zero else ('log', {})


def uneven(values: Sequence[float]) -> float:
  """Standard deviation of the steps between values, in units of their mean."""
  steps = [b - a for a, b in itertools.pairwise(values)]
  return statistics.pstdev(steps) / statistics.fmean(steps)

"""A game in the plane as a moving picture: samples, the discriminator's surface, its gradients, the score.

Frames are drawn with matplotlib's Agg canvas and joined to a GIF with Pillow.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from jaxgan.plots import FAINT, INK, PALETTE, PAPER, PlotError, atomically

REACH = 1.1  # the plane is shown from -REACH to REACH
SURFACE, ARROWS = 64, 17  # points a side at which logits, and gradients, are asked for
LEVELS = np.array([0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1])
SHOWN = 1000  # samples drawn
CAPTION = (
  'circles: modes   dots: samples   blue: judged real, orange: fake   arrows: the pull on samples'
)
MILLISECONDS, LAST = 120, 2500  # of a frame, and of the last one


class Frame(NamedTuple):
  """The state of a game at one step.

  Attributes:
    step: train steps done.
    points: float [N, 2], samples.
    scores: 'modes' and 'high_quality', see `jaxgan.metrics.modes.of_points`.
    logits: [SURFACE, SURFACE] at `positions(SURFACE)`, first axis y, 0 where the discriminator is
      undecided; None when the game has none.
    gradients: [ARROWS, ARROWS, 2] of the logit at `positions(ARROWS)`, or None.
  """

  step: int
  points: Any
  scores: Mapping[str, float]
  logits: Any = None
  gradients: Any = None


def positions(side: int) -> np.ndarray:
  """side x side points of the shown plane: float32 [side, side, 2], first axis y, last (x, y)."""
  axis = np.linspace(-REACH, REACH, side, dtype=np.float32)
  return np.stack(np.meshgrid(axis, axis), -1)


def squash(logits: Any) -> np.ndarray:
  """sigmoid(logit / s) in [0, 1]; s >= 0.4 is such that slopes can be seen, however sure it is."""
  logits = np.nan_to_num(np.asarray(logits, float))
  scale = max(0.4, float(np.quantile(np.abs(logits), 0.9)) / 3)
  return 0.5 * (1 + np.tanh(0.5 * logits / scale))


def draw(frames: Sequence[Frame], means: Any, title: str = '') -> list[Image.Image]:
  """A picture a frame; the strip below shows the scores of all frames up to it.

  Args:
    frames: in the order of their steps.
    means: [K, 2], the modes.
    title: a line above the plane.

  Raises:
    PlotError: there is no frame.
  """
  if not frames:
    raise PlotError('no frame to draw')
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  width, height = 6.0, 7.7
  figure = Figure(figsize=(width, height), dpi=100, facecolor=PAPER)
  canvas = FigureCanvasAgg(figure)
  plane = figure.add_axes((0.03, 0.225, 0.94, 0.94 * width / height))
  strip = figure.add_axes((0.09, 0.045, 0.8, 0.105))
  share = strip.twinx()
  pictures = []
  for i, frame in enumerate(frames):
    for axes in (plane, strip, share):
      axes.clear()
    _draw_plane(plane, frame, np.asarray(means), title)
    _draw_strip(strip, share, frames, i, len(means))
    canvas.draw()
    pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
  return pictures


def _draw_plane(axes: Any, frame: Frame, means: np.ndarray, title: str) -> None:
  from matplotlib.colors import LinearSegmentedColormap

  axis = np.linspace(-REACH, REACH, SURFACE)
  if frame.logits is not None:
    colors = LinearSegmentedColormap.from_list('judged', ['#f2c4b3', '#faf8f5', '#7ea6e8'])
    surface = squash(frame.logits)
    axes.contourf(axis, axis, surface, LEVELS, cmap=colors, vmin=0, vmax=1)
    axes.contour(axis, axis, surface, LEVELS[1:-1], colors=PAPER, linewidths=0.6)
    axes.contour(axis, axis, surface, [0.5], colors=[INK], linewidths=1.0, linestyles='--')
  if frame.gradients is not None:
    x, y = positions(ARROWS)[1:-1, 1:-1].transpose(2, 0, 1)
    arrows = np.nan_to_num(np.asarray(frame.gradients, float))[1:-1, 1:-1]
    length = np.linalg.norm(arrows, axis=-1, keepdims=True)
    half = np.median(length) + 1e-12  # longer ones grow less, so that steep places do not hide all
    u, v = (0.9 * 2 * REACH / (ARROWS - 1) * arrows / (length + half)).transpose(2, 0, 1)
    axes.quiver(
      x, y, u, v, angles='xy', scale_units='xy', scale=1, width=0.0035, color='#5b6374', alpha=0.8
    )
  axes.plot(*means.T, 'o', ms=13, mfc='none', mec=INK, mew=1.3)
  points = np.asarray(frame.points, float)[:SHOWN]
  axes.plot(*points.T, 'o', ms=3.2, color=PALETTE[1], mec=PAPER, mew=0.25, alpha=0.85)
  axes.set_xlim(-REACH, REACH)
  axes.set_ylim(-REACH, REACH)
  axes.set_xticks([])
  axes.set_yticks([])
  for side in axes.spines.values():
    side.set_color('#c5c9d3')
  quality = f'{frame.scores["high_quality"]:.0%} within 3 deviations'
  modes = f'{frame.scores["modes"]:.0f} of {len(means)} modes'
  axes.set_title(title, loc='left', fontsize=11, color=INK, fontweight='bold')
  axes.set_title(f'step {frame.step:,}   {modes}   {quality}', loc='right', fontsize=10, color=INK)
  axes.set_xlabel(CAPTION, fontsize=8, color=FAINT, loc='left', labelpad=4)


def _draw_strip(strip: Any, share: Any, frames: Sequence[Frame], upto: int, modes: int) -> None:
  from matplotlib.ticker import EngFormatter, MaxNLocator

  steps = [frame.step for frame in frames]
  for axes, name, top, color in (
    (strip, 'modes', modes, INK),
    (share, 'high_quality', 1, PALETTE[1]),
  ):
    values = [frame.scores[name] for frame in frames[: upto + 1]]
    axes.plot(steps[: upto + 1], values, color=color, linewidth=1.6)
    axes.plot(steps[upto], values[-1], 'o', color=color, markersize=5, clip_on=False)
    axes.set_xlim(0, max(steps[-1], 1))
    axes.set_ylim(0, top * 1.05)
    axes.set_yticks([0, top])
    axes.tick_params(colors=color, labelsize=8, length=0)
    for side in ('top', 'left', 'right'):
      axes.spines[side].set_visible(False)
    axes.spines['bottom'].set_color('#c5c9d3')
  strip.set_ylabel('modes', fontsize=8, color=INK, labelpad=-2)
  share.yaxis.set_label_position('right')
  share.yaxis.tick_right()
  share.set_yticklabels(['0', '100 %'])
  share.set_ylabel('at a mode', fontsize=8, color=PALETTE[1], labelpad=-18)
  strip.xaxis.set_major_locator(MaxNLocator(6, integer=True))
  strip.xaxis.set_major_formatter(EngFormatter(sep=''))
  strip.tick_params(axis='x', colors=FAINT, labelsize=8)


def save(pictures: Sequence[Image.Image], path: Any) -> None:
  """Writes a GIF that loops, atomically.

  Args:
    pictures: RGB, of one size.
    path: an existing file is replaced.

  Raises:
    PlotError: there is no picture.
  """
  if not pictures:
    raise PlotError('no picture to animate')
  # one palette for all, of frames from beginning to end, and no dithering: still parts stay still
  some = pictures[:: max(1, len(pictures) // 8)]
  palette = Image.fromarray(np.concatenate([np.asarray(p)[::2, ::2] for p in some])).quantize(255)
  first, *rest = [p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
  durations = [MILLISECONDS] * len(rest) + [LAST]
  atomically(
    path,
    lambda file: first.save(
      file, 'GIF', save_all=True, append_images=rest, duration=durations, loop=0, optimize=False
    ),
  )

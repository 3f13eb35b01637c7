"""Pictures of a run: sheets of samples, and curves of what was logged.

Sheets are drawn with Pillow; matplotlib is imported only when curves are drawn, through its Agg
canvas, so that a user's own backend and style stay as they are.
"""

import math
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK = '#1f2430'
FAINT = '#868c9a'
PAPER = '#ffffff'
MISSING = '#f1f2f5'
BROKEN = (255, 0, 255)  # non-finite pixels are painted magenta: a NaN must be seen, never hidden
PALETTE = (
  '#2f6fdb', '#e4572e', '#2a9d6f', '#8d5bd6', '#d99a06', '#12a5b8', '#c9418b', '#6b7280',
)  # fmt: skip
_HEX = re.compile(r'#[0-9a-fA-F]{6}\b')
_UNIT_SCORE = re.compile(r'accuracy|precision|recall|density|coverage')


class PlotError(ValueError):
  """Arrays or rows that cannot be drawn; the message says what was expected."""


def to_uint8(images: Any) -> np.ndarray:
  """Pictures as uint8 RGB: round((x + 1) * 127.5), clipped; non-finite pixels turn magenta.

  Args:
    images: [..., H, W, C], C = 1 or 3; uint8 (returned as RGB), or float in [-1, 1].

  Returns:
    uint8 [..., H, W, 3].

  Raises:
    PlotError: for another shape or dtype.
  """
  images = np.asarray(images)
  if images.ndim < 3 or images.shape[-1] not in (1, 3):
    raise PlotError(f'pictures must be [..., H, W, 1 or 3], not {list(images.shape)}')
  if images.dtype == np.uint8:
    return np.broadcast_to(images, (*images.shape[:-1], 3))
  if images.dtype.kind in 'iub':
    raise PlotError(f'pictures must be uint8 or float in [-1, 1], not {images.dtype}')
  images = images.astype(np.float32)  # also bfloat16, which NumPy knows only as an extension
  broken = ~np.isfinite(images).all(-1)
  scaled = np.where(broken[..., None], 0, images)
  out = np.clip(np.round((scaled + 1) * 127.5), 0, 255).astype(np.uint8)
  out = np.array(np.broadcast_to(out, (*out.shape[:-1], 3)))
  out[broken] = BROKEN
  return out


def _font(size: int) -> Any:
  return ImageFont.load_default(size)


def _fit(draw: ImageDraw.ImageDraw, text: str, font: Any, width: float) -> str:
  """The text, or as much of its beginning as fits the width, with an ellipsis."""
  if draw.textlength(text, font=font) <= width:
    return text
  while text and draw.textlength(text + '...', font=font) > width:
    text = text[:-1]
  return text.rstrip() + '...' if text else ''


def _scale(height: int, width: int, rows: int, columns: int) -> int:
  """Whole-number enlargement: cells near 96 pixels, less when the sheet would pass 1400 x 1600."""
  room = min(96, 1400 // max(columns, 1), 1600 // max(rows, 1))
  return max(1, room // max(height, width))


def _split_label(label: str) -> tuple[str | None, str]:
  """'teal #009bbd' -> ('#009bbd', 'teal'); a bare '#009bbd' keeps its digits as the text."""
  found = _HEX.search(label)
  if not found:
    return None, label.strip()
  text = ' '.join(_HEX.sub(' ', label).split()).strip(' ,;:()')
  return found.group(), text or found.group()


def grid(
  images: Any,
  columns: int,
  scale: int | None = None,
  row_labels: Sequence[str] | None = None,
  column_labels: Sequence[str] | None = None,
  title: str | None = None,
) -> np.ndarray:
  """A sheet of pictures, row by row, each pixel enlarged to a square so that it can be seen.

  Args:
    images: [N, H, W, 1 or 3], uint8 or float in [-1, 1]; a last row that is not full stays grey.
    columns: pictures a row.
    scale: whole-number nearest-neighbour enlargement; None chooses one.
    row_labels: one text a row, drawn on the left; a hex colour in it ('teal #009bbd') is drawn as a
      swatch in front of the rest of the text.
    column_labels: one text a column, drawn above.
    title: one line above all.

  Returns:
    uint8 [height, width, 3].

  Raises:
    PlotError: for pictures of another shape or dtype, or labels whose number does not fit.
  """
  pictures = to_uint8(images)
  if pictures.ndim != 4 or not len(pictures):
    raise PlotError(f'a grid needs pictures [N, H, W, C] with N > 0, not {list(pictures.shape)}')
  n, h, w, _ = pictures.shape
  if columns < 1 or (scale is not None and scale < 1):
    raise PlotError(f'columns and scale must be at least 1, not {columns} and {scale}')
  rows = math.ceil(n / columns)
  for what, labels, expected in (('row', row_labels, rows), ('column', column_labels, columns)):
    if labels is not None and len(labels) != expected:
      raise PlotError(f'{len(labels)} {what} labels for {expected} {what}s')
  scale = scale or _scale(h, w, rows, columns)
  h, w, gap = h * scale, w * scale, 4 if max(h, w) * scale >= 32 else 2
  font = _font(max(11, min(16, h // 4)))
  probe = ImageDraw.Draw(Image.new('RGB', (1, 1)))
  swatch = max(9, min(18, h // 3))
  split = [_split_label(str(label)) for label in row_labels or ()]
  indent = swatch + 8 if any(color for color, _ in split) else 0
  margin = max(12, gap * 3)
  left = margin
  if split:
    widest = max(probe.textlength(text, font=font) for _, text in split)
    left += math.ceil(min(widest, 260)) + indent + 12
  top = margin + (30 if title else 0) + (22 if column_labels is not None else 0)
  body = columns * (w + gap) - gap
  heading = _font(19)
  needed = min(640, probe.textlength(title, font=heading) + 2 * margin) if title else 0
  width = max(left + body + margin, math.ceil(needed))
  sheet = Image.new('RGB', (width, top + rows * (h + gap) - gap + margin), PAPER)
  draw = ImageDraw.Draw(sheet)
  if title:
    shown = _fit(draw, title, heading, width - 2 * margin)
    draw.text((margin, margin), shown, INK, font=heading)
  for c, label in enumerate(column_labels or ()):
    text = _fit(draw, str(label), font, w + gap - 2)
    draw.text((left + c * (w + gap) + w / 2, top - 7), text, INK, font=font, anchor='ms')
  for r, (color, text) in enumerate(split):
    middle = top + r * (h + gap) + h / 2
    if color:
      corner = (margin, round(middle - swatch / 2))
      box = (*corner, corner[0] + swatch, corner[1] + swatch)
      draw.rounded_rectangle(box, radius=3, fill=color, outline='#d5d8de')
    draw.text((margin + indent, middle), _fit(draw, text, font, 260), INK, font=font, anchor='lm')
  for i in range(rows * columns):
    corner = (left + i % columns * (w + gap), top + i // columns * (h + gap))
    if i < n:
      sheet.paste(Image.fromarray(np.ascontiguousarray(pictures[i])).resize((w, h), 0), corner)
    else:
      draw.rectangle((*corner, corner[0] + w - 1, corner[1] + h - 1), fill=MISSING)
  return np.asarray(sheet)


def atomically(path: Any, write: Callable[[Any], None]) -> None:
  """Calls `write(file)` on a neighbour of the path, then renames: readers never see half a file."""
  path = os.fspath(path)
  folder = os.path.dirname(path) or '.'
  os.makedirs(folder, exist_ok=True)
  handle, temporary = tempfile.mkstemp(
    dir=folder, prefix='.' + os.path.basename(path), suffix='.tmp'
  )
  try:
    with os.fdopen(handle, 'wb') as file:
      write(file)
    os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner reads
    os.replace(temporary, path)
  except BaseException:
    os.unlink(temporary)
    raise


def save(path: Any, array: Any) -> None:
  """Writes a picture as PNG, atomically; folders on the way are made.

  Args:
    path: where to; an existing file is replaced.
    array: [H, W, 1 or 3], uint8 or float in [-1, 1].

  Raises:
    PlotError: for an array of another shape or dtype.
  """
  array = to_uint8(array)
  if array.ndim != 3:
    raise PlotError(f'one picture is [H, W, 1 or 3], not {list(array.shape)}')
  atomically(path, lambda file: Image.fromarray(np.ascontiguousarray(array)).save(file, 'PNG'))


def _panel_of(name: str) -> tuple[int, str]:
  """(order, title) of the panel in which a metric is drawn."""
  low = name.lower()
  if re.search(r'per_sec|steps?/s|images?/s|seconds|eta\b|throughput', low):
    return 80, 'Speed'
  if low.startswith('health/') and not re.search('logit|sigma|rank|modes', low):
    return 65, 'Health'
  if _UNIT_SCORE.search(low):
    return 0, 'Scores'
  if re.search(r'(?<![a-z])(fid|kid|fd|mmd|is|inception\w*)(?![a-z])', low):
    return 5, name
  if 'logit' in low:
    return 20, 'Logits'
  if 'grad' in low and 'penalt' not in low:
    return 30, 'Gradient norms'
  if 'norm' in low:
    return 40, 'Norms'
  if re.search(r'sigma|singular|spectral|rank|(?<![a-z])sv\d*(?![a-z])', low):
    return 50, 'Singular values'
  if re.search(r'(?<![a-z])lr|learning_rate', low):
    return 60, 'Learning rates'
  if re.search(r'memory|bytes', low):
    return 85, 'Memory'
  if re.search(r'penalt|ortho|regular|(?<![a-z])(r1|r2|gp)(?![a-z])', low):
    return 15, 'Penalties'
  if 'loss' in low:
    return 10, 'Losses'
  return 70, 'Other'


def _series(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """name -> (steps, values), float64 and sorted by step; strings such as 'NaN' become numbers."""
  points: dict[str, dict[float, float]] = {}
  for row in rows:
    try:
      step = float(row['step'])
    except (KeyError, TypeError, ValueError):
      continue
    for name, value in row.items():
      if name in ('step', 'time', 'wall_time', 'timestamp') or isinstance(value, bool):
        continue
      try:
        points.setdefault(name, {})[step] = float(value)
      except (TypeError, ValueError):
        continue
  return {
    name: (np.array(sorted(of)), np.array([of[s] for s in sorted(of)]))
    for name, of in points.items()
    if of
  }


def _smooth(values: np.ndarray, span: float) -> np.ndarray:
  """Running mean under a Gaussian of that width in points, centred so that it does not lag.

  NaN gaps and the ends are left out of the weights instead of being filled.
  """
  reach = np.arange(-math.ceil(3 * span), math.ceil(3 * span) + 1)
  kernel = np.exp(-0.5 * (reach / span) ** 2)
  good = np.isfinite(values)
  inside = slice(len(kernel) // 2, len(kernel) // 2 + len(values))
  weight = np.convolve(good.astype(float), kernel)[inside]
  total = np.convolve(np.where(good, values, 0), kernel)[inside]
  return np.where(good, total / np.maximum(weight, 1e-12), np.nan)


def _panels(series: Mapping[str, Any], most: int = 6) -> list[tuple[str, list[str]]]:
  """Titles with the names drawn under each, in reading order; a crowded panel is cut in several."""
  groups: dict[tuple[int, str], list[str]] = {}
  for name in series:
    groups.setdefault(_panel_of(name), []).append(name)
  panels = []
  for (_, title), names in sorted(groups.items()):
    parts = math.ceil(len(names) / most)
    for part in range(parts):
      suffix = f' ({part + 1} of {parts})' if parts > 1 else ''
      size = math.ceil(len(names) / parts)
      panels.append((title + suffix, sorted(names, key=_natural)[part * size : (part + 1) * size]))
  return panels


def _natural(name: str) -> list[Any]:
  """Sort key that puts loss_2 before loss_10."""
  return [
    (0, int(part), '') if part.isdigit() else (1, 0, part) for part in re.split(r'(\d+)', name)
  ]


def _legend_names(names: Sequence[str]) -> list[str]:
  """The names without the first path segment when they all share it, underscores as spaces."""
  heads = {name.split('/')[0] for name in names}
  if len(heads) == 1 and all('/' in name for name in names):
    names = [name.split('/', 1)[1] for name in names]
  return [name.replace('/', ' ').replace('_', ' ') for name in names]


def _colors(names: Sequence[str]) -> list[str]:
  """A colour a name: the discriminator blue and the generator orange wherever each has one curve."""
  colors: list[str | None] = [None] * len(names)
  for color, player in zip(PALETTE, ('discriminator', 'generator')):
    of_player = [i for i, name in enumerate(names) if player in name]
    if len(of_player) == 1:
      colors[of_player[0]] = color
  free = iter([color for color in PALETTE if color not in colors])
  return [color or next(free) for color in colors]


def _draw_panel(axes: Any, title: str, names: Sequence[str], series: Mapping[str, Any]) -> None:
  """One panel: raw values faint, their running mean strong, non-finite steps as red crosses."""
  from matplotlib.ticker import EngFormatter, MaxNLocator

  finite = []
  for color, name, label in zip(_colors(names), names, _legend_names(names)):
    steps, values = series[name]
    good = np.isfinite(values)
    finite.append(values[good])
    shown = np.where(good, values, np.nan)
    if good.sum() > 60:
      axes.plot(steps, shown, color=color, linewidth=0.7, alpha=0.25)
      axes.plot(steps, _smooth(values, good.sum() / 60), color=color, linewidth=1.8, label=label)
    else:
      marker = 'o' if good.sum() <= 25 else None
      axes.plot(steps, shown, color=color, linewidth=1.8, marker=marker, markersize=4, label=label)
    if not good.all():
      place = axes.get_xaxis_transform()
      bad = steps[~good]
      axes.plot(bad, np.full(len(bad), 0.02), 'x', color='#d00000', transform=place, clip_on=False)
  pooled = np.concatenate(finite) if finite else np.zeros(0)
  if (
    len(pooled) and _UNIT_SCORE.search(' '.join(names)) and pooled.min() >= 0 and pooled.max() <= 1
  ):
    axes.set_ylim(-0.02, 1.02)
  elif len(pooled) and pooled.min() > 0 and pooled.max() > 100 * pooled.min():
    axes.set_yscale('log')
  elif len(pooled) > 50:
    low, high = np.quantile(pooled, [0.002, 0.998])  # one spike must not flatten all the rest
    if pooled.max() - pooled.min() > 4 * (high - low) > 0:
      axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
  axes.set_title(title, loc='left', fontsize=11, color=INK, fontweight='bold', pad=8)
  axes.grid(axis='y', color='#e6e8ed', linewidth=0.8)
  axes.set_axisbelow(True)
  for side in ('top', 'right', 'left'):
    axes.spines[side].set_visible(False)
  axes.spines['bottom'].set_color('#c5c9d3')
  axes.tick_params(colors=FAINT, labelsize=8.5, length=0)
  axes.tick_params(axis='x', length=3)
  axes.tick_params(which='minor', length=0)
  axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
  axes.xaxis.set_major_formatter(EngFormatter(sep=''))
  if len(pooled):
    below = (
      {'loc': 'upper center', 'bbox_to_anchor': (0.5, -0.16), 'ncols': 2} if len(names) > 4 else {}
    )
    axes.legend(
      fontsize=8.5, frameon=True, framealpha=0.85, edgecolor='none', labelcolor=INK, **below
    )
  else:
    axes.text(0.5, 0.5, 'no finite value', transform=axes.transAxes, ha='center', color='#d00000')


def curves(rows: Iterable[Mapping[str, Any]], path: Any, title: str | None = None) -> None:
  """Draws logged scalars over the step as one PNG: scores, losses, logits, norms, whatever is there.

  Args:
    rows: mappings as read from metrics.jsonl, each with 'step' and any numbers; non-finite values
      may be strings ('NaN'); texts and rows without a step are passed over. A later row wins.
    path: the PNG, replaced atomically.
    title: a line above the panels.

  Raises:
    PlotError: if no row holds a number to draw.
  """
  series = _series(rows)
  panels = _panels(series)
  if not panels:
    raise PlotError("no curve to draw: expected rows such as {'step': 100, 'loss': 0.5}")
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  columns = min(3, len(panels)) if len(panels) != 4 else 2
  lines = math.ceil(len(panels) / columns)
  figure = Figure(figsize=(5.2 * columns, 3.3 * lines + (0.45 if title else 0)), facecolor=PAPER)
  canvas = FigureCanvasAgg(figure)
  figure.set_layout_engine('constrained', w_pad=0.12, h_pad=0.12)
  every = figure.subplots(lines, columns, squeeze=False).ravel()
  last = max(steps[-1] for steps, _ in series.values())
  first = min(steps[0] for steps, _ in series.values())
  for index, axes in enumerate(every):
    if index >= len(panels):
      axes.set_visible(False)
      continue
    _draw_panel(axes, *panels[index], series)
    pad = 0.02 * (last - first) or 1
    axes.set_xlim(first - pad, last + pad)
    if index + columns >= len(panels):
      axes.set_xlabel('step', fontsize=9, color=FAINT)
  if title:
    figure.suptitle(title, x=0.012, ha='left', fontsize=13, color=INK)
  atomically(path, lambda file: canvas.print_png(file))

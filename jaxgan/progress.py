"""What a run shows on the terminal: a banner, a bar, a last word."""

import contextlib
import contextvars
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
from tqdm import tqdm

LINE_SECONDS = 20.0  # between lines where there is no terminal to draw a bar on
_quiet = contextvars.ContextVar('quiet', default=False)


def count(number: float) -> str:
  """A number as people say it: 950, 8.7 k, 70.4 M, 1.2 G."""
  for unit, size in (('G', 1e9), ('M', 1e6), ('k', 1e3)):
    if number >= size:
      return f'{number / size:.1f} {unit}'
  return f'{number:.0f}'


def size_of(tree: Any) -> int:
  """Number of parameters in a tree."""
  return sum(x.size for x in jax.tree.leaves(tree))


def say(*lines: str) -> None:
  """Prints lines without tearing a bar; of several processes only the first one speaks."""
  for line in lines if jax.process_index() == 0 and not _quiet.get() else ():
    tqdm.write(line, file=sys.stderr)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Nothing is said within: what is done for many runs is told of the first one."""
  token = _quiet.set(True)
  try:
    yield
  finally:
    _quiet.reset(token)


def banner(name: str, facts: Mapping[str, str]) -> None:
  """The start banner: a title and aligned facts."""
  width = max(map(len, facts))
  say('', f'jaxgan · {name}', *(f'  {key:<{width}}  {value}' for key, value in facts.items()), '')


def duration(seconds: float) -> str:
  """Seconds as 42 s, 3 min 05 s or 2 h 10 min."""
  seconds = round(seconds)
  if seconds < 60:
    return f'{seconds} s'
  if seconds < 3600:
    return f'{seconds // 60} min {seconds % 60:02d} s'
  return f'{seconds // 3600} h {seconds % 3600 // 60:02d} min'


class Bar:
  """Steps done, steps/s, images/s, time left and the latest numbers: a bar, or lines without a terminal."""

  def __init__(self, total: int, start: int, images_per_step: int):
    self.total, self.images, self.step = total, images_per_step, start
    self.bar = tqdm(
      total=total,
      initial=start,
      disable=not sys.stderr.isatty() or jax.process_index() != 0,
      dynamic_ncols=True,
      smoothing=0.05,
      bar_format='{percentage:3.0f}% {bar} {n_fmt}/{total_fmt}  {elapsed} < {remaining}{postfix}',
    )
    self.marks = [(time.monotonic(), start)]
    self.printed, self.numbers = 0.0, ''

  def rate(self) -> float:
    """Steps per second over the last minute."""
    (then, first), (now, last) = self.marks[0], self.marks[-1]
    return (last - first) / (now - then) if last > first else 0.0

  def show(self, row: Mapping[str, float]) -> None:
    """The losses among the metrics of a row are shown beside the rate from now on."""
    short = lambda name: name.replace('discriminator', 'D').replace('generator', 'G')
    losses = {short(name): value for name, value in row.items() if name.endswith('/loss')}
    self.numbers = '  '.join(f'{name} {value:.3g}' for name, value in losses.items())

  def advance(self, step: int) -> None:
    """Moves on to `step`."""
    now = time.monotonic()
    self.marks = [m for m in self.marks if now - m[0] < 60 or m is self.marks[-1]] + [(now, step)]
    rate = self.rate()
    shown = f'{rate:.3g} steps/s  {count(rate * self.images)} images/s  {self.numbers}'
    self.bar.set_postfix_str(shown, refresh=False)
    self.bar.update(step - self.step)
    self.step = step
    if self.bar.disable and (now - self.printed > LINE_SECONDS or step == self.total):
      left = duration((self.total - step) / rate) if rate else '?'
      say(f'step {step}/{self.total}  {shown}  {left} left')
      self.printed = now

  def __enter__(self) -> 'Bar':
    return self

  def __exit__(self, *unused: Any) -> None:
    self.bar.close()


def table(rows: Sequence[tuple[str, str]]) -> list[str]:
  """Two aligned columns, indented."""
  width = max((len(a) for a, _ in rows), default=0)
  return [f'  {a:<{width}}  {b}' for a, b in rows]

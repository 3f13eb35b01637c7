"""The picture of a sweep: nothing lies over anything else."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from jaxgan import sweep_report
from jaxgan.sweeps import Sweep

GAMMA = 'game.discriminator_penalties.r1.gamma'
RATES = 'optimizer.generator.learning_rate+optimizer.discriminator.learning_rate'


@pytest.fixture
def drawn(tmp_path, monkeypatch):
  """Draws the sweep of some numbers; gives the figure, drawn."""

  def draw(values, seeds=3):
    report = sweep_report.Report(Sweep(values, seeds), tmp_path / 'runs')
    rng = np.random.default_rng(0)
    report.add(1, {run: {'a': rng.normal(10), 'b': rng.normal(5)} for run in report.scores})
    kept = []
    plain = FigureCanvasAgg.print_png
    monkeypatch.setattr(
      FigureCanvasAgg, 'print_png', lambda canvas, f: (kept.append(canvas), plain(canvas, f))
    )
    report.plot(tmp_path / 'sweep.png')
    assert (tmp_path / 'sweep.png').stat().st_size > 1000
    return kept[0].figure, report

  return draw


def test_the_legend_lies_beside_the_panels_and_within_the_picture(drawn):
  figure, _ = drawn({GAMMA: (0, 1, 10), RATES: (1e-4, 2e-4, 4e-4)})
  (legend,) = figure.legends
  box = legend.get_window_extent()
  assert all(axes.get_legend() is None for axes in figure.axes)
  assert not any(box.overlaps(axes.get_window_extent()) for axes in figure.axes)
  assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
  assert 'generator.learning_rate+discriminator.learning_rate=0.0001' in (
    text.get_text() for text in legend.get_texts()
  )


def test_lines_are_moved_aside_and_all_of_them_is_seen(drawn):
  figure, report = drawn({GAMMA: (0, 1, 10), RATES: (1e-4, 2e-4)})
  axes = figure.axes[0]
  first, second = (c.lines[0] for c in axes.containers)
  at = lambda line: line.get_transform().transform(line.get_xydata())[:, 0]
  assert (at(second) - at(first) > 4).all()
  low, high = axes.get_ylim()
  values = [scores['a'] for scores in report.scores.values()]
  assert low <= min(values) and max(values) <= high


def test_labels_of_ticks_do_not_run_into_each_other(drawn):
  figure, _ = drawn({GAMMA: (1, 2, 3, 4, 5, 5.01, 6, 1000, 2000)}, seeds=1)
  texts = [t for t in figure.axes[0].get_xticklabels() if t.get_text()]
  assert len(figure.axes[0].get_xticks()) == 9 > len(texts) > 2
  boxes = [text.get_window_extent() for text in texts]
  assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))

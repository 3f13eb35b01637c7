"""Frames show what they are given, and the GIF holds them all."""

import numpy as np
import pytest
from PIL import Image

from jaxgan import landscapes
from jaxgan.plots import PlotError

SCORES = {'modes': 1.0, 'high_quality': 0.5}
MEANS = np.array([[-0.8, 0.0], [0.8, 0.0]])


def frame(step, at, surface=True):
  points = np.full((50, 2), at)
  side = landscapes.SURFACE
  logits = 5 * landscapes.positions(side)[..., 0] if surface else None  # real on the right
  gradients = np.ones((landscapes.ARROWS, landscapes.ARROWS, 2)) if surface else None
  return landscapes.Frame(step, points, SCORES, logits, gradients)


def test_samples_move_and_the_surface_is_blue_where_judged_real(tmp_path):
  one, other = landscapes.draw([frame(1, -0.5), frame(2, 0.5)], MEANS, 'two')
  a, b = (np.asarray(p, int) for p in (one, other))
  height, width = a.shape[:2]
  place = lambda v: round((0.03 + 0.94 * (v / landscapes.REACH + 1) / 2) * width)
  bottom, tall = 0.225 * height, 0.94 * width
  at = lambda x, y: (round(height - bottom - tall * (y / landscapes.REACH + 1) / 2), place(x))
  orange = lambda image, where: image[where][0] > image[where][2] + 60
  assert orange(a, at(-0.5, -0.5)) and not orange(b, at(-0.5, -0.5))
  assert orange(b, at(0.5, 0.5)) and not orange(a, at(0.5, 0.5))
  right, left = a[at(1.05, -1.05)], a[at(-1.05, -1.05)]
  assert right[2] > right[0] + 20 and left[0] > left[2] + 20
  landscapes.save([one, other], tmp_path / 'x.gif')
  with Image.open(tmp_path / 'x.gif') as gif:
    assert gif.n_frames == 2 and gif.size == one.size
    gif.seek(1)
    again = np.asarray(gif.convert('RGB'), int)
  assert np.abs(again - b).mean() < 3


def test_frames_without_a_surface_and_with_numbers_that_are_not_finite():
  broken = frame(1, np.nan)._replace(logits=np.full((landscapes.SURFACE,) * 2, np.nan))
  assert len(landscapes.draw([frame(1, 0.0, surface=False), broken], MEANS)) == 2


def test_squash_is_the_sigmoid_for_usual_logits_and_never_a_cliff():
  assert landscapes.squash([0.0])[0] == 0.5
  steep = landscapes.squash(np.linspace(-100, 100, 101))
  assert 0.02 < steep[0] < 0.06 and (np.diff(steep) > 0).all()
  assert abs(landscapes.squash([0.01, -0.01]) - 0.5).max() < 0.01  # undecided stays pale


def test_nothing_to_draw_is_one_line(tmp_path):
  with pytest.raises(PlotError, match='no frame'):
    landscapes.draw([], MEANS)
  with pytest.raises(PlotError, match='no picture'):
    landscapes.save([], tmp_path / 'x.gif')

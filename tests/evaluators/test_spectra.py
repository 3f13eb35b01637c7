"""Singular values of kernels that are known by construction."""

import numpy as np
import pytest

from jaxgan import evaluators
from jaxgan.evaluators import spectra


def with_values(values, shape):
  """A kernel of that shape whose singular values, flattened to [-1, out], are those."""
  rng, out = np.random.default_rng(0), shape[-1]
  left = np.linalg.qr(rng.standard_normal((int(np.prod(shape[:-1])), out)))[0]
  right = np.linalg.qr(rng.standard_normal((out, out)))[0]
  return (left @ np.diag(values) @ right).reshape(shape).astype(np.float32)


PARAMS = {
  'block': {
    'conv': {'kernel': with_values([5.0, 2.0, 1.0, 0.5], (3, 3, 2, 4)), 'bias': np.ones(4)},
  },
  'linear': {'kernel': with_values([3.0, 0.0], (6, 2)), 'gain': np.ones(())},
}


class Writer:
  def __init__(self):
    self.histograms = {}

  def write_histograms(self, step, arrays):
    self.histograms[step] = arrays


def test_every_kernel_has_its_values_in_order_and_nothing_else_has():
  found = {path: np.linalg.svd(m, compute_uv=False) for path, m in spectra.kernels(PARAMS)}
  assert list(found) == ['block/conv/kernel', 'linear/kernel']
  np.testing.assert_allclose(found['block/conv/kernel'], [5, 2, 1, 0.5], rtol=1e-4)
  np.testing.assert_allclose(found['linear/kernel'], [3, 0], atol=1e-5)


def test_histograms_and_the_largest_value_of_each_player(tmp_path):
  writer = Writer()
  evaluate = evaluators.make('spectra', evaluators.Run(None, None, tmp_path, writer))
  players = {
    'generator': {'params': PARAMS, 'batch_stats': {'mean': np.full((9, 9), 100.0)}},
    'discriminator': {'params': {'linear': PARAMS['linear']}},
  }
  scores = evaluate(7, players, False)
  assert scores == pytest.approx(
    {'sigma_max_raw/generator': 5.0, 'sigma_max_raw/discriminator': 3.0}
  )
  assert all(type(value) is float for value in scores.values())
  assert list(writer.histograms) == [7]
  assert set(writer.histograms[7]) == {
    'singular_values/generator/block/conv/kernel',
    'singular_values/generator/linear/kernel',
    'singular_values/discriminator/linear/kernel',
  }
  np.testing.assert_allclose(
    writer.histograms[7]['singular_values/generator/block/conv/kernel'], [5, 2, 1, 0.5], rtol=1e-4
  )


def test_kernels_that_would_take_minutes_are_left_out(monkeypatch):
  monkeypatch.setattr(spectra, 'LARGEST', 20)
  assert list(dict(spectra.kernels(PARAMS))) == ['linear/kernel']


def test_power_iteration_comes_to_the_largest_singular_value():
  rng = np.random.default_rng(0)
  for shape in ((30, 20), (20, 30), (784, 1), (1, 5)):
    matrix = rng.normal(size=shape).astype(np.float32)
    found = spectra.largest_singular_value(matrix, 200)
    np.testing.assert_allclose(found, np.linalg.norm(matrix, 2), rtol=1e-3)
  assert spectra.largest_singular_value(np.zeros((3, 3), np.float32)) == 0

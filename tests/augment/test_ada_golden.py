"""ADA's pipeline against numbers recorded from stylegan2-ada-pytorch (golden/stylegan2), draw by draw."""

import jax
import numpy as np
import pytest
from jax.scipy.special import erfinv

from jaxgan.augment.ada import CHANGES, GROUPS, augment, options_of
from jaxgan.augment.bands import BANK
from jaxgan.augment.geometry import SYM6
from tests import recorded
from tests.recorded import nchw, nhwc

SINGLE = recorded.read('stylegan2/ada_single_ops')
COMBOS = recorded.read('stylegan2/ada_combos_random')
SINGLES = [name for group in GROUPS.values() for name in group]  # cases 2i and 2i + 1 of the file
PERCENTILES = (0.2, 0.85)
COMBINED = [  # (groups, p, percentile) of each case
  ('b', 0.6, None),
  ('g', 0.6, None),
  ('bg', 0.8, None),
  ('c', 0.7, None),
  ('f', 0.9, None),
  ('n', 0.9, None),
  ('C', 0.7, None),
  ('bgc', 0.5, None),
  ('bgcfnC', 0.7, None),
  ('bgc', 1.0, 0.3),
]


def drawn(numbers, case, names):
  """(our draws, the noise) of a case, from the reference's in the order in which it drew them."""
  numbered = {
    int(key.split('/')[2][:2]): value
    for key, value in numbers.items()
    if key.startswith(f'{case:02}/draws/')
  }
  queue = [numbered[i] for i in range(len(numbered))]
  flat = lambda x: x.reshape(len(x), -1)[:, 0] if x.size == len(x) else x.reshape(len(x), -1)
  draws, noise = {}, None
  for name in CHANGES:
    if name.removesuffix('_after') not in names:
      continue
    if name == 'imgfilter':
      four = [(flat(queue.pop(0)), flat(queue.pop(0))) for _ in range(4)]
      draws[name] = tuple(np.stack(x, 1) for x in zip(*four))
    else:
      first, second = flat(queue.pop(0)), flat(queue.pop(0))
      draws[name] = (second, first) if name == 'cutout' else (first, second)
    if name == 'noise':
      noise = nhwc(queue.pop(0))
  assert not queue
  return draws, noise


def fixed(draws, percentile):
  """The draws for which our parameters are those of the reference's `debug_percentile`."""
  out = {}
  for name, (value, gate) in draws.items():
    at = percentile if CHANGES[name][0] == 'u' else float(erfinv(2 * percentile - 1))
    at = {'rotate_after': 0.5, 'noise': float(erfinv(percentile))}.get(name, at)
    out[name] = np.full_like(value, at), np.zeros_like(gate)
  return out


def options(names):
  return options_of('noise', **{'noise': 0.0, **dict.fromkeys(names, 1.0)})


def run(numbers, case, names, p, percentile):
  """Result, and its pull-back, in NHWC and float64, so that the rounding is the reference's alone."""
  draws, noise = jax.tree.map(np.float64, drawn(numbers, case, names))
  if percentile is not None:
    draws = fixed(draws, percentile)
  change = jax.jit(lambda x: augment(x, draws, noise, p, options(names)))
  return jax.vjp(change, nhwc(np.float64(numbers['in/images'])))


@pytest.fixture(autouse=True)
def float64():
  with jax.enable_x64(True):
    yield


@pytest.mark.parametrize('j', (0, 1))
@pytest.mark.parametrize('i', range(len(SINGLES)), ids=SINGLES)
def test_single(i, j):
  out, _ = run(SINGLE, 2 * i + j, [SINGLES[i]], 1.0, PERCENTILES[j])
  recorded.close(nchw(out), SINGLE[f'{2 * i + j:02}/out'])


@pytest.mark.parametrize('case', range(len(COMBINED)))
def test_combination_and_its_gradient(case):
  groups, p, percentile = COMBINED[case]
  names = [name for group in groups for name in GROUPS[group]]
  out, pull = run(COMBOS, case, names, p, percentile)
  theirs = recorded.part(COMBOS, f'{case:02}/')

  def close(x, name):
    # colours multiply the float32 rounding of the reference's coordinates by as much as the images
    scale = np.abs(x).max() if {'g', 'c'} <= set(groups) else 1.0
    recorded.close(nchw(x), theirs[name], atol=1e-5 * scale)

  close(out, 'out')
  assert ('grad_x' in theirs) == (percentile is None)
  if percentile is None:
    close(pull(nhwc(np.float64(theirs['cot'])))[0], 'grad_x')


def test_filters():
  recorded.close(SYM6 / SYM6.sum(), SINGLE['buffers/Hz_geom'])
  np.testing.assert_allclose(BANK, SINGLE['buffers/Hz_fbank'], atol=1e-7)

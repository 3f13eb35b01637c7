"""ADA's pipeline against numbers recorded from stylegan2-ada-pytorch (golden/stylegan2), draw by draw."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import erfinv

from jaxgan.augment import ada as factory  # noqa: F401  the package must not hide the module
from jaxgan.augment.ada import CHANGES, GROUPS, augment, options_of
from jaxgan.augment.bands import BANK
from jaxgan.augment.geometry import SYM6

GOLDEN = Path(__file__).parents[1] / 'golden/stylegan2'
SINGLE = dict(np.load(GOLDEN / 'ada_single_ops.npz'))
COMBOS = dict(np.load(GOLDEN / 'ada_combos_random.npz'))
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


def images(x):
  """NCHW to NHWC."""
  return np.transpose(x, (0, 2, 3, 1))


def recorded(numbers, case, names):
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
      noise = images(queue.pop(0))
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


@jax.jit
def identity(x):
  return x


def run(numbers, case, names, p, percentile):
  """(result, its pull-back) in NHWC."""
  draws, noise = recorded(numbers, case, names)
  if percentile is not None:
    draws = fixed(draws, percentile)
  x = jnp.asarray(images(numbers['in/images']))
  change = lambda x: augment(x, draws, noise, jnp.float32(p), options(names))
  return jax.jit(lambda x: jax.vjp(change, x)[0])(x), lambda cot: jax.jit(
    lambda x, cot: jax.vjp(change, x)[1](cot)[0]
  )(x, cot)


def close(ours, theirs):
  np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('i', range(len(SINGLES)), ids=SINGLES)
@pytest.mark.parametrize('j', (0, 1))
def test_single(i, j):
  out, _ = run(SINGLE, 2 * i + j, [SINGLES[i]], 1.0, PERCENTILES[j])
  close(out, images(SINGLE[f'{2 * i + j:02}/out']))


@pytest.mark.parametrize('case', range(len(COMBINED)))
def test_combination_and_its_gradient(case):
  groups, p, percentile = COMBINED[case]
  names = [name for group in groups for name in GROUPS[group]]
  out, pull = run(COMBOS, case, names, p, percentile)
  close(out, images(COMBOS[f'{case:02}/out']))
  close(pull(images(COMBOS[f'{case:02}/cot'])), images(COMBOS[f'{case:02}/grad_x']))


def test_filters():
  close(SYM6 / SYM6.sum(), SINGLE['buffers/Hz_geom'])
  np.testing.assert_allclose(BANK, SINGLE['buffers/Hz_fbank'], atol=1e-7)

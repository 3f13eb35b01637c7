"""DiffAugment: recorded numbers, pixels by hand, and ranges."""

import jax
import jax.numpy as jnp
import pytest

from jaxgan.augment import diff_augment
from jaxgan.augment.diff_augment import (
  POLICIES,
  brightness,
  contrast,
  cutout,
  edge,
  reach,
  saturation,
  translation,
)
from tests import recorded
from tests.recorded import close, nchw, nhwc

NUMBERS = recorded.read('studiogan/augment_diffaug_cr_apa')


@pytest.mark.parametrize('again', (0, 1))
@pytest.mark.parametrize('policy', ['color', 'translation', 'cutout', 'color+translation+cutout'])
def test_golden(policy, again):
  """Results and gradients from recorded draws, on images of 12 x 10."""
  case = f'diffaug/{policy}_{again}'
  draws = [NUMBERS[key] for key in sorted(NUMBERS) if key.startswith(f'{case}/draws/')]
  draws = [draw.reshape(-1) for draw in draws]

  def change(x):
    queue = list(draws)
    for change, _ in (step for name in policy.split('+') for step in POLICIES[name]):
      one = change in (brightness, saturation, contrast)
      x = change(x, queue.pop(0) if one else jnp.stack([queue.pop(0), queue.pop(0)], 1))
    assert not queue
    return x

  out, pull = jax.vjp(jax.jit(change), nhwc(NUMBERS['x']))
  close(nchw(out), NUMBERS[f'{case}/out'])
  close(nchw(pull(nhwc(NUMBERS[f'{case}/cot']))[0]), NUMBERS[f'{case}/grad_x'])


def test_a_translation_by_hand():
  x = jnp.arange(1.0, 65.0).reshape(1, 8, 8, 1)
  moved = translation(x, jnp.array([[1, -1]]))[0, :, :, 0]
  assert moved[0].tolist() == [0, *range(9, 16)]
  assert moved[7].tolist() == [0] * 8


@pytest.mark.parametrize(('n', 'size'), [(8, 4), (9, 5), (10, 5)])
def test_a_cutout_has_half_the_edge_and_leaves_the_image_alike_on_both_sides(n, size):
  """Its first and its last place show as many pixels, which is what the parity is for."""
  assert edge(n) == size
  last = n - size % 2
  ones = jnp.ones((3, n, n, 1))
  cut = 1 - cutout(ones, jnp.array([[n // 2, n // 2], [0, 0], [last, last]]))
  assert cut.sum((1, 2, 3)).tolist() == [size**2, (size - size // 2) ** 2, (size - size // 2) ** 2]


def test_ranges_of_the_draws():
  """Over many draws every shift and every centre comes, and none beyond."""
  key, shape = jax.random.key(0), (4096, 16, 9, 3)
  for name, low, high in (
    ('translation', [-2, -1], [2, 1]),
    ('cutout', [0, 0], [16, 8]),
  ):
    drawn = POLICIES[name][0][1](key, shape)
    assert drawn.min(0).tolist() == low
    assert drawn.max(0).tolist() == high
  assert (reach(16), reach(9)) == (2, 1)
  x = jnp.array([-1.0, 0.0, 1.0, 0.5])[None, None, None]
  assert jnp.allclose(saturation(x, jnp.array([0.0])), x.mean())
  assert jnp.allclose(contrast(x, jnp.array([0.5])), x)
  assert jnp.allclose(brightness(x, jnp.array([0.0])), x - 0.5)


def test_the_policy_says_what_is_done():
  x = jax.random.uniform(jax.random.key(1), (4, 8, 8, 3), minval=0.1)
  of = lambda policy: jax.jit(diff_augment(policy).apply)(x, None, jax.random.key(2), {}, 0)[0]
  color, cut, both = of('color'), of('cutout'), of('color, cutout')
  assert (color != x).all()
  assert ((cut == 0) | (cut == x)).all() and (cut == 0).any()
  assert (((both == 0) | (both == color)).all()) and (both == 0).any()


def test_an_unknown_policy_is_named():
  with pytest.raises(ValueError, match="unknown policy 'colour'; did you mean 'color'"):
    diff_augment('colour,cutout')

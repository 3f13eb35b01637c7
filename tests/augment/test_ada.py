"""ADA: identity at p = 0, gradients, independence of examples and layouts, and how often what happens."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxgan.augment import ada
from jaxgan.augment.ada import CHANGES, OPTIONS, augment, draw, options_of
from jaxgan.augment.bands import BANK, equalize, gains
from jaxgan.augment.geometry import compose, moved, resample, scaled, turned
from jaxgan.nn import replicas

KEY = jax.random.key(3)


def pictures(*shape, dtype=jnp.float32):
  return jax.random.uniform(jax.random.key(0), shape, dtype, -1, 1)


@functools.cache
def changed(policy, **options):
  """Jitted images, p -> augmented images."""
  apply = ada(policy, **options).apply
  return jax.jit(lambda x, p: apply(x, None, KEY, {'p': p}, 0)[0])


@pytest.mark.parametrize(
  ('policy', 'channels'),
  [('geom', 3), ('color', 1), ('filter', 3), ('noise', 3), ('cutout', 3), ('bgcfnc', 3)],
)
def test_p_0_keeps_every_bit_and_p_1_does_not(policy, channels):
  x = pictures(4, 12, 16, channels)  # not square, and smaller than the filter's reach
  assert (changed(policy)(x, 0.0) == x).all()
  out = changed(policy)(x, 1.0)
  assert out.shape == x.shape and out.dtype == x.dtype and np.isfinite(out).all()
  assert (out != x).any((1, 2, 3)).sum() >= 3


def test_gradients_are_those_of_finite_differences_of_second_order_too():
  with jax.enable_x64(True):
    x = pictures(3, 8, 6, 3, dtype=jnp.float64)
    way = x[::-1]
    value = lambda x: jnp.sin(changed('bgcf')(x, 0.9)).sum()
    both = jax.jit(jax.value_and_grad(value))
    ((high, high_slope), (low, low_slope)) = both(x + 1e-5 * way), both(x - 1e-5 * way)
    gradient = both(x)[1]
    np.testing.assert_allclose((gradient * way).sum(), (high - low) / 2e-5, rtol=1e-6)
    assert (gradient != 0).any((1, 2, 3)).all()
    second = jax.jit(jax.grad(lambda x: (jax.grad(value)(x) ** 2).sum()))(x)  # as in R1
    slope = ((high_slope**2).sum() - (low_slope**2).sum()) / 2e-5
    np.testing.assert_allclose((second * way).sum(), slope, rtol=1e-5)


def test_reals_and_fakes_have_draws_of_their_own_and_either_may_be_missing():
  x = pictures(4, 16, 16, 3)
  apply = jax.jit(ada('color', p=1.0, target=0).apply)
  real, fake = apply(x, x, KEY, {}, 0)
  assert (real != fake).any()
  alone = apply(None, x, KEY, {}, 0)
  assert alone[0] is None and (alone[1] == fake).all()
  narrow = apply(x.astype(jnp.bfloat16), None, KEY, {}, 0)[0]
  assert narrow.dtype == jnp.bfloat16


def test_an_example_does_not_depend_on_its_neighbours():
  x, options = pictures(4, 16, 16, 3), options_of('bgcf')
  draws = draw(KEY, 4)
  whole = jax.jit(lambda x, d: augment(x, d, None, 0.7, options))
  alone = whole(x[:1], jax.tree.map(lambda a: a[:1], draws))
  np.testing.assert_allclose(whole(x, draws)[:1], alone, atol=1e-5)


def test_examples_that_are_passed_by_keep_their_bits():
  x, options = pictures(4, 16, 16, 3), options_of('bgcf')
  draws = {
    name: (value, jnp.ones_like(gate).at[1:].set(0)) for name, (value, gate) in draw(KEY, 4).items()
  }
  out = jax.jit(lambda x: augment(x, draws, None, 0.7, options))(x)
  assert (out[0] == x[0]).all()
  assert (out[1:] != x[1:]).any((1, 2, 3)).all()


def test_two_devices_give_what_one_gives():
  x = pictures(4, 8, 8, 3)
  apply = ada('noise', xflip=1, cutout=1, hue=1).apply
  run = lambda x, key: apply(x, None, key, {'p': 0.7}, 0)[0]
  one = jax.jit(run)(x, KEY)
  mesh = jax.make_mesh((2,), ('data',), (AxisType.Auto,))
  two = jax.jit(run)(jax.device_put(x, NamedSharding(mesh, PartitionSpec('data'))), KEY)
  split = jax.pmap(run, axis_name=replicas.AXIS, in_axes=(0, None))(x.reshape(2, 2, 8, 8, 3), KEY)
  np.testing.assert_allclose(two, one, atol=1e-5)
  np.testing.assert_allclose(split.reshape(x.shape), one, atol=1e-5)


def test_each_change_comes_as_often_as_asked():
  """Of many examples a change touches p * multiple, less those whose draw is the identity."""
  x = jnp.broadcast_to(pictures(1, 4, 4, 3), (1000, 4, 4, 3))
  part = {'rotate': 1, 'lumaflip': 1 / 2, 'imgfilter': (1 - 0.8**4) / 0.2}
  for name in part:
    options = options_of('noise', noise=0, **{name: 0.5})
    out = jax.jit(lambda x, d: augment(x, d, None, 0.4, options))(x, draw(KEY, 1000))  # noqa: B023
    touched = (jnp.abs(out - x) > 1e-3).any((1, 2, 3)).mean()
    assert abs(float(touched) - 0.2 * part[name]) < 0.04, name


def test_draws_are_uniform_and_normal():
  draws = {
    k: tuple(map(np.asarray, v)) for k, v in jax.jit(draw, static_argnums=1)(KEY, 2000).items()
  }
  for name, (kind, n) in CHANGES.items():
    value, gate = draws[name]
    assert value.shape == ((2000, n) if n > 1 else (2000,))
    assert gate.shape == ((2000, 4) if name == 'imgfilter' else (2000,))
    mean, std = (0.5, 12**-0.5) if kind == 'u' else (0, 1)
    assert abs(float(value.mean()) - mean) < 0.1 and abs(float(value.std()) - std) < 0.1


def one(*values):
  return jnp.array(values, float)


def test_whole_pixels_quarter_turns_and_flips():
  x = pictures(1, 16, 16, 2)
  close = lambda a, b, most: np.testing.assert_allclose(a, b, atol=most)
  close(resample(x, moved(one(2), one(-3)))[:, :13, 2:], x[:, 3:, :-2], 1e-5)
  close(resample(x, moved(one(2), one(0)))[:, :, :2], x[:, :, 2:0:-1], 1e-5)  # mirrored
  # the filter is not quite symmetric, so that the others come off by a tenth of a pixel
  y, x = jnp.meshgrid(*[jnp.linspace(-1, 1, 16)] * 2, indexing='ij')
  smooth = jnp.stack([jnp.cos(2 * x + y), jnp.sin(x - 2 * y)], -1)[None]
  inner = lambda a: a[:, 2:-2, 2:-2]
  close(inner(resample(smooth, turned(one(np.pi / 2)))), inner(jnp.rot90(smooth, 1, (1, 2))), 0.05)
  close(inner(resample(smooth, scaled(one(-1), one(1)))), inner(smooth[:, :, ::-1]), 0.05)


@pytest.mark.parametrize(
  ('inverse', 'needed', 'most'),
  [
    (scaled(one(0.7), one(0.7)), 13, 1e-6),
    (turned(one(0.8)), 13, 1e-6),
    (compose(turned(one(0.3)), scaled(one(1.2), one(0.9))), 11, 1e-6),
    (scaled(one(0.5), one(0.5)), 22, 2e-3),
  ],
)
def test_the_largest_margins_change_nothing(inverse, needed, most):
  """`needed` is what the authors' code takes: how far the corners lie outside, and 6 pixels more."""
  x = pictures(1, 32, 32, 3)
  corners = np.array([[-15.5, 15.5, 15.5, -15.5], [-15.5, -15.5, 15.5, 15.5], [1, 1, 1, 1]])
  assert np.ceil(np.abs(inverse[0] @ corners)[:2].max() + 6 - 15.5 - 1e-4) == needed
  with jax.enable_x64(True):
    x, inverse = np.float64(x), np.float64(inverse)
    np.testing.assert_allclose(
      resample(x, inverse, (needed, needed)), resample(x, inverse), atol=most
    )
    assert np.abs(resample(x, inverse, (2, 2)) - resample(x, inverse)).max() > 0.01


def test_the_bands_add_up_to_the_identity_and_leave_a_constant_to_the_lowest():
  total = np.zeros(43)
  total[21] = 1
  np.testing.assert_allclose(BANK.sum(0), total, atol=1e-12)
  x = pictures(2, 10, 24, 3)
  np.testing.assert_allclose(equalize(x, jnp.ones((2, 4))), x, atol=1e-5)
  grey = jnp.full((1, 10, 24, 3), 0.3)
  np.testing.assert_allclose(equalize(grey, one(2, 5, 7, 9)[None]), 4 * grey, atol=1e-5)
  np.testing.assert_allclose(gains(jnp.ones((1, 4))), 1)
  power = (gains(one(3, 1, 1, 1)[None]) ** 2 * np.array([10, 1, 1, 1]) / 13).sum()
  np.testing.assert_allclose(power, 1, rtol=1e-6)


def test_whatever_does_not_fit_is_said_in_one_line():
  for call, line in (
    (lambda: ada('bgx'), "unknown policy 'bgx'; did you mean 'bg"),
    (lambda: ada(xflop=1), "unknown option of ada 'xflop'; did you mean 'xflip'"),
    (lambda: ada(scale_std=-1), 'scale_std=-1; expected a number >= 0'),
    (lambda: changed('bgc')(jnp.zeros((1, 8, 8, 4)), 0.5), '4 channels; changes of colour expect'),
    (lambda: changed('bg')(jnp.zeros((8, 8, 3)), 0.5), r'images of shape \(8, 8, 3\); expected \['),
  ):
    with pytest.raises(ValueError, match=line):
      call()
  assert options_of('bgc', rotate90=0)['rotate90'] == 0
  assert options_of('bgc').keys() == OPTIONS.keys()

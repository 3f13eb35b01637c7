"""Convolutions: equal to `lax.conv_general_dilated` in every derivative, in the form meant for the platform."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jaxgan.nn import bilinear
from jaxgan.nn.convolution import conv, conv_transpose

# size, channels in and out, kernel, stride, padding -> the form on the CPU
CASES = {
  'winograd 3x3': (8, 16, 20, 3, 1, 'SAME'),
  'winograd 3x3 valid': (8, 16, 16, 3, 1, 0),
  'winograd 3x3 wide border': (8, 16, 16, 3, 1, 2),
  'winograd 4x4 stride 2': (8, 16, 32, 4, 2, 1),
  'winograd 5x5 stride 2': (12, 16, 20, 5, 2, 2),
  'patches of x': (8, 3, 16, 4, 2, 1),
  'patches of x, stride 3': (11, 2, 6, 4, 3, 1),
  'patches of y': (8, 16, 3, 3, 1, 1),
  'patches 7x7': (8, 3, 16, 7, 1, 3),
  'pointwise': (8, 16, 12, 1, 1, 0),
  'few places, stride 2': (8, 6, 7, 4, 2, 1),
  'few places, uneven border': (9, 16, 20, 3, 1, ((1, 0), (0, 2))),
  'native odd': (9, 16, 16, 3, 1, 1),
  'native stride 2': (7, 5, 6, 3, 2, 1),
  'native uneven border': (10, 16, 16, 6, 3, ((2, 1), (1, 2))),
}


@pytest.fixture(autouse=True)
def _every_form(monkeypatch, request):
  monkeypatch.setattr(bilinear, 'WORTH', 0)
  monkeypatch.setattr(bilinear, 'WIDE', 0)
  monkeypatch.setattr(bilinear, 'PLACES', 1000 if 'few places' in request.node.name else 0)


@pytest.fixture
def float64():
  jax.config.update('jax_enable_x64', True)
  yield
  jax.config.update('jax_enable_x64', False)


def lax_conv(x, w, stride, padding):
  edges = ((padding, padding),) * 2 if isinstance(padding, int) else padding
  return jax.lax.conv_general_dilated(
    x, w, (stride, stride), edges, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )


def pair(case, batch=4, dtype=np.float64):
  """(our function of (x, w), lax's, x, w)."""
  size, inner, outer, k, stride, padding = CASES[case]
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.standard_normal((batch, size, size, inner)), dtype)
  w = jnp.asarray(rng.standard_normal((k, k, inner, outer)) / np.sqrt(k * k * inner), dtype)
  ours = partial(conv, stride=stride, padding=padding)
  return ours, lambda x, w: lax_conv(x, w, stride, padding), x, w


def near(a, b, tolerance=1e-11):
  """Equal but for rounding: the largest error over the largest value, in every leaf."""
  for ours, theirs in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


@pytest.mark.parametrize('case', CASES)
def test_value_and_derivatives_of_both_orders(case, float64):
  ours, theirs, x, w = pair(case)
  weight = jnp.cos(jnp.arange(theirs(x, w).size, dtype=jnp.float64)).reshape(theirs(x, w).shape)

  def everything(f):
    loss = lambda x, w: (jnp.sin(f(x, w)) * weight).sum()
    first = jax.grad(loss, (0, 1))
    penalty = lambda x, w: sum((g**2).sum() for g in first(x, w))
    forward = jax.jvp(lambda x, w: first(x, w), (x, w), (jnp.cos(x), jnp.cos(w)))
    return f(x, w), first(x, w), jax.grad(penalty, (0, 1))(x, w), forward

  near(jax.jit(everything, static_argnums=0)(ours), jax.jit(everything, static_argnums=0)(theirs))


@pytest.mark.parametrize('case', CASES)
def test_form_on_the_cpu(case):
  ours, _, x, w = pair(case, dtype=np.float32)
  faces = jax.jit(lambda x, w, g: (ours(x, w), jax.vjp(ours, x, w)[1](g)))
  text = faces.lower(x, w, ours(x, w)).as_text()
  native = text.count('stablehlo.convolution')
  assert native == (3 if case.startswith('native') else 0)
  assert ('stablehlo.dot_general' in text) == (not native)


@pytest.mark.parametrize('case', CASES)
def test_other_platforms_get_the_convolutions_that_lax_gives(case):
  ours, theirs, x, w = pair(case, dtype=np.float32)

  def convolutions(f):
    text = jax.jit(f).trace(x, w).lower(lowering_platforms=('tpu',)).as_text()
    assert 'stablehlo.dot_general' not in text
    return sorted(
      line.split(' = ')[1] for line in map(nameless, text.splitlines()) if 'convolution(' in line
    )

  first = lambda f: jax.value_and_grad(lambda x, w: (f(x, w) ** 2).sum(), (0, 1))
  assert convolutions(first(ours)) == convolutions(first(theirs))
  assert len(convolutions(first(ours))) == 3
  # of the second order two equal ways may be taken, but not a longer one
  second = lambda f: jax.grad(
    lambda x, w: (jax.grad(lambda x: (f(x, w) ** 2).sum())(x) ** 2).sum(), (0, 1)
  )
  assert len(convolutions(second(ours))) <= len(convolutions(second(theirs)))


def nameless(line):
  """A line of a program without the numbers of its values."""
  return re.sub(r'%\w+', '%', line)


@pytest.mark.parametrize('dims', [(0, None), (None, 0), (0, 0)])
@pytest.mark.parametrize(
  'case', ['winograd 4x4 stride 2', 'patches of x', 'pointwise', 'native odd']
)
def test_vmap_before_and_after_grad(case, dims, float64):
  ours, theirs, x, w = pair(case)
  arguments = [jnp.stack([a, 2 * a]) if d == 0 else a for a, d in zip((x, w), dims)]

  def both(f):
    gradient = jax.grad(lambda x, w: (f(x, w) ** 3).sum(), (0, 1))
    total = jax.grad(lambda *a: (jax.vmap(f, dims)(*a) ** 2).sum(), (0, 1))
    return jax.vmap(f, dims)(*arguments), jax.vmap(gradient, dims)(*arguments), total(*arguments)

  near(both(ours), both(theirs))


@pytest.mark.parametrize('face', ['y', 'x', 'w'])
@pytest.mark.parametrize('case', ['winograd 3x3', 'winograd 4x4 stride 2'])
def test_parts_of_the_batch_change_nothing(case, face, float64, monkeypatch):
  ours, _, x, w = pair(case, batch=24)
  y = ours(x, w)
  run = {
    'y': lambda: ours(x, w),
    'x': lambda: jax.vjp(ours, x, w)[1](y)[0],
    'w': lambda: jax.vjp(ours, x, w)[1](y)[1],
  }[face]
  whole = run()
  jax.clear_caches()
  monkeypatch.setattr(bilinear, 'PART', dict.fromkeys('yxw', 1))
  text = jax.jit(run).lower().as_text()
  assert 'stablehlo.while' in text
  near(run(), whole)


@pytest.mark.parametrize(
  'size, inner, outer, k, stride', [(32, 64, 128, 4, 2), (8, 256, 512, 4, 2), (16, 128, 128, 3, 1)]
)
def test_float32_rounds_as_a_plain_convolution_does(size, inner, outer, k, stride):
  """Largest error over largest value, against float64, at the widths of DCGAN-64 and BigGAN-32."""
  rng = np.random.default_rng(1)
  x = rng.standard_normal((2, size, size, inner)).astype(np.float32)
  w = (rng.standard_normal((k, k, inner, outer)) / np.sqrt(k * k * inner)).astype(np.float32)

  def faces(f):
    y, back = jax.vjp(f, jnp.asarray(x), jnp.asarray(w))
    return y, *back(jnp.cos(y))

  ours = faces(partial(conv, stride=stride, padding=1))
  with jax.enable_x64(True):
    exact = jax.tree.map(np.asarray, faces_in_float64(x, w, stride))
  for a, b in zip(ours, exact):
    assert np.abs(np.asarray(a, np.float64) - b).max() <= 1e-5 * np.abs(b).max()


def faces_in_float64(x, w, stride):
  f = lambda x, w: lax_conv(x, w, stride, 1)
  y, back = jax.vjp(f, jnp.asarray(x, jnp.float64), jnp.asarray(w, jnp.float64))
  return y, *back(jnp.cos(y))


def test_narrow_dtypes_are_rounded_once():
  ours, theirs, x, w = pair('winograd 3x3', dtype=jnp.bfloat16)
  exact = theirs(x.astype(jnp.float32), w.astype(jnp.float32))
  assert ours(x, w).dtype == jnp.bfloat16
  np.testing.assert_allclose(ours(x, w).astype(jnp.float32), exact, rtol=2**-8, atol=1e-5)


@pytest.mark.parametrize('case', ['winograd 3x3', 'winograd 4x4 stride 2', 'patches of x'])
def test_export_for_several_platforms_with_a_batch_of_any_size(case):
  ours, theirs, x, w = pair(case, dtype=np.float32)
  shape = export.symbolic_shape(f'b, {", ".join(map(str, x.shape[1:]))}')
  made = export.export(jax.jit(lambda x: ours(x, w)), platforms=('cpu', 'tpu', 'cuda'))(
    jax.ShapeDtypeStruct(shape, x.dtype)
  )
  near(made.call(x), theirs(x, w), 1e-5)


@pytest.mark.parametrize('k, stride, padding', [(4, 2, 1), (3, 2, 'SAME'), (5, 1, 2), (3, 3, 0)])
def test_transposed_is_the_gradient_in_the_image(k, stride, padding, float64):
  rng = np.random.default_rng(0)
  w, y = rng.standard_normal((k, k, 3, 16)), rng.standard_normal((2, 6, 4, 16))
  made = conv_transpose(
    jnp.asarray(y), jnp.asarray(w).swapaxes(2, 3), stride=stride, padding=padding
  )
  if padding in (1, 'SAME'):
    assert made.shape == (2, 12, 8, 3)
  back = jax.vjp(lambda x: lax_conv(x, w, stride, padding), jnp.zeros(made.shape))[1]
  near(made, back(jnp.asarray(y))[0])


@pytest.mark.parametrize('check_vma', [True, False])
@pytest.mark.parametrize('case', ['winograd 4x4 stride 2', 'patches of x', 'pointwise'])
def test_gradients_within_shard_map(case, check_vma):
  """A kernel that every device has gets the sum of their gradients, as with lax."""
  ours, theirs, x, w = pair(case, dtype=np.float32)
  mesh = jax.make_mesh((2,), ('data',), axis_types=(jax.sharding.AxisType.Auto,))
  rows, whole = jax.sharding.PartitionSpec('data'), jax.sharding.PartitionSpec()

  def gradient(f):
    local = jax.grad(lambda w, x: (f(x, w) ** 2).sum())
    total = local if check_vma else lambda w, x: jax.lax.psum(local(w, x), 'data')
    run = jax.shard_map(
      total, mesh=mesh, in_specs=(whole, rows), out_specs=whole, check_vma=check_vma
    )
    return jax.jit(run)(w, x)

  near(gradient(ours), gradient(theirs), 1e-5)


def test_nothing_in_nothing_out():
  for x, w in [
    ((0, 8, 8, 3), (3, 3, 3, 4)),
    ((2, 8, 8, 0), (3, 3, 0, 16)),
    ((2, 2, 2, 3), (3, 3, 3, 4)),
  ]:
    x, w = jnp.zeros(x), jnp.zeros(w)
    for padding in ('SAME', 'VALID'):
      assert conv(x, w, padding=padding).shape == lax_conv(x, w, 1, padding).shape
    jax.grad(lambda w: conv(x, w).sum())(w)  # noqa: B023  called within this turn
  assert conv_transpose(jnp.zeros((0, 4, 4, 16)), jnp.zeros((4, 4, 16, 3))).shape == (0, 8, 8, 3)


def test_words_and_numbers_of_other_kinds():
  x, w = jnp.ones((2, 8, 8, 16)), jnp.ones((4, 4, 16, 4))
  assert conv_transpose(x, w, padding='same').shape == (2, 16, 16, 4)
  assert conv_transpose(x, w, padding='valid').shape == (2, 18, 18, 4)
  one = np.int64(1)
  assert conv(x, w, stride=np.int64(2), padding=np.array([[1, 1], [1, 1]])).shape == (2, 4, 4, 4)
  assert conv(x, w, stride=one, padding=(one, 0)).shape == (2, 7, 5, 4)


def test_mistakes_are_told():
  x, w = jnp.zeros((2, 8, 8, 3)), jnp.zeros((3, 3, 4, 5))
  with pytest.raises(ValueError, match=r'x float32\[2, 8, 8, 3\] and w float32\[3, 3, 4, 5\]'):
    conv(x, w)
  with pytest.raises(ValueError, match='expected one dtype'):
    conv_transpose(x, jnp.zeros((4, 4, 3, 5), jnp.bfloat16))
  w = jnp.zeros((3, 3, 3, 5))
  for padding in ('same ', None, 1.5, (1, 1, 1), ((1.7, 1), (1, 1)), ((1, 2, 3), (1, 1))):
    with pytest.raises(ValueError, match=r"^padding=.*expected 'SAME', 'VALID'"):
      conv(x, w, padding=padding)
  for stride in (0, -1, 1.5, (1,), None, (1, 0)):
    for function in (conv, conv_transpose):
      with pytest.raises(ValueError, match=r'^stride=.*expected a whole number from 1 on'):
        function(x, w, stride=stride)
  with pytest.raises(ValueError, match=r'^padding=20 cuts off more'):
    conv_transpose(x, w, padding=20)

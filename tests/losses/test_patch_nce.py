"""PatchNCE and its projector against numbers recorded from CUT; L1 by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.nn.patch_features import PatchProjector, draw_places
from tests import recorded
from tests.recorded import nhwc, part

NUMBERS = recorded.read('cyclegan/cut_patchnce')
MAPS = {kind: {f'map_{i}': nhwc(NUMBERS[f'feat_{kind}/{i}']) for i in (0, 1)} for kind in 'kq'}
PLACES = {f'map_{i}': NUMBERS[f'patch_ids/{i}'] for i in (0, 1)}


def params(numbers):
  layer = lambda i, j: {
    'kernel': numbers[f'mlp_{i}.{2 * j}.weight'].T,
    'bias': numbers[f'mlp_{i}.{2 * j}.bias'],
  }
  return {f'map_{i}_dense_{j}': layer(i, j) for i in (0, 1) for j in (0, 1)}


def project(params, kind):
  return PatchProjector(features=8).apply({'params': params}, MAPS[kind], PLACES)


@pytest.mark.parametrize('kind', 'kq')
def test_projection(kind):
  for name, x in project(params(part(NUMBERS, 'param/')), kind).items():
    np.testing.assert_allclose(
      x.reshape(24, 8), NUMBERS[f'sample_{kind}/{name[-1]}'], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize('negatives', [0, 1])
def test_loss_and_gradient(negatives):
  def loss(params):
    q, k = project(params, 'q'), project(params, 'k')
    each = {n: losses.patch_nce(q[n], k[n], all_negatives=bool(negatives)) for n in q}
    return sum(x.mean() for x in each.values()), each

  weights = params(part(NUMBERS, 'param/'))
  (_, each), gradient = jax.value_and_grad(loss, has_aux=True)(weights)
  for name, x in each.items():
    theirs = NUMBERS[f'nce_allneg{negatives}/{name[-1]}']
    np.testing.assert_allclose(x.reshape(-1), theirs, rtol=1e-4, atol=1e-5)
  if negatives:
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5),
      gradient,
      params(part(NUMBERS, 'grad_param/')),
    )


def test_places_are_distinct_and_all_where_the_map_is_small():
  places = draw_places({'a': (1, 8, 8, 2), 'b': (1, 2, 2, 5)}, 16, jax.random.key(0))
  assert len(set(np.asarray(places['a']).tolist())) == 16 and max(places['a']) > 16
  assert sorted(np.asarray(places['b']).tolist()) == [0, 1, 2, 3]


def test_keys_count_as_given_and_shapes_are_asked_for():
  x = jnp.ones((1, 3, 2))
  assert not jax.grad(lambda k: losses.patch_nce(x, k).sum())(2 * x).any()
  with pytest.raises(ValueError, match=r'expected \[batch, patches, features\], alike'):
    losses.patch_nce(x, x[0])


def test_l1_by_hand():
  x = jnp.array([[1.0, 2.0], [0.0, -4.0]])
  np.testing.assert_allclose(losses.l1(x, jnp.zeros((2, 2))), [1.5, 2.0])
  with pytest.raises(ValueError, match='expected one shape'):
    losses.l1(x, jnp.zeros((2, 1)))

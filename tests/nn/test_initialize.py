"""Initialisation through NumPy: the tree of module.init, the facts of each distribution, and when not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgan.models import biggan, biggan_deep
from jaxgan.nn import initialize as init
from jaxgan.nn.initialize import initialize

KEY = jax.random.key(7)
LABEL = jnp.zeros(1, jnp.int32)
SMALL = {'resolution': 16, 'channels': 2, 'num_classes': 3, 'attention': (8,)}
NETWORKS = {
  'generator': (
    biggan.Generator(**SMALL, dim_z=6, shared_dim=4, num_svs=2),
    (jnp.zeros((1, 6)), LABEL),
  ),
  'discriminator': (biggan.Discriminator(**SMALL), (jnp.zeros((1, 16, 16, 3)), LABEL)),
  'deep generator': (
    biggan_deep.Generator(**SMALL, dim_z=4, shared_dim=4, kernel_init='glorot'),
    (jnp.zeros((1, 4)), LABEL),
  ),
}
COMPILED = []
jax.monitoring.register_event_duration_secs_listener(
  lambda event, seconds, **_: COMPILED.append(event) if 'backend_compile' in event else None
)


def described(tree):
  return jax.tree.map(lambda x: (x.shape, x.dtype), tree)


def equal(a, b):
  return jax.tree.all(jax.tree.map(np.array_equal, a, b))


@pytest.mark.parametrize('name', NETWORKS)
def test_the_tree_is_that_of_init_and_nothing_is_compiled(name):
  module, inputs = NETWORKS[name]
  expected = jax.eval_shape(lambda k: module.init(k, *inputs, train=False), jax.random.key(0))
  COMPILED.clear()
  found = initialize(module, KEY, *inputs, train=False)
  assert not COMPILED
  assert described(found) == described(expected)
  assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(found))


def test_compilation_would_be_noticed():
  COMPILED.clear()
  jax.jit(lambda x: x * 3 + len(COMPILED))(jnp.ones(3))
  assert COMPILED


def test_the_same_key_gives_the_same_numbers_and_another_key_others():
  module, inputs = NETWORKS['discriminator']
  one, two = (initialize(module, KEY, *inputs) for _ in range(2))
  other = initialize(module, jax.random.key(8), *inputs)
  assert equal(one, two)
  kernels = [leaf for leaf in jax.tree.leaves(one['params']) if leaf.ndim > 1]
  others = [leaf for leaf in jax.tree.leaves(other['params']) if leaf.ndim > 1]
  assert not any(np.array_equal(a, b) for a, b in zip(kernels, others))
  assert len({float(np.ravel(k)[0]) for k in kernels}) == len(kernels)  # no two layers alike


def test_remat_changes_no_number():
  module, inputs = NETWORKS['generator']
  plain = initialize(module, KEY, *inputs, train=False)
  assert equal(plain, initialize(module.clone(remat=True), KEY, *inputs, train=False))


@pytest.mark.parametrize('shape', [(3, 3, 4, 8), (3, 3, 8, 100), (16, 4), (5, 5)])
@pytest.mark.parametrize('form', ['numpy', 'jax'])
def test_orthogonal_kernels_are_orthogonal(shape, form):
  kernel = drawn(init.orthogonal(2.0), shape, form).reshape(-1, shape[-1])
  gram = kernel.T @ kernel if kernel.shape[0] >= kernel.shape[1] else kernel @ kernel.T
  np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def drawn(initializer, shape, form):
  if form == 'jax':
    return np.asarray(initializer(KEY, shape))
  return np.asarray(initializer.with_numpy(np.random.default_rng(0), shape))


@pytest.mark.parametrize('form', ['numpy', 'jax'])
def test_distributions(form):
  shape = (3, 3, 50, 60)
  normal = drawn(init.normal(0.02), shape, form)
  np.testing.assert_allclose(normal.std(), 0.02, rtol=0.02)
  assert abs(normal.mean()) < 0.001 and np.abs(normal).max() > 0.06
  glorot, limit = drawn(init.glorot_uniform(), shape, form), np.sqrt(6 / (9 * 110))
  np.testing.assert_allclose(np.abs(glorot).max(), limit, rtol=0.01)
  np.testing.assert_allclose(glorot.std(), limit / np.sqrt(3), rtol=0.02)
  np.testing.assert_array_equal(drawn(init.zeros, (3,), form), 0)
  np.testing.assert_array_equal(drawn(init.ones, (3,), form), 1)
  np.testing.assert_array_equal(drawn(init.constant(0.5), (2, 2), form), 0.5)


def test_orthogonal_matrices_are_uniform():
  """With the signs of R left in, the first entries would be mostly of one sign."""
  rng = np.random.default_rng(0)
  corner = [init.orthogonal().with_numpy(rng, (3, 3))[0, 0] for _ in range(2000)]
  assert abs(np.mean(corner)) < 0.05  # uniform in [-1, 1]
  np.testing.assert_allclose(np.mean(np.square(corner)), 1 / 3, rtol=0.1)


def test_the_variables_of_a_network_have_their_distributions():
  module, inputs = NETWORKS['generator']
  variables = initialize(module, KEY, *inputs, train=False)
  kernel = np.asarray(variables['params']['linear']['kernel'])
  np.testing.assert_allclose(kernel @ kernel.T, np.eye(len(kernel)), atol=1e-5)
  assert variables['params']['attention_0']['gamma'] == 0
  assert jax.tree.all(
    jax.tree.map(lambda x: (x == 0).all() or (x == 1).all(), variables['batch_stats'])
  )
  vectors = np.concatenate(
    [np.ravel(x) for x in jax.tree.leaves(variables['spectral']) if x.ndim > 1]
  )
  assert 0.8 < vectors.std() < 1.2


class Foreign(nn.Module):
  """One kernel by Flax, one by us."""

  @nn.compact
  def __call__(self, x, train=False):
    x = nn.Dense(4, name='theirs')(nn.Dropout(0.5, deterministic=not train)(x))
    return nn.Dense(2, kernel_init=init.orthogonal(), bias_init=init.zeros, name='ours')(x)


def test_foreign_initialisers_go_through_the_ordinary_init():
  found = initialize(Foreign(), KEY, jnp.ones((1, 3)), train=True)
  expected = Foreign().init({'params': KEY, 'dropout': KEY}, jnp.ones((1, 3)), train=True)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, dict(expected))


@pytest.mark.parametrize(
  'module, inputs', [NETWORKS['discriminator'], (Foreign(), (jnp.ones((1, 3)),))]
)
def test_under_eval_shape_shapes_come_out(module, inputs):
  abstract = jax.eval_shape(lambda key: initialize(module, key, *inputs), KEY)
  assert described(abstract) == described(initialize(module, KEY, *inputs))


def test_outside_of_initialize_the_initialisers_give_jax_arrays():
  initialize(*NETWORKS['discriminator'][:1], KEY, *NETWORKS['discriminator'][1])
  value = init.orthogonal()(KEY, (4, 4))
  assert isinstance(value, jax.Array)
  np.testing.assert_array_equal(value, init.orthogonal()(KEY, (4, 4)))

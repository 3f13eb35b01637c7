"""Orthogonal regularisation: closed forms of both forms, what it skips, and where it leads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.penalties import orthogonal


def close(ours, theirs):
  np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.fixture(autouse=True)
def _highest():
  with jax.default_matmul_precision('highest'):
    yield


KERNEL = jax.random.normal(jax.random.key(0), (3, 3, 2, 5))


def test_gradient_is_the_authors_update():
  """2 beta ((W W^T) * (1 - I)) W with W the filters as rows."""
  rows = KERNEL.reshape(-1, 5).T
  update = 2 * 0.1 * ((rows @ rows.T) * (1 - jnp.eye(5))) @ rows
  gradient = jax.grad(lambda k: orthogonal({'kernel': k}, beta=0.1))(KERNEL)
  close(gradient.reshape(-1, 5).T, update)


def test_an_embedding_has_a_filter_per_class():
  """The reference's rows: one per class, whatever our layout of kernels."""
  table = jax.random.normal(jax.random.key(1), (4, 3))
  update = 2 * ((table @ table.T) * (1 - jnp.eye(4))) @ table
  close(jax.grad(lambda t: orthogonal({'gain': {'embedding': t}}, beta=1.0))(table), update)


def test_identity_form_is_the_frobenius_norm():
  matrix = KERNEL.reshape(-1, 5)
  expected = 0.1 * np.linalg.norm(matrix.T @ matrix - np.eye(5)) ** 2
  close(orthogonal({'kernel': KERNEL}, beta=0.1, form='identity'), expected)


def test_zero_at_an_orthogonal_kernel():
  q, _ = jnp.linalg.qr(KERNEL.reshape(-1, 5))
  close(orthogonal({'kernel': q}, beta=1.0, form='identity'), 0)
  close(orthogonal({'kernel': 3 * q}, beta=1.0), 0)
  assert orthogonal({'kernel': 3 * q}, beta=1.0, form='identity') > 1  # norms count in this form


def test_skips_vectors_and_the_shared_embedding():
  table = jnp.ones((3, 2))
  params = {'shared': {'embedding': table}, 'bias': jnp.ones(3), 'gamma': jnp.ones(())}
  assert orthogonal(params, beta=1.0) == 0
  assert orthogonal(params, beta=1.0, skip=lambda path: False) > 0
  assert orthogonal({'embed': {'embedding': table}}, beta=1.0) > 0


def test_descent_makes_filters_orthogonal():
  kernel = KERNEL.reshape(-1, 5) / 4
  step = jax.jit(
    lambda k: k - 0.1 * jax.grad(lambda k: orthogonal({'kernel': k}, 1.0, 'identity'))(k)
  )
  for _ in range(300):
    kernel = step(kernel)
  close(kernel.T @ kernel, np.eye(5))


def test_unknown_form():
  with pytest.raises(
    ValueError, match="unknown form 'both'; expected one of off_diagonal, identity"
  ):
    orthogonal({}, form='both')

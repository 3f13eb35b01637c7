"""Top-k training: which examples count, how many, and that neither needs a new trace."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.nn import replicas
from tests.recorded import read

RECORDED = read('studiogan/losses')['adjust_k']
LOGITS = np.array([0.3, -1.0, 2.0, 0.5, 0.5, -3.0], np.float32)


def test_weighted_mean_is_the_mean_over_the_k_largest():
  loss = losses.hinge_generator(LOGITS)
  for k in range(1, 7):
    weights = losses.top_k_weights(LOGITS, k)
    assert weights.shape == (6,) and weights.dtype == jnp.float32
    assert (weights > 0).sum() == k
    np.testing.assert_allclose(
      (weights * loss).mean(), -np.sort(LOGITS)[::-1][:k].mean(), rtol=1e-6
    )


def test_gradient_reaches_the_k_largest_alone():
  loss = lambda x: (losses.top_k_weights(x, 3) * losses.non_saturating_generator(x)).mean()
  gradient = jax.grad(loss)(LOGITS)
  top = np.array([2, 3, 4])
  np.testing.assert_allclose(gradient[top], -1 / (1 + np.exp(LOGITS[top])) / 3, rtol=1e-6)
  assert not np.any(np.delete(gradient, top))


def test_equal_logits_rank_in_their_order():
  np.testing.assert_array_equal(losses.top_k_weights(LOGITS, 2) > 0, [0, 0, 1, 1, 0, 0])
  np.testing.assert_array_equal(losses.top_k_weights(jnp.zeros(4), 3) > 0, [1, 1, 1, 0])


def test_one_trace_for_every_step():
  traces = []

  @jax.jit
  def weights(step):
    traces.append(step)
    return losses.top_k_weights(LOGITS, losses.top_k_count(step, 6, every=10, gamma=0.8, floor=0.5))

  counts = [int((weights(step) > 0).sum()) for step in (0, 9, 10, 25, 1000)]
  assert counts == [6, 6, 4, 3, 3]
  assert len(traces) == 1


def test_out_of_range_counts_are_cut():
  np.testing.assert_array_equal(losses.top_k_weights(LOGITS, 99), np.ones(6))
  assert (losses.top_k_weights(LOGITS, 0) > 0).sum() == 1


def test_two_replicas_equal_one():
  for k in (1, 3, 5):
    halves = jax.vmap(lambda x: losses.top_k_weights(x, k), axis_name=replicas.AXIS)(  # noqa: B023
      LOGITS.reshape(2, 3)
    )
    np.testing.assert_allclose(halves.ravel(), losses.top_k_weights(LOGITS, k))


def test_golden_count():
  """Of a batch of 8 after one decay by 0.99, and at the floor of a half."""
  assert losses.top_k_count(1, 8, every=1, gamma=0.99) == int(RECORDED[0]) == 7
  assert losses.top_k_count(10**6, 8, every=1, gamma=0.99) == RECORDED[1] == 4


@pytest.mark.parametrize('gamma', [1.0, 0.99, 0.9, 0.5])
def test_count_is_that_of_repeated_multiplication(gamma):
  k = 100.0
  for decay in range(200):
    ours = losses.top_k_count(7 * decay + 6, 100, every=7, gamma=gamma, floor=0.25)
    assert ours == int(k + 1e-9) and ours.dtype == jnp.int32
    k = max(k * gamma, 25)


@pytest.mark.parametrize(
  'options', [{'every': 0}, {'every': 1, 'gamma': 1.5}, {'every': 1, 'floor': 0}]
)
def test_bad_options_are_one_line(options):
  with pytest.raises(ValueError, match=r'^every=.*; expected every >= 1, the others in \(0, 1\]$'):
    losses.top_k_count(0, 8, **options)

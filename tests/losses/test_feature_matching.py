"""Feature matching: recorded numbers, and the paper's form by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.losses.feature_matching import FORMS
from tests.losses import layouts
from tests.recorded import read

NUMBERS = read('studiogan/losses')
REAL, FAKE = NUMBERS['cls/embed'], NUMBERS['cls/proxy']


def test_golden():
  value, gradients = jax.value_and_grad(
    lambda real, fake: losses.feature_matching(real, fake, form='absolute'), (0, 1)
  )(REAL, FAKE)
  np.testing.assert_allclose(value, NUMBERS['cls/feature_matching/loss'], rtol=1e-5)
  for gradient, name in zip(gradients, ('real', 'fake'), strict=True):
    theirs = NUMBERS[f'cls/feature_matching/grad_{name}_embed']
    np.testing.assert_allclose(gradient, theirs, rtol=1e-5, atol=1e-6)


def test_squared_by_hand():
  """Means (1, 2) and (3, -1): 4 + 9."""
  real, fake = jnp.array([[0.0, 2.0], [2.0, 2.0]]), jnp.array([[3.0, 0.0], [3.0, -2.0]])
  value = losses.feature_matching(real, fake)
  assert value.shape == () and value.dtype == jnp.float32
  np.testing.assert_allclose(value, 13.0)


@pytest.mark.parametrize('form', FORMS)
def test_two_replicas_equal_one(form):
  layouts.check(lambda r, f: losses.feature_matching(r, f, form=form), REAL, FAKE)


def test_bad_input_is_one_line():
  with pytest.raises(ValueError, match="unknown form 'l1'; expected one of squared, absolute"):
    losses.feature_matching(REAL, FAKE, form='l1')
  with pytest.raises(ValueError, match=r'\(10, 6\) and \(10, 5\); expected \[batch, features\]'):
    losses.feature_matching(REAL, FAKE[:, 1:])

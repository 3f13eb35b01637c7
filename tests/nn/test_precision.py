"""Arithmetic that is at least float32."""

import jax
import jax.numpy as jnp
import pytest

from jaxgan.nn.precision import wide, widen


@pytest.mark.parametrize('given, kept', [('bfloat16', 'float32'), ('float16', 'float32'), ('float32', 'float32'), ('float64', 'float64')])  # fmt: skip
def test_wide(given, kept):
  assert wide(given) == kept
  with jax.enable_x64(True):
    assert widen(jnp.ones(2, given)).dtype == kept

"""Every augmentation keeps the contract by which a game uses it."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import augment

NAMES = [name for name in augment.__all__ if name != 'Augmentation']


@pytest.mark.parametrize('name', NAMES)
def test_contract(name):
  """Shapes, dtypes, keys and states of what a train step carries through jit."""
  augmentation = augment.find(name)()
  real, fake = jax.random.normal(jax.random.key(0), (2, 4, 8, 8, 3))
  state = jax.tree.map(lambda x: x + 0.5 if x.dtype == jnp.float32 else x, augmentation.init())
  apply = jax.jit(augmentation.apply)
  out = apply(real, fake, jax.random.key(1), state, 0)
  for before, after in zip((real, fake), out):
    assert (after.shape, after.dtype) == (before.shape, before.dtype)
  assert any((a != b).any() for a, b in zip((real, fake), out))
  again = apply(real, fake, jax.random.key(1), state, 0)
  other = apply(real, fake, jax.random.key(5), state, 0)
  assert all((a == b).all() for a, b in zip(out, again))
  assert any((a != b).any() for a, b in zip(out, other))
  new = jax.jit(augmentation.update)(state, jnp.ones(4))
  assert jax.tree.map(jnp.shape, new) == jax.tree.map(jnp.shape, state)
  alone = jax.eval_shape(augmentation.apply, None, fake, jax.random.key(1), state, 0)
  assert alone[0] is None and alone[1].shape == fake.shape


@pytest.mark.parametrize('name', NAMES)
def test_the_generators_gradient_flows(name):
  augmentation = augment.find(name)(**({'p': 0.3} if name in ('ada', 'apa') else {}))
  fake = jax.random.normal(jax.random.key(0), (4, 8, 8, 3))
  state = augmentation.init()
  out = lambda fake: augmentation.apply(None, fake, jax.random.key(1), state, 0)[1]
  gradient = jax.jit(jax.grad(lambda fake: (out(fake) ** 2).sum()))(fake)
  assert np.isfinite(gradient).all()
  assert (gradient != 0).any((1, 2, 3)).all()


def test_an_unknown_name_is_answered_with_the_nearest():
  with pytest.raises(
    ValueError, match="unknown augmentation 'diffaugment'; did you mean 'diff_augm"
  ):
    augment.find('diffaugment')
  with pytest.raises(ValueError, match="'mixup'; there are: ada, apa, diff_augment, instance"):
    augment.find('mixup')


def test_import_needs_jax_alone():
  heavy = ('flax', 'chex', 'optax', 'orbax', 'tensorflow', 'matplotlib', 'scipy.signal')
  code = f'import sys, jaxgan.augment; print([m for m in {heavy} if m in sys.modules])'
  out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
  assert out.stdout.strip() == '[]'

"""Adversarial losses: recorded numbers, numbers by hand, and what theory says."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.losses.adversarial import PAIRS

NUMBERS = dict(np.load(Path(__file__).parents[1] / 'golden/biggan/losses_ema.npz'))


def close(ours, theirs):
  np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(('name', 'recorded'), [('hinge', 'hinge'), ('non_saturating', 'dcgan')])
def test_golden(name, recorded):
  """Means over the batch and their gradients, as BigGAN's losses.py gave them."""
  discriminator, generator = losses.pair(name)
  real, fake = NUMBERS['dis_real'][:, 0], NUMBERS['dis_fake'][:, 0]
  mean = lambda real, fake: discriminator(real, fake).mean()
  value, gradients = jax.value_and_grad(mean, argnums=(0, 1))(real, fake)
  close(value, NUMBERS[f'{recorded}/dis_first'] + NUMBERS[f'{recorded}/dis_second'])
  close(gradients[0], NUMBERS[f'{recorded}/grad_real'][:, 0])
  close(gradients[1], NUMBERS[f'{recorded}/grad_fake'][:, 0])
  close(generator(fake).mean(), NUMBERS[f'{recorded}/gen'])


SOFT = np.log1p(np.exp(2.0))  # softplus(2)
BY_HAND = {
  # name: (discriminator at real=2, fake=2; at real=0.5, fake=-0.5; generator at fake=2)
  'minimax': (SOFT - 2 + SOFT, 2 * np.log1p(np.exp(-0.5)), -SOFT),
  'non_saturating': (SOFT - 2 + SOFT, 2 * np.log1p(np.exp(-0.5)), SOFT - 2),
  'least_squares': (0.5 * (1 + 4), 0.25, 0.5),
  'hinge': (3.0, 1.0, -2.0),
  'wasserstein': (0.0, -1.0, -2.0),
}


@pytest.mark.parametrize('name', list(PAIRS))
def test_by_hand(name):
  discriminator, generator = losses.pair(name)
  both = discriminator(jnp.array([2.0, 0.5]), jnp.array([2.0, -0.5]))
  close(both, BY_HAND[name][:2])
  close(generator(jnp.array([2.0])), BY_HAND[name][2:])


def test_optimal_discriminator_gives_the_jensen_shannon_divergence():
  """min_D of minimax = 2 log 2 - 2 JSD, reached at logit = log p/q (Goodfellow et al. 2014)."""
  p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])

  def expected(logits):
    value = losses.minimax_discriminator
    zeros = jnp.zeros(3)
    of_real = value(logits, zeros) - value(zeros, zeros) / 2
    of_fake = value(zeros, logits) - value(zeros, zeros) / 2
    return (p * of_real + q * of_fake).sum()

  optimum = jnp.log(p / q)
  middle = (p + q) / 2
  jsd = 0.5 * (p * np.log(p / middle)).sum() + 0.5 * (q * np.log(q / middle)).sum()
  close(expected(optimum), 2 * np.log(2) - 2 * jsd)
  close(jax.grad(expected)(optimum), np.zeros(3))


def test_minimax_is_zero_sum():
  real, fake = jnp.array([0.3, -1.0]), jnp.array([2.0, -0.7])
  gradient_d = jax.grad(lambda f: losses.minimax_discriminator(real, f).sum())(fake)
  gradient_g = jax.grad(lambda f: losses.minimax_generator(f).sum())(fake)
  close(gradient_d, -gradient_g)


@pytest.mark.parametrize('name', list(PAIRS))
def test_result_is_per_example_float32_and_finite_far_out(name):
  discriminator, generator = losses.pair(name)
  logits = jnp.array([-1e4, -1.0, 0.0, 1e4], jnp.bfloat16)
  for value in (discriminator(logits, logits), generator(logits)):
    assert value.shape == (4,)
    assert value.dtype == jnp.float32
    assert np.isfinite(value).all()


def test_shapes_that_would_broadcast_are_refused():
  with pytest.raises(
    ValueError, match=r'logits of shape \(4, 1\) and \(4, 1\); expected \[batch\]'
  ):
    losses.hinge_discriminator(jnp.zeros((4, 1)), jnp.zeros((4, 1)))
  with pytest.raises(ValueError, match=r'\(4,\) and \(3,\)'):
    losses.hinge_discriminator(jnp.zeros(4), jnp.zeros(3))
  with pytest.raises(ValueError, match=r'logits of shape \(\)'):
    losses.wasserstein_generator(jnp.zeros(()))


def test_unknown_name_answers_with_the_list():
  with pytest.raises(ValueError, match=r"unknown loss 'hing'; expected one of minimax, .*hinge"):
    losses.pair('hing')


def test_import_needs_jax_alone():
  heavy = ('flax', 'chex', 'optax', 'orbax', 'tensorflow', 'matplotlib', 'tensorflow_datasets')
  code = f'import sys, jaxgan.losses; print([m for m in {heavy} if m in sys.modules])'
  out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
  assert out.stdout.strip() == '[]'

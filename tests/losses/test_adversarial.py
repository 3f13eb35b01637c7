"""Adversarial losses: recorded numbers, numbers by hand, and what theory says."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.losses.pairs import ABSOLUTE
from tests.recorded import read

GOLDEN = Path(__file__).parents[1] / 'golden'
NUMBERS = dict(np.load(GOLDEN / 'biggan/losses_ema.npz'))
STUDIOGAN = dict(np.load(GOLDEN / 'studiogan/losses.npz'))
PATCHES = read('cyclegan/patchgan70_instance')


def close(ours, theirs):
  np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(('name', 'recorded'), [('hinge', 'hinge'), ('non_saturating', 'dcgan')])
def test_golden(name, recorded):
  """Means over the batch and their gradients, as BigGAN's losses.py gave them."""
  discriminator, generator, _ = losses.pair(name)
  real, fake = NUMBERS['dis_real'][:, 0], NUMBERS['dis_fake'][:, 0]
  mean = lambda real, fake: discriminator(real, fake).mean()
  value, gradients = jax.value_and_grad(mean, argnums=(0, 1))(real, fake)
  close(value, NUMBERS[f'{recorded}/dis_first'] + NUMBERS[f'{recorded}/dis_second'])
  close(gradients[0], NUMBERS[f'{recorded}/grad_real'][:, 0])
  close(gradients[1], NUMBERS[f'{recorded}/grad_fake'][:, 0])
  close(generator(None, fake).mean(), NUMBERS[f'{recorded}/gen'])


@pytest.mark.parametrize(
  ('name', 'recorded'),
  [
    ('non_saturating', 'vanilla'),
    ('logistic', 'logistic'),
    ('least_squares', 'ls'),
    ('hinge', 'hinge'),
    ('wasserstein', 'wasserstein'),
  ],
)
def test_golden_of_studiogan(name, recorded):
  discriminator, generator, _ = losses.pair(name)
  real, fake = STUDIOGAN['d_logit_real'], STUDIOGAN['d_logit_fake']
  value, gradients = jax.value_and_grad(lambda r, f: discriminator(r, f).mean(), (0, 1))(real, fake)
  close(value, STUDIOGAN[f'{recorded}/d'])
  close(gradients[0], STUDIOGAN[f'{recorded}/d_grad_real'])
  close(gradients[1], STUDIOGAN[f'{recorded}/d_grad_fake'])
  value, gradient = jax.value_and_grad(lambda f: generator(None, f).mean())(fake)
  close(value, STUDIOGAN[f'{recorded}/g'])
  close(gradient, STUDIOGAN[f'{recorded}/g_grad'])


@pytest.mark.parametrize(
  ('name', 'recorded', 'times'),
  [
    ('least_squares', 'lsgan', 2),  # CycleGAN's has no half
    ('non_saturating', 'vanilla', 1),
    ('wasserstein', 'wgangp', 1),
    ('non_saturating', 'nonsaturating', 1),
  ],
)
def test_golden_of_patches(name, recorded, times):
  """Means over the 6 x 6 logits of each of two pictures, as CycleGAN's GANLoss gave them."""
  discriminator, generator, _ = losses.pair(name)
  real, fake = PATCHES['out/real'].ravel(), PATCHES['out/fake'].ravel()
  each = lambda loss: times * loss.reshape(2, -1).mean(1)
  recorded = lambda what, kind=recorded: PATCHES[f'{kind}/{what}']
  ours, theirs = each(discriminator(real, fake)), recorded('real_true') + recorded('fake_false')
  close(ours if np.ndim(theirs) else ours.mean(), theirs)
  ours, theirs = each(generator(None, fake)), recorded('gen_fake_true')
  close(ours if np.ndim(theirs) else ours.mean(), theirs)


SOFT = np.log1p(np.exp(2.0))  # softplus(2)
BY_HAND = {
  # name: (discriminator at real=2, fake=2; at real=0.5, fake=-0.5; generator at fake=2)
  'minimax': (SOFT - 2 + SOFT, 2 * np.log1p(np.exp(-0.5)), -SOFT),
  'non_saturating': (SOFT - 2 + SOFT, 2 * np.log1p(np.exp(-0.5)), SOFT - 2),
  'logistic': (SOFT - 2 + SOFT, 2 * np.log1p(np.exp(-0.5)), SOFT - 2),
  'least_squares': (0.5 * (1 + 4), 0.25, 0.5),
  'hinge': (3.0, 1.0, -2.0),
  'wasserstein': (0.0, -1.0, -2.0),
}


@pytest.mark.parametrize('name', ABSOLUTE)
def test_by_hand(name):
  discriminator, generator, _ = losses.pair(name)
  both = discriminator(jnp.array([2.0, 0.5]), jnp.array([2.0, -0.5]))
  close(both, BY_HAND[name][:2])
  close(generator(None, jnp.array([2.0])), BY_HAND[name][2:])


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


def test_shapes_that_would_broadcast_are_refused():
  with pytest.raises(
    ValueError, match=r'logits of shape \(4, 1\) and \(4, 1\); expected \[batch\]'
  ):
    losses.hinge_discriminator(jnp.zeros((4, 1)), jnp.zeros((4, 1)))
  with pytest.raises(ValueError, match=r'\(4,\) and \(3,\)'):
    losses.hinge_discriminator(jnp.zeros(4), jnp.zeros(3))
  with pytest.raises(ValueError, match=r'logits of shape \(\)'):
    losses.wasserstein_generator(jnp.zeros(()))


def test_import_needs_jax_alone():
  heavy = ('flax', 'chex', 'optax', 'orbax', 'tensorflow', 'matplotlib', 'tensorflow_datasets')
  code = f'import sys, jaxgan.losses; print([m for m in {heavy} if m in sys.modules])'
  out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
  assert out.stdout.strip() == '[]'

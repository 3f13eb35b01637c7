"""f-GAN: at the optimum the game's value is the divergence, for every row of the table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.losses.f_gan import DIVERGENCES

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])
RATIO = P / Q
JSD = 0.5 * (P * np.log(2 * P / (P + Q))).sum() + 0.5 * (Q * np.log(2 * Q / (P + Q))).sum()
# name: (divergence of P from Q; the logit v of the optimal T = f'(P / Q))
OPTIMA = {
  'kl': ((P * np.log(RATIO)).sum(), 1 + np.log(RATIO)),
  'reverse_kl': ((Q * np.log(Q / P)).sum(), np.log(RATIO)),
  'pearson': (((P - Q) ** 2 / Q).sum(), 2 * (RATIO - 1)),
  'neyman': (((P - Q) ** 2 / P).sum(), 2 * np.log(RATIO)),
  'squared_hellinger': (((np.sqrt(P) - np.sqrt(Q)) ** 2).sum(), 0.5 * np.log(RATIO)),
  'jensen_shannon': (2 * JSD, np.log(RATIO)),
  'gan': (2 * JSD - np.log(4), np.log(RATIO)),
  'total_variation': (0.5 * np.abs(P - Q).sum(), 50 * np.sign(P - Q)),  # in the limit
}
# name: (g_f(v), f*(t)) as the paper prints them
PRINTED = {
  'kl': (lambda v: v, lambda t: np.exp(t - 1)),
  'reverse_kl': (lambda v: -np.exp(-v), lambda t: -1 - np.log(-t)),
  'pearson': (lambda v: v, lambda t: t**2 / 4 + t),
  'neyman': (lambda v: 1 - np.exp(-v), lambda t: 2 - 2 * np.sqrt(1 - t)),
  'squared_hellinger': (lambda v: 1 - np.exp(-v), lambda t: t / (1 - t)),
  'jensen_shannon': (
    lambda v: np.log(2) - np.log(1 + np.exp(-v)),
    lambda t: -np.log(2 - np.exp(t)),
  ),
  'gan': (lambda v: -np.log(1 + np.exp(-v)), lambda t: -np.log(1 - np.exp(t))),
  'total_variation': (lambda v: 0.5 * np.tanh(v), lambda t: t),
}
names = pytest.mark.parametrize('name', list(DIVERGENCES))


@pytest.fixture(autouse=True)
def wide():
  with jax.enable_x64(True):
    yield


def bound(logits, name):
  """E_P[T] - E_Q[f*(T)] of a table of logits, from the discriminator's loss."""
  # the loss is conjugate(fake) - activation(real): at (v, 0) and (0, v) it gives each of them
  loss = lambda real, fake: losses.f_gan_discriminator(real, fake, name)
  zeros = jnp.zeros_like(logits)
  return -(P * loss(logits, zeros) + Q * (loss(zeros, logits) - loss(zeros, zeros))).sum()


@names
def test_the_optimal_discriminator_gives_the_divergence(name):
  divergence, logits = OPTIMA[name]
  value, gradient = jax.value_and_grad(bound)(jnp.asarray(logits), name)
  np.testing.assert_allclose(value, divergence, rtol=1e-12)
  np.testing.assert_allclose(gradient, np.zeros(3), atol=1e-12)


@names
def test_any_other_discriminator_gives_less(name):
  divergence, logits = OPTIMA[name]
  for seed in range(5):
    other = logits + np.random.default_rng(seed).normal(size=3) * (1 if name[0] != 't' else 50)
    assert bound(jnp.asarray(other), name) <= divergence + 1e-12


@names
def test_terms_are_those_of_the_paper(name):
  activation, conjugate = PRINTED[name]
  v = np.linspace(-3, 3, 13)
  value = losses.f_gan_discriminator(jnp.asarray(v), jnp.asarray(v[::-1]), name)
  np.testing.assert_allclose(value, conjugate(activation(v[::-1])) - activation(v), rtol=1e-10)


@names
def test_generator(name):
  """Zero-sum, or on T itself; both with D's loss as the judge."""
  fake, zeros = jnp.linspace(-2.0, 2.0, 5), jnp.zeros(5)
  gradient = lambda loss: jax.grad(lambda x: loss(x).sum())(fake)
  of_d = lambda real, fake: losses.f_gan_discriminator(real, fake, name)
  np.testing.assert_allclose(
    gradient(lambda x: losses.f_gan_generator(x, name)), -gradient(lambda x: of_d(zeros, x))
  )
  np.testing.assert_allclose(
    gradient(lambda x: losses.f_gan_generator(x, name, non_saturating=True)),
    gradient(lambda x: of_d(x, zeros)),
  )


def test_gan_is_minimax():
  real, fake = jnp.array([0.3, -1.0]), jnp.array([2.0, -0.7])
  ours = losses.f_gan_discriminator(real, fake, 'gan')
  np.testing.assert_allclose(ours, losses.minimax_discriminator(real, fake), rtol=1e-12)


@pytest.mark.parametrize('name', ['pearson', 'jensen_shannon', 'gan', 'total_variation'])
def test_finite_far_out(name):
  logits = jnp.array([-1e4, 0.0, 1e4], jnp.float32)
  value = losses.f_gan_discriminator(logits, logits[::-1], name)
  assert np.isfinite(value).all() and value.dtype == jnp.float32


def test_unknown_divergence_answers_with_the_nearest():
  with pytest.raises(ValueError, match=r"^unknown divergence 'kll'; did you mean 'kl'\?$"):
    losses.f_gan_generator(jnp.zeros(2), 'kll')

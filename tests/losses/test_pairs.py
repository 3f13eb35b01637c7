"""Every adversarial loss by its name: called alike, per example, float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.losses.pairs import PAIRS

REAL, FAKE = jnp.array([0.5, -1.0, 2.0, 0.1]), jnp.array([-0.3, 0.2, 1.5, -2.0])


@pytest.mark.parametrize('name', list(PAIRS))
def test_called_alike(name):
  pair = losses.pair(name)
  real, fake = REAL.astype(jnp.bfloat16), FAKE.astype(jnp.bfloat16)
  generator = pair.generator(real if pair.needs_real else None, fake)
  for value in (pair.discriminator(real, fake), generator):
    assert value.shape == (4,) and value.dtype == jnp.float32
    assert np.isfinite(value).all()


@pytest.mark.parametrize('name', list(PAIRS))
def test_needs_real_tells_whether_the_generator_looks(name):
  pair = losses.pair(name)
  if pair.needs_real:
    gradient = jax.grad(lambda real: pair.generator(real, FAKE).sum())(REAL)
    assert np.any(gradient)
  else:
    np.testing.assert_array_equal(pair.generator(None, FAKE), pair.generator(REAL, FAKE))


@pytest.mark.parametrize('name', list(PAIRS))
def test_descent_separates_and_fools(name):
  """Down the discriminator's loss real logits rise and fake ones fall; down the generator's they rise."""
  pair, undecided = losses.pair(name), jnp.array([0.1, 0.3, 0.2])
  mean = lambda loss: lambda real, fake: loss(real, fake).mean()
  real, fake = jax.grad(mean(pair.discriminator), (0, 1))(undecided, undecided)
  assert (real < 0).all() and (fake > 0).all()
  assert (jax.grad(mean(pair.generator), 1)(undecided, undecided) < 0).all()


@pytest.mark.parametrize('name', [n for n in PAIRS if 'f_gan' not in n])
def test_finite_far_out(name):
  pair, logits = losses.pair(name), jnp.array([-1e4, -1.0, 0.0, 1e4])
  for loss in pair[:2]:
    value, gradient = jax.value_and_grad(lambda x, loss=loss: loss(x, -x).sum())(logits)
    assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.parametrize(
  ('name', 'says'),
  [
    ('hing', r"^unknown loss 'hing'; did you mean 'hinge'\?$"),
    ('f_gan_pearsn', r"did you mean 'f_gan_pearson'\?$"),
    (
      'zzz',
      r"^unknown loss 'zzz'; there are: minimax, .*hinge, .*relativistic_average$|least_squares",
    ),
  ],
)
def test_unknown_name_answers_with_the_nearest(name, says):
  with pytest.raises(ValueError, match=says) as error:
    losses.pair(name)
  assert '\n' not in str(error.value)


def test_all_is_what_there_is():
  assert all(callable(getattr(losses, name)) for name in losses.__all__)
  for name, pair in PAIRS.items():
    if 'f_gan' not in name:
      assert getattr(losses, f'{name}_discriminator') is pair.discriminator

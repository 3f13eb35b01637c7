"""Instance noise: its schedule and its strength."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.augment import instance_noise


@pytest.mark.parametrize('schedule, rest', [('linear', 0.75), ('cosine', (1 + 0.5**0.5) / 2)])
def test_its_strength_follows_the_schedule(schedule, rest):
  apply = instance_noise(start=0.2, steps=100, schedule=schedule).apply
  x = jnp.zeros((64, 16, 16, 3))
  noise = apply(x, None, jax.random.key(0), {}, 25)[0]
  np.testing.assert_allclose(noise.std(), 0.2 * rest, rtol=0.02)


@pytest.mark.parametrize('schedule', ['linear', 'cosine'])
def test_noise_of_that_strength_on_both_and_none_at_the_end(schedule):
  x = jnp.ones((64, 16, 16, 3))
  apply = jax.jit(instance_noise(start=0.4, steps=100, schedule=schedule).apply)
  real, fake = apply(x, x, jax.random.key(0), {}, 50)
  for out in (real, fake):
    assert abs(float((out - x).mean())) < 0.005
    assert abs(float(out.std()) - 0.2) < 0.005
  assert (real != fake).mean() > 0.9
  real, fake = apply(x, None, jax.random.key(0), {}, 100)
  assert (real == x).all() and fake is None


def test_bad_options_are_refused():
  with pytest.raises(ValueError, match="unknown schedule 'cosin'; did you mean 'cosine'"):
    instance_noise(schedule='cosin')
  with pytest.raises(ValueError, match=r'start=-1; expected a number >= 0'):
    instance_noise(start=-1)
  with pytest.raises(ValueError, match=r'steps=0; expected a number >= 1'):
    instance_noise(steps=0)

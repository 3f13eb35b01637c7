"""APA: recorded numbers, and what the discriminator is shown."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.augment import apa
from jaxgan.augment.apa import deceive
from tests import recorded

NUMBERS = recorded.read('studiogan/augment_diffaug_cr_apa')


@pytest.mark.parametrize('p', [0.0, 0.5])
def test_golden(p):
  u = NUMBERS[f'apa/p{p}/draws/00_rand'].reshape(-1)
  out = deceive(NUMBERS['x'], NUMBERS['apa/fake'], u, p)
  np.testing.assert_array_equal(out, NUMBERS[f'apa/p{p}/out'])


def test_each_real_is_replaced_with_probability_p_and_no_gradient_reaches_the_fakes():
  real, fake = jnp.ones((4000, 2, 2, 1)), -jnp.ones((4000, 2, 2, 1))
  augmentation = apa(p=0.3, target=0)
  shown = lambda real, fake: augmentation.apply(real, fake, jax.random.key(0), {}, 0)
  new, same = shown(real, fake)
  assert (same == fake).all()
  assert (new == new[:, :1, :1]).all()  # whole examples
  assert abs(float((new == fake).mean()) - 0.3) < 0.03
  gradients = jax.grad(lambda *pair: shown(*pair)[0].sum(), (0, 1))(real, fake)
  assert (gradients[0] == (new == real)).all()
  assert (gradients[1] == 0).all()


def test_the_state_decides_and_one_side_alone_passes():
  real, fake = jnp.ones((8, 2, 2, 1)), -jnp.ones((8, 2, 2, 1))
  augmentation = apa(target=0.6)
  key = jax.random.key(0)
  state = augmentation.init()
  assert (augmentation.apply(real, fake, key, state, 0)[0] == real).all()
  state['p'] = jnp.float32(1)
  assert (augmentation.apply(real, fake, key, state, 0)[0] == fake).all()
  assert augmentation.apply(None, fake, key, state, 0) == (None, fake)
  with pytest.raises(
    ValueError, match=r'real \(8, 2, 2, 1\) and fake \(4, 2, 2, 1\); expected one'
  ):
    augmentation.apply(real, fake[:4], key, state, 0)

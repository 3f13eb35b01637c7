"""Labels at the input, codes in the latent, packs of images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import models
from jaxgan.config import ConfigError
from jaxgan.games.conditioning import Codes, check_packing, pack, unpack
from tests import tiny


def test_codes_are_drawn_uniformly_and_read_back():
  codes = Codes((3, 4), 2)
  drawn = codes.draw(jax.random.key(0), 6000)
  assert drawn.shape == (6000, codes.size) == (6000, 9)
  (first, second), values = codes.split(drawn)
  for one_hot, count in ((first, 3), (second, 4)):
    assert one_hot.shape == (6000, count)
    np.testing.assert_array_equal(one_hot.sum(1), 1)
    np.testing.assert_allclose(one_hot.mean(0), 1 / count, atol=0.03)
  assert values.shape == (6000, 2) and np.abs(values).max() <= 1
  np.testing.assert_allclose(values.var(0), 1 / 3, atol=0.02)
  table = first.T @ second / 6000  # independent
  np.testing.assert_allclose(table, 1 / 12, atol=0.02)


def test_a_pack_is_neighbours_as_channels():
  x = jnp.arange(4 * 2 * 2 * 3.0).reshape(4, 2, 2, 3)
  packed = pack(x, 2)
  assert packed.shape == (2, 2, 2, 6)
  np.testing.assert_array_equal(packed[1, ..., :3], x[2])
  np.testing.assert_array_equal(packed[1, ..., 3:], x[3])
  np.testing.assert_array_equal(unpack(packed, 2), x)
  with pytest.raises(ValueError, match='packing=3 does not divide 4 images'):
    check_packing(3, {'image': x})


@pytest.mark.parametrize('kind', ['concatenation', 'embedding'])
def test_labels_reach_networks_that_take_none(kind):
  game = models.make(
    'dcgan', image_shape=(16, 16, 3), num_classes=3, conditioning=kind, channels=4, dim_z=5
  )
  assert game.conditional
  batch = {'image': jnp.zeros((1, 16, 16, 3)), 'label': jnp.zeros(1, jnp.int32)}
  players = game.init(jax.random.key(0), batch)
  z = jnp.broadcast_to(game.predict['latent'](players, jax.random.key(1), n=1), (3, 5))
  images = game.predict['sample'](players, None, label=jnp.arange(3), z=z)
  assert len(np.unique(np.asarray(images[:, 0, 0, 0]))) == 3
  same = jnp.broadcast_to(images[:1], images.shape)
  logits = game.predict['score'](players, None, image=same, label=jnp.arange(3))
  assert len(np.unique(np.asarray(logits))) == 3


def test_labels_that_are_not_there_are_one_line():
  make = lambda **options: models.make('dcgan', image_shape=(16, 16, 3), num_classes=0, **options)
  with pytest.raises(ConfigError, match='needs labels; the data have none'):
    make(conditioning='concatenation')
  with pytest.raises(ConfigError, match="did you mean 'concatenation'"):
    make(conditioning='concatenated')


def test_packing_judges_packs_and_scores_single_images():
  game = models.make('dcgan', image_shape=(16, 16, 3), num_classes=0, packing=2, channels=4)
  batch = {
    'image': jax.random.uniform(jax.random.key(3), (4, 16, 16, 3)),
    'label': jnp.zeros(4, jnp.int32),
  }
  players = game.init(jax.random.key(0), batch)
  assert players['discriminator']['params']['down_0']['kernel'].shape[2] == 6
  for name, loss in game.losses.items():
    value, _ = loss(players[name]['params'], players, batch, jax.random.key(1), jnp.asarray(0))
    assert np.isfinite(value)
  logits = game.predict['score'](players, None, image=batch['image'], label=batch['label'])
  assert logits.shape == (4,)
  odd = jax.tree.map(lambda x: x[:3], batch)
  with pytest.raises(ValueError, match='packing=2 does not divide 3 images'):
    game.losses['discriminator'](
      players['discriminator']['params'], players, odd, jax.random.key(1), jnp.asarray(0)
    )


def test_codes_are_part_of_the_latent():
  game = tiny.game(codes={'discrete': (1,)})
  players = game.init(
    jax.random.key(0), {'image': jnp.zeros((1, 4, 4, 1)), 'label': jnp.zeros(1, int)}
  )
  z = game.predict['latent'](players, jax.random.key(0), n=5)
  assert z.shape == (5, 2)
  np.testing.assert_array_equal(z[:, 1], 1)
  with pytest.raises(ValueError, match='codes take 4 entries of a latent of dim_z=2'):
    tiny.game(codes={'discrete': (4,)})

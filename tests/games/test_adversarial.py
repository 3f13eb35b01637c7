"""The adversarial game: who sees what, who changes what, and options that answer when they are wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxgan import losses, models, train_step
from jaxgan.config import ConfigError
from jaxgan.games.adversarial import adversarial
from jaxgan.games.networks import from_networks
from jaxgan.nn.batch_norm import BatchNorm
from jaxgan.nn.spectral_norm import SNDense, power_iteration
from jaxgan.train_state import TrainState

CLASSES, SIZE = 3, 6


class Generator(nn.Module):
  """z [B, 2] and labels -> images [B, 4, 4, 1], with statistics of both kinds."""

  resolution: int = 4
  num_classes: int = CLASSES
  image_channels: int = 1
  dim_z: int = 2

  @nn.compact
  def __call__(self, z, labels, train=False):
    x = SNDense(features=16, name='dense')(z, train) + labels[:, None]
    return BatchNorm(name='norm')(x.reshape(-1, 4, 4, 1), train)


class Discriminator(nn.Module):
  """Images and labels -> logits [B]."""

  resolution: int = 4
  num_classes: int = CLASSES

  @nn.compact
  def __call__(self, x, labels, train=False):
    h = nn.tanh(SNDense(features=8, name='first')(x.reshape(len(x), -1), train))
    return SNDense(features=1, name='last')(h, train)[:, 0] * (1 + labels)


class Spy(nn.Module):
  """A critic (1 + y) sum(x), which is easy to differentiate, that keeps what it was shown."""

  seen: tuple = ()

  @nn.compact
  def __call__(self, x, labels, train=False):
    for list_of in self.seen:
      list_of.append((x, labels))
    scale = self.param('scale', nn.initializers.ones, ())
    return scale * (1.0 + labels) * x.sum((1, 2, 3))


def batch(seed=0):
  rng = np.random.default_rng(seed)
  return {
    'image': jnp.asarray(rng.uniform(-1, 1, (SIZE, 4, 4, 1)), jnp.float32),
    'label': jnp.asarray([0, 0, 1, 1, 2, 2], jnp.int32),
  }


def game(**options):
  return adversarial(Generator(), Discriminator(), dim_z=2, num_classes=CLASSES, **options)


def spied(**options):
  """(game, its players, what the discriminator has seen)."""
  seen = []
  made = adversarial(
    Generator(), Spy((Keeper(seen),)), dim_z=2, num_classes=CLASSES, loss='wasserstein', **options
  )
  players = made.init(jax.random.key(0), batch())
  seen.clear()
  return made, players, seen


class Keeper:
  """A list that modules can carry: they compare and hash their fields."""

  def __init__(self, kept):
    self.append = kept.append


def loss_of(made, player, players, step=0, key=1):
  """The loss and its Aux, eager, so that every array can be looked at."""
  return made.losses[player](
    players[player]['params'], players, batch(), jax.random.key(key), jnp.asarray(step)
  )


def same(a, b):
  return jax.tree.map(lambda x, y: bool((x == y).all()), a, b)


@pytest.mark.parametrize(
  'player, other', [('discriminator', 'generator'), ('generator', 'discriminator')]
)
def test_an_update_changes_every_collection_of_its_player_and_nothing_else(player, other):
  made = game()
  txs = {name: optax.sgd(0.1) for name in made.losses}
  state = TrainState.create(jax.random.key(0), made.init(jax.random.key(0), batch()), txs)
  _, aux = loss_of(made, player, state.players)
  assert set(aux.updates) == {player} and 'params' not in aux.updates[player]
  new, _ = train_step.update_player(
    state, player, made.losses[player], txs[player], batch(), jax.random.key(1)
  )
  assert jax.tree.all(same(new.players[other], state.players[other]))
  for collection, values in same(new.players[player], state.players[player]).items():
    assert not any(jax.tree.leaves(values)) or collection == 'params', collection
  assert not jax.tree.all(same(new.players[player]['params'], state.players[player]['params']))


def test_the_discriminator_sees_fakes_and_reals_as_one_batch_in_turns():
  made, players, seen = spied()
  value, aux = loss_of(made, 'discriminator', players)
  ((images, labels),) = seen
  assert images.shape == (2 * SIZE, 4, 4, 1)
  fake, real = images[0::2], images[1::2]
  np.testing.assert_array_equal(real, batch()['image'])
  np.testing.assert_array_equal(labels[1::2], batch()['label'])
  logits = (1 + labels) * images.sum((1, 2, 3))
  np.testing.assert_allclose(aux.metrics['fake_logit'], logits[0::2].mean(), rtol=1e-5)
  np.testing.assert_allclose(aux.metrics['real_logit'], logits[1::2].mean(), rtol=1e-5)
  np.testing.assert_allclose(value, logits[0::2].mean() - logits[1::2].mean(), rtol=1e-5)
  fakes = fake - labels[0::2, None, None, None]  # normalised over the batch
  assert len(np.unique(np.asarray(fakes))) > SIZE and np.abs(fake.mean()) < 1e-5


def test_the_spectral_vectors_of_the_discriminator_move_by_one_iteration_an_update():
  made = game(discriminator_penalties={'r1': {'gamma': 1.0}, 'gradient_penalty': {}})
  players = made.init(jax.random.key(0), batch())
  old = players['discriminator']
  _, aux = loss_of(made, 'discriminator', players)
  for layer in ('first', 'last'):
    kernel, u = old['params'][layer]['kernel'], old['spectral'][layer]['u']
    _, once = power_iteration(kernel, u)
    np.testing.assert_allclose(
      aux.updates['discriminator']['spectral'][layer]['u'], once, atol=1e-6
    )
    assert layer == 'last' or np.abs(once - u).max() > 1e-3  # a vector of one entry cannot turn


def test_the_generator_is_judged_by_a_discriminator_that_stays_as_it_is():
  made, players, seen = spied()
  value, aux = loss_of(made, 'generator', players)
  ((images, labels),) = seen
  assert images.shape == (SIZE, 4, 4, 1)
  np.testing.assert_allclose(value, -((1 + labels) * images.sum((1, 2, 3))).mean(), rtol=1e-5)
  assert set(aux.updates) == {'generator'}


def test_labels_of_fakes_are_of_every_class_and_differ_with_the_key():
  made, players, seen = spied()
  for key in range(12):
    loss_of(made, 'discriminator', players, key=key)
  labels = np.stack([np.asarray(found[:SIZE]) for _, found in seen])
  assert set(labels.ravel()) == set(range(CLASSES))
  assert len({tuple(row) for row in labels}) > 6


@pytest.mark.parametrize('every', [1, 4])
def test_a_lazy_penalty_comes_every_k_steps_times_k(every):
  plain, lazy = game(), game(discriminator_penalties={'r1': {'gamma': 3.0, 'every': every}})
  players = plain.init(jax.random.key(0), batch())
  _, aux = loss_of(lazy, 'discriminator', players, step=0)
  penalty = float(aux.metrics['r1'])
  assert penalty > 0.01
  for step in range(6):
    more = (
      loss_of(lazy, 'discriminator', players, step)[0]
      - loss_of(plain, 'discriminator', players, step)[0]
    )
    np.testing.assert_allclose(more, every * penalty * (step % every == 0), rtol=1e-4, atol=1e-5)


def test_penalties_of_both_players_join_their_losses():
  options = {'orthogonal': {'beta': 0.5, 'form': 'identity'}}
  made = game(generator_penalties=options, discriminator_penalties=options)
  players = made.init(jax.random.key(0), batch())
  for player in made.losses:
    scaled = jax.tree.map(lambda x: 2 * x, players[player]['params'])  # orthogonal at the start
    moved = {**players, player: {**players[player], 'params': scaled}}
    with_penalty, aux = loss_of(made, player, moved)
    without, _ = loss_of(game(), player, moved)
    assert aux.metrics['orthogonal'] > 0.1
    np.testing.assert_allclose(with_penalty - without, aux.metrics['orthogonal'], rtol=1e-4)


def test_a_lazy_penalty_keeps_the_dtype_of_the_numbers():
  made = game(discriminator_penalties={'r1': {'every': 2}})
  players = made.init(jax.random.key(0), batch())
  with jax.enable_x64(True):  # 0.0 is float64 here, and the penalty float32
    assert np.isfinite(loss_of(made, 'discriminator', players, step=1)[0])


def test_penalties_judge_reals_and_fakes_with_their_own_labels():
  gamma = 2.0
  specs = {
    'r1': {'gamma': gamma},
    'r2': {'gamma': gamma},
    'gradient_penalty': {'target': 0.0, 'weight': 1.0},
  }
  made, players, seen = spied(discriminator_penalties=specs)
  _, aux = loss_of(made, 'discriminator', players)
  fake_label, label = np.asarray(seen[0][1]).reshape(-1, 2).T
  assert not np.array_equal(np.sort(fake_label), label)
  squared = lambda labels: np.mean(16.0 * (1 + labels) ** 2)  # the gradient is (1 + y) everywhere
  np.testing.assert_allclose(aux.metrics['r1'], gamma / 2 * squared(label), rtol=1e-5)
  np.testing.assert_allclose(aux.metrics['r2'], gamma / 2 * squared(fake_label), rtol=1e-5)
  np.testing.assert_allclose(aux.metrics['gradient_penalty'], squared(label), rtol=1e-5)


@pytest.mark.parametrize(
  'options, says',
  [
    ({'loss': 'hing'}, "unknown loss 'hing'; did you mean 'hinge'\\?"),
    ({'latent': 'gaussian'}, "unknown latent 'gaussian'; there are: .*normal"),
    ({'discriminator_penalties': {'r3': {}}}, "unknown penalty 'r3'; there are: .*r1, r2"),
    ({'discriminator_penalties': {'r1': {'gama': 1.0}}}, "'r1' has no option 'gama'; .*gamma, every"),
    ({'discriminator_penalties': {'r1': {'every': 0}}}, "'r1': every=0; expected a whole number"),
    ({'generator_penalties': {'r1': {}}}, "'r1' needs critic, which the generator does not have"),
    ({'chanels': 3}, 'no option game.chanels; '),
    ({'discriminator_chanels': 3}, 'no option game.discriminator_chanels'),
  ],
)  # fmt: skip
def test_a_wrong_option_is_one_line_when_the_game_is_built(options, says, monkeypatch):
  with pytest.raises(ValueError, match=says) as error:
    from_networks(Generator, Discriminator, (4, 4, 1), CLASSES, **options)
  assert '\n' not in str(error.value)
  with pytest.raises(ConfigError, match=f"^model 'biggan': .*{says}") as error:
    models.make('biggan', image_shape=(16, 16, 3), num_classes=2, **options)
  assert '\n' not in str(error.value)


def test_pictures_that_are_not_square_are_one_line():
  with pytest.raises(ValueError, match=r'images of 4x8; .* set data.resolution$'):
    from_networks(Generator, Discriminator, (4, 8, 1), CLASSES)


def test_every_loss_and_latent_makes_a_finite_game():
  for loss in ('minimax', 'non_saturating', 'least_squares', 'hinge', 'wasserstein'):
    assert losses.pair(loss)
    for latent in ('normal', 'uniform', 'truncated_normal'):
      made = game(loss=loss, latent=latent)
      players = made.init(jax.random.key(0), batch())
      assert all(np.isfinite(loss_of(made, player, players)[0]) for player in made.losses)


def test_standing_statistics_are_the_moments_of_many_batches():
  made = game()
  players = made.init(jax.random.key(0), batch())
  generator = players['generator']
  standing = made.predict['standing'](players, jax.random.key(3), batches=40, batch_size=128)
  found = standing['generator']['batch_stats']['norm']
  # what goes into the norm: a spectrally normalised W z + b of a standard normal, plus y in {0, 1, 2}
  kernel, bias = (np.asarray(generator['params']['dense'][k]) for k in ('kernel', 'bias'))
  sigma, _ = power_iteration(kernel, generator['spectral']['dense']['u'])
  mean = bias.mean() + 1
  var = ((kernel / sigma[0]) ** 2).sum(0).mean() + bias.var() + 2 / 3
  np.testing.assert_allclose(found['mean'], mean, atol=0.05)
  np.testing.assert_allclose(found['var'], var, rtol=0.05)
  assert not np.allclose(generator['batch_stats']['norm']['var'], var, rtol=0.05)
  for name in ('params', 'spectral'):
    assert jax.tree.all(same(standing['generator'][name], generator[name]))
  assert 'standing' not in standing['generator']


def test_predictions():
  made = game()
  players = made.init(jax.random.key(0), batch())
  label, key = jnp.array([0, 1, 2, 0]), jax.random.key(5)
  z = made.predict['latent'](players, key, n=4)
  image = made.predict['sample'](players, key, label=label, z=z)
  np.testing.assert_array_equal(image, made.predict['sample'](players, key, label=label))
  # statistics of training: a picture does not depend on those beside it
  alone = made.predict['sample'](players, key, label=label[2:3], z=z[2:3])
  np.testing.assert_allclose(alone[0], image[2], rtol=1e-5, atol=1e-6)
  score = made.predict['score'](players, key, image=image, label=label)
  assert score.shape == (4,) and score.dtype == jnp.float32
  low = made.predict['latent'](players, key, n=200, truncation=0.1)
  assert np.abs(low).max() <= 0.2 < np.abs(made.predict['latent'](players, key, n=200)).max()


class NormalisedDiscriminator(nn.Module):
  """Images -> logits [B], batch normalisation between two layers."""

  @nn.compact
  def __call__(self, x, labels, train=False):
    h = nn.Dense(4)(x.reshape(len(x), -1))
    h = BatchNorm(name='norm')(h[:, None, None], train)[:, 0, 0]
    return nn.Dense(1)(nn.relu(h))[:, 0].astype(jnp.float32)


def test_batch_statistics_of_real_and_fake_do_not_mix():
  """Real pictures far from the fakes: normalised together, both would be told apart by the mean alone."""
  game = adversarial(Generator(), NormalisedDiscriminator(), dim_z=2, num_classes=CLASSES)
  real = jax.random.normal(jax.random.key(0), (SIZE, 4, 4, 1)) + 5
  batch = {'image': real, 'label': jnp.zeros(SIZE, jnp.int32)}
  players = game.init(jax.random.key(1), batch)
  variables = players['discriminator']

  def loss(image):
    value, aux = game.losses['discriminator'](
      variables['params'], players, {**batch, 'image': image}, jax.random.key(2), jnp.asarray(0)
    )
    return value, aux

  run = lambda x: NormalisedDiscriminator().apply(
    variables, x, batch['label'], True, mutable=['batch_stats']
  )
  alone, new = run(real)
  _, aux = loss(real)
  np.testing.assert_allclose(aux.metrics['real_logit'], alone.mean(), rtol=1e-5)
  # shifting all the reals changes nothing, since their own mean is taken away
  np.testing.assert_allclose(
    loss(real + 3)[1].metrics['fake_logit'], aux.metrics['fake_logit'], rtol=1e-5
  )
  # the running statistics have moved for the reals, then for the fakes
  moved = aux.updates['discriminator']['batch_stats']['norm']['mean']
  assert not np.allclose(moved, new['batch_stats']['norm']['mean'])

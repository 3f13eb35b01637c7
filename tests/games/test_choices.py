"""Every choice of the adversarial game: it changes what it should, joins the state, and answers when wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import losses, models
from jaxgan.config import ConfigError
from jaxgan.games.objectives import OBJECTIVES
from jaxgan.nn import replicas
from jaxgan.train_state import TrainState
from jaxgan.train_step import make_train_step
from tests import tiny

SHAPE, CLASSES, N = (16, 16, 3), 3, 6
HEADS = [name for name in OBJECTIVES if name != 'info']


def batch(n=N, seed=0):
  rng = np.random.default_rng(seed)
  image = rng.uniform(-1, 1, (n, *SHAPE))
  return {
    'image': jnp.asarray(image, jnp.float32),
    'label': jnp.asarray(np.arange(n) % CLASSES, jnp.int32),
  }


def points(n=8):
  """A batch of the tiny game."""
  rng = np.random.default_rng(0)
  return {
    'image': jnp.asarray(rng.uniform(-1, 1, (n, 4, 4, 1)), jnp.float32),
    'label': jnp.asarray(np.arange(n) % 3, jnp.int32),
  }


def trained(game, data, steps=2):
  """(state after some steps, metrics of the last)."""
  txs = {name: optax.sgd(1e-2) for name in game.losses}
  state = TrainState.create(jax.random.key(1), game.init(jax.random.key(0), data), txs)
  step = jax.jit(make_train_step(game, txs))
  for _ in range(steps):
    state, metrics = step(state, data)
  return state, metrics


def value(game, player, players, data, step=0):
  loss = game.losses[player]
  return loss(players[player]['params'], players, data, jax.random.key(0), jnp.asarray(step))


@pytest.mark.parametrize('head', HEADS)
def test_a_class_head_brings_its_objective_for_both_players(head):
  options = {'image_shape': SHAPE, 'num_classes': CLASSES, 'channels': 4}
  game = models.make('sngan', **options, head=head, dim_z=4)
  players = game.init(jax.random.key(0), batch())
  for player in game.losses:
    loss, aux = value(game, player, players, batch())
    assert np.isfinite(loss) and aux.metrics[head] != 0
    gradient = jax.grad(
      lambda p, player=player: game.losses[player](
        p, players, batch(), jax.random.key(3), jnp.asarray(0)
      )[0]
    )(players[player]['params'])
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))
  logits = game.predict['score'](players, None, image=batch()['image'], label=batch()['label'])
  assert logits.shape == (N,)


def test_the_weight_of_an_objective_multiplies_it():
  make = lambda weight: models.make(
    'sngan', image_shape=SHAPE, num_classes=CLASSES, channels=4, dim_z=4, head='auxiliary_classifier',
    objectives={'auxiliary_classifier': {'weight': weight}},
  )  # fmt: skip
  none, twice = make(0.0), make(2.0)
  players = none.init(jax.random.key(0), batch())
  for player in none.losses:
    without, _ = value(none, player, players, batch())
    loss, aux = value(twice, player, players, batch())
    np.testing.assert_allclose(
      loss - without, 2 * aux.metrics['auxiliary_classifier'], rtol=1e-4, atol=1e-5
    )


def test_ac_gan_learns_the_classes_of_the_real_pictures():
  data = batch()
  colours = jnp.asarray([[1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])[data['label']]
  data['image'] = jnp.broadcast_to(colours[:, None, None], data['image'].shape)
  game = models.make(
    'sngan',
    image_shape=SHAPE,
    num_classes=CLASSES,
    channels=4,
    dim_z=4,
    head='auxiliary_classifier',
  )
  txs = {name: optax.adam(2e-3) for name in game.losses}
  state = TrainState.create(jax.random.key(1), game.init(jax.random.key(0), data), txs)
  step = jax.jit(make_train_step(game, txs))
  _, first = step(state, data)
  for _ in range(40):
    state, metrics = step(state, data)
  name = 'discriminator/auxiliary_classifier'
  assert metrics[name] < 0.5 * first[name]


def test_info_codes_reach_both_losses():
  game = models.make(
    'sngan', image_shape=SHAPE, num_classes=CLASSES, channels=4, dim_z=4, condition='none', head='info',
    info_discrete=2, info_categories=5, info_continuous=3,
  )  # fmt: skip
  players = game.init(jax.random.key(0), batch())
  z = game.predict['latent'](players, jax.random.key(0), n=7)
  assert z.shape == (7, 4 + 2 * 5 + 3) and not game.conditional
  np.testing.assert_array_equal(z[:, 4:14].reshape(7, 2, 5).sum(-1), 1)
  for player in game.losses:
    _, aux = value(game, player, players, batch())
    # two codes of five values that nobody has learnt yet, and three of unit variance
    assert 2 * np.log(5) * 0.3 < aux.metrics['info'] < 2 * np.log(5) * 3 + 6


@pytest.mark.parametrize(
  'options',
  [
    {'loss': name} for name in ('relativistic', 'relativistic_average', 'logistic', 'f_gan_kl')
  ]
  + [
    {'discriminator_penalties': {name: {}}}
    for name in (
      'lipschitz_penalty', 'max_gradient_penalty', 'dragan', 'lecam', 'consistency',
      'balanced_consistency', 'latent_consistency', 'r1', 'r2',
    )
  ]
  + [
    {'generator_penalties': {'latent_diversity': {}}},
    {'top_k': {'every': 1}},
    {'latent_optimisation': {'clip': 0.0, 'share': 0.5}},
    {'latent': 'bernoulli'},
    {'latent': 'categorical'},
    {'augment': {'instance_noise': {'start': 0.3, 'steps': 10}}},
    {'augment': {'apa': {'p': 0.5}}},
    {'augment': {'diff_augment': {'policy': 'translation,cutout'}}},
    {'augment': {'ada': {'policy': 'blit', 'p': 0.5}}},
  ],
  ids=str,
)  # fmt: skip
def test_every_choice_trains_and_stays_finite(options):
  game = tiny.game(**options)
  state, metrics = trained(game, points())
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(state.players))
  for specs in ('discriminator_penalties', 'generator_penalties'):
    for name in options.get(specs, ()):
      assert f'{specs.split("_")[0]}/{name}' in metrics
  plain, _ = trained(tiny.game(), points())
  same = jax.tree.map(
    lambda a, b: bool((a == b).all()),
    [v['params'] for v in state.players.values()],
    [v['params'] for v in plain.players.values()],
  )
  assert not all(jax.tree.leaves(same))  # the choice changes the game


def test_the_running_means_of_lecam_are_part_of_the_state():
  state, metrics = trained(tiny.game(discriminator_penalties={'lecam': {}}), points(), steps=3)
  running = state.players['discriminator']['running']
  assert running['count'] == 3
  once, first = trained(tiny.game(discriminator_penalties={'lecam': {}}), points(), steps=1)
  means = once.players['discriminator']['running']  # the first batch alone
  for kind in ('real', 'fake'):
    np.testing.assert_allclose(means[kind], first[f'discriminator/{kind}_logit'], rtol=1e-5)
    near = 0.98 * means[kind] + 0.02 * metrics[f'discriminator/{kind}_logit']
    np.testing.assert_allclose(running[kind], near, atol=0.02)


def test_the_adaptive_p_moves_with_the_real_logits_and_is_part_of_the_state():
  game = tiny.game(augment={'ada': {'policy': 'blit', 'p': 0.5, 'kimg': 0.1, 'interval': 1}})
  state, metrics = trained(game, points(), steps=1)
  assert set(state.players['discriminator']) == {'params', 'augment_ada'}
  p = state.players['discriminator']['augment_ada']['p']
  assert metrics['discriminator/ada_p'] == p
  np.testing.assert_allclose(abs(p - 0.5), 8 / 100, rtol=1e-5)  # 8 pictures of 100 there and back


def test_the_adaptive_state_is_that_of_all_replicas_and_keeps_its_dtypes():
  game = tiny.game(augment={'ada': {'policy': 'blit', 'p': 0.5, 'kimg': 0.1, 'interval': 1}})
  players, data = game.init(jax.random.key(0), points()), points()

  def state(image, label):
    _, aux = value(game, 'discriminator', players, {'image': image, 'label': label})
    return aux.updates['discriminator']['augment_ada']

  halves = [x.reshape(2, 4, *x.shape[1:]) for x in (data['image'], data['label'])]
  over = jax.jit(jax.vmap(state, axis_name=replicas.AXIS))(*halves)
  whole = jax.jit(state)(data['image'], data['label'])
  for name, one in whole.items():
    assert over[name].dtype == one.dtype == players['discriminator']['augment_ada'][name].dtype
    np.testing.assert_allclose(over[name], [one, one], rtol=1e-5)


def test_instance_noise_ends():
  noisy, plain = tiny.game(augment={'instance_noise': {'start': 1.0, 'steps': 10}}), tiny.game()
  players = plain.init(jax.random.key(0), points())
  for player in plain.losses:
    at = lambda game, step, player=player: float(value(game, player, players, points(), step)[0])
    assert at(noisy, 0) != at(plain, 0)
    np.testing.assert_allclose(at(noisy, 10), at(plain, 10), rtol=1e-6)


def test_top_k_takes_the_best_half():
  game, plain = (
    tiny.game(loss='wasserstein', top_k={'every': 1, 'floor': 0.5}),
    tiny.game(loss='wasserstein'),
  )
  players = plain.init(jax.random.key(0), points())
  all_of_them, _ = value(plain, 'generator', players, points(), 0)
  best, _ = value(game, 'generator', players, points(), 10_000)
  assert best < all_of_them  # minus the mean of the larger logits
  np.testing.assert_allclose(
    value(game, 'generator', players, points(), 0)[0], all_of_them, rtol=1e-5
  )


def test_the_share_of_latents_that_move_is_asked_for():
  cost = lambda share: float(
    value(
      tiny.game(latent_optimisation={'weight': 1e3, 'share': share}), 'generator', players, points()
    )[0]
  )
  players = tiny.game().init(jax.random.key(0), points())
  assert cost(0.0) < cost(0.5) < cost(1.0)
  plain = value(tiny.game(), 'generator', players, points())[0]
  np.testing.assert_allclose(cost(0.0), plain, rtol=1e-6)


def test_relativistic_fakes_have_the_class_of_the_real_ones_they_are_compared_with():
  seen = []
  original = tiny.Discriminator.__call__
  game = tiny.game(loss='relativistic')
  players = game.init(jax.random.key(0), points())

  class Spy(tiny.Discriminator):
    def __call__(self, x, labels, train=False):
      seen.append(labels)
      return original(self, x, labels, train)

  from jaxgan.games.adversarial import adversarial

  spied = adversarial(tiny.Generator(), Spy(), dim_z=2, num_classes=3, loss='relativistic')
  for player in spied.losses:
    value(spied, player, players, points())
    np.testing.assert_array_equal(seen[-1][0::2], seen[-1][1::2])
    np.testing.assert_array_equal(seen[-1][1::2], points()['label'])


@pytest.mark.parametrize(
  'options, says',
  [
    ({'head': 'auxiliary_clasifier'}, 'auxiliary_classifier'),
    ({'objectives': {'contrastive': {}}}, "needs the outputs embedding, proxy, but .*game.head='contrastive'"),
    ({'objectives': {'contrast': {}}}, "unknown objective 'contrast'; did you mean 'contrastive'"),
    ({'head': 'adc', 'objectives': {'adc': {'temprature': 1}}}, "objective 'adc' has no option 'temprature'"),
    ({'objectives': {'info': {}}}, "objective 'info' needs codes"),
    ({'augment': {'adda': {}}}, "did you mean 'ada'"),
    ({'augment': {'ada': {'polcy': 'bgc'}}}, 'polcy'),
    ({'packing': 2}, 'game.packing=2 with a discriminator that takes labels'),
    ({'head': 'multi_hinge', 'objectives': {}}, "expected the objective 'multi_hinge'"),
    ({'head': 'adc', 'objectives': {'auxiliary_classifier': {}}}, "expected the objective 'adc'"),
    ({'loss': 'hinge', 'head': 'none', 'objectives': {'multi_hinge': {}}}, 'game.head=.multi_hinge'),
    ({'unroll': {'steps': 2}}, 'has no learning_rate'),
    ({'augment': 'ada'}, "game.augment='ada'; expected a section"),
    ({'head': 'none', 'head_weight': 0.5}, 'brings no objective'),
    ({'codes': {'discrete': (3,)}}, 'no option game.codes'),
    ({'condition': 'none', 'head': 'projection'}, 'needs a generator that is told the labels'),
    ({'top_k': {'evry': 2}}, 'evry'),
    ({'discriminator_penalties': {'r1': {'gamma': -1.0}}}, "'r1': gamma=-1.0; expected 0 or more"),
    ({'latent_optimisation': {'share': 80}}, 'share=80; expected a number from 0 to 1'),
  ],
)  # fmt: skip
def test_a_wrong_choice_is_one_line_before_anything_compiles(options, says):
  with pytest.raises((ConfigError, ValueError, TypeError), match=says) as error:
    game = models.make(
      'sngan', image_shape=SHAPE, num_classes=CLASSES, channels=4, dim_z=4, **options
    )
    game.init(jax.random.key(0), batch())
  assert '\n' not in str(error.value)


def test_an_ac_gan_of_networks_that_take_no_labels():
  make = lambda **options: models.make(
    'dcgan', image_shape=SHAPE, num_classes=CLASSES, channels=4, dim_z=4, head='auxiliary_classifier', **options
  )  # fmt: skip
  game = make(conditioning='concatenation')
  players = game.init(jax.random.key(0), batch())
  assert game.conditional
  for player in game.losses:
    assert value(game, player, players, batch())[1].metrics['auxiliary_classifier'] > 0
  with pytest.raises(ConfigError, match='needs a generator that is told the labels'):
    make()


def test_multi_hinge_penalises_the_logit_that_decides():
  game = models.make(
    'sngan', image_shape=SHAPE, num_classes=CLASSES, channels=4, dim_z=4, head='multi_hinge',
    discriminator_penalties={'r1': {'gamma': 1.0}, 'lecam': {}}, augment={'apa': {'interval': 1}},
  )  # fmt: skip
  players = game.init(jax.random.key(0), batch())
  _, aux = value(game, 'discriminator', players, batch())
  assert aux.metrics['real_logit'].shape == ()
  kernel = players['discriminator']['params']['linear']['kernel']
  moved = jax.tree.map(lambda x: x, players)
  moved['discriminator']['params']['linear']['bias'] += 3.0  # all classes alike
  _, same = value(game, 'discriminator', moved, batch())
  np.testing.assert_allclose(same.metrics['r1'], aux.metrics['r1'], rtol=1e-5)
  assert kernel.shape[-1] == CLASSES + 1


def test_truncation_is_that_of_the_latent():
  latent = lambda name: tiny.game(latent=name).predict['latent']
  z = latent('uniform')(None, jax.random.key(0), n=1000, truncation=0.5)
  assert 0.45 < np.abs(z).max() <= 0.5
  with pytest.raises(ValueError, match="latent 'bernoulli' cannot be truncated"):
    latent('bernoulli')(None, jax.random.key(0), n=2, truncation=0.5)


def test_a_class_head_without_labels_is_one_line():
  with pytest.raises(ValueError, match='needs labels; the data have none'):
    models.make(
      'sngan', image_shape=SHAPE, num_classes=0, channels=4, head='auxiliary_classifier'
    ).init(jax.random.key(0), batch())


def test_every_pair_has_the_same_call():
  real, fake = jnp.linspace(-1, 1, 4), jnp.linspace(-2, 0.5, 4)
  for name in ('hinge', 'relativistic', 'f_gan_pearson'):
    pair = losses.pair(name)
    assert pair.discriminator(real, fake).shape == pair.generator(real, fake).shape == (4,)

"""What a config may give to the parts of a game: one line for everything else, before anything compiles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses, models, options, penalties

SHAPE = (16, 16, 3)


def made(model='gan', **given):
  return models.make(model, image_shape=SHAPE, num_classes=3, **given)


@pytest.mark.parametrize(
  'given, says',
  [
    ({'packing': 2.5}, r'game.packing=2.5; expected a whole number'),
    ({'packing': 'many'}, r"game.packing='many'; expected a whole number"),
    ({'hidden': (32,)}, r'game.hidden=\(32,\); expected a whole number'),
    ({'hidden': -1}, 'game.hidden=-1; expected 0 or more'),
    ({'discriminator_penalties': {'r1': {'gamma': 'abc'}}}, "'r1': gamma='abc'; expected a number"),
    ({'discriminator_penalties': {'r1': {'gamma': float('nan')}}}, 'gamma=nan; expected 0 or more'),
    ({'discriminator_penalties': {'r1': 5}}, "'r1': 5; expected a section"),
    ({'discriminator_penalties': {'r1': {'every': True}}}, 'every=True; expected a whole number'),
    (
      {'discriminator_penalties': {'balanced_consistency': {'fake_weight': -1}}},
      'fake_weight=-1; expected 0 or more',
    ),
    ({'discriminator_penalties': {'orthogonal': {'beta': -1.0}}}, 'beta=-1.0; expected 0 or more'),
    (
      {'discriminator_penalties': {'gradient_penalty': {'one_sided': 'no'}}},
      "one_sided='no'; expected true or false",
    ),
    ({'generator_penalties': {'latent_diversity': {'noise': -1}}}, 'noise=-1; expected 0 or more'),
    ({'top_k': {'gamma': 0.9}}, 'game.top_k needs every'),
    ({'top_k': {'evry': 3}}, "game.top_k has no option 'evry'; expected some of every, gamma"),
    ({'augment': {'diff_augment': {'polcy': 'color'}}}, "'diff_augment' has no option 'polcy'"),
    ({'augment': {'apa': {'kimg': 'x'}}}, "'apa': kimg='x'; expected a number"),
    ({'latent_optimisation': {'foo': 1}}, "game.latent_optimisation has no option 'foo'"),
    ({'latent_optimisation': {'step_size': 'x'}}, "step_size='x'; expected a number"),
    ({'unroll': {'steps': 2, 'learning_rate': 'x'}}, "learning_rate='x'; expected a number"),
    ({'unroll': {'learning_rate': 1.0}}, 'game.unroll needs steps'),
  ],
)
def test_wrong_options_are_one_line(given, says):
  with pytest.raises(ValueError, match=says) as caught:
    made(**given)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'given, says',
  [
    (
      {'head': 'adc', 'objectives': {'adc': {'weight': -1}}},
      "'adc': weight=-1; expected 0 or more",
    ),
    ({'head': 'contrastive', 'objectives': {'contrastive': {'temperature': 0}}}, 'above 0'),
    (
      {'head': 'adc', 'head_weight': 0.5, 'objectives': {'adc': {'weight': 1.0}}},
      'game.head_weight=0.5 and game.objectives.adc.weight=1.0; give one of them',
    ),
    ({'head': 'adc', 'head_weight': 'x'}, "game.head_weight='x'; expected a number"),
    ({'info_discrete': -1, 'head': 'info'}, 'info_discrete=-1; expected 0 or more'),
    ({'info_discrete': 1, 'info_categories': 1, 'head': 'info'}, 'info_categories=1; expected 2'),
    ({'conditioning': 'concatenation', 'packing': 2}, 'or game.conditioning='),
  ],
)
def test_wrong_heads_are_one_line(given, says):
  with pytest.raises(ValueError, match=says):
    made('sngan', channels=4, **given)


def test_head_weight_holds_beside_other_options_of_the_objective():
  def loss(**given):
    game = made(
      'sngan',
      channels=4,
      head='auxiliary_classifier',
      loss='hinge',
      dim_z=4,
      spectral=False,
      **given,
    )
    batch = {'image': jnp.ones((4, *SHAPE)) * 0.1, 'label': jnp.arange(4) % 3}
    players = game.init(jax.random.key(0), batch)
    params = players['discriminator']['params']
    value, aux = game.losses['discriminator'](params, players, batch, jax.random.key(1), 0)
    return float(value), float(aux.metrics['auxiliary_classifier'])

  told = {'auxiliary_classifier': {'fakes': False}}
  whole, part = loss(objectives=told)
  half, same = loss(objectives=told, head_weight=0.5)
  assert part == same and part > 0.1
  np.testing.assert_allclose(whole - half, 0.5 * part, rtol=1e-5)


def test_schedules_and_traced_numbers_are_numbers():
  check = lambda value: options.check(
    "penalty 'r1'", penalties.r1, {'gamma': value}, supplied=['critic', 'real']
  )
  check({'start': 1.0, 'end': 0.0, 'steps': 10})
  jax.eval_shape(lambda x: check(x), 1.0)
  with pytest.raises(ValueError, match=r'gamma=.*expected 0 or more'):
    check({'start': 1.0, 'end': -1.0, 'steps': 10})


PICTURES = np.full((4, 2, 2, 1), 200, np.uint8)


@pytest.mark.parametrize('name', ['gradient_penalty', 'lipschitz_penalty', 'max_gradient_penalty'])
def test_pictures_of_whole_numbers_are_refused(name):
  with pytest.raises(ValueError, match='pictures of dtype uint8; expected floating point'):
    getattr(penalties, name)(
      lambda x: x.sum((1, 2, 3)), PICTURES, np.zeros((4, 2, 2, 1), np.float32), jax.random.key(0)
    )


@pytest.mark.parametrize(
  'critic', [lambda x: x.mean((1, 2)), lambda x: x.mean()], ids=['a column', 'a mean of the batch']
)
def test_a_critic_gives_a_logit_a_picture(critic):
  x = jnp.ones((4, 2, 2, 1))
  with pytest.raises(ValueError, match=r'expected \[4\], a logit each'):
    penalties.r1(critic, x)
  with pytest.raises(ValueError, match=r'expected \[4\], a logit each'):
    penalties.consistency(critic, x, jax.random.key(0))


def test_running_means_move_from_whole_numbers_and_lists_are_logits():
  real, fake = penalties.lecam_means((0, 0), [4.0, 6.0], [1.0, 1.0], 0.5)
  np.testing.assert_allclose([real, fake], [2.5, 0.5])
  assert penalties.lecam([1, 2], [0, 0], real, fake).dtype == jnp.float32


def test_labels_that_no_class_has_are_refused():
  with pytest.raises(ValueError, match='labels from -1 to 2; expected 0 to 2'):
    losses.cross_entropy(jnp.zeros((2, 3)), jnp.array([-1, 2]))

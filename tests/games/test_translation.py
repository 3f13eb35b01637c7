"""Image-to-image games: losses by hand, the pool in the state, exact resume, noise, and one line for a mistake."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgan import losses, models, optim, train_step
from jaxgan.checkpoint import Checkpoints
from jaxgan.games import translation
from jaxgan.games.translation import contrastive, cycle, paired
from jaxgan.nn import dropout
from jaxgan.nn.patchgan import PatchDiscriminator
from jaxgan.nn.resnet_generator import ResNetGenerator
from jaxgan.nn.srresnet import SRResNetGenerator, StridedDiscriminator
from jaxgan.nn.unet import UNetGenerator
from jaxgan.train_state import TrainState

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


class Generator(nn.Module):
  """tanh(W x + b) of every pixel, its features sown."""

  rate: float = 0.0

  @nn.compact
  def __call__(self, x, train=False):
    y = nn.Dense(3, name='pixel')(x)
    if not self.is_initializing():
      self.sow('features', 'inside', y)
    if train and self.rate:
      y = dropout.dropout(y, self.rate, self.make_rng('dropout'))
    return jnp.tanh(y)


class Discriminator(nn.Module):
  """w . x + b of every pixel."""

  @nn.compact
  def __call__(self, x, labels=None, train=False):
    return nn.Dense(1, name='pixel')(x)[..., 0]


def batch(size=2):
  draw = lambda: jnp.asarray(RNG.uniform(-1, 1, (size, 4, 4, 3)), jnp.float32)
  return {'image': draw(), 'target': draw(), 'label': jnp.zeros(size, jnp.int32)}


def g(params, x):
  return jnp.tanh(x @ params['pixel']['kernel'] + params['pixel']['bias'])


def d(params, x):
  return (x @ params['pixel']['kernel'] + params['pixel']['bias'])[..., 0].reshape(-1)


def value(game, player, players, data):
  loss = jax.jit(game.losses[player])
  return loss(players[player]['params'], players, data, KEY, jnp.zeros((), jnp.int32))


def test_pix2pix_by_hand():
  data = batch()
  game = paired(Generator(), Discriminator(), l1=7.0, adversarial=3.0)
  players = game.init(KEY, data)
  gp, dp = (players[p]['params'] for p in ('generator', 'discriminator'))
  x, y, fake = data['image'], data['target'], g(gp, data['image'])
  real_logits, fake_logits = (d(dp, jnp.concatenate([x, z], -1)) for z in (y, fake))
  total, aux = value(game, 'generator', players, data)
  expected = 3 * np.logaddexp(0, -fake_logits).mean() + 7 * np.abs(fake - y).mean()
  np.testing.assert_allclose(total, expected, rtol=1e-5)
  np.testing.assert_allclose(aux.metrics['l1'], np.abs(fake - y).mean(), rtol=1e-5)
  total, _ = value(game, 'discriminator', players, data)
  expected = np.logaddexp(0, -real_logits).mean() + np.logaddexp(0, fake_logits).mean()
  np.testing.assert_allclose(total, expected, rtol=1e-5)


def test_an_unconditional_discriminator_does_not_see_the_input():
  game = paired(Generator(), Discriminator(), conditional=False, l1=0.0)
  players = game.init(KEY, batch())
  assert players['discriminator']['params']['pixel']['kernel'].shape == (3, 1)


def test_the_distance_of_features_is_a_frozen_player(monkeypatch):
  """A stand-in for the VGG: its one number times the squared difference."""
  features = translation.features
  monkeypatch.setattr(features, 'parameters', lambda: ({'scale': jnp.array(3.0)}, 'sha'))
  distance = lambda params, x, y: params['scale'] * jnp.square(x - y).mean((1, 2, 3))
  monkeypatch.setattr(features, 'distance', distance)
  data = {k: jnp.tile(v, (1, 4, 4, 1)) if v.ndim == 4 else v for k, v in batch().items()}
  game = paired(Generator(), Discriminator(), l1=2.0, adversarial=0.0, perceptual=5.0)
  players = game.init(KEY, data)
  assert 'perceptual' not in game.losses
  y, fake = data['target'], g(players['generator']['params'], data['image'])
  total, aux = value(game, 'generator', players, data)
  apart = np.square(fake - y).mean()
  np.testing.assert_allclose(aux.metrics['perceptual'], 3 * apart, rtol=1e-5)
  np.testing.assert_allclose(total, 2 * np.abs(fake - y).mean() + 15 * apart, rtol=1e-5)
  with pytest.raises(ValueError, match='16 pixels at least'):
    game.init(KEY, batch())


def test_super_resolution_by_hand():
  """The discriminator sees large pictures alone; the generator makes them of small ones."""
  data = batch()
  data['image'] = data['image'][:, ::2, ::2]
  game = models.make(
    'srgan', image_shape=(2, 2, 3), num_classes=0, factor=2, channels=2, blocks=1, layers=1
  )
  players = game.init(KEY, data)
  assert players['discriminator']['params']['conv_0']['kernel'].shape == (3, 3, 3, 2)
  fake = game.predict['translate'](players, KEY, image=data['image'])
  assert fake.shape == (2, 4, 4, 3)
  _, aux = value(game, 'generator', players, data)
  total, _ = value(game, 'generator', players, data)
  m = aux.metrics
  np.testing.assert_allclose(total, m['l1'] + 1e-3 * m['adversarial'], rtol=1e-6)
  doubled = {**data, 'target': jnp.tile(data['target'], (1, 2, 2, 1))}
  with pytest.raises(
    ValueError, match=r'makes \(4, 4, 3\) of \(2, 2, 3\), but targets are \(8, 8, 3\)'
  ):
    game.init(KEY, doubled)


def test_cyclegan_by_hand():
  data = batch()
  game = cycle(Generator(), Discriminator(), adversarial=2.0, cycle=5.0, identity=0.4, pool=3)
  players = game.init(KEY, data)
  gp, dp = (players[p]['params'] for p in ('generator', 'discriminator'))
  a, b = data['image'], data['target']
  fake_b, fake_a = g(gp['AtoB'], a), g(gp['BtoA'], b)
  square = lambda x: np.square(x).mean()
  distance = lambda x, y: np.abs(x - y).mean()
  total, aux = value(game, 'generator', players, data)
  seen = 0.5 * (square(d(dp['B'], fake_b) - 1) + square(d(dp['A'], fake_a) - 1))
  back = distance(g(gp['BtoA'], fake_b), a) + distance(g(gp['AtoB'], fake_a), b)
  same = distance(g(gp['AtoB'], b), b) + distance(g(gp['BtoA'], a), a)
  np.testing.assert_allclose(total, 2 * seen + 5 * (back + 0.4 * same), rtol=1e-5)
  np.testing.assert_allclose(aux.metrics['cycle_A'], distance(g(gp['BtoA'], fake_b), a), rtol=1e-5)
  assert set(aux.updates) == {'generator'}
  total, aux = value(game, 'discriminator', players, data)
  expected = square(d(dp['B'], b) - 1) + square(d(dp['B'], fake_b))
  expected += square(d(dp['A'], a) - 1) + square(d(dp['A'], fake_a))
  np.testing.assert_allclose(total, expected / 2, rtol=1e-5)
  pool = aux.updates['discriminator']['pool']
  np.testing.assert_allclose(pool['B']['images'][:2], fake_b, rtol=1e-5)
  np.testing.assert_allclose(pool['A']['images'][:2], fake_a, rtol=1e-5)
  assert pool['A']['count'] == 2


def test_the_discriminator_is_shown_what_is_in_the_pool():
  data = batch(8)
  game = cycle(Generator(), Discriminator(), pool=50)
  players = game.init(KEY, data)
  full = lambda x: {
    'images': jnp.full((50, 4, 4, 3), x),
    'count': jnp.array(50, jnp.int32),
  }
  values = []
  for shade in (0.0, 100.0):
    pool = {'A': full(shade), 'B': full(shade)}
    held = {**players, 'discriminator': {**players['discriminator'], 'pool': pool}}
    values.append(float(value(game, 'discriminator', held, data)[0]))
  assert values[1] > 10 * values[0]


def test_cut_by_hand():
  data = batch()
  options = {'nce_layers': ('inside',), 'patches': 16, 'features': 5, 'nce': 3.0}
  game = contrastive(Generator(), Discriminator(), nce_identity=False, **options)
  players = game.init(KEY, data)
  gp, dp = (players[p]['params'] for p in ('generator', 'discriminator'))
  network, heads = gp['network'], gp['projector']

  def project(x):
    h = x @ network['pixel']['kernel'] + network['pixel']['bias']
    for i in range(2):
      layer = heads[f'inside_dense_{i}']
      h = (jax.nn.relu(h) if i else h) @ layer['kernel'] + layer['bias']
    return h / jnp.linalg.norm(h, axis=-1, keepdims=True)

  fake = g(network, data['image'])
  q, k = (project(x.reshape(2, 16, 3)) for x in (fake, data['image']))
  logits = jnp.einsum('bse,bte->bst', q, k) / 0.07
  nce = -jnp.diagonal(jax.nn.log_softmax(logits), axis1=1, axis2=2).mean()
  total, aux = value(game, 'generator', players, data)
  np.testing.assert_allclose(aux.metrics['nce'], nce, rtol=1e-4)
  seen = 0.5 * np.square(d(dp, fake) - 1).mean()
  np.testing.assert_allclose(total, 2 * seen + 3 * nce, rtol=1e-4)


def state_of(game, data, seed=1):
  txs = {p: optim.make_optimizer({'learning_rate': 1e-2}, 10) for p in game.losses}
  state = TrainState.create(jax.random.key(seed), game.init(KEY, data), txs)
  return state, jax.jit(train_step.make_train_step(game, txs, play='simultaneous'))


def test_resume_is_exact_with_the_pool_inside(tmp_path):
  data = batch(3)
  game = cycle(Generator(), Discriminator(), pool=4)
  first, step = state_of(game, data)
  run = lambda state, n: [state := step(state, data)[0] for _ in range(n)][-1]
  two = run(first, 2)
  assert two.players['discriminator']['pool']['A']['count'] == 4
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(2, two, meta={})
  checkpoints.wait()
  restored, *_ = checkpoints.restore(jax.eval_shape(lambda: first))
  checkpoints.close()
  for a, b in zip(jax.tree.leaves(run(restored, 3).players), jax.tree.leaves(run(two, 3).players)):
    np.testing.assert_array_equal(a, b)


def test_noise_is_that_of_the_picture_and_the_key_alone():
  data = batch(4)
  network = UNetGenerator(depth=2, channels=2, dropout=0.0)
  game = paired(network, Discriminator(), noise=True)
  players = game.init(KEY, data)
  translate = jax.jit(game.predict['translate'], static_argnames='noise')
  together = translate(players, KEY, image=data['image'])
  alone = translate(players, KEY, image=data['image'][2:3])
  np.testing.assert_allclose(together[2:3], alone, rtol=1e-5, atol=1e-6)
  # with the statistics of the picture itself, not the running ones
  assert np.abs(together - translate(players, KEY, image=data['image'], noise=False)).max() > 1e-3
  noisy = paired(Generator(rate=0.5), Discriminator())
  players = noisy.init(KEY, data)
  draws = [
    noisy.predict['translate'](players, jax.random.key(i), image=data['image']) for i in (0, 0, 1)
  ]
  np.testing.assert_array_equal(draws[0], draws[1])
  assert np.abs(draws[0] - draws[2]).max() > 0.1


def test_both_directions():
  data = batch()
  game = cycle(Generator(), Discriminator())
  players = game.init(KEY, data)
  for direction in ('AtoB', 'BtoA'):
    out = game.predict['translate'](players, KEY, image=data['image'], direction=direction)
    expected = g(players['generator']['params'][direction], data['image'])
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
  one_way = paired(Generator(), Discriminator())
  with pytest.raises(ValueError, match="direction='BtoA'; this system knows AtoB"):
    one_way.predict['translate'](
      one_way.init(KEY, data), KEY, image=data['image'], direction='BtoA'
    )


@pytest.mark.parametrize('loss', ['hinge', 'wasserstein', 'relativistic_average'])
def test_other_losses_and_penalties(loss):
  data = batch()
  game = paired(
    Generator(),
    Discriminator(),
    loss=loss,
    discriminator_penalties={'gradient_penalty': {'weight': 3.0}, 'r1': {'gamma': 1.0}},
  )
  players = game.init(KEY, data)
  _, aux = value(game, 'discriminator', players, data)
  kernel = players['discriminator']['params']['pixel']['kernel']
  norm = np.sqrt(16 * np.square(kernel).sum())  # of the sum over 16 pixels
  np.testing.assert_allclose(aux.metrics['gradient_penalty'], 3 * (norm - 1) ** 2, rtol=1e-4)
  np.testing.assert_allclose(aux.metrics['r1'], 0.5 * norm**2, rtol=1e-4)
  _, aux = value(game, 'generator', players, data)
  beside = lambda y: jnp.concatenate([data['image'], y], -1)
  fake = g(players['generator']['params'], data['image'])
  logits = [d(players['discriminator']['params'], beside(y)) for y in (data['target'], fake)]
  expected = losses.pair(loss).generator(*logits).mean()
  np.testing.assert_allclose(aux.metrics['adversarial'], expected, rtol=1e-4, atol=1e-6)


SHAPE = {'image_shape': (64, 64, 3), 'num_classes': 0}


def test_networks_by_name():
  game = models.make('pix2pix', **SHAPE, channels=2)
  shapes = jax.eval_shape(
    lambda: game.init(KEY, {k: jnp.zeros((1, 64, 64, 3)) for k in ('image', 'target')})
  )
  assert 'down_5' in shapes['generator']['params']
  assert 'down_6' not in shapes['generator']['params']
  assert shapes['discriminator']['params']['conv_0']['kernel'].shape == (4, 4, 6, 2)


@pytest.mark.parametrize(
  'model, options, message',
  [
    ('pix2pix', {'generator': 'unet2'}, "no network 'unet2'; did you mean 'unet'"),
    ('pix2pix', {'chanels': 3}, 'no option game.chanels'),
    (
      'pix2pix',
      {'blocks': 9},
      'game.blocks is .* other networks; unet has channels, depth,.*; patch',
    ),
    ('cyclegan', {'discriminator': 'pixel', 'layers': 3}, 'game.layers .*; pixel has channels,'),
    ('pix2pix', {'loss': 'lsgan'}, "unknown loss 'lsgan'"),
    ('pix2pix', {'l1': -1.0}, 'game.l1=-1.0; expected 0 or more'),
    ('cyclegan', {'discriminator_penalties': {'lecam': {}}}, "penalty 'lecam' needs fake_mean"),
  ],
)
def test_one_clear_line(model, options, message):
  with pytest.raises(ValueError, match=message) as error:
    models.make(model, **SHAPE, **options)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'network, size, message',
  [
    (UNetGenerator(depth=3), 12, r'12x12; expected multiples of 2\^depth = 8'),
    (
      UNetGenerator(depth=0),
      33,
      'depth=0 for images of 33x33; expected 2 or more, and sides that can',
    ),
    (ResNetGenerator(), 18, '18x18; expected multiples of 4'),
    (ResNetGenerator(padding='mirror'), 16, "padding='mirror'; expected one of reflect"),
    (PatchDiscriminator(), 16, 'layers=3 for images of 16x16'),
    (SRResNetGenerator(factor=3), 4, 'factor=3; expected a power of two'),
    (StridedDiscriminator(), 8, 'layers=4 for images of 8x8'),
    (PatchDiscriminator(norm='layer'), 32, "norm='layer'; expected one of batch"),
    (UNetGenerator(depth=2, dropout=1.0), 8, 'dropout=1.0; expected a share'),
  ],
)
def test_networks_that_do_not_fit(network, size, message):
  with pytest.raises(ValueError, match=message):
    jax.eval_shape(lambda: network.init(KEY, jnp.zeros((1, size, size, 3))))


def test_cut_names_the_layers_there_are():
  game = contrastive(Generator(), Discriminator(), nce_layers=('outside',))
  with pytest.raises(ValueError, match="has 'outside'; this generator has inside"):
    game.init(KEY, batch())

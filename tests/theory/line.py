"""Known distributions on the line: the adversarial game on points [B, 1, 1, 1], and exact integrals."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.scipy.special import ndtri

from jaxgan.games.adversarial import adversarial
from jaxgan.nn.spectral_norm import SNDense
from jaxgan.optim import make_optimizer
from jaxgan.train_state import TrainState
from jaxgan.train_step import make_train_step

GRID = np.linspace(-12.0, 12.0, 4801)
BATCH = 512


class Affine(nn.Module):
  """z -> shift + scale z: N(shift, scale^2)."""

  shift: float = 0.0
  scale: float = 1.0

  @nn.compact
  def __call__(self, z, labels, train=False):
    value = lambda name, at: self.param(name, nn.initializers.constant(at), ())
    return value('shift', self.shift) + value('scale', self.scale) * z.reshape(-1, 1, 1, 1)


class Critic(nn.Module):
  """Points -> logits: fully connected, or affine with width 0."""

  width: int = 32
  layers: int = 2
  spectral: bool = False

  @nn.compact
  def __call__(self, x, labels, train=False):
    x = x.reshape(len(x), 1)
    for i in range(self.layers if self.width else 0):
      x = SNDense(features=self.width, spectral=self.spectral, name=f'layer_{i}')(x, train)
      x = nn.leaky_relu(x, 0.2)
    return SNDense(features=1, spectral=self.spectral, name='last')(x, train)[:, 0]


def batch(key):
  """One point of N(0, 1) from each of as many equally likely intervals."""
  u = (jnp.arange(BATCH) + jax.random.uniform(key, (BATCH,), minval=0.01, maxval=0.99)) / BATCH
  return {'image': ndtri(u).reshape(-1, 1, 1, 1), 'label': jnp.zeros(BATCH, jnp.int32)}


def pair(shift=0.0, scale=1.0, critic=None, frozen=True, **options):
  """The game of a critic against N(shift, scale^2), which stays what it is if frozen."""
  game = adversarial(Affine(shift, scale), critic or Critic(), dim_z=1, **options)
  return game._replace(losses={'discriminator': game.losses['discriminator']}) if frozen else game


def trained(game, steps, rate=5e-3, state=None, updates=None, **optimizer):
  """The state after some steps of the one train step."""
  spec = {'learning_rate': rate, 'b1': 0.5, 'b2': 0.99, 'schedule': 'linear', **optimizer}
  txs = {name: make_optimizer(spec, steps) for name in game.losses}
  step = make_train_step(game, txs, updates=updates)
  if state is None:
    players = game.init(jax.random.key(0), batch(jax.random.key(1)))
    state = TrainState.create(jax.random.key(2), players, txs)
  body = lambda state, key: (step(state, batch(key))[0], None)
  return jax.jit(lambda s, keys: jax.lax.scan(body, s, keys)[0])(
    state, jax.random.split(jax.random.key(3), steps)
  )


def logits(game, state, x=GRID):
  """What the critic says of points [n]."""
  points = jnp.asarray(x, jnp.float32).reshape(-1, 1, 1, 1)
  found = game.predict['score'](
    state.players, None, image=points, label=jnp.zeros(len(x), jnp.int32)
  )
  return np.asarray(found, np.float64)


def density(shift=0.0, scale=1.0):
  """N(shift, scale^2) on the grid."""
  return np.exp(-0.5 * ((GRID - shift) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))


def integral(values):
  """Over the grid, which holds all of every density here."""
  return np.trapezoid(values, GRID)


def wasserstein_1(p, q):
  """W1 of two densities on the grid: the area between their distribution functions."""
  return integral(np.abs(np.cumsum(p - q)) * (GRID[1] - GRID[0]))

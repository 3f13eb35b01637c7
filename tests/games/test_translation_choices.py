"""pix2pix and CycleGAN under every objective and norm that a config may ask for: one step each, of the smallest networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import config as configs
from jaxgan import problem
from jaxgan.datasets.dataset import from_arrays

RNG = np.random.default_rng(0)
DATA = from_arrays(
  'noise',
  {
    'image': RNG.integers(0, 256, (4, 16, 16, 3), np.uint8),
    'target': RNG.integers(0, 256, (4, 16, 16, 3), np.uint8),
    'label': np.zeros(4, np.int32),
  },
  (),
  '',
)
GP = {'gradient_penalty': {'weight': 10.0}}
CHOICES = {  # together they have every loss, every norm, spectral or not, antialiased or not
  'lsgan': {'loss': 'least_squares', 'norm': 'batch', 'antialias': True},
  'vanilla': {
    'loss': 'non_saturating',
    'norm': 'none',
    'spectral': True,
    'kernel_init': 'orthogonal',
  },
  'wgan_gp': {'loss': 'wasserstein', 'norm': 'instance', 'discriminator_penalties': GP},
  'hinge': {'loss': 'hinge', 'norm': 'instance_affine', 'spectral': True, 'antialias': True},
}


def prepared(model, choice):
  """The problem of the smoke form of a config with that choice, on pictures of 16 pixels."""
  config = configs.smoke(configs.load(model))
  config.data.update(batch_size=2, resolution=16)
  config.game.update(CHOICES[choice])
  configs.validate(config)
  return problem.make_problem(config, DATA)


QUICK = [('pix2pix', choice) for choice in CHOICES] + [('cyclegan', 'wgan_gp')]


@pytest.mark.parametrize(
  'model, choice',
  [
    pytest.param(model, choice, marks=() if (model, choice) in QUICK else pytest.mark.slow)
    for model in ('pix2pix', 'cyclegan')
    for choice in CHOICES
  ],
)
def test_every_objective_runs_by_config(model, choice):
  asked, found = CHOICES[choice], prepared(model, choice)
  state = found.init(jax.random.key(0))
  new, metrics = jax.jit(found.step)(state, DATA.fetch(np.arange(2)))
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(metrics))
  for player, variables in new.players.items():
    before = state.players[player]
    assert ('batch_stats' in variables) == (asked['norm'] == 'batch')
    assert ('spectral' in variables) == asked.get('spectral', False)
    for collection in {'params', 'batch_stats', 'spectral'} & set(variables):
      same = jax.tree.map(
        lambda a, b: bool((a == b).all()), variables[collection], before[collection]
      )
      assert not all(jax.tree.leaves(same)), (player, collection)
    names = {
      jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(variables['params'])
    }
    assert any('norm' in name for name in names) == (asked['norm'] in ('batch', 'instance_affine'))
  assert any('gradient_penalty' in name for name in metrics) == (choice == 'wgan_gp')


def test_blurring_is_in_the_networks():
  """Antialiased, a picture moved by one pixel moves the map of logits less."""
  from jaxgan.nn.patchgan import PatchDiscriminator

  x = jnp.asarray(RNG.uniform(-1, 1, (1, 32, 32, 3)), jnp.float32)
  changes = []
  for antialias in (False, True):
    network = PatchDiscriminator(
      channels=4, layers=2, norm='none', antialias=antialias, kernel_init='orthogonal'
    )
    variables = network.init(jax.random.key(0), x)
    one, two = (network.apply(variables, jnp.roll(x, by, 2))[:, 2:-2, 2:-2] for by in (0, 1))
    changes.append(float(jnp.abs(one - two).mean() / jnp.abs(one - one.mean()).mean()))
  assert changes[1] < 0.9 * changes[0]

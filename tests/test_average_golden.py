"""The moving average of weights against BigGAN's recorded ema object (decay 0.9, start 2)."""

import jax.numpy as jnp
import numpy as np

from jaxgan.train_step import Average, average
from tests.recorded import read

NUMBERS = read('biggan/losses_ema')
NAMES = ('weight', 'bias', 'buf')
SPEC = Average(decay=0.9, start=2)


def players(group):
  """The recorded module as a player: its buffer stands for batch statistics."""
  get = {name: jnp.asarray(NUMBERS[f'ema/{group}/{name}']) for name in NAMES}
  params = {name: get[name] for name in ('weight', 'bias')}
  return {'generator': {'params': params, 'batch_stats': {'buf': get['buf']}}}


def close(ours, theirs):
  for collection, values in theirs['generator'].items():
    for name, value in values.items():
      np.testing.assert_allclose(ours['generator'][collection][name], value, rtol=1e-5, atol=1e-6)


def test_copies_before_the_start_and_averages_after_it_with_statistics():
  ema = players('target_it0')
  for step in (1, 2, 3):
    ema = average(ema, players(f'source_it{step}'), jnp.asarray(step), SPEC)
    close(ema, players(f'target_it{step}'))
  assert not np.allclose(NUMBERS['ema/target_it2/weight'], NUMBERS['ema/source_it2/weight'])


def test_step_0_before_the_start_is_a_copy_too():
  """On purpose unlike the reference, whose `if itr and ...` averages at step 0."""
  ema = average(players('target_init_is_source'), players('source_it0'), jnp.asarray(0), SPEC)
  close(ema, players('source_it0'))
  start = average(
    players('target_init_is_source'), players('source_it0'), jnp.asarray(0), SPEC._replace(start=0)
  )
  close(start, players('target_it0'))

"""The adaptive probability of ADA and APA: as much augmentation as keeps the discriminator from overfitting."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.augment.augmentation import State, check_between
from jaxgan.nn import replicas


def adaptive_probability(
  p: float, target: float | None, kimg: float, interval: int
) -> tuple[Callable[[], State], Callable[[State, jax.Array], State]]:
  """p <- clip(p + sign(r - target) * batch * interval / (1000 kimg), 0, 1), every `interval` updates.

  r is the mean over these updates of sign(D(x)) on reals: near 0 while the discriminator cannot tell,
  1 when it has learnt the reals by heart.

  Args:
    p: the probability at the start.
    target: of r, in (0, 1]; 0 or None keeps p as it is.
    kimg: thousands of reals in which p can go from 0 to 1; smaller is faster.
    interval: updates of the discriminator between two moves.

  Returns:
    (init, update) of an `Augmentation`. State: 'p' float32; 'sign' float32, the running mean of
    sign(D(x)) since the last move; 'count' int32, updates since the last move. With a fixed p the
    state is {}: the config's p holds, also after a resume.

  Raises:
    ValueError: a number out of range.

  Source: Karras et al. 2020, arXiv 2006.06676, section 3.1, r_t; numbers as in stylegan2-ada-pytorch,
  training_loop.py, which lets p grow above 1, where it changes nothing but the way back.
  """
  check_between('p', p, 0, 1)
  check_between('target', target or 0, 0, 1)
  if not target:
    return dict, lambda state, real_logits: state
  check_between('kimg', kimg, 1e-3)
  if isinstance(interval, bool) or not isinstance(interval, int) or interval < 1:
    raise ValueError(f'interval={interval!r}; expected a whole number of updates >= 1')

  def init():
    return {'p': jnp.float32(p), 'sign': jnp.float32(0), 'count': jnp.int32(0)}

  def update(state, real_logits):
    mean = replicas.mean(jnp.sign(jax.lax.stop_gradient(real_logits)).astype(jnp.float32).mean())
    batch = real_logits.shape[0] * replicas.size()
    count = state['count'] + 1
    sign = state['sign'] + (mean - state['sign']) / count
    move = jnp.sign(sign - target) * (batch * interval / (1000 * kimg))
    due = count == interval
    moved = jnp.clip(state['p'] + move, 0, 1).astype(jnp.float32)
    return {
      'p': jnp.where(due, moved, state['p']),
      'sign': sign,
      'count': jnp.where(due, 0, count),
    }

  return init, update

"""The discriminator some updates on, as a differentiable function of the generator."""

from collections.abc import Callable
from typing import Any

import jax
import optax

from jaxgan import optim
from jaxgan.nn import replicas


def make_unrolled(steps: int, **spec: Any) -> Callable[[Callable[[Any], jax.Array], Any], Any]:
  """theta_D^(i+1) = theta_D^i - update(grad_D L(theta_D^i, theta_G)), `steps` times.

  Args:
    steps: inner updates k, 0 or more.
    **spec: of the inner optimiser, which starts anew each time, see `optim.make_optimizer`: name
      ('adam' if none is given), learning_rate, b1 and so on.

  Returns:
    `(loss, params) -> params`. `loss(params) -> []` may depend on the generator's parameters; the
    gradient with respect to them runs through every inner update.

  Raises:
    ValueError: steps below 0, or an optimiser that cannot be.

  Source: Metz et al. 2016, arXiv 1611.02163.
  """
  if not isinstance(steps, int) or steps < 0:
    raise ValueError(f'unroll.steps={steps!r}; expected a whole number, 0 or more')
  if spec.get('name', 'adam') in ('adam', 'adamw', 'amsgrad'):
    spec.setdefault('eps_root', 1e-8)  # sqrt has no finite slope at the zero of a unit that is off
  tx = optim.make_optimizer(spec, steps)

  def future(loss: Callable[[Any], jax.Array], params: Any) -> Any:
    state = tx.init(params)
    for _ in range(steps):  # written out: a loop would hide convolutions from the CPU backend
      gradient = replicas.mean(jax.grad(loss)(params))
      updates, state = tx.update(gradient, state, params)
      params = optax.apply_updates(params, updates)
    return params

  return future

"""The discriminator some updates on, as a differentiable function of the generator."""

from collections.abc import Callable
from typing import Any

import jax
import optax

from jaxgan.nn import replicas

OPTIMIZERS = {'sgd': optax.sgd, 'adam': optax.adam}


def make_unrolled(
  steps: int, learning_rate: float, optimizer: str = 'sgd', **options: Any
) -> Callable[[Callable[[Any], jax.Array], Any], Any]:
  """theta_D^(i+1) = theta_D^i - update(grad_D L(theta_D^i, theta_G)), `steps` times.

  Args:
    steps: inner updates k, 0 or more.
    learning_rate: of the inner optimiser.
    optimizer: 'sgd' or 'adam', started anew each time.
    **options: of the optax optimiser, such as b1.

  Returns:
    `(loss, params) -> params`. `loss(params) -> []` may depend on the generator's parameters; the
    gradient with respect to them runs through every inner update.

  Raises:
    ValueError: an unknown optimiser, or numbers below 0.

  Source: Metz et al. 2016, arXiv 1611.02163.
  """
  if optimizer not in OPTIMIZERS:
    raise ValueError(f'unroll.optimizer={optimizer!r}; expected one of {", ".join(OPTIMIZERS)}')
  if not isinstance(steps, int) or steps < 0 or not learning_rate >= 0:
    raise ValueError(
      f'unroll: steps={steps!r}, learning_rate={learning_rate!r}; expected a whole number and a '
      'rate, both 0 or more'
    )
  tx = OPTIMIZERS[optimizer](learning_rate, **options)

  def future(loss: Callable[[Any], jax.Array], params: Any) -> Any:
    state = tx.init(params)
    for _ in range(steps):  # written out: a loop would hide convolutions from the CPU backend
      gradient = replicas.mean(jax.grad(loss)(params))
      updates, state = tx.update(gradient, state, params)
      params = optax.apply_updates(params, updates)
    return params

  return future

"""Two replicas against one device, for losses that look at the whole batch."""

import jax
import numpy as np

from jaxgan.nn import replicas


def check(loss, *batches, rtol=1e-5, atol=1e-6):
  """Whether per-example values and the gradient of the mean are alike on one and on two replicas."""

  def value_and_gradient(*batches):
    value = lambda *batches: loss(*batches).mean()
    return loss(*batches), jax.grad(value, range(len(batches)))(*batches)

  whole, gradients = value_and_gradient(*batches)
  halves = [x.reshape(2, -1, *x.shape[1:]) for x in batches]
  parts, part_gradients = jax.vmap(value_and_gradient, axis_name=replicas.AXIS)(*halves)
  join = lambda x: np.reshape(x, (-1, *np.shape(x)[2:]))
  # a loss of the batch is the same on every replica
  np.testing.assert_allclose(
    join(parts) if whole.ndim else parts, whole if whole.ndim else [whole] * 2, rtol=rtol, atol=atol
  )
  for part, gradient in zip(part_gradients, gradients, strict=True):
    np.testing.assert_allclose(join(part) / 2, gradient, rtol=rtol, atol=atol)
    assert np.any(gradient)

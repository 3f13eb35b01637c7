"""Penalties on the critic's gradient with respect to its input, by `jax.grad`.

A critic is a pure function images [B, ...] -> logits [B] that treats its samples one by one. All
penalties are per example, [B] float32, of which the caller takes the mean; `max_gradient_penalty`
alone is one number for the whole batch.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.nn import replicas
from jaxgan.nn.precision import widen

Critic = Callable[[jax.Array], jax.Array]


def judged(critic: Critic, x: jax.Array) -> jax.Array:
  """critic(x) [B], at least float32, once it is known to be a logit a picture: [B, 1] would broadcast.

  Raises:
    ValueError: it is not, or the pictures are whole numbers, which have no gradient.
  """
  _check_floating(x)
  logits = critic(x)
  if jnp.shape(logits) != x.shape[:1]:
    raise ValueError(
      f'the critic gives {jnp.shape(logits)} for {len(x)} examples; expected [{len(x)}], a logit each'
    )
  return widen(logits)


def _check_floating(*given: jax.Array) -> None:
  for x in given:
    if not jnp.issubdtype(jnp.result_type(x), jnp.floating):
      raise ValueError(
        f'pictures of dtype {jnp.result_type(x)}; expected floating point, such as x / 127.5 - 1'
      )


def squared_norms(critic: Critic, x: jax.Array) -> jax.Array:
  """|grad_x critic(x)|^2 of each example [B], over all of its axes, at least float32.

  Raises:
    ValueError: the critic does not give [B], or x are whole numbers.
  """
  _check_floating(x)
  gradient = widen(jax.grad(lambda x: judged(critic, x).sum())(x))
  return jnp.sum(gradient**2, axis=tuple(range(1, x.ndim)))


def safe_sqrt(x: jax.Array) -> jax.Array:
  """sqrt with gradient 0 at 0: the inner `where` keeps the infinite derivative out of the product."""
  positive = x > 0
  return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def interpolate(real: jax.Array, fake: jax.Array, key: jax.Array) -> jax.Array:
  """real + t (fake - real), with one t ~ U[0, 1) per sample.

  Raises:
    ValueError: real and fake differ in shape, or are whole numbers.
  """
  _check_floating(real, fake)
  if real.shape != fake.shape:
    raise ValueError(
      f'real {real.shape} and fake {fake.shape}; expected one shape, a pair a sample'
    )
  t = replicas.draw(jax.random.uniform, key, (real.shape[0],)).reshape(
    (-1,) + (1,) * (real.ndim - 1)
  )
  return real + t.astype(real.dtype) * (fake - real)


def gradient_penalty(
  critic: Critic,
  real: jax.Array,
  fake: jax.Array,
  key: jax.Array,
  *,
  weight: float = 10.0,
  target: float = 1.0,
  one_sided: bool = False,
) -> jax.Array:
  """weight * (|grad critic(x)| - target)^2 at x = real + t (fake - real), t ~ U[0, 1) per sample.

  Args:
    critic: images -> logits [B].
    real, fake: [B, ...] of one shape.
    key: PRNG key for t.
    weight: lambda of the paper.
    target: the norm asked for.
    one_sided: penalise only norms above the target, max(0, |grad| - target)^2.

  Returns:
    float32 [B], finite also where the gradient is zero.

  Raises:
    ValueError: real and fake differ in shape.

  Source: Gulrajani et al. 2017, arXiv 1704.00028; one-sided: Petzka et al. 2018, arXiv 1709.08894.
  """
  excess = safe_sqrt(squared_norms(critic, interpolate(real, fake, key))) - target
  return weight * (jnp.maximum(excess, 0.0) if one_sided else excess) ** 2


def lipschitz_penalty(
  critic: Critic,
  real: jax.Array,
  fake: jax.Array,
  key: jax.Array,
  *,
  weight: float = 10.0,
  target: float = 1.0,
) -> jax.Array:
  """weight * max(0, |grad critic(x)| - target)^2 between real and fake: WGAN-LP.

  It asks for a norm of `target` at most, not exactly: `gradient_penalty` with one_sided=True, whose
  arguments, result and error it has.

  Source: Petzka, Fischer, Lukovnicov 2018, arXiv 1709.08894.
  """
  return gradient_penalty(critic, real, fake, key, weight=weight, target=target, one_sided=True)


def max_gradient_penalty(
  critic: Critic, real: jax.Array, fake: jax.Array, key: jax.Array, *, weight: float = 1.0
) -> jax.Array:
  """weight * max over the batch of |grad critic(x)|^2 at x = real + t (fake - real), t ~ U[0, 1).

  One number for the whole batch, over all devices: it grows with the batch size, and micro-batches
  give the mean of their maxima.

  Args:
    critic: images -> logits [B].
    real, fake: [B, ...] of one shape.
    key: PRNG key for t, one per sample.
    weight: lambda of the paper.

  Returns:
    float32 scalar.

  Raises:
    ValueError: real and fake differ in shape.

  Source: Zhou et al. 2019 (Lipschitz GANs), arXiv 1902.05687, as StudioGAN computes it.
  """
  norms = squared_norms(critic, interpolate(real, fake, key))
  # gathered, because the maximum over an axis name (pmax) has no derivative
  return weight * replicas.gather(norms).max()


def r1(critic: Critic, real: jax.Array, *, gamma: float = 10.0) -> jax.Array:
  """gamma / 2 * |grad critic(real)|^2, float32 [B].

  Source: Mescheder, Geiger, Nowozin 2018, arXiv 1801.04406.
  """
  return 0.5 * gamma * squared_norms(critic, real)


def r2(fake_critic: Critic, fake: jax.Array, *, gamma: float = 10.0) -> jax.Array:
  """gamma / 2 * |grad critic(fake)|^2, float32 [B]; `r1` on the generator's samples.

  The critic is called `fake_critic` here so that a game gives the one that knows the fakes' labels.
  """
  return 0.5 * gamma * squared_norms(fake_critic, fake)

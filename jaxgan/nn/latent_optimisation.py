"""Latent optimisation: the latents take a step towards what the discriminator likes better."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.nn.precision import widen

METHODS = ('natural', 'gradient')


def optimise(
  z: jax.Array,
  f: Callable[[jax.Array], jax.Array],
  *,
  step_size: float = 0.9,
  damping: float = 0.1,
  method: str = 'natural',
  clip: float = 1.0,
  weight: float = 0.1,
  chosen: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
  """One step of every latent up the gradient of its own judgement.

  z' = clip(z + dz), with g = grad_z f(z) of each sample:
  - 'natural': dz = step_size * g / (|g|^2 + damping), a natural gradient with the Fisher matrix
    g g^T + damping I;
  - 'gradient': dz = step_size * g.

  It is one step, and differentiable: whoever wants no gradient through dz stops it.

  Args:
    z: latents [B, ...].
    f: z -> logits [B], the discriminator after the generator, sample by sample.
    step_size: alpha of the paper.
    damping: beta of the paper, > 0; for 'natural' alone.
    method: 'natural' or 'gradient'.
    clip: z' is cut to [-clip, clip], for latents uniform in there; 0 = not cut.
    weight: w_r of the paper.
    chosen: bool [B], which latents move at all (the paper moves 80 % of them); None = all.

  Returns:
    (z' like z, weight * |dz|^2 float32 [B]): the second is to be added to the generator's loss. It
    is of the step before the cut, and 0 where a latent does not move.

  Raises:
    ValueError: another method, damping not positive, or a clip below 0.

  Source: Wu et al. 2019 (LOGAN), arXiv 1912.00953. StudioGAN, whose values for CIFAR-10
  are the defaults, returns from inside its loop, hence takes one step whatever its config says, and
  counts |dz|^2 of the latents that do not move as well.
  """
  if method not in METHODS:
    raise ValueError(f'unknown method {method!r}; expected one of {", ".join(METHODS)}')
  if method == 'natural' and not damping > 0:
    raise ValueError(f'damping={damping}; expected a number > 0, which bounds the step at g = 0')
  if not clip >= 0:
    raise ValueError(f'clip={clip}; expected a number > 0, or 0 for no cut')
  g = widen(jax.grad(lambda z: f(z).sum())(z))
  axes = tuple(range(1, z.ndim))
  step = step_size * g
  if method == 'natural':
    step /= jnp.square(g).sum(axes, keepdims=True) + damping
  if chosen is not None:
    step *= chosen.reshape((-1,) + (1,) * len(axes))
  moved = z + step.astype(z.dtype)
  return (
    jnp.clip(moved, -clip, clip) if clip else moved,
    weight * jnp.square(step).sum(axes),
  )

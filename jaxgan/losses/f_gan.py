"""f-GAN: every f-divergence as an adversarial game, through its convex conjugate.

D_f(P || Q) = sum_x Q(x) f(P(x) / Q(x)) = max_T E_P[T(x)] - E_Q[f*(T(x))]; the discriminator's raw
output v becomes T = g_f(v), where g_f maps the real line into the domain of f*.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.errors import nearest
from jaxgan.losses import inputs


class Divergence(NamedTuple):
  """One row of the table: what a logit v contributes, on a real and on a fake example."""

  activation: Callable[[jax.Array], jax.Array]  # v -> T = g_f(v)
  conjugate: Callable[[jax.Array], jax.Array]  # v -> f*(g_f(v)), composed so that nothing cancels


_LOG_2 = math.log(2.0)
_same = lambda v: v

# Above each row its f(u).
DIVERGENCES: dict[str, Divergence] = {
  # u log u
  'kl': Divergence(_same, lambda v: jnp.exp(v - 1)),
  # -log u
  'reverse_kl': Divergence(lambda v: -jnp.exp(-v), lambda v: v - 1),
  # (u - 1)^2
  'pearson': Divergence(_same, lambda v: v + 0.25 * jnp.square(v)),
  # (1 - u)^2 / u
  'neyman': Divergence(lambda v: -jnp.expm1(-v), lambda v: -2 * jnp.expm1(-0.5 * v)),
  # (sqrt(u) - 1)^2
  'squared_hellinger': Divergence(lambda v: -jnp.expm1(-v), jnp.expm1),
  # u log u - (u + 1) log((u + 1) / 2): twice the Jensen-Shannon divergence
  'jensen_shannon': Divergence(
    lambda v: _LOG_2 - jax.nn.softplus(-v), lambda v: jax.nn.softplus(v) - _LOG_2
  ),
  # u log u - (u + 1) log(u + 1): that of the minimax loss, 2 JSD - log 4
  'gan': Divergence(lambda v: -jax.nn.softplus(-v), jax.nn.softplus),
  # |u - 1| / 2
  'total_variation': Divergence(lambda v: 0.5 * jnp.tanh(v), lambda v: 0.5 * jnp.tanh(v)),
}


def f_gan_discriminator(
  real: jax.Array, fake: jax.Array, divergence: str = 'jensen_shannon'
) -> jax.Array:
  """f*(g_f(D(G(z)))) - g_f(D(x)): minus the lower bound on the divergence of data from fakes.

  Args:
    real: logits [B] of real examples, without activation.
    fake: logits [B] of generated examples, likewise.
    divergence: one of `DIVERGENCES`: kl, reverse_kl, pearson, neyman, squared_hellinger,
      jensen_shannon, gan, total_variation.

  Returns:
    float32 [B]. kl, reverse_kl, neyman and squared_hellinger grow like exp(|logit|) and overflow at
    |logit| of about 88 (neyman's fakes at 176).

  Raises:
    ValueError: unknown divergence, or the two are not of one shape [B].

  Source: Nowozin, Cseke, Tomioka 2016, arXiv 1606.00709, equation 6 and its tables of divergences and
  activations.
  """
  row = _find(divergence)
  real, fake = inputs.logits(real, fake)
  return row.conjugate(fake) - row.activation(real)


def f_gan_generator(
  fake: jax.Array, divergence: str = 'jensen_shannon', non_saturating: bool = False
) -> jax.Array:
  """-f*(g_f(D(G(z)))), the zero-sum answer; or -g_f(D(G(z))), which does not saturate.

  Args:
    fake: logits [B] of generated examples, without activation.
    divergence: see `f_gan_discriminator`.
    non_saturating: raise T on fakes instead of lowering f*(T).

  Returns:
    float32 [B].

  Raises:
    ValueError: unknown divergence, or the shape is not [B].

  Source: Nowozin, Cseke, Tomioka 2016, arXiv 1606.00709, equation 6 and section 3.2.
  """
  row = _find(divergence)
  (fake,) = inputs.logits(fake)
  return -row.activation(fake) if non_saturating else -row.conjugate(fake)


def _find(name: str) -> Divergence:
  if name not in DIVERGENCES:
    raise ValueError(f'unknown divergence {name!r}; {nearest(name, DIVERGENCES)}')
  return DIVERGENCES[name]

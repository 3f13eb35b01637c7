"""Adversarial losses by name: what a config's `game.loss` may say."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import jax

from jaxgan.errors import nearest
from jaxgan.losses import adversarial, f_gan, relativistic

Loss = Callable[..., jax.Array]


class Pair(NamedTuple):
  """The two sides of an adversarial game, called alike whatever the loss."""

  discriminator: Loss  # (real logits [B], fake logits [B]) -> [B]
  generator: Loss  # (real logits [B], fake logits [B]) -> [B]; real may be None unless needs_real
  needs_real: bool = False  # whether the generator's loss looks at real logits


ABSOLUTE = ('minimax', 'non_saturating', 'logistic', 'least_squares', 'hinge', 'wasserstein')
RELATIVISTIC = (
  'relativistic',
  'relativistic_average',
  'relativistic_average_hinge',
  'relativistic_average_least_squares',
)


def _ignoring_real(generator: Loss) -> Loss:
  """(real, fake) -> [B] of a generator's loss that takes the fake logits alone."""
  return lambda real, fake: generator(fake)


def _pair(module: ModuleType, name: str) -> Pair:
  """The pair that a module calls NAME_discriminator and NAME_generator."""
  return Pair(getattr(module, f'{name}_discriminator'), getattr(module, f'{name}_generator'))


def _f_gan(divergence: str) -> Pair:
  return Pair(
    functools.partial(f_gan.f_gan_discriminator, divergence=divergence),
    functools.partial(f_gan.f_gan_generator, divergence=divergence),
  )


_one_sided = {name: _pair(adversarial, name) for name in ABSOLUTE} | {
  f'f_gan_{name}': _f_gan(name) for name in f_gan.DIVERGENCES
}
PAIRS: dict[str, Pair] = {
  **{name: p._replace(generator=_ignoring_real(p.generator)) for name, p in _one_sided.items()},
  **{name: _pair(relativistic, name)._replace(needs_real=True) for name in RELATIVISTIC},
}


def pair(name: str) -> Pair:
  """The discriminator's and the generator's loss of that name.

  Args:
    name: minimax, non_saturating, logistic, least_squares, hinge, wasserstein, relativistic,
      relativistic_average, relativistic_average_hinge, relativistic_average_least_squares, or f_gan_
      and a divergence of `jaxgan.losses.f_gan` (f_gan_kl, f_gan_pearson, ...).

  Returns:
    Pair(discriminator, generator, needs_real), both losses (real, fake) -> [B]. The generator's of
    f-GAN is the zero-sum one.

  Raises:
    ValueError: there is none; the message names the nearest, or lists those that exist.
  """
  if name not in PAIRS:
    raise ValueError(f'unknown loss {name!r}; {nearest(name, PAIRS)}')
  return PAIRS[name]

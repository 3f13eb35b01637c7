"""What an augmentation is: a value of three pure functions, and how names that nobody has are answered."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.errors import nearest

State = dict[str, jax.Array]


class Augmentation(NamedTuple):
  """A change of what the discriminator sees, on the device and differentiable in the images.

  Attributes:
    init: () -> state: dict of arrays, {} if there is nothing to remember. It lives among the
      discriminator's collections and in the checkpoint.
    apply: (real, fake, key, state, step) -> (real, fake). Images [B, H, W, C] in [-1, 1]; either may
      be None (the generator's update has no reals) and stays None. Results may leave [-1, 1].
    update: (state, real_logits [B]) -> state, after an update of the discriminator; the logits are
      those of the augmented reals.
  """

  init: Callable[[], State]
  apply: Callable[..., tuple[jax.Array | None, jax.Array | None]]
  update: Callable[[State, jax.Array], State]


def stateless(augment: Callable[..., jax.Array]) -> Augmentation:
  """The augmentation by `augment(images, key, step)`, of reals and fakes apart, that remembers nothing."""
  return Augmentation(
    dict,
    separately(lambda images, key, state, step: augment(images, key, step)),
    lambda state, real_logits: state,
  )


def separately(augment: Callable[..., jax.Array]) -> Callable[..., Any]:
  """`apply` by `augment(images, key, state, step)`, called for reals and fakes with draws of their own.

  Images of a dtype narrower than float32 are augmented in float32 and rounded once, at the end.
  """

  def apply(real, fake, key, state, step):
    def one(images, key):
      if images is None:
        return None
      if images.ndim != 4:
        raise ValueError(
          f'images of shape {images.shape}; expected [batch, height, width, channels]'
        )
      wide = images.astype(jnp.promote_types(images.dtype, jnp.float32))
      return augment(wide, key, state, step).astype(images.dtype)

    return one(real, jax.random.fold_in(key, 0)), one(fake, jax.random.fold_in(key, 1))

  return apply


def check_known(kind: str, name: str, known: Collection[str]) -> None:
  """Nothing, if the name is known.

  Raises:
    ValueError: it is not; the message has the nearest name, or all of them.
  """
  if name not in known:
    raise ValueError(f'unknown {kind} {name!r}; {nearest(name, known)}')


def check_between(name: str, value: float, low: float, high: float = float('inf')) -> None:
  """Nothing, if low <= value <= high.

  Raises:
    ValueError: it is not, or is no number.
  """
  if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
    bound = f'>= {low:g}' if high == float('inf') else f'from {low:g} to {high:g}'
    raise ValueError(f'{name}={value!r}; expected a number {bound}')

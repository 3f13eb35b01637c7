"""How a discriminator sees images: through the augmentation, in packs, real and fake together."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.augment.augmentation import Augmentation
from jaxgan.games.conditioning import pack, unpack
from jaxgan.games.objectives import Outputs, as_outputs, logit_of

Variables = dict[str, Any]


def run(
  module: nn.Module, variables: Variables, *args: Any, train: bool, key: jax.Array | None = None
) -> tuple[Any, Variables]:
  """`module.apply` that returns (output, new collections); with train=False nothing is new."""
  state = [name for name in variables if name != 'params'] if train else []
  rngs = None if key is None else {'dropout': key}
  output, new = module.apply(variables, *args, train=train, mutable=state, rngs=rngs)
  return output, dict(new)


class Judge(NamedTuple):
  """A discriminator and the way to it.

  Attributes:
    discriminator: Linen module, `(images, labels, train) -> logits [B]` or named outputs.
    views: name -> augmentation, one after the other; each keeps its state in the collection
      `augment_NAME` of the discriminator's variables.
    packing: images that are judged together.
  """

  discriminator: nn.Module
  views: Mapping[str, Augmentation]
  packing: int = 1

  def states(self) -> Variables:
    """The collections that the augmentations begin with."""
    begun = {f'augment_{name}': view.init() for name, view in self.views.items()}
    return {name: state for name, state in begun.items() if state}

  def show(
    self, variables: Variables, real: Any, fake: Any, key: jax.Array, step: jax.Array
  ) -> tuple[Any, Any]:
    """(real, fake) as the discriminator sees them: augmented, then packed; either may be None."""
    for i, (name, view) in enumerate(self.views.items()):
      state = variables.get(f'augment_{name}', {})
      real, fake = view.apply(real, fake, jax.random.fold_in(key, i), state, step)
    packed = lambda x: None if x is None else pack(x, self.packing)
    return packed(real), packed(fake)

  def outputs(self, variables: Variables, x: jax.Array, labels: jax.Array, key: Any) -> Outputs:
    """What it says of packed images, without new collections."""
    return as_outputs(run(self.discriminator, variables, x, labels, train=True, key=key)[0])

  def both(
    self, variables: Variables, real: Any, fake: Any, key: jax.Array
  ) -> tuple[tuple[Outputs, Outputs], Variables]:
    """((outputs on the real, on the fake), new collections) of pairs (packed images, labels).

    One batch, so that spectral vectors move once; one after the other where batch statistics of
    both together would tell which is which.
    """
    one = lambda variables, pair: run(self.discriminator, variables, *pair, train=True, key=key)
    if 'batch_stats' in variables:
      real_outputs, first = one(variables, real)
      fake_outputs, second = one({**variables, **first}, fake)
      return (as_outputs(real_outputs), as_outputs(fake_outputs)), {**first, **second}
    # in turns, not one kind after the other, so that examples stay on their device
    in_turns = lambda a, b: jnp.stack([a, b], 1).reshape(-1, *a.shape[1:])
    outputs, new = one(variables, jax.tree.map(in_turns, fake, real))
    outputs = as_outputs(outputs)
    chex.assert_axis_dimension(outputs['logits'], 0, 2 * len(real[1]))
    each = jax.tree.map(lambda x: x.reshape(-1, 2, *x.shape[1:]), outputs)
    of = lambda i: jax.tree.map(lambda x: x[:, i], each)
    return (of(1), of(0)), new

  def critic(
    self, variables: Variables, labels: jax.Array, key: jax.Array, step: jax.Array
  ) -> Callable[[jax.Array], jax.Array]:
    """The critic of penalties: packed images -> logits [B], through the augmentation."""

    def critic(x):
      if self.views:
        x = self.show(variables, unpack(x, self.packing), None, key, step)[0]
      return logit_of(self.outputs(variables, x, labels, key), labels)

    return critic

"""What the image-to-image games share: the discriminator of patches, translation, and their networks by name."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan import losses
from jaxgan.config import nearest
from jaxgan.games import Game
from jaxgan.games.judging import Judge, Variables, run
from jaxgan.games.networks import divide, fields_of, keywords
from jaxgan.games.penalising import Specs, asked, check_penalties, penalise
from jaxgan.nn.patchgan import PatchDiscriminator, PixelDiscriminator
from jaxgan.nn.resnet_generator import ResNetGenerator
from jaxgan.nn.srresnet import SRResNetGenerator, StridedDiscriminator
from jaxgan.nn.unet import UNetGenerator

DIRECTIONS = ('AtoB', 'BtoA')
MISSING = {'z', 'generate', 'real_mean', 'fake_mean'}  # what these games cannot give a penalty
GENERATORS: dict[str, type[nn.Module]] = {
  'unet': UNetGenerator,
  'resnet': ResNetGenerator,
  'srresnet': SRResNetGenerator,
}
DISCRIMINATORS: dict[str, type[nn.Module]] = {
  'patch': PatchDiscriminator,
  'pixel': PixelDiscriminator,
  'strided': StridedDiscriminator,
}


class Adversary(NamedTuple):
  """A discriminator of patches, its loss and its penalties.

  The loss is the mean over patches; penalties see the sum of a picture's logits.

  Attributes:
    network: Linen module, `(images, labels, train) -> logits [B, h, w]`.
    pair: the two sides of the loss.
    penalties: of the discriminator, name -> keyword arguments.
  """

  network: nn.Module
  pair: losses.Pair
  penalties: Specs

  def both(
    self, variables: Variables, real: Any, fake: Any, key: Any
  ) -> tuple[Any, Any, Variables]:
    """(logits of the real patches [N], of the fake ones [N], new collections)."""
    labels = jnp.zeros(len(real), jnp.int32)
    outputs, new = Judge(self.network, {}).both(variables, (real, labels), (fake, labels), key)
    real_logits, fake_logits = (x['logits'].reshape(-1) for x in outputs)
    return real_logits, fake_logits, new

  def judge(
    self, variables: Variables, real: jax.Array, fake: jax.Array, key: jax.Array, step: jax.Array
  ) -> tuple[jax.Array, dict[str, jax.Array], Variables]:
    """The discriminator's side: (loss, metrics, new collections)."""
    real_logits, fake_logits, new = self.both(variables, real, fake, key)

    def critic(x):
      return run(self.network, variables, x, train=True, key=key)[0].sum((1, 2))

    penalty, metrics = penalise(
      self.penalties,
      step,
      params=variables['params'],
      critic=critic,
      fake_critic=critic,
      real=real,
      fake=fake,
      real_logits=real_logits,
      fake_logits=fake_logits,
      key=jax.random.fold_in(key, 1),
    )
    metrics |= {'real_logit': real_logits.mean(), 'fake_logit': fake_logits.mean()}
    return self.pair.discriminator(real_logits, fake_logits).mean() + penalty, metrics, new

  def persuade(self, variables: Variables, real: Any, fake: jax.Array, key: jax.Array) -> jax.Array:
    """The generator's side: a loss []."""
    if self.pair.needs_real:
      real_logits, fake_logits, _ = self.both(variables, real, fake, key)
      return self.pair.generator(real_logits, fake_logits).mean()
    logits = run(self.network, variables, fake, train=True, key=key)[0]
    return self.pair.generator(None, logits.reshape(-1)).mean()


def make_adversary(network: nn.Module, loss: str, specs: Specs | None) -> Adversary:
  """An `Adversary` of a config.

  Raises:
    ValueError: unknown loss or penalty, or a penalty that needs what these games do not have.
  """
  specs = specs or {}
  check_penalties('discriminator', specs)
  for name in specs:
    if lacking := asked({name: {}}) & MISSING:
      raise ValueError(f'penalty {name!r} needs {min(lacking)}, which image to image does not have')
  return Adversary(network, losses.pair(loss), specs)


def translated(
  generator: nn.Module, variables: Variables, image: jax.Array, key: jax.Array, noise: bool
) -> jax.Array:
  """Images [B, H, W, C] in [-1, 1], each from its own picture and the key alone.

  With noise, dropout is on and batch norms take the statistics of the picture itself, as pix2pix was
  published; the draws of dropout are the same for all pictures.
  """
  if not noise:
    return run(generator, variables, image, train=False)[0].astype(jnp.float32)
  one = lambda x: run(generator, variables, x[None], train=True, key=key)[0][0]
  return jax.vmap(one)(image).astype(jnp.float32)


def from_translators(
  game: Callable[..., Game],
  image_shape: tuple[int, int, int],
  *,
  generator: str,
  discriminator: str = 'patch',
  **options: Any,
) -> Game:
  """The image-to-image game of two networks by name and one flat set of options.

  Args:
    game: `paired`, `cycle` or `contrastive` of `jaxgan.games.translation`.
    image_shape: of the pictures that come in.
    generator: 'unet', which halves the pictures as often as it can, 'resnet', or 'srresnet', which
      enlarges them.
    discriminator: 'patch', 'pixel', or 'strided', which judges the whole picture.
    **options: fields of the networks, given to both where both have them; `discriminator_NAME` is the
      discriminator's alone. Everything else is an argument of the game.

  Raises:
    ValueError: an unknown network, or an option that only other networks have, or nobody.
  """
  classes = []
  for name, known in ((generator, GENERATORS), (discriminator, DISCRIMINATORS)):
    if name not in known:
      raise ValueError(f'no network {name!r}; {nearest(name, known)}')
    classes.append(known[name])
  for option in foreign(generator, discriminator, options):
    own = [', '.join(sorted(fields_of(network) - {'image_channels'})) for network in classes]
    raise ValueError(
      f'game.{option} is an option of other networks; {generator} has {own[0]}; {discriminator} has {own[1]}'
    )
  height, width, channels = image_shape
  if generator == 'unet':
    common = math.gcd(height, width)
    options.setdefault('depth', (common & -common).bit_length() - 1)
  given = divide(classes, options, keywords(game), keywords(from_translators))
  given[0] = {'image_channels': channels, **given[0]}
  return game(*(network(**own) for network, own in zip(classes, given)), **given[2])


def foreign(generator: str, discriminator: str, options: Iterable[str]) -> list[str]:
  """The options that other networks than these two have, and these have not."""
  if generator not in GENERATORS or discriminator not in DISCRIMINATORS:
    return []
  of = lambda networks: set().union(*map(fields_of, networks))
  every = of(GENERATORS.values()) | of(DISCRIMINATORS.values())
  others = every - of((GENERATORS[generator], DISCRIMINATORS[discriminator]))
  return [name for name in options if name.removeprefix('discriminator_') in others]


def check_weights(**weights: float) -> None:
  """Whether none of them is below 0.

  Raises:
    ValueError: naming the one that is.
  """
  for name, value in weights.items():
    if not value >= 0:
      raise ValueError(f'game.{name}={value!r}; expected 0 or more')


def check_direction(direction: str, known: Sequence[str]) -> None:
  """Whether a system translates in that direction.

  Raises:
    ValueError: it does not.
  """
  if direction not in known:
    raise ValueError(f'direction={direction!r}; this system knows {" and ".join(known)}')


def part(variables: Mapping[str, Any], name: str) -> Variables:
  """The variables of one of a player's networks."""
  return {collection: nets[name] for collection, nets in variables.items() if name in nets}


def join(networks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """The variables of a player that is several networks, collection first."""
  joined: dict[str, Any] = {}
  for name, variables in networks.items():
    for collection, value in variables.items():
      joined.setdefault(collection, {})[name] = value
  return joined

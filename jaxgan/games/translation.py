"""Image to image: pairs (pix2pix), two domains and a way back (CycleGAN), two domains and patches (CUT).

A batch has 'image' of domain A and 'target' of domain B, [B, H, W, C] each: of pairs the same scene, else
pictures that have nothing to do with each other.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan import losses
from jaxgan.games import Aux, Game, image_pool
from jaxgan.games.judging import run
from jaxgan.games.penalising import Specs
from jaxgan.games.translating import (
  DIRECTIONS,
  check_direction,
  check_weights,
  join,
  make_adversary,
  part,
  translated,
)
from jaxgan.metrics.features import perceptual as features
from jaxgan.nn.initialize import initialize
from jaxgan.nn.patch_features import PatchProjector, draw_places


def paired(
  generator: nn.Module,
  discriminator: nn.Module,
  *,
  loss: str = 'non_saturating',
  adversarial: float = 1.0,
  l1: float = 100.0,
  perceptual: float = 0.0,
  conditional: bool = True,
  noise: bool = True,
  discriminator_penalties: Specs | None = None,
) -> Game:
  """pix2pix: adversarial * GAN(G) + l1 * |G(x) - y| + perceptual * d(G(x), y), with D(x, y) against D(x, G(x)).

  Args:
    generator: Linen module, `(images, train) -> images`.
    discriminator: Linen module, `(images, labels, train) -> logits [B, h, w]`.
    loss: name of a pair in `jaxgan.losses`.
    adversarial, l1: weights in the generator's loss; 0 leaves a term out.
    perceptual: weight of the distance of `jaxgan.metrics.features.perceptual`, whose network is a frozen player
      'perceptual'; needs its weights installed.
    conditional: whether D sees the input beside the result, as more channels.
    noise: dropout, and the statistics of the picture, in `translate` too.
    discriminator_penalties: name -> keyword arguments, see `penalise`.

  Returns:
    The Game; predict 'translate': `(players, key, *, image, direction='AtoB', noise=None)`, which goes
    one way only.

  Raises:
    ValueError: unknown names, weights below 0, weights that are not installed, or results of another
      shape than the targets.

  Source: Isola et al. 2016, arXiv 1611.07004. The paper halves D's loss, which Adam does not notice.
  """
  check_weights(adversarial=adversarial, l1=l1, perceptual=perceptual)
  adversary, own_noise = make_adversary(discriminator, loss, discriminator_penalties), noise
  beside = lambda x, y: jnp.concatenate([x, y], -1) if conditional else y

  def init(key, batch):
    x, y = batch['image'][:1], batch['target'][:1]
    made = initialize(generator, jax.random.fold_in(key, 0), x, train=False)
    shape = jax.eval_shape(lambda: run(generator, made, x, train=False)[0]).shape
    if shape != y.shape:
      raise ValueError(
        f'the generator makes {shape[1:]} of {x.shape[1:]}, but targets are {y.shape[1:]}'
      )
    players = {
      'generator': made,
      'discriminator': initialize(
        discriminator, jax.random.fold_in(key, 1), beside(x, y), train=False
      ),
    }
    if perceptual:
      features.check(y.shape)
      players['perceptual'] = {'params': features.parameters()[0]}
    return players

  def discriminator_loss(params, players, batch, key, step):
    x, y = batch['image'], batch['target']
    fake, _ = run(generator, players['generator'], x, train=True, key=jax.random.fold_in(key, 3))
    variables = {**players['discriminator'], 'params': params}
    value, metrics, new = adversary.judge(
      variables, beside(x, y), beside(x, fake), jax.random.fold_in(key, 4), step
    )
    return value, Aux(metrics, {'discriminator': new})

  def generator_loss(params, players, batch, key, step):
    x, y = batch['image'], batch['target']
    variables = {**players['generator'], 'params': params}
    fake, new = run(generator, variables, x, train=True, key=jax.random.fold_in(key, 3))
    metrics = {'l1': losses.l1(fake, y).mean()}
    total = l1 * metrics['l1']
    if adversarial:
      metrics['adversarial'] = adversary.persuade(
        players['discriminator'], beside(x, y), beside(x, fake), jax.random.fold_in(key, 4)
      )
      total += adversarial * metrics['adversarial']
    if perceptual:
      apart = features.distance(players['perceptual']['params'], fake, y)
      metrics['perceptual'] = apart.mean()
      total += perceptual * metrics['perceptual']
    return total, Aux(metrics, {'generator': new})

  def translate(players, key, *, image, direction='AtoB', noise=None):
    check_direction(direction, DIRECTIONS[:1])
    noise = own_noise if noise is None else noise
    return translated(generator, players['generator'], image, key, noise)

  losses_ = {'discriminator': discriminator_loss, 'generator': generator_loss}
  return Game(init, losses_, {'translate': translate}, conditional=False)


def cycle(
  generator: nn.Module,
  discriminator: nn.Module,
  *,
  loss: str = 'least_squares',
  adversarial: float = 2.0,
  cycle: float = 10.0,
  identity: float = 0.5,
  pool: int = 50,
  discriminator_penalties: Specs | None = None,
) -> Game:
  """CycleGAN: F: A -> B and G: B -> A, each against a discriminator of its results, and undoing each other.

  adversarial (GAN(F, D_B) + GAN(G, D_A)) + cycle (|G(F(a)) - a| + |F(G(b)) - b|
    + identity (|F(b) - b| + |G(a) - a|))

  The player 'generator' is F and G, under 'AtoB' and 'BtoA'; 'discriminator' is D_A and D_B, under 'A'
  and 'B', with a pool of earlier fakes each in its collection 'pool': the losses of two networks of one
  player are a sum without common parameters.

  Args:
    generator: Linen module, `(images, train) -> images`; both directions are of it.
    discriminator: Linen module, `(images, labels, train) -> logits [B, h, w]`.
    loss: name of a pair in `jaxgan.losses`.
    adversarial: weight; 2 with 'least_squares', whose half the paper's code leaves out for generators.
    cycle: weight lambda of the cycle, in L1.
    identity: weight of the identity, as a share of that of the cycle.
    pool: pictures in each pool; 0 shows the newest fakes.
    discriminator_penalties: name -> keyword arguments, see `penalise`.

  Returns:
    The Game; predict 'translate': `(players, key, *, image, direction='AtoB', noise=False)`.

  Raises:
    ValueError: unknown names, weights or a size below 0.

  Source: Zhu et al. 2017, arXiv 1703.10593. In the authors' code both players answer what the other was
  when the step began: that is play='simultaneous'.
  """
  check_weights(adversarial=adversarial, cycle=cycle, identity=identity, pool=pool)
  adversary = make_adversary(discriminator, loss, discriminator_penalties)
  domains = {'AtoB': ('image', 'target'), 'BtoA': ('target', 'image')}  # from, to
  judges = {'AtoB': 'B', 'BtoA': 'A'}

  @jax.jit  # within a step: one trace for its eight uses
  def forward(variables, x, key):
    return run(generator, variables, x, train=True, key=key)

  def init(key, batch):
    examples = {'A': batch['image'][:1], 'B': batch['target'][:1]}
    keys = jax.random.split(key, 4)
    generators = {
      d: initialize(generator, keys[i], examples['AB'[i]], train=False)
      for i, d in enumerate(DIRECTIONS)
    }
    discriminators = {
      name: initialize(discriminator, keys[2 + i], x, train=False)
      | {'pool': image_pool.empty(pool, x.shape[1:])}
      for i, (name, x) in enumerate(examples.items())
    }
    return {'generator': join(generators), 'discriminator': join(discriminators)}

  def generator_loss(params, players, batch, key, step):
    variables = {**players['generator'], 'params': params}
    now = {d: part(variables, d) for d in DIRECTIONS}

    def go(direction, x, i):
      y, new = forward(now[direction], x, jax.random.fold_in(key, i))
      now[direction] |= new
      return y

    total, metrics = jnp.zeros(()), {}
    for i, (there, back) in enumerate((DIRECTIONS, DIRECTIONS[::-1])):
      x, y = (batch[name] for name in domains[there])
      fake, judge = go(there, x, 4 * i), judges[there]
      judging = part(players['discriminator'], judge)
      del judging['pool']  # no business of the network
      seen = adversary.persuade(judging, y, fake, jax.random.fold_in(key, 10 + i))
      metrics[f'adversarial_{there}'] = seen
      total += adversarial * seen
      if cycle:
        error = losses.l1(go(back, fake, 4 * i + 1), x).mean()
        metrics[f'cycle_{"BA"[there == "AtoB"]}'] = error
        total += cycle * error
      if cycle and identity:
        same = losses.l1(go(there, y, 4 * i + 2), y).mean()
        metrics[f'identity_{there}'] = same
        total += cycle * identity * same
    new = {d: {k: v for k, v in now[d].items() if k != 'params'} for d in DIRECTIONS}
    return total, Aux(metrics, {'generator': join(new)})

  def discriminator_loss(params, players, batch, key, step):
    total, metrics, parts = jnp.zeros(()), dict[str, Any](), dict[str, Any]()
    for i, direction in enumerate(DIRECTIONS):
      x, y = (batch[name] for name in domains[direction])
      judge, draw = judges[direction], jax.random.fold_in(key, i)
      makes = part(players['generator'], direction)
      fake, _ = run(generator, makes, x, train=True, key=jax.random.fold_in(draw, 0))
      judging = part({**players['discriminator'], 'params': params}, judge)
      shown, held = image_pool.show(judging.pop('pool'), fake, jax.random.fold_in(draw, 1))
      value, more, new = adversary.judge(judging, y, shown, jax.random.fold_in(draw, 2), step)
      total += value
      metrics |= {f'{name}_{judge}': x for name, x in more.items()}
      parts[judge] = {**new, 'pool': held}
    return total, Aux(metrics, {'discriminator': join(parts)})

  def translate(players, key, *, image, direction='AtoB', noise=False):
    check_direction(direction, DIRECTIONS)
    return translated(generator, part(players['generator'], direction), image, key, noise)

  losses_ = {'generator': generator_loss, 'discriminator': discriminator_loss}
  return Game(init, losses_, {'translate': translate}, conditional=False)


def contrastive(
  generator: nn.Module,
  discriminator: nn.Module,
  *,
  loss: str = 'least_squares',
  adversarial: float = 2.0,
  nce: float = 1.0,
  nce_identity: bool = True,
  nce_layers: Sequence[str] = ('pixels', 'half', 'quarter', 'block_0', 'block_4'),
  patches: int = 256,
  features: int = 256,
  temperature: float = 0.07,
  discriminator_penalties: Specs | None = None,
) -> Game:
  """CUT: A -> B without a way back; patches of the result must know those of the input they are made of.

  adversarial * GAN(G) + nce * PatchNCE(a, G(a)), with nce_identity the mean of that and PatchNCE(b, G(b)).

  Args:
    generator: Linen module, `(images, train) -> images`, that sows the collection 'features', as
      `ResNetGenerator` does.
    discriminator: Linen module, `(images, labels, train) -> logits [B, h, w]`.
    loss, adversarial, discriminator_penalties: as in `cycle`.
    nce: weight of PatchNCE.
    nce_identity: also on pictures of domain B, which should stay as they are; False is FastCUT, whose
      weight is 10.
    nce_layers: whose features are compared.
    patches: places of each layer.
    features: size of their vectors.
    temperature: of PatchNCE.

  Returns:
    The Game; predict 'translate': `(players, key, *, image, direction='AtoB', noise=False)`, which goes
    one way only.

  Raises:
    ValueError: unknown names, weights below 0, or layers that the generator does not have.

  Source: Park et al. 2020, arXiv 2007.15651.
  """
  check_weights(adversarial=adversarial, nce=nce)
  adversary = make_adversary(discriminator, loss, discriminator_penalties)
  projector = PatchProjector(features=features)

  @jax.jit  # within a step: one trace for its many uses
  def maps(variables, x, key):
    """name -> features [B, H, W, C] of the layers that are compared."""
    mutable = ['features', *(name for name in variables if name != 'params')]
    rngs = {'dropout': key}
    _, told = generator.apply(variables, x, train=True, mutable=mutable, rngs=rngs)
    sown = told.get('features', {})
    if unknown := [name for name in nce_layers if name not in sown]:
      raise ValueError(f'game.nce_layers has {unknown[0]!r}; this generator has {", ".join(sown)}')
    return {name: sown[name][0] for name in nce_layers}

  def init(key, batch):
    x = batch['image'][:1]
    network = initialize(generator, jax.random.fold_in(key, 0), x, train=False)
    shapes = jax.eval_shape(lambda: maps(network, x, key))
    stand_ins = {name: jnp.zeros(s.shape) for name, s in shapes.items()}
    places = {name: jnp.zeros(1, jnp.int32) for name in shapes}
    heads = initialize(projector, jax.random.fold_in(key, 2), stand_ins, places)
    return {
      'generator': join({'network': network, 'projector': heads}),
      'discriminator': initialize(discriminator, jax.random.fold_in(key, 1), x, train=False),
    }

  def compared(network, heads, source, result, key):
    """PatchNCE [], the mean over layers."""
    queries, keys = (maps(network, x, jax.random.fold_in(key, 1)) for x in (result, source))
    shapes = {name: x.shape for name, x in keys.items()}
    places = draw_places(shapes, patches, jax.random.fold_in(key, 0))
    sides: Any = [projector.apply(heads, x, places) for x in (queries, keys)]
    q, k = sides
    each = [losses.patch_nce(q[name], k[name], temperature).mean() for name in q]
    return sum(each) / len(each)

  def generator_loss(params, players, batch, key, step):
    a, b = batch['image'], batch['target']
    variables = {**players['generator'], 'params': params}
    network, heads = part(variables, 'network'), part(variables, 'projector')
    fold = lambda i: jax.random.fold_in(key, i)
    fake, new = run(generator, network, a, train=True, key=fold(0))
    metrics = {
      'adversarial': adversary.persuade(players['discriminator'], b, fake, fold(1)),
      'nce': compared(network, heads, a, fake, fold(2)),
    }
    alike = metrics['nce']
    if nce_identity:
      same, _ = run(generator, network, b, train=True, key=fold(3))
      metrics['nce_identity'] = compared(network, heads, b, same, fold(4))
      alike = (alike + metrics['nce_identity']) / 2
    total = adversarial * metrics['adversarial'] + nce * alike
    return total, Aux(metrics, {'generator': join({'network': new})})

  def discriminator_loss(params, players, batch, key, step):
    makes = part(players['generator'], 'network')
    fake, _ = run(generator, makes, batch['image'], train=True, key=jax.random.fold_in(key, 0))
    value, metrics, new = adversary.judge(
      {**players['discriminator'], 'params': params},
      batch['target'],
      fake,
      jax.random.fold_in(key, 1),
      step,
    )
    return value, Aux(metrics, {'discriminator': new})

  def translate(players, key, *, image, direction='AtoB', noise=False):
    check_direction(direction, DIRECTIONS[:1])
    return translated(generator, part(players['generator'], 'network'), image, key, noise)

  losses_ = {'discriminator': discriminator_loss, 'generator': generator_loss}
  return Game(init, losses_, {'translate': translate}, conditional=False)

"""The adversarial game: a generator and a discriminator, with loss, penalties and latent as choices."""

from collections.abc import Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan import augment as augmentations
from jaxgan import losses, options, penalties
from jaxgan.games import Aux, Game
from jaxgan.games.conditioning import Codes, check_packing, pack
from jaxgan.games.judging import Judge, run
from jaxgan.games.objectives import Seen, as_outputs, check_head, logit_of, make_objectives
from jaxgan.games.penalising import Specs, asked, check_penalties, penalise
from jaxgan.games.unrolling import make_unrolled
from jaxgan.nn import latents, replicas
from jaxgan.nn.batch_norm import standing_statistics
from jaxgan.nn.initialize import initialize
from jaxgan.nn.latent_optimisation import optimise


def adversarial(
  generator: nn.Module,
  discriminator: nn.Module,
  *,
  dim_z: int,
  num_classes: int = 0,
  loss: str = 'hinge',
  latent: str = 'normal',
  generator_penalties: Specs | None = None,
  discriminator_penalties: Specs | None = None,
  objectives: Specs | None = None,
  codes: Mapping[str, Any] | None = None,
  augment: Specs | None = None,
  packing: int = 1,
  top_k: Mapping[str, Any] | None = None,
  latent_optimisation: Mapping[str, Any] | None = None,
  unroll: Mapping[str, Any] | None = None,
) -> Game:
  """min_G max_D of a generator G(z, y) against a discriminator D(x, y).

  Args:
    generator: Linen module, `(z [B, dim_z], labels int32 [B], train) -> images [B, H, W, C]`.
    discriminator: Linen module, `(images, labels, train) -> logits [B]`, float32, or a dict of
      arrays with 'logits' and what its class head gives (see `jaxgan.nn.heads`).
    dim_z: size of the latent, codes counted in.
    num_classes: labels of the fakes are drawn uniformly from these, or those of the real ones where
      the loss compares the two; 0 or 1 is unconditional.
    loss: name of a pair in `jaxgan.losses`.
    latent: name of a sampler in `jaxgan.nn.latents`.
    generator_penalties, discriminator_penalties: name -> keyword arguments, see `penalise`.
    objectives: name -> weight and keyword arguments, of class heads, see `jaxgan.games.objectives`.
    codes: InfoGAN's, `{'discrete': (10,), 'continuous': 2}`: the last entries of the latent.
    augment: name -> keyword arguments, of `jaxgan.augment`, one after the other; what the
      discriminator sees, real or fake.
    packing: images that D judges together, see `conditioning.pack`; it divides the batch. A D that
      takes labels gets that of the first of a pack.
    top_k: the generator learns from its best fakes only: keyword arguments of
      `losses.top_k_count`.
    latent_optimisation: keyword arguments of `jaxgan.nn.latent_optimisation.optimise`, and `share`
      (0.8) of the latents that move.
    unroll: `{'steps': k, 'name': 'adam', 'learning_rate': r, ...}`, an optimiser: G answers the
      discriminator as it will be k updates on, and its gradient runs through them (Metz et al.
      2016, arXiv 1611.02163).

  Returns:
    The Game. The discriminator sees fakes and reals as one batch, so that its spectral vectors move
    once an update; one that normalises by batch statistics sees them one after the other, since
    statistics of both together would tell it which is which. Its update leaves the generator's
    statistics alone, and the other way round. Its penalties judge real pictures, and those between
    real and fake, with the real labels, and fakes alone with their own (`fake_critic`), all of them
    packed; they look through the augmentation. A discriminator that normalises by batch statistics
    does so within a penalty too: its gradient at an example then depends on the others
    (Gulrajani et al. advise against it; norm='none' or 'layer' avoid it).

  Raises:
    ValueError: an unknown name, or an option that its owner does not have.

  Source: Goodfellow et al. 2014, arXiv 1406.2661.
  """
  for name, value in (
    ('generator_penalties', generator_penalties),
    ('discriminator_penalties', discriminator_penalties),
    ('objectives', objectives),
    ('augment', augment),
    ('top_k', top_k),
    ('latent_optimisation', latent_optimisation),
    ('unroll', unroll),
  ):
    if value is not None and not isinstance(value, Mapping):
      raise ValueError(f'game.{name}={value!r}; expected a section: game.{name}.NAME=...')
  if dim_z < 1:
    raise ValueError(f'game.dim_z={dim_z}; expected 1 or more')
  pair = losses.pair(loss)
  draw = latents.sampler(latent)
  specs_g, specs_d = generator_penalties or {}, discriminator_penalties or {}
  check_penalties('generator', specs_g)
  check_penalties('discriminator', specs_d)
  code = Codes(**(codes or {}))
  if code.size >= dim_z and code.size:
    raise ValueError(
      f'codes take {code.size} entries of a latent of dim_z={dim_z}; give a larger one'
    )
  terms = make_objectives(objectives or {}, code)
  alone = any(objective.alone for _, objective in terms.values())
  views = {}
  for name, given in (augment or {}).items():
    make = augmentations.find(name)
    options.check(f'augmentation {name!r}', make, given)
    views[name] = make(**given)
  judge = Judge(discriminator, views, packing)
  running = {'real_mean', 'fake_mean'} & asked(specs_d)
  if not isinstance(packing, int) or packing < 1:
    raise ValueError(f'game.packing={packing!r}; expected a whole number, 1 or more')
  if top_k is not None and alone:
    raise ValueError('game.top_k ranks by the logit of a loss; multi_hinge has none: leave it out')
  if packing > 1 and code.size:
    raise ValueError(
      f'packing={packing} with codes; a pack has as many codes as pictures: give packing=1'
    )
  if unroll:
    options.check('game.unroll', make_unrolled, unroll)
  future = make_unrolled(**unroll) if unroll else None
  if top_k is not None:  # wrong options answer now, not when a step is traced
    options.check('game.top_k', losses.top_k_count, top_k, supplied=['step', 'batch_size'])
    losses.top_k_count(0, 1, **top_k)
  if latent_optimisation is not None:
    options.check(
      'game.latent_optimisation',
      optimise,
      latent_optimisation,
      supplied=['z', 'f', 'chosen'],
      also=['share'],
    )
    # a cut at 1 is for latents that end there
    moving = {'clip': 1.0 if latent == 'uniform' else 0.0, **latent_optimisation}
    share = moving.pop('share', 0.8)
    options.check_value('game.latent_optimisation: share', share, float)
    if not share <= 1:
      raise ValueError(f'game.latent_optimisation.share={share}; expected a number from 0 to 1')
    jax.eval_shape(lambda z: optimise(z, lambda z: z.sum(-1), **moving), jnp.zeros((1, dim_z)))

  def conditions(key, n, batch=None):
    """(latents, labels) of n fakes; where a loss compares each with a real one, of its class."""
    if pair.needs_real and batch is not None:
      labels = batch['label']
    else:
      labels = replicas.draw(
        jax.random.randint, jax.random.fold_in(key, 1), (n,), minval=0, maxval=max(num_classes, 1)
      )
    z = draw(jax.random.fold_in(key, 2), (n, dim_z - code.size))
    if code.size:
      z = jnp.concatenate([z, code.draw(jax.random.fold_in(key, 6), n)], -1)
    return z, labels

  def init(key, batch):
    image, label = batch['image'][:1], batch['label'][:1]
    shown = jnp.tile(image, (1, 1, 1, packing))
    players = {
      'generator': initialize(
        generator, jax.random.fold_in(key, 0), jnp.zeros((1, dim_z)), label, train=False
      ),
      'discriminator': initialize(
        discriminator, jax.random.fold_in(key, 1), shown, label, train=False
      ),
    }
    if terms:
      outputs = jax.eval_shape(
        lambda v: as_outputs(run(discriminator, v, shown, label, train=False)[0]),
        players['discriminator'],
      )
      check_head(terms, outputs)
    players['discriminator'] |= judge.states()
    if running:
      players['discriminator']['running'] = {
        'real': jnp.zeros(()),
        'fake': jnp.zeros(()),
        'count': jnp.zeros((), jnp.int32),
      }
    return players

  def chosen(variables, generate, z, label, key):
    """(latents moved to where the discriminator likes their images better, cost [] of moving)."""
    if latent_optimisation is None:
      return z, jnp.zeros(())
    critic = lambda z: logit_of(
      judge.outputs(variables, pack(generate(z), packing), label[::packing], key), label[::packing]
    )
    moves = replicas.draw(
      lambda key, shape: jax.random.bernoulli(key, share, shape),
      jax.random.fold_in(key, 8),
      (len(z),),
    )
    moved, cost = optimise(z, critic, chosen=moves, **moving)
    if code.size:  # codes are what the picture is asked for
      moved = jnp.concatenate([moved[:, : -code.size], z[:, -code.size :]], -1)
    return moved, jnp.mean(cost)

  def made_by(variables, label, key):
    """z -> images of the generator as it trains."""
    return lambda z: run(generator, variables, z, label, train=True, key=jax.random.fold_in(key, 3))

  def discriminate(params, players, batch, z, fake, fake_label, key, step):
    """The discriminator's loss of given fakes: (scalar, Aux)."""
    real, label, variables = batch['image'], batch['label'], players['discriminator']
    variables = {**variables, 'params': params}
    chex.assert_equal_shape([fake, real])  # at trace time: the generator draws what the data show
    key4, key7 = jax.random.fold_in(key, 4), jax.random.fold_in(key, 7)
    shown_real, shown_fake = judge.show(variables, real, fake, key7, step)
    real_label, shown_label = label[::packing], fake_label[::packing]  # a pack's first
    (on_real, on_fake), new = judge.both(
      variables, (shown_real, real_label), (shown_fake, shown_label), key4
    )
    real_logits, fake_logits = logit_of(on_real, real_label), logit_of(on_fake, shown_label)
    metrics = {'real_logit': real_logits.mean(), 'fake_logit': fake_logits.mean()}
    total = jnp.zeros(()) if alone else pair.discriminator(real_logits, fake_logits).mean()
    seen_real = Seen(on_real, real_label)
    seen_fake = Seen(on_fake, shown_label, z[:, dim_z - code.size :])
    for name, (weight, objective) in terms.items():
      metrics[name] = objective.discriminator(seen_real, seen_fake).mean()
      total += weight * metrics[name]
    means: tuple[Any, Any] = None, None
    if running:
      old = variables['running']
      decay = jnp.where(old['count'] == 0, 0.0, 0.99)  # what they begin with never counts
      means = penalties.lecam_means((old['real'], old['fake']), real_logits, fake_logits, decay)
      new = {**new, 'running': {'real': means[0], 'fake': means[1], 'count': old['count'] + 1}}
    generate = made_by(players['generator'], fake_label, key)
    penalty, more = penalise(
      specs_d,
      step,
      params=params,
      critic=judge.critic(variables, real_label, key4, step),
      fake_critic=judge.critic(variables, shown_label, key4, step),
      real=pack(real, packing),
      fake=pack(fake, packing),
      real_logits=real_logits,
      fake_logits=fake_logits,
      real_mean=means[0],
      fake_mean=means[1],
      z=z,
      generate=lambda z: pack(generate(z)[0], packing),
      key=jax.random.fold_in(key, 5),
    )
    for name, view in views.items():
      if f'augment_{name}' in variables:
        state = view.update(variables[f'augment_{name}'], real_logits)
        new = {**new, f'augment_{name}': state}
        metrics |= {f'{name}_{k}': v for k, v in state.items() if v.ndim == 0}
    return total + penalty, Aux({**metrics, **more}, {'discriminator': new})

  def discriminator_loss(params, players, batch, key, step):
    check_packing(packing, batch)
    z, label = conditions(key, batch['image'].shape[0], batch)
    generate = made_by(players['generator'], label, key)
    live = {**players['discriminator'], 'params': params}
    z, _ = chosen(jax.lax.stop_gradient(live), lambda z: generate(z)[0], z, label, key)
    z = jax.lax.stop_gradient(z)  # where latents have moved to counts as given
    # the fakes do not: games.adjusting asks how this loss changes with the generator
    return discriminate(params, players, batch, z, generate(z)[0], label, key, step)

  def generator_loss(params, players, batch, key, step):
    check_packing(packing, batch)
    z, label = conditions(key, batch['image'].shape[0], batch)
    variables, judges = {**players['generator'], 'params': params}, players['discriminator']
    generate = made_by(variables, label, key)
    z, cost = chosen(judges, lambda z: generate(z)[0], z, label, key)
    fake, new = generate(z)
    if future:
      inner = lambda p: discriminate(p, players, batch, z, fake, label, key, step)[0]
      judges = {**judges, 'params': future(inner, judges['params'])}
    key4, key7 = jax.random.fold_in(key, 4), jax.random.fold_in(key, 7)
    real = batch['image'] if pair.needs_real and not alone else None
    shown_real, shown = judge.show(judges, real, fake, key7, step)
    seen_label, real_logits = label[::packing], None
    if real is None:
      outputs = judge.outputs(judges, shown, seen_label, key4)
    else:
      both, _ = judge.both(
        judges, (shown_real, batch['label'][::packing]), (shown, seen_label), key4
      )
      real_logits, outputs = both[0]['logits'], both[1]
    metrics, total = {}, cost
    if not alone:
      values = pair.generator(real_logits, outputs['logits'])
      if top_k is not None:
        k = losses.top_k_count(step, len(values) * replicas.size(), **top_k)
        values *= losses.top_k_weights(outputs['logits'], k)
      total += values.mean()
    seen = Seen(outputs, seen_label, z[:, dim_z - code.size :])
    for name, (weight, objective) in terms.items():
      metrics[name] = objective.generator(seen).mean()
      total += weight * metrics[name]
    penalty, more = penalise(
      specs_g,
      step,
      params=params,
      z=z,
      generate=lambda z: generate(z)[0],
      key=jax.random.fold_in(key, 5),
    )
    return total + penalty, Aux({**metrics, **more}, {'generator': new})

  def latent_of(players, key, *, n, truncation=0.0, convention='scaled'):
    """n latents; truncation 0 draws from the latent of training. Codes are never truncated."""
    shape = (n, dim_z - code.size)
    if truncation:
      z = latents.truncated(latent, key, shape, truncation, convention)
    else:
      z = draw(key, shape)
    if code.size:
      z = jnp.concatenate([z, code.draw(jax.random.fold_in(key, 6), n)], -1)
    return z

  def sample(players, key, *, label, z=None):
    """Images in [-1, 1] of the given labels [n], from latents z [n, dim_z] or fresh ones."""
    z = latent_of(players, key, n=label.shape[0]) if z is None else z
    return run(generator, players['generator'], z, label, train=False)[0].astype(jnp.float32)

  def score(players, key, *, image, label):
    """The discriminator's logits [n] of images [n, H, W, C] with labels [n].

    Packed, an image is judged beside copies of itself.
    """
    shown = jnp.tile(image, (1, 1, 1, packing))
    outputs, _ = run(discriminator, players['discriminator'], shown, label, train=False)
    return logit_of(as_outputs(outputs), label)

  def standing(players, key, *, batches=16, batch_size=64):
    """The players with the generator's statistics recomputed over fresh latents (standing statistics)."""
    variables = players['generator']
    if 'batch_stats' not in variables:
      return players
    forward = jax.jit(
      lambda v, k: generator.apply(v, *conditions(k, batch_size), train=True, mutable=['standing'])[
        1
      ]
    )
    for i in range(batches):
      variables = {**variables, **forward(variables, jax.random.fold_in(key, i))}
    return {**players, 'generator': standing_statistics(variables)}

  return Game(
    init=init,
    losses={'discriminator': discriminator_loss, 'generator': generator_loss},
    predict={'latent': latent_of, 'sample': sample, 'score': score, 'standing': standing},
  )

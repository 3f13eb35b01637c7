"""What a discriminator with a class head minimises beside the game's loss, and what the generator does.

A head (`jaxgan.nn.heads`) makes a discriminator return named outputs instead of bare logits; an
objective says what both players do with them.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan import losses, options
from jaxgan.config import nearest
from jaxgan.games.conditioning import Codes

Outputs = Mapping[str, jax.Array]
Specs = Mapping[str, Mapping[str, Any]]


class Seen(NamedTuple):
  """What a discriminator said of some images, and what is true of them.

  Attributes:
    outputs: name -> array, batch first; 'logits' always.
    label: int32 [B].
    codes: the generator's codes [B, C] of fakes, see `Codes`; None for real images.
  """

  outputs: Outputs
  label: jax.Array
  codes: jax.Array | None = None


class Objective(NamedTuple):
  """A class objective.

  Attributes:
    needs: outputs of the head that it reads.
    discriminator: `(real, fake) -> [B]`, two `Seen`.
    generator: `fake -> [B]`.
    alone: it takes the place of the adversarial loss.
  """

  needs: tuple[str, ...]
  discriminator: Callable[[Seen, Seen], jax.Array]
  generator: Callable[[Seen], jax.Array]
  alone: bool = False


def auxiliary_classifier(fakes: bool = True) -> Objective:
  """AC-GAN: D names the class of real images (and with `fakes` that asked of fakes), G obeys.

  Source: Odena, Olah, Shlens 2016, arXiv 1610.09585, which trains D on
  fakes too; later code often does not.
  """
  entropy = lambda seen: losses.cross_entropy(seen.outputs['class_logits'], seen.label)
  both = lambda real, fake: entropy(real) + entropy(fake)
  return Objective(('class_logits',), both if fakes else lambda real, fake: entropy(real), entropy)


def twin_auxiliary_classifier() -> Objective:
  """TAC-GAN: a twin classifier of the fakes alone, which G escapes, undoes AC-GAN's lack of variety.

  Source: Gong et al. 2019, arXiv 1907.02690.
  """
  entropy = lambda seen: losses.cross_entropy(seen.outputs['class_logits'], seen.label)
  twin = lambda seen: losses.cross_entropy(seen.outputs['twin_logits'], seen.label)
  return Objective(
    ('class_logits', 'twin_logits'),
    lambda real, fake: entropy(real) + twin(fake),
    lambda fake: entropy(fake) - twin(fake),
  )


def adc() -> Objective:
  """ADC-GAN: 2 K classes, real k is 2 k and fake k is 2 k + 1; G wants the first and not the second.

  Source: Hou et al. 2021, arXiv 2107.10060.
  """
  entropy = lambda seen, fake: losses.cross_entropy(
    seen.outputs['class_logits'], 2 * seen.label + fake
  )
  return Objective(
    ('class_logits',),
    lambda real, fake: entropy(real, 0) + entropy(fake, 1),
    lambda fake: entropy(fake, 0) - entropy(fake, 1),
  )


def contrastive(temperature: float = 1.0) -> Objective:
  """ContraGAN: embeddings near their class's proxy and each other, see `losses.contrastive_2c`."""
  near = lambda seen: losses.contrastive_2c(
    seen.outputs['embedding'], seen.outputs['proxy'], seen.label, temperature=temperature
  )
  return Objective(('embedding', 'proxy'), lambda real, fake: near(real), near)


def d2d_cross_entropy(
  temperature: float = 0.5, margin_positive: float = 0.98, margin_negative: float | None = None
) -> Objective:
  """ReACGAN: data-to-data cross entropy, see `losses.d2d_cross_entropy`."""
  near = lambda seen: losses.d2d_cross_entropy(
    seen.outputs['embedding'],
    seen.outputs['proxy'],
    seen.label,
    temperature=temperature,
    margin_positive=margin_positive,
    margin_negative=margin_negative,
  )
  return Objective(('embedding', 'proxy'), lambda real, fake: near(real), near)


def multi_hinge() -> Objective:
  """Multi-hinge GAN: one D of K + 1 classes, the last for fakes, in place of the adversarial loss.

  Source: Kavalerov, Czaja, Chellappa 2019, arXiv 1912.04216.
  """
  hinge = lambda seen, label: losses.multi_hinge(seen.outputs['logits'], label)
  fakes = lambda seen: jnp.full_like(seen.label, seen.outputs['logits'].shape[-1] - 1)
  return Objective(
    ('logits',),
    lambda real, fake: hinge(real, real.label) + hinge(fake, fakes(fake)),
    lambda fake: hinge(fake, fake.label),
    alone=True,
  )


def info(codes: Codes, discrete: float = 1.0, continuous: float = 1.0) -> Objective:
  """InfoGAN: both players let the codes of a fake be read from it, -I(c; G(z, c)) bounded from above.

  Args:
    codes: the game's.
    discrete, continuous: weights of the two kinds.

  Source: Chen et al. 2016, arXiv 1606.03657.
  """

  def read(seen: Seen) -> jax.Array:
    one_hot, values = codes.split(seen.codes)
    total = jnp.zeros(len(seen.label))
    if codes.discrete:
      start = 0
      for one, count in zip(one_hot, codes.discrete):
        logits = seen.outputs['info_discrete'][:, start : start + count]
        total += discrete * losses.cross_entropy(logits, one.argmax(-1))
        start += count
    if codes.continuous:
      mean, spread = seen.outputs['info_mean'], seen.outputs['info_log_variance']
      total += continuous * losses.info_continuous(mean, spread, values)
    return total

  needs = ('info_discrete',) * bool(codes.discrete)
  needs += ('info_mean', 'info_log_variance') * bool(codes.continuous)
  return Objective(needs, lambda real, fake: read(fake), read)


OBJECTIVES: dict[str, Callable[..., Objective]] = {
  'auxiliary_classifier': auxiliary_classifier,
  'twin_auxiliary_classifier': twin_auxiliary_classifier,
  'adc': adc,
  'contrastive': contrastive,
  'd2d_cross_entropy': d2d_cross_entropy,
  'multi_hinge': multi_hinge,
  'info': info,
}


def make_objectives(specs: Specs, codes: Codes) -> dict[str, tuple[float, Objective]]:
  """name -> (weight, objective) of a config's `objectives`.

  Raises:
    ValueError: an unknown objective or option, or codes that are missing.
  """
  made = {}
  for name, spec in specs.items():
    if name not in OBJECTIVES:
      raise ValueError(f'unknown objective {name!r}; {nearest(name, OBJECTIVES)}')
    make, owner = OBJECTIVES[name], f'objective {name!r}'
    options.check(owner, make, spec, supplied=['codes'], also=['weight'])
    values = dict(spec)
    weight = values.pop('weight', 1.0)
    options.check_value(f'{owner}: weight', weight, float)
    heat = values.get('temperature')
    if isinstance(heat, int | float) and not heat > 0:
      raise ValueError(f'{owner}: temperature={heat}; expected a number above 0')
    if name == 'info':
      if not codes.size:
        raise ValueError(
          "objective 'info' needs codes; give game.info_discrete=1 or game.info_continuous=2"
        )
      values['codes'] = codes
    made[name] = weight, make(**values)
  return made


def check_head(objectives: Mapping[str, tuple[float, Objective]], outputs: Outputs) -> None:
  """Whether a discriminator with these outputs can have these objectives.

  Raises:
    ValueError: an output is missing, or logits of more than one column have no objective for them.
  """
  for name, (_, objective) in objectives.items():
    missing = [n for n in objective.needs if n not in outputs]
    if missing:
      raise ValueError(
        f'objective {name!r} needs the outputs {", ".join(objective.needs)}, but the discriminator '
        f'gives {", ".join(outputs)}; give game.head={name!r}'
      )
  alone = any(objective.alone for _, objective in objectives.values())
  if outputs['logits'].ndim != 1 + alone:
    raise ValueError(
      f'logits of shape {outputs["logits"].shape}; '
      + (
        "multi_hinge expects [batch, classes + 1]: give game.head='multi_hinge'"
        if alone
        else 'expected [batch]: a head with a column a class needs the objective multi_hinge'
      )
    )


def logit_of(outputs: Outputs, label: jax.Array) -> jax.Array:
  """One logit [B] an example: of K + 1 classes that of the label less that of the fakes."""
  logits = outputs['logits']
  if logits.ndim == 1:
    return logits
  return jnp.take_along_axis(logits, label[:, None], 1)[:, 0] - logits[:, -1]


def as_outputs(given: Any) -> dict[str, jax.Array]:
  """The named outputs of a discriminator that returns them, or bare logits."""
  return dict(given) if isinstance(given, Mapping) else {'logits': given}

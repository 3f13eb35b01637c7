"""ADA: a pipeline of 15 changes, each with probability p an example, and p as large as overfitting asks."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.augment import bands, color, geometry
from jaxgan.augment.adaptive import adaptive_probability
from jaxgan.augment.augmentation import Augmentation, check_between, check_known, separately
from jaxgan.nn import replicas

# change -> (its draws: 'u' uniform in [0, 1) or 'n' normal, how many), in the order of application
CHANGES = {
  'xflip': ('u', 1),
  'rotate90': ('u', 1),
  'xint': ('u', 2),
  'scale': ('n', 1),
  'rotate': ('u', 1),
  'aniso': ('n', 1),
  'rotate_after': ('u', 1),  # of 'rotate': once before and once after 'aniso'
  'xfrac': ('n', 2),
  'brightness': ('n', 1),
  'contrast': ('n', 1),
  'lumaflip': ('u', 1),
  'hue': ('u', 1),
  'saturation': ('n', 1),
  'imgfilter': ('n', 4),
  'noise': ('n', 1),
  'cutout': ('u', 2),
}
GEOMETRY = ('xflip', 'rotate90', 'xint', 'scale', 'rotate', 'aniso', 'rotate_after', 'xfrac')
COLOR = ('brightness', 'contrast', 'lumaflip', 'hue', 'saturation')
GROUPS = {
  'b': ('xflip', 'rotate90', 'xint'),
  'g': ('scale', 'rotate', 'aniso', 'xfrac'),
  'c': COLOR,
  'f': ('imgfilter',),
  'n': ('noise',),
  'C': ('cutout',),
}
POLICIES = {
  'blit': 'b',
  'geom': 'g',
  'color': 'c',
  'filter': 'f',
  'noise': 'n',
  'cutout': 'C',
  'bg': 'bg',
  'bgc': 'bgc',
  'bgcf': 'bgcf',
  'bgcfn': 'bgcfn',
  'bgcfnc': 'bgcfnC',
}
# option -> value: the probability of each change as a multiple of p, then sizes; _std of scale, aniso,
# contrast, saturation and imgfilter is that of log2; 1 of rotate_max and hue_max is the full circle;
# xint_max, xfrac_std and cutout_size are parts of the image's size, brightness_std and noise_std are
# in pixel values, which run from -1 to 1
OPTIONS = dict.fromkeys((name for name in CHANGES if name != 'rotate_after'), 0.0) | {
  'xint_max': 0.125,
  'scale_std': 0.2,
  'rotate_max': 1.0,
  'aniso_std': 0.2,
  'xfrac_std': 0.125,
  'brightness_std': 0.2,
  'contrast_std': 0.5,
  'hue_max': 1.0,
  'saturation_std': 1.0,
  'imgfilter_std': 1.0,
  'noise_std': 0.1,
  'cutout_size': 0.5,
}
# change -> (value [B] or [B, k], gate [B] or [B, 4] for 'imgfilter')
Draws = dict[str, tuple[jax.Array, jax.Array]]


def options_of(policy: str, **options: float) -> dict[str, float]:
  """All of `OPTIONS`, with the changes of a policy at 1, and then those given.

  Raises:
    ValueError: unknown policy or option, or a value out of range.
  """
  check_known('policy', policy, POLICIES)
  for name, value in options.items():
    check_known('option of ada', name, OPTIONS)
    check_between(name, value, 0)
  return OPTIONS | {name: 1.0 for g in POLICIES[policy] for name in GROUPS[g]} | options


def draw(key: jax.Array, batch: int, dtype: Any = jnp.float32) -> Draws:
  """The draws of every change for a batch, but for the noise itself; alike for every device layout."""
  wide = {kind: sum(n for k, n in CHANGES.values() if k == kind) for kind in 'un'}
  gates = len(CHANGES) + 3  # four for 'imgfilter'
  uniform = replicas.draw(
    jax.random.uniform, jax.random.fold_in(key, 0), (batch, wide['u'] + gates), dtype=dtype
  )
  normal = replicas.draw(
    jax.random.normal, jax.random.fold_in(key, 1), (batch, wide['n']), dtype=dtype
  )
  pools, draws = {'u': uniform, 'n': normal}, {}

  def take(kind, n):
    taken, pools[kind] = pools[kind][:, :n], pools[kind][:, n:]
    return taken[:, 0] if n == 1 else taken

  for name, (kind, n) in CHANGES.items():
    draws[name] = take(kind, n), take('u', 4 if name == 'imgfilter' else 1)
  return draws


def augment(
  images: jax.Array,
  draws: Draws,
  noise: jax.Array | None,
  p: jax.Array | float,
  options: Mapping[str, float],
) -> jax.Array:
  """The pipeline, as a function of its draws: blits, geometry, colour, filter, noise, cutout.

  Args:
    images: [B, H, W, C], float; C is 1 or 3 if there are changes of colour.
    draws: as of `draw`; only those of changes with a multiple above 0 are needed.
    noise: N(0, 1), [B, H, W, C], or None without the change 'noise'.
    p: probability, a scalar, which may be traced.
    options: as of `options_of`.

  Returns:
    [B, H, W, C]. Examples that a group of changes passes by keep their bits. Where a whole batch is
    passed by, geometry and filter cost nothing.

  Raises:
    ValueError: changes of colour for other than 1 or 3 channels.
  """
  used = [name for name in CHANGES if options[name.removesuffix('_after')] > 0]
  height, width, channels = images.shape[1:]
  if channels not in (1, 3) and any(name in COLOR for name in used):
    raise ValueError(
      f'{channels} channels; changes of colour expect 1 or 3: use a policy without "c", such as bg'
    )
  if channels == 1:
    used = [name for name in used if name not in ('hue', 'saturation')]
  p = jnp.asarray(p)

  def value(name):
    return draws[name][0]

  def chosen(name):
    chance = options[name.removesuffix('_after')] * p
    if name.startswith('rotate') and name != 'rotate90':
      # so that the chance of one of the two rotations at least is what was asked for
      chance = 1 - jnp.sqrt(jnp.clip(1 - chance, 0, 1))
    return draws[name][1] < chance

  def take(name, to, neutral):
    gate = chosen(name)
    return jnp.where(gate if gate.ndim == to.ndim else gate[:, None], to, neutral)

  turns = lambda name, u: take(name, (2 * u - 1) * np.pi * options[f'{name.split("_")[0]}_max'], 0)
  powers = lambda name: take(name, jnp.exp2(value(name) * options[f'{name}_std']), 1)

  def inverse(name):
    """The matrices of a geometric change."""
    if name == 'xflip':
      sign = 1 - 2 * take(name, jnp.floor(2 * value(name)), 0)
      return geometry.scaled(sign, jnp.ones_like(sign))
    if name == 'rotate90':
      return geometry.turned(np.pi / 2 * take(name, jnp.floor(4 * value(name)), 0))
    if name == 'xint':
      shift = take(name, (2 * value(name) - 1) * options['xint_max'], 0)
      return geometry.moved(jnp.round(shift[:, 0] * width), jnp.round(shift[:, 1] * height))
    if name == 'xfrac':
      shift = take(name, value(name) * options['xfrac_std'], 0)
      return geometry.moved(shift[:, 0] * width, shift[:, 1] * height)
    if name == 'scale':
      return geometry.scaled(powers(name), powers(name))
    if name == 'aniso':
      return geometry.scaled(powers(name), 1 / powers(name))
    return geometry.turned(turns(name, value(name)))

  def mapped(name):
    """The matrices of a change of colour."""
    if name == 'brightness':
      return color.shifted(take(name, value(name) * options['brightness_std'], 0))
    if name == 'contrast':
      return color.stretched(powers(name))
    if name == 'lumaflip':
      return color.flipped(take(name, jnp.floor(2 * value(name)), 0))
    if name == 'hue':
      return color.hued(turns(name, value(name)))
    return color.saturated(powers(name))

  def where_any(gates, change, images):
    """`change(images)` where a gate of the example is open; not computed if none is in the batch."""
    some = jnp.stack(gates).any(0)
    changed = lambda x: jnp.where(some[:, None, None, None], change(x), x)
    return jax.lax.cond(some.any(), changed, lambda x: x, images)

  here = [name for name in used if name in GEOMETRY]
  if here:
    transform = geometry.compose(*(inverse(name) for name in here))
    gates = [chosen(name) for name in here]
    images = where_any(gates, lambda x: geometry.resample(x, transform), images)
  here = [name for name in used if name in COLOR]
  if here:
    matrices = geometry.compose(*(mapped(name) for name in reversed(here)))
    images = color.recolor(images, matrices)
  if 'imgfilter' in used:
    gain = bands.gains(powers('imgfilter'))
    gates = list(chosen('imgfilter').T)
    images = where_any(gates, lambda x: bands.equalize(x, gain), images)
  if 'noise' in used:
    sigma = take('noise', jnp.abs(value('noise')) * options['noise_std'], 0)
    images = images + sigma[:, None, None, None].astype(images.dtype) * noise
  if 'cutout' in used:
    size = take('cutout', jnp.full_like(value('cutout'), options['cutout_size']), 0)
    x, y = (
      jnp.abs((np.arange(n) + 0.5) / n - value('cutout')[:, i, None]) < size[:, i, None] / 2
      for i, n in enumerate((width, height))
    )
    images = jnp.where((y[:, :, None] & x[:, None])[..., None], 0, images)
  return images


def ada(
  policy: str = 'bgc',
  p: float = 0.0,
  target: float | None = 0.6,
  kimg: float = 500,
  interval: int = 4,
  **options: float,
) -> Augmentation:
  """Every change of the policy with probability p, example by example, of reals and fakes, p adaptive.

  Args:
    policy: of the changes b (xflip, rotate90, xint), g (scale, rotate, aniso, xfrac), c (brightness,
      contrast, lumaflip, hue, saturation), f (imgfilter), n (noise), c (cutout): 'blit', 'geom',
      'color', 'filter', 'noise', 'cutout', 'bg', 'bgc', 'bgcf', 'bgcfn' or 'bgcfnc'.
    p, target, kimg, interval: of the probability, see `adaptive.adaptive_probability`; with little
      data a smaller kimg, such as 100, lets p rise before the discriminator has overfitted.
      `p=0.2, target=0` is a fixed p.
    **options: any of `OPTIONS`: a change as a multiple of p (`rotate90=0` leaves it out), or its size.

  Returns:
    The Augmentation. With p = 0 images keep their bits.

  Raises:
    ValueError: unknown policy or option, or a number out of range.

  Source: Karras et al. 2020, arXiv 2006.06676, and stylegan2-ada-pytorch, augment.py; see
  `geometry.resample` and `bands.equalize` for the two departures.
  """
  chosen = options_of(policy, **options)
  init, update = adaptive_probability(p, target, kimg, interval)

  def apply(images, key, state, step):
    draws = draw(jax.random.fold_in(key, 0), images.shape[0], images.dtype)
    noise = None
    if chosen['noise'] > 0:
      noise = replicas.draw(
        jax.random.normal, jax.random.fold_in(key, 1), images.shape, dtype=images.dtype
      )
    return augment(images, draws, noise, state.get('p', p), chosen)

  return Augmentation(init, separately(apply), update)

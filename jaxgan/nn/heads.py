"""The last layers of a discriminator: from features to logits, and what its class loss looks at.

How a discriminator takes notice of the classes is a choice apart from its backbone. Every kind has
the logit 'linear(h)' or its like; the kinds differ in what labels do to it and in what else comes out:

  kind                         logits                      besides
  'none'                       linear(h)
  'projection'                 linear(h) + embed(y) . h
  'auxiliary_classifier'       linear(h)                   class_logits [B, K]
  'twin_auxiliary_classifier'  linear(h)                   class_logits, twin_logits [B, K]
  'adc'                        linear(h)                   class_logits [B, 2K]
  'contrastive'                linear(h)                   embedding, proxy [B, E]
  'd2d_cross_entropy'          linear(h)                   embedding, proxy [B, E]
  'multi_hinge'                linear(h) [B, K + 1]
  'matching'                   linear(h) [B, K], column y
  'info'                       linear(h)                   the codes, see below

'adc' has two columns a class: 2y for real pictures of y, 2y + 1 for fake ones. The last column of
'multi_hinge' is the class of the fakes. Codes (InfoGAN) go with any kind, their number above zero:
info_discrete [B, n * k] are logits of n codes of k values, info_mean and info_log_variance [B, m] the
normal distribution of m continuous ones.

Source: AC-GAN, Odena et al. 2016, arXiv 1610.09585; projection, Miyato & Koyama 2018, arXiv
1802.05637; TAC-GAN, Gong et al. 2019, arXiv 1907.02690; ADC-GAN, Hou et al. 2021, arXiv 2107.10060;
ContraGAN, Kang & Park 2020, arXiv 2006.12681; ReACGAN, Kang et al. 2021, arXiv 2111.01118;
multi-hinge, Kavalerov et al. 2019, arXiv 1912.04216; InfoGAN, Chen et al. 2016, arXiv 1606.03657.
Where papers are silent (biases, what is normalised) the layers are those of StudioGAN.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.nn.labels import weights as class_weights
from jaxgan.nn.precision import wide, widen
from jaxgan.nn.spectral_norm import SNDense, SNEmbed

CLASSIFIERS = {'auxiliary_classifier': 1, 'twin_auxiliary_classifier': 1, 'adc': 2}
METRIC = ('contrastive', 'd2d_cross_entropy')
LABELLED = ('projection', *CLASSIFIERS, *METRIC, 'multi_hinge', 'matching')
KINDS = ('none', 'info', *LABELLED)
# Fields that every discriminator with a choice of heads has, under these names.
SHARED = (
  'num_classes',
  'embed_dim',
  'normalize',
  'info_discrete',
  'info_categories',
  'info_continuous',
)


def check(kind: str, num_classes: int, codes: int = 0) -> None:
  """Whether there is such a head for that many classes and codes.

  Raises:
    ValueError: unknown kind, one that needs labels without any, or 'info' without codes.
  """
  if kind not in KINDS:
    raise ValueError(f'unknown head {kind!r}; expected one of {", ".join(KINDS)}')
  # A projection of one class is a linear layer more and does no harm.
  if kind in LABELLED and num_classes < (1 if kind == 'projection' else 2):
    have = 'one class' if num_classes else 'none'
    raise ValueError(
      f"head={kind!r} needs labels; the data have {have}: give data.label or head='none'"
    )
  if kind == 'info' and not codes:
    raise ValueError("head='info' needs codes: give info_discrete or info_continuous above 0")


def unit(x: jax.Array, eps: float = 1e-12) -> jax.Array:
  """x / max(|x|, eps) over the last axis, with a gradient at 0 too."""
  squares = jnp.square(x).sum(-1, keepdims=True)
  return x * jax.lax.rsqrt(jnp.maximum(squares, eps**2))


class Head(nn.Module):
  """Features h [B, F] and labels to logits [B], or to a dict with 'logits' and what goes with them.

  Attributes:
    kind: see the table above.
    num_classes: K; 0 where there are no labels.
    embed_dim: E, of 'contrastive' and 'd2d_cross_entropy'.
    normalize: embedding and proxy have length 1 ('contrastive', 'd2d_cross_entropy'), or the
      classifiers see h / |h|, their weights as they are; None is True for the former and False for
      the latter.
    info_discrete, info_categories, info_continuous: n, k and m of the codes; none at 0.
    positions: h is a sum over so many places of a feature map; the codes are read from the mean.
    outputs: size of the linear layer of 'none' and 'projection', 1 but for other uses.
    use_bias: of the linear layer.
    spectral, num_svs, num_itrs, eps, kernel_init: see `jaxgan.nn.spectral_norm`.
    dtype: of the backbone; the head is at least float32.
  """

  kind: str = 'none'
  num_classes: int = 0
  embed_dim: int = 512
  normalize: bool | None = None
  info_discrete: int = 0
  info_categories: int = 10
  info_continuous: int = 0
  positions: int = 1
  outputs: int = 1
  use_bias: bool = True
  spectral: bool = True
  num_svs: int = 1
  num_itrs: int = 1
  eps: float = 1e-12
  kernel_init: str = 'orthogonal'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, h: jax.Array, labels: jax.Array, train: bool = False
  ) -> jax.Array | dict[str, jax.Array]:
    """Logits, larger for real.

    Args:
      h: float [B, F].
      labels: int [B], or float [B, num_classes] as weights of a mixture of classes.
      train: store the new spectral vectors where that collection is mutable.

    Returns:
      float32 [B] ([B, outputs] where that is not 1); for kinds with more to say, and for
      'multi_hinge', a dict of 'logits' and the arrays of the table.

    Raises:
      ValueError: see `check`.
    """
    check(self.kind, self.num_classes, self.info_discrete + self.info_continuous)
    h, kind, classes = widen(h), self.kind, self.num_classes
    widths = {'multi_hinge': classes + 1, 'matching': classes}
    logits = self.dense('linear', widths.get(kind, self.outputs), h, train, self.use_bias)
    more = self.codes(h / self.positions, train)
    if kind == 'projection':
      logits = logits + (self.embed('embed', h.shape[-1], labels, train) * h).sum(-1, keepdims=True)
    elif kind == 'matching':
      logits = (class_weights(labels, classes, logits.dtype) * logits).sum(-1, keepdims=True)
    elif kind in CLASSIFIERS:
      seen = unit(h) if self.normalize else h
      columns = CLASSIFIERS[kind] * classes
      more['class_logits'] = self.dense('classify', columns, seen, train, False)
      if kind == 'twin_auxiliary_classifier':
        more['twin_logits'] = self.dense('twin', columns, seen, train, False)
    elif kind in METRIC:
      embedding = self.dense('embedding', self.embed_dim, h, train, True)
      proxy = self.embed('proxy', self.embed_dim, labels, train)
      if self.normalize in (None, True):
        embedding, proxy = unit(embedding), unit(proxy)
      more |= {'embedding': embedding, 'proxy': proxy}
    if kind == 'multi_hinge':
      return {'logits': logits, **more}
    logits = logits[:, 0] if logits.shape[-1] == 1 else logits
    return {'logits': logits, **more} if more else logits

  def codes(self, h: jax.Array, train: bool) -> dict[str, jax.Array]:
    """What the codes of InfoGAN are taken for."""
    sizes = {'info_discrete': self.info_discrete * self.info_categories}
    sizes |= dict.fromkeys(('info_mean', 'info_log_variance'), self.info_continuous)
    return {k: self.dense(k, size, h, train, False) for k, size in sizes.items() if size}

  def options(self) -> dict[str, Any]:
    """Of every layer."""
    names = ('spectral', 'num_svs', 'num_itrs', 'eps', 'kernel_init')
    return {**{name: getattr(self, name) for name in names}, 'dtype': wide(self.dtype)}

  def dense(self, name: str, features: int, h: jax.Array, train: bool, bias: bool) -> jax.Array:
    """A named layer of the features."""
    return SNDense(features=features, use_bias=bias, **self.options(), name=name)(h, train)

  def embed(self, name: str, features: int, labels: jax.Array, train: bool) -> jax.Array:
    """A named layer of the labels."""
    layer = SNEmbed(num_embeddings=self.num_classes, features=features, **self.options(), name=name)
    return layer(labels, train)


POOLS = ('none', 'sum', 'mean')


def pooled(x: jax.Array, kind: str) -> tuple[jax.Array, int]:
  """(features [B, F], positions that each is a sum over) of a feature map [B, H, W, C], for `head`.

  Args:
    x: the map.
    kind: 'sum' or 'mean' over the positions, F = C; or 'none', all of it flat.

  Raises:
    ValueError: another kind.
  """
  if kind not in POOLS:
    raise ValueError(f'pool={kind!r}; expected one of {", ".join(map(repr, POOLS))}')
  if kind == 'none':
    return x.reshape(len(x), -1), 1
  positions = x.shape[1] * x.shape[2]
  if kind == 'mean':
    x, positions = x / positions, 1
  return x.sum((1, 2)), positions


def head(parent: nn.Module, kind: str, **fields: Any) -> Head:
  """The Head of a discriminator, for its compact method.

  Args:
    parent: the discriminator; its layers 'linear' and so on are its own, not those of a submodule,
      and its fields num_classes, embed_dim, normalize and info_* are the head's.
    kind: of the head; '' is 'projection' where there are classes and 'none' where there are not.
    **fields: the head's other fields.
  """
  given = {name: getattr(parent, name) for name in SHARED}
  default = 'projection' if given['num_classes'] else 'none'
  made = Head(kind=kind or default, **given, **fields)
  nn.share_scope(parent, made)
  return made

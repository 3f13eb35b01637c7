"""Losses that tie pictures to their class or code, per example, to be minimised.

`cross_entropy`, `multi_hinge` and the two of InfoGAN look at each example alone. `contrastive_2c` and
`d2d_cross_entropy` compare an example with all others, so that its loss depends on its batch: under
`pmap` that is the batch of all replicas, and smaller microbatches give other numbers.
"""

import math

import jax
import jax.numpy as jnp

from jaxgan.losses import inputs
from jaxgan.nn import replicas


def cross_entropy(class_logits: jax.Array, label: jax.Array) -> jax.Array:
  """-log softmax(class_logits)[label].

  The class loss of AC-GAN. TAC-GAN's second classifier takes the same with the opposite sign for
  the generator; ADC-GAN gives it 2K classes, `2 * label` for real and `2 * label + 1` for fake.

  Args:
    class_logits: float [B, K].
    label: int [B], in 0..K-1.

  Returns:
    float32 [B].

  Raises:
    ValueError: shapes other than those, or labels that are not whole numbers.

  Source: Odena, Olah, Shlens 2016 (AC-GAN), arXiv 1610.09585.
  """
  (logits,) = inputs.vectors('class logits', class_logits)
  label = inputs.labels(label, logits.shape[:1], logits.shape[1])
  return jax.nn.logsumexp(logits, -1) - _at(logits, label)


def multi_hinge(class_logits: jax.Array, label: jax.Array) -> jax.Array:
  """max(0, 1 + max_{k != label} logit_k - logit_label): the Crammer-Singer hinge.

  Multi-hinge GAN gives it K + 1 classes, the last of which is 'generated'. Its discriminator
  minimises this with the true label on real and with label K on generated pictures, its generator
  with the wanted label.

  Args:
    class_logits: float [B, K], K >= 2.
    label: int [B], in 0..K-1.

  Returns:
    float32 [B].

  Raises:
    ValueError: shapes other than those, or labels that are not whole numbers.

  Source: Crammer & Singer 2001; Kavalerov, Czaja, Chellappa 2019, arXiv 1912.04216.
  """
  (logits,) = inputs.vectors('class logits', class_logits)
  if logits.shape[1] < 2:
    raise ValueError('class logits of one class; expected two or more, one of them the wrong one')
  label = inputs.labels(label, logits.shape[:1], logits.shape[1])
  right = jnp.arange(logits.shape[1]) == label[:, None]
  return jax.nn.relu(1 + jnp.where(right, -jnp.inf, logits).max(-1) - _at(logits, label))


def contrastive_2c(
  embedding: jax.Array, proxy: jax.Array, label: jax.Array, temperature: float = 1.0
) -> jax.Array:
  """The conditional contrastive loss (2C) of ContraGAN.

  With s cosine similarities over the temperature, e_i embeddings and p_i the proxy of i's class,
  -log((exp s(e_i, p_i) + sum_{j != i, y_j = y_i} exp s(e_i, e_j))
       / (exp s(e_i, p_i) + sum_{j != i} exp s(e_i, e_j))).

  Args:
    embedding: float [B, E], of the pictures; of any length, since cosines divide by it.
    proxy: float [B, E], the embedding of each picture's class.
    label: int [B].
    temperature: > 0.

  Returns:
    float32 [B]; depends on the whole batch.

  Raises:
    ValueError: shapes other than those, or labels that are not whole numbers.

  Source: Kang & Park 2020, arXiv 2006.12681.
  """
  to_proxy, to_others, same, itself = _similarities(embedding, proxy, label)
  to_proxy, to_others = to_proxy[:, None] / temperature, to_others / temperature
  log_sum = lambda keep: jax.nn.logsumexp(
    jnp.concatenate([to_proxy, jnp.where(keep, to_others, -jnp.inf)], 1), 1
  )
  return log_sum(~itself) - log_sum(same & ~itself)


def d2d_cross_entropy(
  embedding: jax.Array,
  proxy: jax.Array,
  label: jax.Array,
  temperature: float = 0.5,
  margin_positive: float = 0.98,
  margin_negative: float | None = None,
  shift: bool = True,
) -> jax.Array:
  """The data-to-data cross-entropy (D2D-CE) of ReACGAN.

  With cosine similarities s, embeddings e_i, the proxy p_i of i's class, and
  a_i = min(s(e_i, p_i) - margin_positive, 0) / temperature,
  n_ij = max(s(e_i, e_j) - margin_negative, 0) / temperature:
  -log(exp a_i / (exp a_i + sum_{j: y_j != y_i} exp n_ij)). Pictures already as close to their proxy,
  or as far from other classes, as the margins ask give no gradient.

  Args:
    embedding: float [B, E], of the pictures; of any length, since cosines divide by it.
    proxy: float [B, E], the embedding of each picture's class.
    label: int [B].
    temperature: > 0.
    margin_positive: similarity to the proxy that is enough.
    margin_negative: similarity to other classes that is no fault; by default 1 - margin_positive.
    shift: what the published scores were trained with: n_ij less max_{j != i} of
      (s(e_i, e_j) - margin_negative) / temperature, a constant to the gradient. The authors' code
      takes the maximum over both kinds of classes and before clipping, and shifts n_ij alone, so
      that it is no mere matter of rounding. False is the equation above.

  Returns:
    float32 [B]; depends on the whole batch.

  Raises:
    ValueError: shapes other than those, or labels that are not whole numbers.

  Source: Kang et al. 2021, arXiv 2111.01118, and the authors' code (PyTorch-StudioGAN).
  """
  if margin_negative is None:
    margin_negative = 1 - margin_positive
  to_proxy, to_others, same, itself = _similarities(embedding, proxy, label)
  attraction = jnp.minimum(to_proxy - margin_positive, 0) / temperature
  to_others = (to_others - margin_negative) / temperature
  repulsion = jax.nn.relu(to_others)
  if shift and itself.shape[1] > 1:
    largest = jnp.where(itself, -jnp.inf, to_others).max(1, keepdims=True)
    repulsion = repulsion - jax.lax.stop_gradient(largest)
  terms = [attraction[:, None], jnp.where(same, -jnp.inf, repulsion)]
  return jax.nn.logsumexp(jnp.concatenate(terms, 1), 1) - attraction


def info_discrete(logits: jax.Array, codes: jax.Array) -> jax.Array:
  """-log Q(c | x) of categorical codes: their cross-entropy, summed over the codes.

  Args:
    logits: float [B, K] for one code, or [B, N, K] for N codes of K values each.
    codes: int [B] or [B, N], those that the generator was given.

  Returns:
    float32 [B]. With independent uniform codes, N log K minus its mean bounds their mutual
    information with the pictures from below.

  Raises:
    ValueError: shapes other than those, or codes that are not whole numbers.

  Source: Chen et al. 2016 (InfoGAN), arXiv 1606.03657, equation 5.
  """
  shape = jnp.shape(logits)
  if len(shape) not in (2, 3):
    raise ValueError(f'logits of shape {shape}; expected [batch, K] or [batch, codes, K]')
  codes = inputs.labels(codes, shape[:-1], shape[-1])
  each = cross_entropy(jnp.reshape(logits, (-1, shape[-1])), codes.reshape(-1))
  return each.reshape(shape[0], -1).sum(1)


def info_continuous(
  mean: jax.Array, log_variance: jax.Array | float, codes: jax.Array
) -> jax.Array:
  """-log Q(c | x) of continuous codes, Q = N(mean, exp(log_variance)) with independent coordinates.

  sum_n (log 2 pi + log_variance_n + (codes_n - mean_n)^2 / exp(log_variance_n)) / 2.

  Args:
    mean: float [B, N].
    log_variance: float [B, N]; or 0.0 for variance 1, half the squared error and a constant.
    codes: float [B, N], those that the generator was given.

  Returns:
    float32 [B], summed over the codes.

  Raises:
    ValueError: shapes other than those.

  Source: Chen et al. 2016 (InfoGAN), arXiv 1606.03657, equation 5. Common PyTorch code adds 1e-6 to
  the variance; the logarithm needs no such guard.
  """
  spread = jnp.asarray(log_variance)
  if spread.ndim == 0:
    spread = jnp.broadcast_to(spread, jnp.shape(mean))
  mean, spread, codes = inputs.vectors('mean, log variance and codes', mean, spread, codes)
  squares = jnp.square(codes - mean) * jnp.exp(-spread)
  return 0.5 * (math.log(2 * math.pi) + spread + squares).sum(1)


def _at(logits: jax.Array, label: jax.Array) -> jax.Array:
  """logits[i, label[i]]."""
  return jnp.take_along_axis(logits, label[:, None], 1)[:, 0]


def _similarities(
  embedding: jax.Array, proxy: jax.Array, label: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
  """Cosines [B] with the proxies and [B, all] with the whole batch; [B, all] of one class; itself."""
  embedding, proxy = inputs.vectors('embedding and proxy', embedding, proxy)
  label = inputs.labels(label, embedding.shape[:1])
  # the floor is for a vector of zeros, whose direction is none
  unit = lambda x: x * jax.lax.rsqrt(jnp.maximum(jnp.square(x).sum(-1, keepdims=True), 1e-16))
  embedding, proxy = unit(embedding), unit(proxy)
  everyone = replicas.gather(embedding)
  same = label[:, None] == replicas.gather(label)
  itself = replicas.rows(len(label))[:, None] == jnp.arange(len(everyone))
  to_others = jnp.matmul(embedding, everyone.T, precision=jax.lax.Precision.HIGHEST)
  return (embedding * proxy).sum(-1), to_others, same, itself

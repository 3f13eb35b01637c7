"""PatchNCE: a patch of the result should know the patch of the input that it was made of."""

import jax
import jax.numpy as jnp

from jaxgan.nn.precision import widen


def patch_nce(
  query: jax.Array, key: jax.Array, temperature: float = 0.07, all_negatives: bool = False
) -> jax.Array:
  """-log(exp(q_i . k_i / t) / sum_j exp(q_i . k_j / t)), j the patches of the same picture.

  Args:
    query: [B, S, E] of S patches of each result, of norm 1.
    key: [B, S, E] of the same patches of the inputs; they count as given (no gradient).
    temperature: t.
    all_negatives: j runs over the patches of the whole batch instead.

  Returns:
    float32 [B, S].

  Raises:
    ValueError: the two are not of one shape [B, S, E].

  Source: Park et al. 2020, arXiv 2007.15651, equation 3; van den Oord et al. 2018, arXiv 1807.03748.
  """
  if query.shape != key.shape or query.ndim != 3:
    raise ValueError(
      f'query {query.shape} and key {key.shape}; expected [batch, patches, features], alike'
    )
  shape = query.shape[:2]
  query, key = widen(query), jax.lax.stop_gradient(widen(key))
  if all_negatives:
    query, key = (x.reshape(1, -1, x.shape[-1]) for x in (query, key))
  logits = jnp.einsum('bse,bte->bst', query, key) / temperature
  own = jnp.diagonal(logits, axis1=1, axis2=2)
  return (jax.nn.logsumexp(logits, -1) - own).reshape(shape)

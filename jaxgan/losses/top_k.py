"""Top-k training: the generator learns only from those of its pictures that fool best."""

import jax
import jax.numpy as jnp

from jaxgan.losses import inputs
from jaxgan.nn import replicas


def top_k_weights(fake: jax.Array, k: jax.Array | int) -> jax.Array:
  """B/k for the k largest logits and 0 for the others: mean(weights * loss) is the mean over those k.

  Args:
    fake: logits [B] of generated examples.
    k: how many count, 1..B; may be traced, as from `top_k_count`: shapes do not depend on it.

  Returns:
    float32 [B], without gradient. Equal logits rank in their order, so that exactly k count. Under
    `pmap` B and k are those of the batch of all replicas.

  Raises:
    ValueError: the shape is not [B].

  Source: Sinha et al. 2020, arXiv 2002.06224.
  """
  (fake,) = inputs.logits(jax.lax.stop_gradient(fake))
  whole = replicas.gather(fake)
  k = jnp.clip(jnp.floor(jnp.asarray(k)), 1, len(whole))
  ranks = jnp.argsort(jnp.argsort(-whole))[replicas.rows(len(fake))]  # both sorts are stable
  return jnp.where(ranks < k, len(whole) / k.astype(fake.dtype), 0)


def top_k_count(
  step: jax.Array | int,
  batch_size: int,
  *,
  every: int,
  gamma: float = 0.99,
  floor: float = 0.5,
) -> jax.Array:
  """k = max(batch_size * gamma^(step // every), batch_size * floor), rounded down.

  Args:
    step: of training, from 0; may be traced.
    batch_size: of the generator's update, over all devices.
    every: steps between two decays; an epoch in the paper.
    gamma: decay, in (0, 1].
    floor: the least share of the batch, in (0, 1].

  Returns:
    int32 scalar.

  Raises:
    ValueError: every < 1, or gamma or floor outside (0, 1].

  Source: Sinha et al. 2020, arXiv 2002.06224.
  """
  if every < 1 or not 0 < gamma <= 1 or not 0 < floor <= 1:
    raise ValueError(
      f'every={every}, gamma={gamma}, floor={floor}; expected every >= 1, the others in (0, 1]'
    )
  decays = (jnp.asarray(step) // every).astype(jnp.float32)
  share = jnp.maximum(jnp.exp2(decays * jnp.log2(gamma)), floor)
  # float32 may land just under a whole number that the exact product reaches
  return jnp.maximum(jnp.floor(batch_size * share + 1e-3), 1).astype(jnp.int32)

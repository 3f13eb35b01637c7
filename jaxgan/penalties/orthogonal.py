"""Orthogonal regularisation of kernels, in its two forms."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

FORMS = ('off_diagonal', 'identity')


def is_shared_embedding(path: tuple[str, ...]) -> bool:
  """Whether the parameter at that path belongs to the generator's shared class embedding."""
  return 'shared' in path


def orthogonal(
  params: Any,
  beta: float = 1e-4,
  form: str = 'off_diagonal',
  skip: Callable[[tuple[str, ...]], bool] = is_shared_embedding,
) -> jax.Array:
  """How far the kernels are from orthogonal, summed over all kernels.

  Each kernel is flattened to W [fan_in, out] and G = W^T W holds the inner products of its filters:
  - 'off_diagonal' (BigGAN): beta/2 |G * (1 - I)|_F^2, which leaves the filters' norms free. The half
    makes the gradient 2 beta W (G * (1 - I)), that of the authors' PyTorch code for strength beta.
  - 'identity': R = beta |G - I|_F^2, which also asks for norm 1.

  Args:
    params: tree of raw parameters (not divided by sigma); those of two or more axes count. The last
      axis of a kernel is its output; for an 'embedding' [classes, features] a class is a filter.
    beta: strength.
    form: 'off_diagonal' or 'identity'.
    skip: `path (names from the root) -> bool`, true for parameters to leave out; by default the
      generator's shared embedding.

  Returns:
    float32 scalar.

  Raises:
    ValueError: another form.

  Source: Brock, Donahue, Simonyan 2018, arXiv 1809.11096, section 3.1; the identity form: Brock et
  al. 2016, arXiv 1609.07093.
  """
  if form not in FORMS:
    raise ValueError(f'unknown form {form!r}; expected one of {", ".join(FORMS)}')
  total = jnp.zeros((), jnp.float32)
  for keys, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
    path = tuple(str(getattr(key, 'key', key)) for key in keys)
    if leaf.ndim < 2 or skip(path):
      continue
    matrix = leaf.T if path[-1] == 'embedding' else leaf.reshape(-1, leaf.shape[-1])
    gram = matrix.T @ matrix
    eye = jnp.eye(gram.shape[0], dtype=gram.dtype)
    if form == 'identity':
      total += beta * jnp.square(gram - eye).sum()
    else:
      total += 0.5 * beta * jnp.square(gram * (1 - eye)).sum()
  return total

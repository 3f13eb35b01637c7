"""Kernel initialisers by name, as BigGAN uses them."""

from jaxgan.nn.initialize import Initializer, glorot_uniform, normal, orthogonal


def find(name: str | Initializer) -> Initializer:
  """The initialiser of that name; one that is given itself is returned.

  - 'orthogonal': kernel flattened to [fan_in, out], rows or columns orthonormal; every singular
    value is 1 (Saxe et al. 2013, arXiv 1312.6120; BigGAN's choice).
  - 'normal': N(0, 0.02^2).
  - 'glorot': uniform with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010).

  Args:
    name: one of the above.

  Returns:
    `init(key, shape, dtype) -> array`; kernels are [..., in, out]. It has a NumPy form for
    `initialize`.

  Raises:
    ValueError: there is none of that name; the message lists those that exist.
  """
  if isinstance(name, Initializer):
    return name
  known = {
    'orthogonal': orthogonal(),
    'normal': normal(0.02),
    'glorot': glorot_uniform(),
  }
  if name not in known:
    raise ValueError(f'unknown initialiser {name!r}; expected one of {", ".join(known)}')
  return known[name]

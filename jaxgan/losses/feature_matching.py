"""Feature matching: generated pictures whose mean feature is that of the data."""

import jax
import jax.numpy as jnp

from jaxgan.losses import inputs
from jaxgan.nn import replicas

FORMS = ('squared', 'absolute')


def feature_matching(real: jax.Array, fake: jax.Array, form: str = 'squared') -> jax.Array:
  """How far the mean feature of the fakes is from that of real pictures.

  - 'squared': |mean_i real_i - mean_i fake_i|_2^2, summed over the features (the paper's).
  - 'absolute': mean_k |mean_i real_ik - mean_i fake_ik|, of the features (StudioGAN's).

  The generator minimises it; stop the gradient of `real` where the features are trained elsewhere.

  Args:
    real: features [B, E] of real pictures, from inside the discriminator.
    fake: features [B, E] of generated pictures.
    form: 'squared' or 'absolute'.

  Returns:
    float32 scalar: a loss of the batch, not of an example. Under `pmap` the batch is that of all
    replicas.

  Raises:
    ValueError: another form, or the two are not of one shape [B, E].

  Source: Salimans et al. 2016, arXiv 1606.03498, section 3.1; absolute: Kavalerov et al. 2019, arXiv
  1912.04216.
  """
  if form not in FORMS:
    raise ValueError(f'unknown form {form!r}; expected one of {", ".join(FORMS)}')
  real, fake = inputs.vectors('real and fake features', real, fake)
  difference = replicas.mean(fake.mean(0) - real.mean(0))
  return jnp.square(difference).sum() if form == 'squared' else jnp.abs(difference).mean()

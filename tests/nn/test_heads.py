"""Heads: what each kind says is what its formula says, and a head that does not fit is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgan.nn import heads
from jaxgan.nn.heads import Head, head

H = jnp.asarray(np.random.default_rng(0).normal(size=(4, 6)), jnp.float32)
Y = jnp.asarray([2, 0, 1, 2])
CODES = {'info_discrete': 2, 'info_categories': 3, 'info_continuous': 5}


def made(kind, labels=Y, h=H, seed=0, **fields):
  """(output, parameters) of a plain head of 3 classes."""
  options = {'num_classes': 3, 'embed_dim': 5, 'spectral': False, 'kernel_init': 'glorot'}
  layer = Head(kind=kind, **{**options, **fields})
  output, variables = layer.init_with_output(jax.random.key(seed), h, labels)
  return output, variables['params']


def linear(params, h=H):
  return (h @ params['linear']['kernel'] + params['linear']['bias'])[:, 0]


def length(x):
  return np.linalg.norm(x, axis=-1, keepdims=True)


def test_none_and_projection():
  output, params = made('none')
  np.testing.assert_allclose(output, linear(params), atol=1e-6)
  assert set(params) == {'linear'}
  output, params = made('projection')
  table = params['embed']['embedding']
  np.testing.assert_allclose(output, linear(params) + (table[Y] * H).sum(-1), atol=1e-6)
  assert set(params) == {'linear', 'embed'}


@pytest.mark.parametrize('normalize', [None, False, True])
@pytest.mark.parametrize('kind', heads.CLASSIFIERS)
def test_classifiers(kind, normalize):
  """Logits of the features, or of their direction; the adversarial logit sees the features always."""
  output, params = made(kind, normalize=normalize)
  seen = H / length(H) if normalize else H
  np.testing.assert_allclose(output['logits'], linear(params), atol=1e-6)
  kernel = params['classify']['kernel']
  assert kernel.shape == (6, 6 if kind == 'adc' else 3) and set(params['classify']) == {'kernel'}
  np.testing.assert_allclose(output['class_logits'], seen @ kernel, atol=1e-6)
  twin = output.pop('twin_logits', None)
  assert (twin is not None) == (kind == 'twin_auxiliary_classifier')
  if twin is not None:
    np.testing.assert_allclose(twin, seen @ params['twin']['kernel'], atol=1e-6)
  assert set(output) == {'logits', 'class_logits'}


@pytest.mark.parametrize('normalize', [None, False])
@pytest.mark.parametrize('kind', heads.METRIC)
def test_embedding_and_proxy(kind, normalize):
  output, params = made(kind, normalize=normalize)
  embedding = H @ params['embedding']['kernel'] + params['embedding']['bias']
  proxy = params['proxy']['embedding'][Y]
  if normalize is None:
    embedding, proxy = embedding / length(embedding), proxy / length(proxy)
  np.testing.assert_allclose(output['logits'], linear(params), atol=1e-6)
  np.testing.assert_allclose(output['embedding'], embedding, atol=1e-6)
  np.testing.assert_allclose(output['proxy'], proxy, atol=1e-6)


def test_multi_hinge_and_matching():
  output, params = made('multi_hinge')
  columns = H @ params['linear']['kernel'] + params['linear']['bias']
  assert set(output) == {'logits'} and output['logits'].shape == (4, 4)
  np.testing.assert_allclose(output['logits'], columns, atol=1e-6)
  output, params = made('matching')
  columns = H @ params['linear']['kernel'] + params['linear']['bias']
  np.testing.assert_allclose(output, columns[jnp.arange(4), Y], atol=1e-6)


@pytest.mark.parametrize('kind', ['info', 'projection', 'auxiliary_classifier'])
def test_codes_go_with_any_kind_and_see_the_mean(kind):
  output, params = made(kind, positions=16, **CODES)
  without, _ = made('none' if kind == 'info' else kind)
  names = {'info_discrete': 6, 'info_mean': 5, 'info_log_variance': 5}
  for name, size in names.items():
    assert output[name].shape == (4, size)
    np.testing.assert_allclose(output[name], H / 16 @ params[name]['kernel'], atol=1e-6)
  logits = without['logits'] if isinstance(without, dict) else without
  np.testing.assert_allclose(output['logits'], logits, atol=1e-6)


@pytest.mark.parametrize('kind', ['projection', 'matching', 'contrastive'])
def test_labels_may_be_weights_of_a_mixture(kind):
  whole, _ = made(kind)
  same, _ = made(kind, labels=jax.nn.one_hot(Y, 3))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), whole, same)


@pytest.mark.parametrize('kind', heads.KINDS)
def test_layers_are_spectral_if_asked_and_at_least_float32(kind):
  layer = Head(kind=kind, num_classes=3, embed_dim=5, **CODES, dtype=jnp.bfloat16)
  variables = layer.init(jax.random.key(0), H, Y)
  assert set(variables['spectral']) == set(variables['params'])
  output, new = layer.apply(variables, H.astype(jnp.bfloat16), Y, train=True, mutable=['spectral'])
  assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(output))
  assert not np.array_equal(new['spectral']['linear']['u'], variables['spectral']['linear']['u'])


def test_directions_have_a_finite_gradient_at_zero():
  gradient = jax.grad(lambda x: heads.unit(x).sum())(jnp.zeros((2, 3)))
  assert np.isfinite(gradient).all()
  np.testing.assert_allclose(length(heads.unit(H)), 1, rtol=1e-6)


class Host(nn.Module):
  """A discriminator of a head alone."""

  head: str = ''
  num_classes: int = 3
  embed_dim: int = 5
  normalize: bool | None = None
  info_discrete: int = 0
  info_categories: int = 10
  info_continuous: int = 0

  @nn.compact
  def __call__(self, h, labels):
    return head(self, self.head, spectral=False)(h, labels)


def test_layers_are_the_discriminators_own():
  variables = Host().init(jax.random.key(0), H, Y)
  assert set(variables['params']) == {'linear', 'embed'}
  assert set(Host(num_classes=0).init(jax.random.key(0), H, Y)['params']) == {'linear'}
  output, variables = Host(head='info', info_discrete=2).init_with_output(jax.random.key(0), H, Y)
  assert set(variables['params']) == {'linear', 'info_discrete'}
  assert output['info_discrete'].shape == (4, 20)


@pytest.mark.parametrize('kind', heads.LABELLED)
def test_a_head_that_needs_labels_says_so(kind):
  line = f"head='{kind}' needs labels; the data have none: give data.label or head='none'"
  with pytest.raises(ValueError) as error:
    made(kind, num_classes=0)
  assert str(error.value) == line
  if kind != 'projection':
    with pytest.raises(ValueError, match='the data have one class'):
      made(kind, num_classes=1)


def test_other_heads_that_do_not_fit():
  with pytest.raises(ValueError, match="unknown head 'acgan'; expected one of none, info, proj"):
    made('acgan')
  with pytest.raises(ValueError, match="head='info' needs codes: give info_discrete or"):
    made('info')

"""Class-conditional losses: recorded numbers, the printed equations in float64, and properties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from tests.losses import layouts
from tests.recorded import read

NUMBERS = read('studiogan/losses')
LABEL = NUMBERS['cls/label'].astype(np.int32)
EMBEDDING, PROXY = NUMBERS['cls/embed'], NUMBERS['cls/proxy']
LOGITS = NUMBERS['cls/logits']


def close(ours, theirs):
  np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def check(loss, recorded, *arguments, **names):
  """The mean over the batch, and its gradient with respect to each argument, as recorded."""
  each = loss(*arguments)
  assert each.shape == (10,) and each.dtype == jnp.float32
  value, gradients = jax.value_and_grad(lambda *a: loss(*a).mean(), range(len(arguments)))(
    *arguments
  )
  close(value, NUMBERS[f'cls/{recorded}/loss'])
  for gradient, name in zip(gradients, names['names'], strict=True):
    close(gradient, NUMBERS[f'cls/{recorded}/grad_{name}'])


def test_golden_cross_entropy():
  check(lambda x: losses.cross_entropy(x, LABEL), 'ce', LOGITS, names=['cls_output'])


@pytest.mark.parametrize(
  ('recorded', 'label'), [('crammer_singer', LABEL), ('crammer_singer_fake', np.full(10, 4))]
)
def test_golden_multi_hinge(recorded, label):
  loss = lambda x: losses.multi_hinge(x, label)
  check(loss, recorded, NUMBERS['cls/mh_logits'], names=['adv_output'])


@pytest.mark.parametrize('temperature', [1.0, 0.1])
def test_golden_2c(temperature):
  loss = lambda e, p: losses.contrastive_2c(e, p, LABEL, temperature)
  check(loss, f'2C_t{temperature}', EMBEDDING, PROXY, names=['embed', 'proxy'])


@pytest.mark.parametrize(('temperature', 'margin'), [(0.5, 0.98), (0.1, 0.8), (1.0, 1.0)])
def test_golden_d2d_cross_entropy(temperature, margin):
  loss = lambda e, p: losses.d2d_cross_entropy(e, p, LABEL, temperature, margin)
  check(loss, f'D2DCE_t{temperature}_m{margin}', EMBEDDING, PROXY, names=['embed', 'proxy'])


def test_golden_infogan():
  x, mean, variance = (NUMBERS[f'infogan/{k}'] for k in ('x', 'mu', 'var'))
  each = losses.info_continuous(mean, np.log(variance), x)
  assert each.shape == (10,) and each.dtype == jnp.float32
  close(each.mean(), NUMBERS['infogan/normal_nll'])


def cosines(a, b):
  return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def test_2c_and_d2d_as_printed():
  """The papers' equations, example by example, in float64."""
  e, p, t, positive, negative = EMBEDDING.astype(float), PROXY.astype(float), 0.3, 0.9, 0.05
  two_c, d2d = [], []
  for i, y in enumerate(LABEL):
    others = [j for j in range(10) if j != i]
    to_proxy, to = cosines(e[i], p[i]), [cosines(e[i], e[j]) for j in range(10)]
    same = sum(np.exp(to[j] / t) for j in others if LABEL[j] == y)
    everyone = sum(np.exp(to[j] / t) for j in others)
    two_c += [-np.log((np.exp(to_proxy / t) + same) / (np.exp(to_proxy / t) + everyone))]
    a = np.exp(min(to_proxy - positive, 0) / t)
    n = sum(np.exp(max(to[j] - negative, 0) / t) for j in others if LABEL[j] != y)
    d2d += [-np.log(a / (a + n))]
  with jax.enable_x64(True):
    ours = losses.contrastive_2c(e, p, LABEL, t)
    np.testing.assert_allclose(ours, two_c, rtol=1e-12)
    ours = losses.d2d_cross_entropy(e, p, LABEL, t, positive, negative, shift=False)
    np.testing.assert_allclose(ours, d2d, rtol=1e-12)


BATCH_LOSSES = {
  '2c': losses.contrastive_2c,
  'd2d': losses.d2d_cross_entropy,
  'd2d_unshifted': lambda e, p, y: losses.d2d_cross_entropy(e, p, y, shift=False),
}


@pytest.mark.parametrize('name', list(BATCH_LOSSES))
def test_order_and_length_do_not_matter(name):
  loss, order = BATCH_LOSSES[name], np.random.default_rng(0).permutation(10)
  whole = loss(EMBEDDING, PROXY, LABEL)
  close(loss(EMBEDDING[order], PROXY[order], LABEL[order]), whole[order])
  close(loss(3 * EMBEDDING, 0.2 * PROXY, LABEL), whole)


@pytest.mark.parametrize('name', list(BATCH_LOSSES))
def test_two_replicas_equal_one(name):
  # as numbers that are differentiated, labels would have to be floats: they ride with the proxies
  e, p = EMBEDDING, np.concatenate([PROXY, LABEL[:, None].astype(np.float32)], 1)
  loss = lambda e, p: BATCH_LOSSES[name](e, p[:, :-1], p[:, -1].astype(jnp.int32))
  layouts.check(loss, e, p)


@pytest.mark.parametrize('name', list(BATCH_LOSSES))
@pytest.mark.parametrize(
  'label', [np.zeros(10, int), np.arange(10)], ids=['one class', 'all differ']
)
def test_finite_with_one_class_with_none_shared_and_at_zero(name, label):
  for e in (EMBEDDING, 0 * EMBEDDING):
    value, gradient = jax.value_and_grad(lambda e: BATCH_LOSSES[name](e, PROXY, label).sum())(e)
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_alone_there_is_nothing_to_tell_apart():
  for loss in BATCH_LOSSES.values():
    value, gradient = jax.value_and_grad(lambda e: loss(e, PROXY[:1], LABEL[:1]).sum())(  # noqa: B023
      EMBEDDING[:1]
    )
    assert abs(value) < 1e-6 and np.abs(gradient).max() < 1e-6


def test_d2d_leaves_what_is_within_the_margins():
  """Pictures at their proxy, classes at right angles: no gradient."""
  e, label = jnp.eye(4), jnp.arange(4)
  gradient = jax.grad(lambda e: losses.d2d_cross_entropy(e, jnp.eye(4), label, shift=False).sum())(
    e
  )
  np.testing.assert_array_equal(gradient, np.zeros((4, 4)))
  apart = e.at[0].set(jnp.array([0.6, 0.8, 0.0, 0.0]))
  gradient = jax.grad(lambda e: losses.d2d_cross_entropy(e, jnp.eye(4), label, shift=False).sum())(
    apart
  )
  assert np.any(gradient[0])


def test_cross_entropy_by_hand():
  logits = jnp.log(jnp.array([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]]))
  close(losses.cross_entropy(logits + 7, jnp.array([2, 0])), -np.log([0.5, 0.1]))
  far = losses.cross_entropy(jnp.array([[1e4, -1e4]]), jnp.array([1]))
  close(far, [2e4])


def test_multi_hinge_by_hand():
  logits = jnp.array([[3.0, 1.0, 0.0], [0.5, 1.0, 0.0], [0.0, 5.0, 2.0]])
  close(losses.multi_hinge(logits, jnp.array([0, 1, 2])), [0.0, 0.5, 4.0])


def test_info_discrete_sums_the_codes():
  logits = jax.random.normal(jax.random.key(0), (4, 3, 5))
  codes = jax.random.randint(jax.random.key(1), (4, 3), 0, 5)
  expected = -jax.nn.log_softmax(logits)[np.arange(4)[:, None], np.arange(3), codes].sum(1)
  close(losses.info_discrete(logits, codes), expected)
  close(
    losses.info_discrete(logits[:, 0], codes[:, 0]), losses.cross_entropy(logits[:, 0], codes[:, 0])
  )


def test_info_continuous_is_least_at_the_true_mean_and_variance():
  """Of many codes N(1, 4): the gradient vanishes there, and the value is the entropy."""
  codes = 1 + 2 * np.random.default_rng(0).normal(size=(4000, 1)).astype(np.float32)
  codes = 1 + 2 * (codes - codes.mean()) / codes.std()
  loss = lambda mean, log_variance: losses.info_continuous(
    jnp.full_like(codes, mean), jnp.full_like(codes, log_variance), codes
  ).mean()
  value, gradient = jax.value_and_grad(loss, (0, 1))(1.0, np.log(4.0))
  close(value, 0.5 * np.log(2 * np.pi * np.e * 4))
  close(gradient, (0, 0))


def test_info_continuous_of_variance_one_is_half_the_squared_error():
  mean, codes = jnp.array([[0.0, 1.0]]), jnp.array([[2.0, 1.5]])
  close(losses.info_continuous(mean, 0.0, codes), [np.log(2 * np.pi) + 0.5 * (4 + 0.25)])


@pytest.mark.parametrize(
  ('call', 'says'),
  [
    (lambda: losses.cross_entropy(LOGITS, LABEL[:, None]), r'labels int32 of shape \(10, 1\); exp'),
    (lambda: losses.multi_hinge(LOGITS, LOGITS[:, 0]), r'labels float32 .*expected whole numbers'),
    (lambda: losses.multi_hinge(LOGITS[:, :1], LABEL), r'one class; expected two or more'),
    (lambda: losses.cross_entropy(LOGITS[0], LABEL), r'class logits of shape \(4,\); expected'),
    (lambda: losses.contrastive_2c(EMBEDDING, PROXY[:5], LABEL), r'\(10, 6\) and \(5, 6\)'),
    (lambda: losses.info_discrete(LOGITS[0], LABEL[:4]), r'expected \[batch, K\] or'),
    (lambda: losses.info_continuous(LOGITS, LOGITS[:, :2], LOGITS), r'\(10, 2\)'),
  ],
)
def test_bad_input_is_one_line(call, says):
  with pytest.raises(ValueError, match=says) as error:
    call()
  assert '\n' not in str(error.value)

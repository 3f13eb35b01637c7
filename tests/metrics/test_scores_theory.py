"""Scores in closed form: Gaussians whose distances are known, classifiers whose sureness is."""

import numpy as np
import pytest
from scipy import ndimage

from jaxgan import metrics
from jaxgan.metrics import neighbours
from jaxgan.metrics.sliced import laplacian_pyramid

RNG = np.random.default_rng(0)


def spread(rng, d):
  """A positive definite matrix."""
  a = rng.normal(size=(d, d))
  return a @ a.T / d + 0.1 * np.eye(d)


def test_frechet_distance_of_gaussians():
  m, c = RNG.normal(size=6), spread(RNG, 6)
  distance = metrics.frechet_distance
  assert distance(m, c, m, c) == pytest.approx(0, abs=1e-12)
  assert distance(m, c, m + 2, c) == pytest.approx(24)  # the shift alone
  assert distance(m, c, m, 9 * c) == pytest.approx(4 * np.trace(c))  # (1 - 3)^2 tr
  a, b = np.diag([1.0, 4.0, 0.0]), np.diag([9.0, 0.0, 0.0])  # a rank of 2 and of 1
  assert distance(np.zeros(3), a, np.zeros(3), b) == pytest.approx(4 + 4)
  d = spread(RNG, 6)
  assert distance(m, c, 0 * m, d) == pytest.approx(distance(0 * m, d, m, c))


def test_moments_are_those_of_numpy_however_many_blocks():
  x = (100 + RNG.normal(size=(9001, 5))).astype(np.float32)
  found = metrics.moments(x)
  np.testing.assert_allclose(found.mean, x.mean(0, dtype=float), rtol=1e-12)
  np.testing.assert_allclose(
    found.cov, np.cov(x.astype(float), rowvar=False), rtol=1e-9, atol=1e-12
  )
  assert found.size == 9001


@pytest.mark.parametrize('n, m, d', [(9, 12, 30), (30, 12, 30), (60, 50, 4)])
def test_few_features_are_compared_without_their_covariances(n, m, d):
  x, y = RNG.normal(size=(n, d)) * np.arange(1, d + 1), 5 + RNG.normal(size=(m, d))
  whole = metrics.frechet_distance(*metrics.moments(x)[:2], *metrics.moments(y)[:2])
  assert metrics.frechet_of_features(x, y) == pytest.approx(whole, rel=1e-6)
  assert metrics.frechet_of_features(x, x) == pytest.approx(0, abs=1e-6 * np.var(x) * d)
  for wrong in (y[:, :3], y * np.nan):
    with pytest.raises(ValueError, match=r'features'):
      metrics.frechet_of_features(x, wrong)


@pytest.mark.parametrize('ranks', [(10, 64), (10, 10), (64, 10), (40, 63), (200, 200)])
@pytest.mark.parametrize('scale', [1e-12, 1.0, 1e12])
def test_covariances_of_any_rank_and_scale(ranks, scale):
  """tr (A B)^(1/2) is the sum of the singular values of any factors' product, here of exact ones."""
  factors = [
    np.random.default_rng(rows).standard_normal((rows, 64)) * np.geomspace(1, 1e-3, 64) / rows**0.5
    for rows in (ranks[0], ranks[1] + 1)
  ]
  one, two = (scale * f.T @ f for f in factors)
  root = scale * np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
  expected = np.trace(one) + np.trace(two) - 2 * root
  found = metrics.frechet_distance(np.zeros(64), one, np.zeros(64), two)
  np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7 * np.trace(one))


@pytest.mark.parametrize('wrong', [-np.eye(2), np.array([[1, 2], [2, 1.0]])])
def test_what_is_no_covariance_is_refused(wrong):
  for pair in ((wrong, np.eye(2)), (np.eye(2), wrong), (wrong, wrong)):
    with pytest.raises(ValueError, match='a covariance'):
      metrics.frechet_distance(np.zeros(2), pair[0], np.zeros(2), pair[1])


def test_two_sizes_of_subsets_make_no_line():
  x = np.random.default_rng(0).standard_normal((3, 2))
  with pytest.raises(ValueError, match='subsets of 2 sizes'):
    metrics.frechet_infinity(x, np.zeros(2), np.eye(2))


@pytest.mark.parametrize(
  'options', [{'subset_size': None}, {'subset_size': 100}, {'subsets': 3, 'subset_size': 40}]
)
def test_kernel_distance_of_an_array_with_itself_is_that_with_its_copy(options):
  x = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
  with_itself, with_copy = (metrics.kernel_distance(x, y, **options).mean for y in (x, x.copy()))
  assert with_itself == pytest.approx(with_copy, rel=1e-9)


@pytest.mark.parametrize('kernel', ['polynomial', 'rbf'])
@pytest.mark.parametrize('times', [1e2, 1e3, 1e4])
def test_kernel_distance_with_one_sample_far_out(kernel, times):
  rng = np.random.default_rng(0)
  x, y = np.maximum(rng.standard_normal((2, 300, 96)), 0).astype(np.float32)
  x[0] *= times
  a, b = x.astype(np.float64), y.astype(np.float64)
  if kernel == 'polynomial':
    k = lambda u, v: (u @ v.T / 96 + 1) ** 3
  else:
    k = lambda u, v: np.exp(-((u[:, None] - v) ** 2).sum(2) / 200)
  apart = lambda u: (k(u, u).sum() - np.trace(k(u, u))) / (300 * 299)
  expected = apart(a) + apart(b) - 2 * k(a, b).mean()
  found = metrics.kernel_distance(x, y, kernel, subsets=1, subset_size=None).mean
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def test_the_distance_at_infinity_has_no_bias():
  d, rng = 40, np.random.default_rng(1)
  few = rng.normal(size=(1000, d))
  of_few = metrics.frechet_distance(*metrics.moments(few)[:2], np.zeros(d), np.eye(d))
  found = metrics.frechet_infinity(few, np.zeros(d), np.eye(d), points=12, smallest=200)
  assert of_few > 0.4  # the truth is 0
  assert abs(found.value) < 0.2 * of_few and found.slope > 0
  assert found.distances[-1] == pytest.approx(of_few) and found.standard_error < 0.1


def test_frechet_distance_within_classes_sees_what_the_whole_hides():
  labels = np.repeat([0, 1], 500)
  real = RNG.normal(size=(1000, 4)) + 5 * labels[:, None]
  swapped = metrics.intra_class_frechet(real, labels, real, 1 - labels)
  assert swapped[0] == pytest.approx(np.mean(list(swapped[1].values()))) and swapped[0] > 50
  assert metrics.intra_class_frechet(real, labels, real, labels)[0] == pytest.approx(0, abs=1e-9)
  with pytest.raises(ValueError, match='class 1 has 500 real and 1 generated'):
    metrics.intra_class_frechet(real, labels, real[:501], labels[:501])


def test_kernel_distance_has_no_bias():
  rng = np.random.default_rng(2)
  x, y = rng.normal(size=(2, 3000, 3))
  alike = metrics.kernel_distance(x, y, subsets=None, subset_size=30)
  assert abs(alike.mean) < 3 * alike.standard_error
  # E (x.y / d + 1)^3 of N(0, I), N(m, I): only even powers are left; the squared distance in closed form
  shifted = metrics.kernel_distance(x, y + 1, degree=1, subsets=None, subset_size=300)
  assert shifted.mean == pytest.approx(1, abs=4 * shifted.standard_error)  # |m|^2 / d
  rbf = metrics.kernel_distance(x, y + 1, 'rbf', sigma=2.0, subsets=None, subset_size=300)
  s2 = 4.0  # E k = (s2 / (s2 + 2))^(d/2) exp(-|m|^2 / (2 (s2 + 2)))
  truth = 2 * (s2 / (s2 + 2)) ** 1.5 * (1 - np.exp(-3 / (2 * (s2 + 2))))
  assert rbf.mean == pytest.approx(truth, abs=4 * rbf.standard_error)


def test_kernel_distance_far_from_the_origin():
  x, y = RNG.normal(size=(2, 100, 4))
  settings = {'kernel': 'rbf', 'sigma': 2.0, 'subsets': 3, 'subset_size': 50}
  near, far = (metrics.kernel_distance(x + s, y + s, **settings) for s in (0, 1000))
  assert near.mean == pytest.approx(far.mean, rel=1e-2)


def test_inception_score_of_sure_and_unsure_classifiers():
  sure = 100 * np.eye(8)[np.arange(800) % 8]
  assert metrics.inception_score(sure, 1).mean == pytest.approx(8)
  assert metrics.inception_score(sure[::8], 1).mean == pytest.approx(1)  # one class only
  assert metrics.inception_score(0 * sure, 4).mean == pytest.approx(1)
  huge = 1e4 * np.eye(8)[np.arange(800) % 8]  # probabilities that are 0
  assert metrics.inception_score(huge, 1).mean == pytest.approx(8)


def test_precision_and_recall_of_copies_and_of_one_mode():
  points = RNG.normal(size=(200, 3))
  whole = metrics.precision_recall(points, points)
  assert whole['precision'] == whole['recall'] == 1
  half = metrics.precision_recall(np.concatenate([points, points + 50]), points)
  assert half['precision'] == 1 and half['recall'] == pytest.approx(0.5, abs=0.01)
  # balls of no radius: closed ones hold their centre, open ones nothing
  twins = np.zeros((5, 2), np.float32)
  assert metrics.precision_recall(twins, twins)['precision'] == 1
  assert metrics.prdc(twins, twins, 3)['precision'] == 0


@pytest.mark.parametrize('block', [7, 1024])
def test_nearest_neighbours_are_those_of_numpy(block):
  queries, points = RNG.normal(size=(40, 6)) + 300, RNG.normal(size=(60, 6)) + 300
  distances, found = neighbours.nearest(queries, points, 3, block)
  every = np.linalg.norm(queries[:, None] - points, axis=-1)
  np.testing.assert_allclose(distances, np.sort(every, 1)[:, :3], rtol=1e-3)
  assert np.mean(np.asarray(found) == np.argsort(every, 1)[:, :3]) > 0.98
  assert np.max(neighbours.nearest(points, points)[0]) == 0


def test_memorisation_tells_copies_from_samples():
  train, unseen, fresh = RNG.normal(size=(3, 400, 8))
  honest = metrics.memorisation(train, unseen, fresh)
  assert abs(honest['c_t']) < 3 and honest['nearer'] == pytest.approx(0.5, abs=0.06)
  copies = metrics.memorisation(train, unseen, train + 0.01 * fresh)
  assert copies['c_t'] < -20 and copies['nearer'] == 1
  assert copies['copied'] > 0.95 and max(honest['copied'], honest['copied_held_out']) < 0.02
  assert metrics.memorisation(train, unseen, 3 * fresh)['c_t'] > 10
  exact = metrics.memorisation(train, train, train)  # all ties
  assert exact['c_t'] == 0 and exact['nearer'] == 0.5


def test_ssim_is_that_of_filters():
  x, y = RNG.uniform(-1, 1, (2, 3, 24, 20, 2))
  blur = lambda v: ndimage.correlate1d(ndimage.correlate1d(v, TAPS, axis=1), TAPS, axis=2)[
    :, 5:-5, 5:-5
  ]
  mx, my = blur(x), blur(y)
  c1, c2 = 0.02**2, 0.06**2
  top = (2 * mx * my + c1) * (2 * (blur(x * y) - mx * my) + c2)
  below = (mx**2 + my**2 + c1) * (blur(x * x) - mx**2 + blur(y * y) - my**2 + c2)
  np.testing.assert_allclose(
    metrics.ssim(x, y), (top / below).mean((1, 2, 3)), rtol=1e-4, atol=1e-6
  )
  np.testing.assert_allclose(metrics.ssim(x, x), 1, rtol=1e-5)


TAPS = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
TAPS /= TAPS.sum()


def test_ms_ssim_at_one_scale_is_ssim_and_is_1_for_equals():
  x = ndimage.gaussian_filter(RNG.normal(size=(1, 176, 180, 1)), (0, 3, 3, 0))
  y = x + 0.05 * RNG.normal(size=x.shape)
  np.testing.assert_allclose(metrics.ms_ssim(x, x), 1, rtol=1e-4)
  np.testing.assert_allclose(metrics.ms_ssim(x, y, scales=1), metrics.ssim(x, y), rtol=1e-5)
  # noise is fine: coarse scales, whose weight is most, hardly see it
  assert np.all(metrics.ms_ssim(x, y) > metrics.ms_ssim(x, y, scales=2))
  with pytest.raises(ValueError, match='have 3'):
    metrics.ms_ssim(x[:, :48], y[:, :48], scales=4)


def test_diversity_of_twins_and_of_noise():
  one = RNG.uniform(-1, 1, (1, 16, 16, 3))
  assert metrics.ms_ssim_diversity(np.repeat(one, 9, 0), pairs=20).mean == pytest.approx(
    1, abs=1e-4
  )
  noise = RNG.uniform(-1, 1, (9, 16, 16, 3))
  assert metrics.ms_ssim_diversity(noise, pairs=20).mean < 0.3
  labels = np.arange(9) % 3  # pairs of one class only
  same = one * (labels[:, None, None, None] - 1)
  assert metrics.ms_ssim_diversity(same, labels, pairs=20).mean == pytest.approx(1, abs=1e-4)
  assert metrics.ms_ssim_diversity(same, pairs=20).mean < 0.9


def test_sliced_wasserstein_of_shifted_gaussians():
  x = RNG.normal(size=(500, 8))
  shift = np.full(8, 3.0)
  found = metrics.sliced_wasserstein(x, x + shift, 4000, p=2)
  assert found == pytest.approx(np.linalg.norm(shift) / np.sqrt(8), rel=0.03)
  # E |theta . m| = |m| Gamma(D/2) / (sqrt(pi) Gamma((D+1)/2)), D = 8
  assert metrics.sliced_wasserstein(x, x + shift, 4000) == pytest.approx(
    np.linalg.norm(shift) * 6 / (np.sqrt(np.pi) * 11.6317), rel=0.03
  )
  assert metrics.sliced_wasserstein(x, x[::-1]) == 0


def test_the_pyramid_adds_up_and_patches_see_one_scale():
  images = RNG.uniform(0, 255, (8, 64, 64, 3)).astype(np.float32)
  levels = laplacian_pyramid(images)
  assert [level.shape[1] for level in levels] == [64, 32, 16]
  flat = laplacian_pyramid(np.full((1, 64, 64, 1), 7.0))
  np.testing.assert_allclose(flat[0], 0, atol=1e-5)
  np.testing.assert_allclose(flat[-1], 7, rtol=1e-6)
  smooth = ndimage.gaussian_filter(images, (0, 2, 2, 0))
  itself, blurred = metrics.patch_swd(images, images), metrics.patch_swd(images, smooth)
  assert set(itself) == {'swd_64', 'swd_32', 'swd_16', 'swd'}
  assert blurred['swd_64'] > 2 * itself['swd_64'] and blurred['swd'] > itself['swd']


def test_path_length_of_a_linear_generator():
  # |A (b - a)|^2 whatever epsilon is
  a, b, matrix = RNG.normal(size=(100, 5)), RNG.normal(size=(100, 5)), RNG.normal(size=(5, 7))
  settings = {
    'sample': lambda z: z.astype(float) @ matrix,
    'distance': lambda x, y: np.sum((x - y) ** 2, 1),
    'epsilon': 0.01,
    'batch_size': 32,
  }
  every = np.sum(((b - a) @ matrix) ** 2, 1)
  whole = metrics.perceptual_path_length(start=a, end=b, discard=(0, 100), **settings)
  assert whole.mean == pytest.approx(every.mean(), rel=1e-3)
  kept = np.sort(every)[10:-9]
  trimmed = metrics.perceptual_path_length(start=a, end=b, discard=(10, 90), t=0.5, **settings)
  assert trimmed.mean == pytest.approx(kept.mean(), rel=0.01)
  assert trimmed.mean < whole.mean


@pytest.mark.parametrize(
  'call, word',
  [
    (lambda x: metrics.moments(x[0]), 'features'),
    (lambda x: metrics.moments(x * np.nan), 'finite'),
    (lambda x: metrics.frechet_distance(x[0], x, x[0], x), 'cov'),
    (lambda x: metrics.frechet_distance(x[0], x[:3].T @ x[:3], x[0, :2], np.eye(2)), '3 features'),
    (lambda x: metrics.frechet_infinity(x, x[0], np.eye(3), points=2), '3 points'),
    (lambda x: metrics.kernel_distance(x, x), 'subset_size=1000; expected 2 to 9'),
    (lambda x: metrics.kernel_distance(x, x, 'cubic', subset_size=3), "'rbf'"),
    (lambda x: metrics.inception_score(x, 10), 'splits'),
    (lambda x: metrics.precision_recall(x, x, 9), 'neighbours'),
    (lambda x: metrics.memorisation(x[:1], x, x), '1 training'),
    (lambda x: metrics.sliced_wasserstein(x, x[1:]), 'one size'),
    (lambda x: metrics.patch_swd(x, x), '16, 32'),
    (lambda x: metrics.ssim(x, x), 'pictures'),
    (lambda x: metrics.ms_ssim_diversity(np.zeros((2, 16, 16, 1)), [0, 1]), 'pair'),
    (lambda x: metrics.perceptual_path_length(None, None, x, x, epsilon=0), 'epsilon=0'),
    (lambda x: metrics.perceptual_path_length(None, None, x, x, mode='bezier'), 'bezier'),
  ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, word):
  with pytest.raises(ValueError, match=word) as error:
    call(np.ones((9, 3)))
  assert '\n' not in str(error.value)

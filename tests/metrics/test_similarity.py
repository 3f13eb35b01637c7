"""PSNR and SSIM by hand and by their definition window by window; the kernel distance by its sums."""

import numpy as np
import pytest

from jaxgan.metrics import kernel_distance, psnr, ssim

RNG = np.random.default_rng(0)


def test_psnr_by_hand():
  x = np.zeros((2, 4, 4, 1), np.float32)
  y = x + np.array([0.2, 0.0], np.float32)[:, None, None, None]
  np.testing.assert_allclose(psnr(x, y), [20.0, 100.0], rtol=1e-5)  # (2 / 0.2)^2 = 100


def test_ssim_window_by_window():
  x = RNG.uniform(-1, 1, (1, 13, 12, 2))
  y = np.clip(x + RNG.normal(0, 0.4, x.shape), -1, 1)
  one = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
  window = np.outer(one, one) / one.sum() ** 2
  values = []
  for c in range(2):
    for i in range(3):
      for j in range(2):
        a, b = (z[0, i : i + 11, j : j + 11, c] for z in (x, y))
        mean = lambda z: (window * z).sum()
        ma, mb = mean(a), mean(b)
        va, vb, cov = mean((a - ma) ** 2), mean((b - mb) ** 2), mean((a - ma) * (b - mb))
        c1, c2 = 0.02**2, 0.06**2
        values.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
  np.testing.assert_allclose(ssim(x, y), [np.mean(values)], rtol=1e-4)
  np.testing.assert_allclose(ssim(x, x), [1.0], rtol=1e-5)


def test_kernel_distance_by_its_sums():
  whole = lambda x, y: kernel_distance(x, y, subset_size=None)
  a, b = RNG.normal(size=(5, 3)), RNG.normal(1, 1, (4, 3))
  k = lambda x, y: (x @ y / 3 + 1) ** 3
  within = lambda x: np.mean([k(p, q) for i, p in enumerate(x) for j, q in enumerate(x) if i != j])
  between = np.mean([k(p, q) for p in a for q in b])
  np.testing.assert_allclose(whole(a, b).mean, within(a) + within(b) - 2 * between, rtol=1e-4)
  same = RNG.normal(size=(400, 3))
  assert abs(whole(same[:200], same[200:]).mean) < 0.3 < whole(same, same + 1).mean


@pytest.mark.parametrize('kernel', ['polynomial', 'rbf'])
def test_subsets_that_share_their_kernels_are_as_each_by_itself(kernel):
  x, y = RNG.normal(size=(601, 4)), RNG.normal(1, 1, (520, 4))  # two blocks, and a row to fill
  found = kernel_distance(x, y, kernel, sigma=3.0, subsets=20, subset_size=300, seed=3)
  rng, each = np.random.RandomState(3), []
  for _ in range(20):
    i, j = (rng.choice(n, 300, replace=False) for n in (601, 520))
    each.append(kernel_distance(x[i], y[j], kernel, sigma=3.0, subset_size=None).mean)
  assert found.mean == pytest.approx(np.mean(each), rel=1e-5)
  assert found.std == pytest.approx(np.std(each), rel=1e-4)


@pytest.mark.parametrize(
  'call, message',
  [
    (lambda: psnr(np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 3))), 'two batches of pictures'),
    (lambda: ssim(np.zeros((1, 9, 9, 1)), np.zeros((1, 9, 9, 1))), 'a window of 11 pixels'),
    (
      lambda: kernel_distance(np.zeros((1, 3)), np.zeros((4, 3)), subset_size=None),
      'the smaller set',
    ),
  ],
)
def test_shapes_are_asked_for(call, message):
  with pytest.raises(ValueError, match=message):
    call()

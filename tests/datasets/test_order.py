"""The order of examples: a pure function of seed, step and host."""

import numpy as np
import pytest

from jaxgan import datasets, runs

FIRST_ORDER = [5, 1, 3, 2, 4]  # examples of step 1 of Sampler(10, 5, 0)


def test_every_epoch_holds_every_example_once():
  sampler = datasets.Sampler(size=10, batch_size=4, seed=7)
  stream = np.concatenate([sampler.indices(s) for s in range(10)])  # 40 = 4 epochs
  epochs = stream.reshape(4, 10)
  for epoch in epochs:
    assert sorted(epoch) == list(range(10))
  assert not (epochs[0] == epochs[1]).all()
  assert stream.dtype == np.int64


def test_a_step_depends_on_nothing_before_it():
  steps = [0, 1, 5, 5, 3, 1000, 2]
  walked = datasets.Sampler(13, 8, 1)
  for step in steps:
    np.testing.assert_array_equal(walked.indices(step), datasets.Sampler(13, 8, 1).indices(step))


def test_seeds_give_different_orders():
  first, second = (datasets.Sampler(100, 100, seed).indices(0) for seed in (0, 1))
  assert not (first == second).all()


def test_the_order_stays_what_it_was():
  """A change of these numbers would break the resumption of every run there is."""
  np.testing.assert_array_equal(datasets.Sampler(10, 5, 0).indices(1), FIRST_ORDER)


@pytest.mark.parametrize('hosts', [1, 2, 4])
def test_hosts_share_the_global_batch_in_order(hosts):
  whole = datasets.Sampler(30, 8, 3)
  shares = [datasets.Sampler(30, 8, 3, host, hosts) for host in range(hosts)]
  for step in (0, 3, 11):
    parts = [s.indices(step) for s in shares]
    assert {len(p) for p in parts} == {8 // hosts}
    np.testing.assert_array_equal(np.concatenate(parts), whole.indices(step))


def test_two_domains_are_each_gone_through_evenly_and_meet_in_every_epoch_anew():
  a, b = 12, 5
  sampler = datasets.Sampler(a, 6, 7, domains=(a, b))
  steps = [sampler.indices(s) for s in range(20)]  # 10 epochs of A, 24 of B
  stream = np.concatenate(steps)
  assert stream.shape == (120, 2) and stream.dtype == np.int64
  for column, size in enumerate((a, b)):
    assert np.array_equal(
      np.sort(stream[:, column].reshape(-1, size)), [range(size)] * (120 // size)
    )
  met = [[int(y) for x, y in stream if x == n] for n in range(a)]  # partners, epoch by epoch
  assert all(len(set(partners)) > 2 for partners in met) and len(set(map(tuple, met))) == a
  again = datasets.Sampler(a, 6, 7, domains=(a, b))
  np.testing.assert_array_equal(again.indices(17), steps[17])
  shares = [datasets.Sampler(a, 6, 7, host, 2, (a, b)).indices(3) for host in (0, 1)]
  np.testing.assert_array_equal(np.concatenate(shares), steps[3])
  both = runs.Interleaved([datasets.Sampler(a, 6, seed, domains=(a, b)) for seed in (7, 8)])
  np.testing.assert_array_equal(both.indices(3)[::2], steps[3])
  equal = datasets.Sampler(a, a, 7, domains=(a, a)).indices(0)
  assert (equal[:, 0] != equal[:, 1]).any()


def test_a_batch_may_be_larger_than_the_set():
  indices = datasets.Sampler(3, 8, 0).indices(2)
  assert indices.shape == (8,) and set(indices) == {0, 1, 2}


@pytest.mark.parametrize(
  'arguments, words',
  [
    ((10, 9, 0, 0, 2), 'shared equally by 2 hosts'),
    ((10, 8, 0, 2, 2), 'host must be in 0..1'),
    ((0, 8, 0), 'at least 1'),
    ((10, 8, -1), 'at least 0'),
  ],
)
def test_impossible_orders_are_refused(arguments, words):
  with pytest.raises(datasets.DataError, match=words):
    datasets.Sampler(*arguments)

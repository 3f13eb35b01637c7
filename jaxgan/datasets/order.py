"""The order of examples, a pure function of seed, step and host."""

import threading
from collections.abc import Sequence

import numpy as np

from jaxgan.datasets.dataset import DataError

DOMAIN_B = 2**62  # added to the seed for the order of the second of two domains


class Sampler:
  """Which examples make up the batch of a step.

  The examples come in epochs, each a permutation drawn by Philox from (seed, epoch), one after
  the other without a gap: the global batch of step s is positions s B .. (s+1) B - 1 of that
  stream, and host h of H takes the h-th of its H equal parts. No state: the position in the
  data is the step number, so that a resumed run reads what an unbroken one would have read.

  Args:
    size: number of examples.
    batch_size: examples per step, over all hosts together.
    seed: of the order; >= 0.
    host: this host's number.
    hosts: number of hosts.
    domains: sizes of two domains, see `Dataset.domains`; each has epochs of its own.

  Raises:
    DataError: when a number is out of range or the batch cannot be shared equally.
  """

  def __init__(
    self,
    size: int,
    batch_size: int,
    seed: int,
    host: int = 0,
    hosts: int = 1,
    domains: Sequence[int] = (),
  ):
    if size < 1 or batch_size < 1 or seed < 0:
      raise DataError(
        f'size={size}, batch_size={batch_size}, seed={seed}: sizes must be at least 1, seed at least 0'
      )
    if not 0 <= host < hosts:
      raise DataError(f'host={host}, hosts={hosts}: host must be in 0..{hosts - 1}')
    if batch_size % hosts:
      raise DataError(f'batch_size={batch_size} cannot be shared equally by {hosts} hosts')
    self.size, self.batch_size, self.seed, self.host, self.hosts = (
      size,
      batch_size,
      seed,
      host,
      hosts,
    )
    seeds = (seed, seed + DOMAIN_B)
    self.domains = [Sampler(n, batch_size, s, host, hosts) for n, s in zip(domains, seeds)]
    self._permutations: dict[int, np.ndarray] = {}
    self._lock = threading.Lock()  # feeding threads share the permutations

  def indices(self, step: int) -> np.ndarray:
    """This host's examples of a step: int64 [batch_size // hosts], or [batch_size // hosts, 2] of domains."""
    if self.domains:
      return np.stack([domain.indices(step) for domain in self.domains], 1)
    share = self.batch_size // self.hosts
    first = step * self.batch_size + self.host * share
    epoch, offset = divmod(first, self.size)
    parts = []
    while share:
      part = self._permutation(epoch)[offset : offset + share]
      parts.append(part)
      share -= len(part)
      epoch, offset = epoch + 1, 0
    return np.concatenate(parts)

  def _permutation(self, epoch: int) -> np.ndarray:
    with self._lock:
      if epoch not in self._permutations:
        # Two epochs meet in one batch; older ones are only asked for after going back.
        kept = {e: p for e, p in self._permutations.items() if abs(e - epoch) <= 1}
        philox = np.random.Philox(key=[self.seed, epoch])
        kept[epoch] = np.random.Generator(philox).permutation(self.size)
        self._permutations = kept
      return self._permutations[epoch]

"""SIGTERM and SIGINT as a flag, so that the loop saves before it leaves."""

import signal
from typing import Any

import jax
import numpy as np


class Interrupt:
  """Remembers SIGTERM and SIGINT while it is entered; a second SIGINT raises KeyboardInterrupt.

  Attributes:
    agreed: the signal that `seen` last reported, 0 if none: with several processes a signal may
      have come to one of them, and only what all of them know may be acted on.
  """

  def __init__(self) -> None:
    self.number = self.agreed = 0
    self.before: dict[Any, Any] = {}

  def __enter__(self) -> 'Interrupt':
    try:
      self.before = {s: signal.signal(s, self._note) for s in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread: a notebook's worker keeps its own handlers
      self.before = {}
    return self

  def __exit__(self, *unused: Any) -> None:
    for number, handler in self.before.items():
      signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: set in C

  def _note(self, number: int, frame: Any) -> None:
    if self.number and number == signal.SIGINT:
      raise KeyboardInterrupt
    self.number = number

  def seen(self) -> int:
    """The signal that came, 0 if none; with several processes the same answer on all of them."""
    self.agreed = self.number
    if jax.process_count() > 1:
      from jax.experimental import multihost_utils

      self.agreed = int(multihost_utils.process_allgather(np.asarray(self.number)).max())
    return self.agreed

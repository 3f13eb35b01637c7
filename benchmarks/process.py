"""What a process says of itself: memory, and requests that it answers one by one."""

import contextlib
import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from jaxgan.errors import UserError

_IMPORTED = time.perf_counter()


def age() -> float:
  """Seconds since this process began (since this module was imported where the system does not tell)."""
  try:
    with open('/proc/self/stat') as file:
      ticks = int(file.read().rsplit(')', 1)[1].split()[19])
    with open('/proc/uptime') as file:
      return float(file.read().split()[0]) - ticks / os.sysconf('SC_CLK_TCK')
  except (OSError, IndexError, ValueError):
    return time.perf_counter() - _IMPORTED


def resident() -> float:
  """MiB of this process in memory now."""
  return _status('VmRSS')


def peak() -> float:
  """Most MiB of this process in memory since `forget_peak`, or since it began where that cannot be."""
  return _status('VmHWM')


def forget_peak() -> None:
  """Gives back what was freed, and makes `peak` count from now, where the system allows it."""
  try:
    ctypes.CDLL(None).malloc_trim(0)
    with open('/proc/self/clear_refs', 'w') as file:
      file.write('5')
  except (OSError, AttributeError):
    pass


def _status(name: str) -> float:
  try:
    with open('/proc/self/status') as file:
      return next(float(line.split()[1]) / 1024 for line in file if line.startswith(name))
  except (OSError, StopIteration):
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(call: Callable[[], Any], count: int) -> list[float]:
  """Seconds of each of so many calls, which return when their work is done."""
  seconds = []
  for _ in range(count):
    start = time.perf_counter()
    call()
    seconds.append(time.perf_counter() - start)
  return seconds


def serve(make: Callable[[], Any]) -> None:
  """Answers requests {"call": name, ...arguments} on standard input until it ends, as JSON lines.

  Args:
    make: makes the side whose methods are called; what goes wrong there answers every request.
  """
  answers = os.fdopen(os.dup(1), 'w')
  os.dup2(2, 1)  # what libraries print is no answer
  side, broken = None, ''
  try:
    side = make()
  except Exception as error:
    broken = f'{error}' if isinstance(error, UserError) else f'{type(error).__name__}: {error}'
  for line in sys.stdin:
    request = json.loads(line)
    answer = {'error': broken}
    if not broken:
      try:
        answer = {'answer': getattr(side, request.pop('call'))(**request)}
      except Exception as error:
        answer = {'error': f'{type(error).__name__}: {error}'}
    print(json.dumps(answer), file=answers, flush=True)


class Failed(Exception):
  """What a worker answered instead of a number."""


class Worker:
  """A process of one side of a comparison; while it is not asked anything it waits and uses no core.

  Args:
    module: run as `python -m module arguments`.
    arguments: of the command line.
    environment: variables added to this process's own.
    python: the interpreter; another one may have other packages.
  """

  def __init__(
    self,
    module: str,
    *arguments: str,
    environment: dict[str, str] | None = None,
    python: str = sys.executable,
  ):
    self.process = subprocess.Popen(
      [python, '-m', module, *arguments],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
      env={**os.environ, **(environment or {})},
    )

  def __call__(self, call: str, **arguments: Any) -> Any:
    """The answer to one request.

    Raises:
      Failed: the worker could not answer.
    """
    assert self.process.stdin is not None and self.process.stdout is not None
    try:
      self.process.stdin.write(json.dumps({'call': call, **arguments}) + '\n')
      self.process.stdin.flush()
      line = self.process.stdout.readline()
    except BrokenPipeError:
      line = ''
    if not line:
      raise Failed(f'the worker ended with code {self.process.wait()}')
    reply = json.loads(line)
    if 'error' in reply:
      raise Failed(reply['error'])
    return reply['answer']

  def close(self) -> None:
    """Ends the process."""
    assert self.process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
      self.process.stdin.close()
    self.process.wait()

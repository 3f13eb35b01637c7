"""What the commands share: flags, --help without jax, and a user's mistake as one line with exit code 2."""

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from jaxgan import config as configs
from jaxgan.errors import UserError


def help_text(about: str, details: Callable[[], str] | None) -> str:
  """The command's first line, its own flags, and the details."""
  own = flags.FLAGS.flags_by_module_dict().get(sys.argv[0]) or [
    f
    for module, found in flags.FLAGS.flags_by_module_dict().items()
    if 'jaxgan' in module or module == '__main__'
    for f in found
  ]
  lines = [
    f'  --{f.name:<12} {f.help}' for f in sorted(own, key=lambda f: f.name) if '.' not in f.name
  ]
  return '\n'.join([about, '', *lines, *(['', details()] if details else [])])


def parse(argv: Sequence[str], keys: Callable[[], list[str]] | None = None) -> list[str]:
  """absl's parser with the user's mistakes as one line; returns the words that are no flags.

  Args:
    argv: the words, the program first.
    keys: the config keys that can be set, for the hint after a mistyped one.

  Raises:
    UserError: unknown flag or config key, wrong type, bad config file.
  """
  try:
    return flags.FLAGS(argv)
  except flags.Error as error:
    raise UserError(' '.join(str(error).split())) from error
  except (AttributeError, KeyError) as error:  # ml_collections met a key that is not in the config
    known = keys() if keys else []
    for path in (
      word[1] for word in (re.match(r'--?config\.([\w.]+)', word) for word in argv) if word
    ):
      if path not in known:
        section = [k for k in known if k.startswith(path.rpartition('.')[0])]
        raise UserError(
          f'unknown config key {path!r}; {configs.nearest(path, known, section)}'
        ) from error
    raise


LARGEST_SEED = 2**32 - 1  # those above draw as smaller ones do, or do not fit
LARGE_PAGES = 'glibc.malloc.hugetlb=1'
_THP = Path('/sys/kernel/mm/transparent_hugepage/enabled')


def take_large_pages() -> None:
  """Starts this process anew with an allocator that asks for large pages, where the CPU computes.

  XLA takes the buffers of a step anew at every call, glibc hands large ones back to the kernel each time,
  and fetching and zeroing their pages costs a tenth of a step; with large pages it costs nothing. glibc
  reads the setting when a process begins, in the variable GLIBC_TUNABLES. Nothing happens where it
  is set already, on other systems, where JAX has a GPU or a TPU, or where the program itself came from
  standard input or a prompt and could not be read again.
  """
  if len(sys.orig_argv) < 2 or sys.argv[0] in ('', '-') or 'ipykernel' in sys.modules:
    return
  tunables = os.environ.get('GLIBC_TUNABLES', '')
  platforms = os.environ.get('JAX_PLATFORMS', '')
  accelerated = any(importlib.util.find_spec(name) for name in ('jax_plugins', 'libtpu'))
  cpu = platforms == 'cpu' or (not platforms and not accelerated)
  if not cpu or 'glibc.malloc.hugetlb' in tunables or sys.gettrace():
    return
  try:
    offered = '[madvise]' in _THP.read_text() and os.confstr('CS_GNU_LIBC_VERSION') is not None
  except (OSError, ValueError):
    return
  if offered:
    new = {**os.environ, 'GLIBC_TUNABLES': ':'.join(filter(None, [tunables, LARGE_PAGES]))}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], new)


def run(
  main: Callable[[list[str]], int],
  about: str | None,
  details: Callable[[], str] | None = None,
  prepare: Callable[[list[str]], list[str]] = list,
  keys: Callable[[list[str]], list[str]] | None = None,
) -> None:
  """Runs a command and exits with its code.

  Args:
    main: given the words that are no flags, the program first; returns the exit code.
    about: what --help begins with.
    details: text that --help ends with.
    prepare: applied to the words before the flags are parsed.
    keys: from the words to the config keys that can be set.
  """
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
  words: Any = sys.argv
  if {'--help', '-h', '-help'} & set(words[1:]):
    print(help_text(about or '', details))
    sys.exit(0)
  try:
    words = [words[0], *prepare(words[1:])]
    sys.argv = words  # where ml_collections looks for the overrides
    sys.exit(main(parse(words, keys and (lambda: keys(words)))))
  except UserError as error:
    print(f'jaxgan: {" ".join(str(error).split())}', file=sys.stderr)
    sys.exit(2)

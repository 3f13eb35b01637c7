"""Large pages: asked for once, and only where the CPU computes; and seeds that are none."""

import os
import subprocess
import sys

import pytest
from absl import flags

from jaxgan import command, directions, sample, translate
from jaxgan.errors import UserError

PROGRAM = """
import os, sys
from jaxgan import command
command.take_large_pages()
print(os.environ.get('GLIBC_TUNABLES', ''), *sys.argv[1:])
"""


def run(tmp_path, **variables):
  script = tmp_path / 'program.py'
  script.write_text(PROGRAM)
  clean = {k: v for k, v in os.environ.items() if k not in ('GLIBC_TUNABLES', 'JAX_PLATFORMS')}
  done = subprocess.run(
    [sys.executable, str(script), 'a', 'b c'],
    env={**clean, **variables},
    capture_output=True,
    text=True,
    timeout=60,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout.strip()


def offered():
  try:
    return '[madvise]' in command._THP.read_text() and 'glibc' in os.confstr('CS_GNU_LIBC_VERSION')
  except (OSError, ValueError):
    return False


@pytest.mark.skipif(not offered(), reason='this system offers no large pages on request')
def test_the_process_begins_anew_with_the_setting_and_its_words(tmp_path):
  assert run(tmp_path, JAX_PLATFORMS='cpu') == 'glibc.malloc.hugetlb=1 a b c'
  both = run(tmp_path, JAX_PLATFORMS='cpu', GLIBC_TUNABLES='glibc.malloc.arena_max=3')
  assert both == 'glibc.malloc.arena_max=3:glibc.malloc.hugetlb=1 a b c'


def test_nothing_happens_on_a_gpu_or_when_it_is_set(tmp_path):
  assert run(tmp_path, JAX_PLATFORMS='cuda') == 'a b c'
  given = 'glibc.malloc.hugetlb=0'
  assert run(tmp_path, JAX_PLATFORMS='cpu', GLIBC_TUNABLES=given) == f'{given} a b c'


@pytest.mark.parametrize('program', [sample, translate, directions])
@pytest.mark.parametrize('seed', ['-1', '99999999999999999999'])
def test_a_seed_that_is_none_is_one_clear_line(program, seed):
  before = set(flags.FLAGS)
  program.define_flags()
  try:
    with pytest.raises(UserError, match=rf'--seed={seed}: .* in the range \[0, 4294967295\]$'):
      command.parse(['program', f'--seed={seed}'])
  finally:
    for name in set(flags.FLAGS) - before:
      delattr(flags.FLAGS, name)

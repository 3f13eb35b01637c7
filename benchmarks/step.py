"""Whole train steps of jaxgan beside the same in PyTorch, in one run.

  python -m benchmarks.step                                     DCGAN-64 and BigGAN-32
  python -m benchmarks.step --config=benchmarks/configs/dcgan64.py --measure=step,forward
  python -m benchmarks.step --config=configs/biggan.py --against=none --measure=start

Each side is a process of its own. They take turns of a few seconds, so that a machine that gets slower
does so for all; while one runs, the others wait and use no core. Printed is a table; Markdown and
JSON go to the output folder. The numbers of parameters and of operations of the sides must be equal.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.process import Failed, Worker
from jaxgan import config as configs
from jaxgan.command import LARGE_PAGES

SYSTEMS = ('benchmarks/configs/dcgan64.py', 'benchmarks/configs/biggan32.py')
MEASURES = ('step', 'forward', 'start', 'batch', 'resolution', 'memory', 'devices', 'data')
SIDES = ('torch', 'torch.compile', 'torch.contiguous')  # torch alone has channels last
TURN = 3.0  # seconds that a side steps before the next one's turn


def main(argv: list[str] | None = None) -> int:
  """The command; returns the exit code."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--config', action='append', help='config, may be given more than once')
  parser.add_argument('--against', default='torch', help=f'some of {",".join(SIDES)}, or none')
  parser.add_argument('--measure', default='step', help=f'some of {",".join(MEASURES)}, or all')
  parser.add_argument('--dtype', default='float32', choices=('float32', 'bfloat16'))
  parser.add_argument('--rounds', type=int, default=5, help='turns of each side')
  parser.add_argument('--output', type=Path, default=Path('runs/benchmarks'))
  given = parser.parse_args(argv)
  measures = MEASURES if given.measure == 'all' else given.measure.split(',')
  against = [] if given.against == 'none' else given.against.split(',')
  if given.rounds < 1:
    parser.error(f'--rounds={given.rounds}; expected 1 or more')
  for kind, known, asked in (
    ('measure', MEASURES, measures),
    ('side', SIDES, against),
  ):
    for name in asked:
      if name not in known:
        parser.error(f'unknown {kind} {name!r}; there are: {", ".join(known)}')
  if against and importlib.util.find_spec('torch') is None:
    parser.error('torch is not installed; pip install torch, or give --against=none')
  report: dict[str, Any] = {'machine': machine(), 'date': time.strftime('%Y-%m-%d'), 'rows': []}
  given.output.mkdir(parents=True, exist_ok=True)
  for config in given.config or SYSTEMS:
    for measure in measures:
      try:
        rows = globals()[f'measure_{measure}'](Sides(config, against, given.dtype), given.rounds)
      except Failed as error:
        print(f'{config}: {measure}: {error}', file=sys.stderr)
        return 1
      report['rows'] += [{'system': Path(config).stem, 'measure': measure, **r} for r in rows]
      write(report, given.output)
  print((given.output / 'step.md').read_text())
  return 0


def machine() -> str:
  """Processor, cores and Python, in words."""
  try:
    lines = Path('/proc/cpuinfo').read_text().splitlines()
    name = next(line.split(':')[1].strip() for line in lines if line.startswith('model name'))
  except (OSError, StopIteration):
    name = platform.processor() or platform.machine()
  return f'{name}, {os.cpu_count()} cores, Python {platform.python_version()}'


class Sides:
  """How to start the processes of one comparison.

  Args:
    config: path or name.
    against: sides beside ours.
    dtype: of the networks.
  """

  def __init__(self, config: str, against: list[str], dtype: str):
    self.config, self.against, self.dtype = config, against, dtype

  def start(self, names: list[str] | None = None, environment: Any = None, **changes: Any) -> dict:
    """Name -> worker; `changes` are config keys with '__' for a dot."""
    keys = {name.replace('__', '.'): value for name, value in changes.items()}
    base = {'given': self.config, 'changes': keys, 'dtype': self.dtype}
    large_pages = {'GLIBC_TUNABLES': LARGE_PAGES}  # as `jaxgan.main` starts itself on a CPU
    every: dict[str, tuple[str, dict, dict]] = {
      'jaxgan': ('ours', {}, large_pages),
      'torch': ('pytorch', {}, {}),
      'torch, large pages': ('pytorch', {}, large_pages),
      'torch.compile': ('pytorch', {'compiled': True}, {}),
      'torch.contiguous': ('pytorch', {'layout': 'contiguous_format'}, {}),
    }
    asked = ['jaxgan', *self.against] if names is None else names
    workers = {}
    for name in asked:
      module, arguments, variables = every[name]
      workers[name] = Worker(
        f'benchmarks.sides.{module}',
        json.dumps({**base, **arguments}),
        environment={**variables, **(environment or {})},
      )
    return workers


def in_turns(
  workers: dict[str, Worker], rounds: int, request: Callable[[Worker, int], list[float]]
) -> dict[str, list[float]]:
  """Seconds of every call, the sides taking turns; the first call of a turn warms up and is left out."""
  counts = {}
  for name, worker in workers.items():
    request(worker, 1)
    counts[name] = 1 + max(1, min(100, round(TURN / min(request(worker, 2)))))
  seconds: dict[str, list[float]] = {name: [] for name in workers}
  for _ in range(rounds):
    for name, worker in workers.items():
      seconds[name] += request(worker, counts[name])[1:]
  return seconds


def close(workers: dict[str, Worker]) -> None:
  """Ends all of them."""
  for worker in workers.values():
    worker.close()


def compare(
  seconds: dict[str, list[float]], facts: dict[str, dict], what: str = 'side'
) -> list[dict]:
  """One row a side: the median of its seconds, images/s, and the first one's time over its time."""
  first = statistics.median(next(iter(seconds.values())))
  rows = []
  for name, values in seconds.items():
    median = statistics.median(values)
    spread = statistics.quantiles(values, n=4) if len(values) > 1 else [median] * 3
    rows.append(
      {
        what: name,
        'seconds': median,
        'quartiles': [spread[0], spread[2]],
        'calls': len(values),
        'images_per_second': facts[name]['images'] / median,
        'first_over_this': first / median,
      }
    )
  return rows


def measure_step(sides: Sides, rounds: int) -> list[dict]:
  """Whole train steps: time, memory, compile time, operations and the share of the machine's speed."""
  names = ['jaxgan', *sides.against]
  workers = sides.start(names)
  facts = {name: worker('facts') for name, worker in workers.items()}
  check_equal(facts)
  if facts['jaxgan']['device'] == 'cpu' and 'torch' in workers:
    workers |= sides.start(['torch, large pages'])
    facts['torch, large pages'] = facts['torch']
  seconds = in_turns(workers, rounds, lambda worker, count: worker('steps', count=count))
  product = max(worker('product') for worker in workers.values())
  rows = compare(seconds, facts)
  for row in rows:
    about = facts[row['side']]
    speed = about['flops'] / row['seconds']
    row |= {
      'versions': about['versions'],
      'device': about['device'],
      'parameters': about['parameters'],
      'gflop': about['flops'] / 1e9,
      'gflop_per_second': speed / 1e9,
      'share_of_matrix_product': speed / product,
      'compile_seconds': about.get('compile_seconds'),
      'peak_mib': workers[row['side']]('memory'),
      'program_mib': about.get('program_mib'),
    }
  close(workers)
  return rows


def check_equal(facts: dict[str, dict]) -> None:
  """Whether the sides compute the same.

  Raises:
    Failed: other numbers of parameters or images, or operations that differ by more than 0.1 %.
  """
  ours = facts['jaxgan']
  for name, theirs in facts.items():
    for what, most in (('parameters', 0), ('images', 0), ('flops', 1e-3)):
      if abs(ours[what] - theirs[what]) > most * ours[what]:
        raise Failed(f'{what}: ours {ours[what]:,}, {name} {theirs[what]:,}; they must be equal')


def measure_forward(sides: Sides, rounds: int) -> list[dict]:
  """The generator alone, at batch 1 and 64."""
  workers, rows = sides.start(), []
  for batch in (1, 64):
    call = lambda worker, count: worker('forward', batch=batch, count=count)  # noqa: B023
    seconds = in_turns(workers, rounds, call)
    facts = {name: {'images': batch} for name in workers}
    rows += [{'batch': batch, **row} for row in compare(seconds, facts)]
  close(workers)
  return rows


def measure_start(sides: Sides, rounds: int) -> list[dict]:
  """From the start of the process to the end of the first step, with an empty and with a filled cache."""
  rows = []
  with tempfile.TemporaryDirectory() as cache:
    for kind in ('cold', 'warm'):
      workers = sides.start(['jaxgan'], cache__dir=cache)
      first = workers['jaxgan']('first')
      compiling = workers['jaxgan']('facts')['compile_seconds']
      close(workers)
      rows.append({'side': 'jaxgan', 'cache': kind, 'seconds': first, 'compile_seconds': compiling})
  for name in sides.against:
    workers = sides.start([name])
    rows.append({'side': name, 'seconds': workers[name]('first')})
    close(workers)
  return rows


def scaling(sides: Sides, rounds: int, key: str, values: list[Any]) -> list[dict]:
  """Train steps over the values of one config key."""
  rows = []
  for value in values:
    workers = sides.start(**{key.replace('.', '__'): value})
    try:
      facts = {name: worker('facts') for name, worker in workers.items()}
    except Failed as error:  # an architecture that does not have this size
      print(f'{sides.config}: {key}={value} is left out: {error}', file=sys.stderr)
      close(workers)
      continue
    check_equal(facts)
    seconds = in_turns(workers, rounds, lambda worker, count: worker('steps', count=count))
    rows += [
      {key.split('.')[1]: value, 'gflop': facts[row['side']]['flops'] / 1e9, **row}
      for row in compare(seconds, facts)
    ]
    close(workers)
  return rows


def measure_batch(sides: Sides, rounds: int) -> list[dict]:
  """Train steps at batch sizes from 8 to 128."""
  return scaling(sides, rounds, 'data.batch_size', [8, 16, 32, 64, 128])


def measure_resolution(sides: Sides, rounds: int) -> list[dict]:
  """Train steps at 16 to 128 pixels, where the architecture has them."""
  return scaling(sides, rounds, 'data.resolution', [16, 32, 64, 128])


def measure_memory(sides: Sides, rounds: int) -> list[dict]:
  """Our train step as it is, in micro-batches, and with blocks computed again where networks have that."""
  options: dict[str, dict[str, Any]] = {'plain': {}}
  options |= {f'accumulate={n}': {'accumulate': n} for n in (2, 4)}
  if 'remat' in configs.load(sides.config).game:
    options['game.remat=True'] = {'game__remat': True}
  workers = {name: sides.start(['jaxgan'], **given)['jaxgan'] for name, given in options.items()}
  facts = {name: worker('facts') for name, worker in workers.items()}
  seconds = in_turns(workers, rounds, lambda worker, count: worker('steps', count=count))
  rows = compare(seconds, facts, 'option')
  for row in rows:
    row |= {
      'side': 'jaxgan',
      'compile_seconds': facts[row['option']]['compile_seconds'],
      'peak_mib': workers[row['option']]('memory'),
      'program_mib': facts[row['option']]['program_mib'],
    }
  close(workers)
  return rows


def measure_devices(sides: Sides, rounds: int) -> list[dict]:
  """Our train step over 1 and 2 devices; on a CPU both share the cores, so that no gain is possible."""
  workers = {}
  for count in (1, 2):
    flags = f'{os.environ.get("XLA_FLAGS", "")} --xla_force_host_platform_device_count={count}'
    environment = {'XLA_FLAGS': flags}
    visible = os.environ.get('CUDA_VISIBLE_DEVICES', '0,1').split(',')
    environment['CUDA_VISIBLE_DEVICES'] = ','.join(visible[:count])
    workers[str(count)] = sides.start(['jaxgan'], environment)['jaxgan']
  facts = {count: worker('facts') for count, worker in workers.items()}
  seconds = in_turns(workers, rounds, lambda worker, count: worker('steps', count=count))
  close(workers)
  return [{'side': 'jaxgan', **row} for row in compare(seconds, facts, 'devices')]


def measure_data(sides: Sides, rounds: int) -> list[dict]:
  """Images a second of the input pipeline, and how many times what the step takes that is."""
  workers = sides.start(['jaxgan'])
  worker = workers['jaxgan']
  images, step = worker('facts')['images'], statistics.median(worker('steps', count=5)[1:])
  speed = worker('data', seconds=TURN)
  close(workers)
  return [{'side': 'jaxgan', 'images_per_second': speed, 'times_the_step': speed * step / images}]


COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
  'system': ('system', str),
  'side': ('side', str),
  'batch': ('batch', str),
  'batch_size': ('batch', str),
  'resolution': ('pixels', str),
  'devices': ('devices', str),
  'option': ('option', str),
  'cache': ('cache', str),
  'seconds': ('time', lambda x: f'{x * 1e3:,.1f} ms' if x < 1 else f'{x:,.2f} s'),
  'quartiles': ('quartiles', lambda x: ' to '.join(f'{v * 1e3:,.0f}' for v in x)),
  'images_per_second': ('images/s', lambda x: f'{x:,.0f}' if x >= 100 else f'{x:.1f}'),
  'first_over_this': ("first row's time / this one's", lambda x: f'{x:.2f}'),
  'times_the_step': ('times what a step takes', lambda x: f'{x:,.0f}'),
  'gflop': ('GFLOP', lambda x: f'{x:,.1f}'),
  'gflop_per_second': ('GFLOP/s', lambda x: f'{x:,.0f}'),
  'share_of_matrix_product': ('of a matrix product', lambda x: f'{x:.0%}'),
  'compile_seconds': ('compiled in', lambda x: f'{x:.1f} s'),
  'peak_mib': ('peak MiB', lambda x: f'{x:,.0f}'),
  'program_mib': ('planned MiB', lambda x: f'{x:,.0f}'),
}


def write(report: dict, folder: Path) -> None:
  """step.json and step.md."""
  (folder / 'step.json').write_text(json.dumps(report, indent=1) + '\n')
  versions = sorted({row['versions'] for row in report['rows'] if 'versions' in row})
  lines = [f'{report["machine"]}; {", ".join(versions)}; {report["date"]}', '']
  for measure in MEASURES:
    rows = [row for row in report['rows'] if row['measure'] == measure]
    if not rows:
      continue
    columns = [c for c in COLUMNS if any(row.get(c) is not None for row in rows)]
    lines += [f'### {measure}', '', '| ' + ' | '.join(COLUMNS[c][0] for c in columns) + ' |']
    lines.append('|' + '---|' * len(columns))
    for row in rows:
      cells = (COLUMNS[c][1](row[c]) if row.get(c) is not None else '' for c in columns)
      lines.append('| ' + ' | '.join(cells) + ' |')
    lines.append('')
  (folder / 'step.md').write_text('\n'.join(lines))


if __name__ == '__main__':
  sys.exit(main())

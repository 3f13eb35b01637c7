"""Scores of jaxgan beside torch-fidelity's and prdc's: same features, same run, values, time, memory.

  pip install torch-fidelity prdc efficientnet_lite_pytorch
  python -m benchmarks.scores                          5,000 x 2,048 features
  python -m benchmarks.scores --count=50000 --only=frechet

Every number comes from a process of its own. Seconds are those of the first call at that size, what it
compiles counted in; of networks the fastest of three later ones. CPU seconds, of all threads, hardly
change where other work is on the machine. Memory is the growth of the process over
what held the features.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.process import Failed, Worker

SCORES = ('frechet', 'kernel', 'inception', 'precision_recall', 'prdc')
NETWORKS = {'inception_299': ('inception', 299), 'efficientnet_224': ('efficientnet', 224)}


def main(argv: list[str] | None = None) -> int:
  """The command; returns the exit code."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--count', type=int, default=5000, help='features of each set')
  parser.add_argument('--features', type=int, default=2048)
  parser.add_argument('--pictures', type=int, default=8, help='pictures a network takes at a time')
  parser.add_argument('--only', default='', help=f'some of {",".join((*SCORES, *NETWORKS))}')
  parser.add_argument('--reference', default=sys.executable, help="the other side's Python")
  parser.add_argument('--output', type=Path, default=Path('runs/benchmarks/scores.json'))
  given = parser.parse_args(argv)
  names = given.only.split(',') if given.only else [*SCORES, *NETWORKS]
  unknown = [name for name in names if name not in (*SCORES, *NETWORKS)]
  if unknown:
    parser.error(f'unknown {unknown[0]!r}; there are: {", ".join((*SCORES, *NETWORKS))}')
  rows, failed = [], False
  print('| row | side | values | seconds | CPU seconds | MiB |\n|---|---|---|---|---|---|')
  for name in names:
    for side, python in (('ours', sys.executable), ('theirs', given.reference)):
      worker = Worker('benchmarks.sides.scores', side, python=python)
      try:
        if name in NETWORKS:
          network, size = NETWORKS[name]
          found = worker('features', name=network, count=given.pictures, side=size)
        else:
          found = worker('score', name=name, count=given.count, features=given.features)
      except Failed as error:
        print(f'| {name} | {side} | {error} | | | |', flush=True)
        failed = True
        continue
      finally:
        worker.close()
      values = ', '.join(f'{k} {v:.7g}' for k, v in found['values'].items())
      print(
        f'| {name} | {side} | {values} | {found["seconds"]:.2f} | {found["cpu"]:.2f} '
        f'| {found["mib"]:.0f} |',
        flush=True,
      )
      rows.append({'row': name, 'side': side, **found})
  given.output.parent.mkdir(parents=True, exist_ok=True)
  given.output.write_text(json.dumps(rows, indent=1))
  return int(failed)


if __name__ == '__main__':
  sys.exit(main())

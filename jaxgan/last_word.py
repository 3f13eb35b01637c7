"""What a run says at its end: its scores, what it has written, and what to do with it."""

from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from jaxgan import health, progress


def lines(workdir: Path, config: ConfigDict, summary: dict[str, Any]) -> list[str]:
  """What was written, and what to run next."""
  known = {
    'modes.gif': 'samples, discriminator and gradients over time',
    'grid.png': 'samples, one row a class',
    'truncation.png': 'variety against fidelity',
    'interpolation.png': 'from latent to latent',
    'translations.png': 'held-out pictures: input, output, target',
    'samples': 'the same latents, or inputs, over time',
    'sweep.png': 'scores against the swept numbers',
    'sweep.json': 'scores of every run',
    'runs': 'pictures and health of every run',
    'curves.png': 'losses and scores',
    'health.json': 'what every look at its health saw',
    'metrics.jsonl': 'one JSON line a logged step',
    'config.json': 'the config',
    'checkpoints': 'to go on from, and to sample from',
  }
  written = [(name, text) for name, text in known.items() if (workdir / name).exists()]
  done = summary['step'] >= config.total_steps
  head = f'{"trained" if done else "stopped"} at step {summary["step"]:,} after {progress.duration(summary["seconds"])}'
  points = ' --format=npz' * (config.data.source == 'points')  # which make no picture
  scores = [(name, f'{value:.4g}') for name, value in sorted(summary['scores'].items())]
  looks = health.read(workdir / 'health.json')
  if looks and looks[-1]['step'] == summary['step']:  # not of a run that has gone on unseen
    scores.append(('health', str(health.of(looks[-1]))))
  if judged := health.tally((workdir / 'runs').glob('*/health.json')):
    scores.append(('health of the runs', judged))
  more = ('more samples', f'python -m jaxgan.sample --workdir={workdir}{points}')
  if 'translations' in config.evaluators:
    folders = '--input=FOLDER --output=FOLDER'
    more = ('your pictures', f'python -m jaxgan.translate --workdir={workdir} {folders}')
  following = [
    more,
    ('curves', f'tensorboard --logdir={workdir}'),
  ]
  return [
    '',
    head,
    *progress.table(scores),
    f'written to {workdir}/',
    *progress.table(written),
    'next',
    *progress.table(following),
    '',
  ]

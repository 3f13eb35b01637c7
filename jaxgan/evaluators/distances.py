"""Scores of the samples by distances between features: Frechet, kernel, precision and recall, and so on.

What the evaluate command says of a checkpoint, while the run goes on; the records with their stamps are in
scores.jsonl.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan import measures, plots, progress, scores, scoring
from jaxgan.evaluators import Evaluate, NotApplicable, Run, drawer

BATCH = 256  # samples drawn at a time


def make(
  run: Run,
  metrics: Sequence[str] = tuple(scoring.DEFAULT),
  features: str = 'auto',
  samples: int = 2048,
  k: int = 5,
  held_out: str = '',
) -> Evaluate:
  """Scores samples of averaged weights against the data of the run; the scores are named as the metrics.

  Args:
    run: its game must have predict 'sample'.
    metrics: some of `measures.METRICS`.
    features: name of the network, see `scoring.extractor_of`.
    samples: generated, and real ones at most.
    k: neighbour of precision, recall, density and coverage.
    held_out: part of the data that training does not see, as in data.split, for the metrics that need it.

  Raises:
    NotApplicable: the game draws no samples, or the data are no pictures.
    ConfigError: an unknown metric or network, or weights that are missing.
  """
  if 'sample' not in run.game.predict or not run.dataset.pictures:
    raise NotApplicable('no samples, or no pictures to compare them with')
  measures.check(metrics)
  draw = drawer(run.game, BATCH)
  ready: list[tuple[scoring.Judge, np.ndarray]] = []

  def evaluate(step: int, players: Mapping[str, Any], final: bool) -> dict[str, float]:
    if not ready:  # the classifier is trained, or the weights read, at the first look
      reference = scoring.of_dataset(run.dataset, run.config['data']['split'])
      unseen = scoring.of_dataset(run.part(held_out), held_out) if held_out and run.part else None
      made = scoring.Judge(
        reference, features, metrics, samples, k, run.seed, run.cache_dir, unseen
      )
      labels = np.random.default_rng(run.seed).choice(reference.labels, samples)
      ready.append((made, labels.astype(np.int32)))
      progress.say(f'  distances: features of {made.extractor.name}')
    judge, labels = ready[0]
    images = draw(players, labels, run.seed)
    if not np.isfinite(images).all():
      return {}  # nothing can be said of them
    records = judge(
      plots.to_uint8(images)[..., : images.shape[-1]],
      labels=labels,
      classes=run.dataset.class_names if run.game.conditional else (),
      **scores.of_run(run.config),
    )
    with (run.workdir / 'scores.jsonl').open('a') as file:
      for record in records:
        file.write(json.dumps({'step': step, **json.loads(scores.to_json(record))}) + '\n')
    return {record.stamp.metric: record.value for record in records}

  return evaluate

"""Scores of the samples by distances between features: Frechet, kernel, precision and recall, and so on.

What the evaluate command says of a checkpoint, while the run goes on; the records with their stamps are in
scores.jsonl.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan import measures, plots, progress, scores, scoring
from jaxgan.evaluators import Evaluate, NotApplicable, Run, drawer
from jaxgan.evaluators.health import check_held_out

BATCH = 256  # samples drawn at a time


def make(
  run: Run,
  metrics: Sequence[str] = tuple(scoring.DEFAULT),
  features: str = 'auto',
  samples: int = 2048,
  k: int = 5,
  held_out: str = '',
  seed: int = 0,
) -> Evaluate:
  """Scores samples of averaged weights against the data of the run; the scores are named as the metrics.

  Args:
    run: its game must have predict 'sample'.
    metrics: some of `measures.METRICS`.
    features: name of the network, see `scoring.extractor_of`.
    samples: generated, and real ones at most.
    k: neighbour of precision, recall, density and coverage.
    held_out: part of the data that training does not see, as in data.split, for the metrics that need it.
    seed: of the latents and of the choice of real pictures; not the run's, for runs of two seeds are to be
      compared.

  Raises:
    NotApplicable: the game draws no samples, or the data are no pictures.
    ValueError: held-out pictures that are trained on.
    ConfigError: an unknown metric or network, one that does not fit the data, or weights that are missing.
  """
  if 'sample' not in run.game.predict or not run.dataset.pictures:
    raise NotApplicable('no samples, or no pictures to compare them with')
  part, split = run.part, run.config['data']['split']
  measures.check(metrics, bool(held_out and part))
  if held_out and part:
    check_held_out(split, held_out, lambda name: part(name).size)
  draw = drawer(run.game, BATCH)
  reference = scoring.of_dataset(run.dataset, split)
  unseen = scoring.of_dataset(part(held_out), held_out) if held_out and part else None
  classes = tuple(run.dataset.class_names) if run.game.conditional else ()
  labels = np.random.default_rng(seed).choice(reference.labels, samples).astype(np.int32)
  blank = np.broadcast_to(np.uint8(0), (samples, *run.dataset.image_shape))
  like = measures.Pictures('samples', '', blank, labels, classes)
  judge = scoring.Judge(
    reference, features, metrics, samples, k, seed, run.cache_dir, unseen, expected=like
  )

  def evaluate(step: int, players: Mapping[str, Any], final: bool) -> dict[str, float]:
    if 'extractor' not in vars(judge):
      progress.say(f'  distances: features of {judge.extractor.name}')
    images = draw(players, labels, seed)
    if not np.isfinite(images).all():
      return {}  # nothing can be said of them
    records = judge(
      plots.to_uint8(images)[..., : images.shape[-1]],
      labels=labels,
      classes=classes,
      step=step,
      **scores.of_run(run.config),
    )
    scores.append(run.workdir / 'scores.jsonl', records)
    return {record.stamp.metric: record.value for record in records}

  return evaluate

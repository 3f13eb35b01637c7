"""Classification accuracy score: what a classifier that saw samples only knows of real pictures."""

from typing import Any

import numpy as np

from jaxgan.metrics import classifier


def classification_accuracy_score(
  fake: Any,
  fake_labels: Any,
  real: Any,
  real_labels: Any,
  num_classes: int,
  seed: int = 0,
  **settings: Any,
) -> dict[str, Any]:
  """Trains a classifier on samples and tests it on real pictures.

    CAS = mean_i [ h(x_i) = y_i ],  h trained on generated pairs of picture and class

  It falls with whatever the samples lack, wrong classes and missing variety alike. Compare with
  the score of as many real training pictures, which is the best there is.

  Args:
    fake: uint8 [N, H, W, C], samples.
    fake_labels: integers [N], the classes asked for.
    real: uint8 [M, H, W, C] that the generator was not trained on.
    real_labels: integers [M].
    num_classes: how many there are.
    seed, settings: of `classifier.train`.

  Returns:
    'accuracy' in [0, 1], and 'per_class', float64 [num_classes], nan where no real picture is of it.

  Raises:
    ClassifierError: pictures or labels that cannot be learnt from.
    ValueError: real pictures of another shape.

  Source: Ravuri, Vinyals 2019, arXiv 1905.10887, with the small classifier of `jaxgan.metrics.classifier`
  for their ResNet-50: numbers compare with each other, not with the paper's.
  """
  real, real_labels = np.asarray(real), np.asarray(real_labels)
  if real.shape[1:] != np.shape(fake)[1:] or real_labels.shape != real.shape[:1] or not len(real):
    raise ValueError(
      f'real pictures {real.shape} with {real_labels.shape} labels; expected the shape of the samples, '
      f'{np.shape(fake)}, and one label each'
    )
  judge = classifier.train(fake, fake_labels, num_classes, seed, **settings)
  right = classifier.predict(judge, real) == real_labels
  counts = np.bincount(real_labels, minlength=num_classes)
  with np.errstate(invalid='ignore'):
    per_class = np.bincount(real_labels, right, minlength=num_classes) / counts
  return {'accuracy': float(right.mean()), 'per_class': per_class}

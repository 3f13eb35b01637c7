"""The features of a classifier trained on the reference set itself: for faces of 16 pixels, emoji, digits.

ImageNet features mean little there. Its name holds the accuracy, and its hash is that of its weights, so
that scores by differently trained classifiers never compare. It is the same whatever the number of cores
and the accelerator (`classifier.train`); another kind of processor or another release of jaxlib may round
differently. Copy the classifier's cache then, or take another network.
"""

import hashlib
from typing import Any

import jax
import numpy as np

from jaxgan.metrics import classifier
from jaxgan.metrics.features import Extractor


def load(
  images: Any, labels: Any, num_classes: int, cache_dir: Any, seed: int = 0, **settings: Any
) -> Extractor:
  """The extractor of a data set, trained once and then read from the cache.

  Args:
    images: uint8 [N, H, W, C] of the reference set.
    labels: integers [N].
    num_classes, cache_dir, seed, settings: as for `classifier.cached`.

  Raises:
    ClassifierError: pictures or labels that cannot be learnt from.
  """
  images = np.asarray(images)
  trained = classifier.cached(images, labels, num_classes, cache_dir, seed, **settings)
  digest = hashlib.sha256()
  for name, leaf in sorted(trained.params.items()):
    digest.update(name.encode())
    digest.update(np.ascontiguousarray(leaf).data)
  taps = {'features': classifier.FEATURES, 'logits': num_classes}
  name = f'classifier_{trained.accuracy:.4f}'
  channels = images.shape[-1]

  def apply(params: Any, x: jax.Array) -> dict[str, jax.Array]:
    return dict(zip(taps, classifier.forward(params, x[..., :channels])))

  return Extractor(name, digest.hexdigest(), 'none', taps, 'features', apply, trained.params)

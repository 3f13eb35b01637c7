"""Every score gets worse with blur, noise, dropped modes and copying, as its paper says, on real pictures."""

import numpy as np
import pytest
from scipy import ndimage

from jaxgan import datasets, metrics
from jaxgan.metrics import classifier
from jaxgan.metrics.class_accuracy import classification_accuracy_score

SIZE = 500


@pytest.fixture(scope='module')
def pictures():
  """(classifier of Fashion-MNIST, pictures it learnt from, unseen ones, unseen ones that are 'samples')."""
  data = datasets.load('embedded', 'fashion_mnist_10k')
  chosen = np.random.default_rng(0).permutation(data.size)[: 5 * SIZE]
  some = data.fetch(chosen)
  judge = classifier.train(some['image'][: 3 * SIZE], some['label'][: 3 * SIZE], 10, steps=80)
  parts = [
    (some['image'][i : i + SIZE], some['label'][i : i + SIZE])
    for i in range(2 * SIZE, 5 * SIZE, SIZE)
  ]
  return judge, *parts


def bytes_of(x):
  return np.clip(np.round(x), 0, 255).astype(np.uint8)


def blurred(images, amount):
  return bytes_of(ndimage.gaussian_filter(images.astype(float), (0, amount, amount, 0)))


def noisy(images, amount):
  noise = np.random.default_rng(1).normal(size=images.shape)
  return bytes_of(images + amount * noise)


def dropped(images, labels, kept):
  """As many samples, of the first classes only."""
  among = np.flatnonzero(labels < kept)
  return np.random.default_rng(2).choice(among, len(images))


@pytest.fixture(scope='module')
def scores(pictures):
  """Damage -> [its scores, from none to much]."""
  judge, (train, _), (real, real_labels), (fake, labels) = pictures
  look = lambda images: classifier.features(judge, images)
  reference, learnt = look(real), look(train)
  moments = metrics.moments(reference)

  def score(images, its_labels):
    x = look(images)
    head = classifier._logits(judge.params, x)
    near, closed = metrics.prdc(reference, x), metrics.precision_recall(reference, x)
    memory = metrics.memorisation(learnt, reference, x)
    return {
      'frechet': metrics.frechet_distance(*metrics.moments(x)[:2], *moments[:2]),
      'kernel': metrics.kernel_distance(x, reference, subsets=10, subset_size=250).mean,
      'rbf': metrics.kernel_distance(x, reference, 'rbf', subsets=10, subset_size=250).mean,
      'sliced': metrics.sliced_wasserstein(x, reference, 128),
      'inception': metrics.inception_score(head, 2).mean,
      'precision': float(closed['precision']),
      'recall': float(closed['recall']),
      'density': float(near['density']),
      'coverage': float(near['coverage']),
      'c_t': memory['c_t'],
      'nearer': memory['nearer'],
      'copied': memory['copied'],
      'intra': metrics.intra_class_frechet(reference, real_labels, x, its_labels)[0]
      if len(np.unique(its_labels)) == 10
      else np.nan,
    }

  none = score(fake, labels)
  drops = [dropped(fake, labels, kept) for kept in (6, 2)]
  share = lambda part: np.concatenate([train[: int(part * SIZE)], fake[int(part * SIZE) :]])
  return {
    'blur': [none] + [score(blurred(fake, a), labels) for a in (0.7, 1.5)],
    'noise': [none] + [score(noisy(fake, a), labels) for a in (25, 80)],
    'drop': [none] + [score(fake[i], labels[i]) for i in drops],
    'copy': [none] + [score(share(part), labels) for part in (0.5, 1.0)],
    'labels': [none, score(fake, np.where(labels < 5, labels, np.roll(labels, 1)))],
  }


WORSE = {1: np.greater, -1: np.less}


@pytest.mark.parametrize(
  'damage, name, sign',
  [
    *[(d, n, 1) for d in ('blur', 'noise', 'drop') for n in ('frechet', 'kernel', 'rbf', 'sliced')],
    *[('noise', n, -1) for n in ('precision', 'density', 'coverage')],
    ('blur', 'coverage', -1),
    *[('drop', n, -1) for n in ('recall', 'coverage', 'inception')],
    ('noise', 'inception', -1),
    ('blur', 'intra', 1),
    ('noise', 'intra', 1),
    ('labels', 'intra', 1),
    ('copy', 'c_t', -1),
    ('copy', 'nearer', 1),
    ('copy', 'copied', 1),
    ('noise', 'c_t', 1),
  ],
)
def test_gets_worse(scores, damage, name, sign):
  found = np.array([step[name] for step in scores[damage]])
  assert np.all(WORSE[sign](found[1:], found[:-1])), found


@pytest.mark.parametrize('name, sign', [('precision', -1), ('density', -1), ('c_t', 1)])
def test_gets_worse_with_strong_blur(scores, name, sign):
  """A slight one makes pictures more like the mean, which is in the midst of the others' balls."""
  first, _, last = (step[name] for step in scores['blur'])
  assert WORSE[sign](last, first)


def test_what_does_not_see_a_damage_is_known(scores):
  """Frechet distance and precision take copies for the best of samples; precision likes few modes."""
  first, last = scores['copy'][0], scores['copy'][-1]
  assert last['frechet'] < 2 * first['frechet'] and last['precision'] > first['precision'] - 0.1
  assert scores['drop'][-1]['precision'] > scores['drop'][0]['precision'] - 0.1


def test_diversity_and_patches(pictures):
  _, _, (real, _), (fake, labels) = pictures
  pad = lambda x: np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)])
  unit = lambda x: pad(x) / 127.5 - 1
  one_class = fake[dropped(fake, labels, 1)]
  diversity = [
    metrics.ms_ssim_diversity(unit(x), pairs=128).mean
    for x in (fake, one_class, fake[:1].repeat(9, 0))
  ]
  assert diversity[0] < diversity[1] < diversity[2]
  for damage, amounts in ((blurred, (1, 2)), (noisy, (20, 60))):
    worse = [fake, *(damage(fake, amount) for amount in amounts)]
    swd = [metrics.patch_swd(pad(real)[:200], pad(x)[:200], 32)['swd'] for x in worse]
    assert swd[0] < swd[1] < swd[2]
    alike = [float(np.mean(metrics.ssim(unit(fake[:99]), unit(x[:99])))) for x in worse]
    assert alike[0] > alike[1] > alike[2]


@pytest.mark.slow
def test_classification_accuracy_score(pictures):
  _, _, (real, real_labels), (fake, labels) = pictures
  score = lambda x, y: classification_accuracy_score(
    x, y, real, real_labels, 10, steps=60, batch_size=48
  )
  whole, few = score(fake, labels), dropped(fake, labels, 4)
  wrong = np.where(np.arange(SIZE) % 2, labels, np.random.default_rng(3).permutation(labels))
  assert whole['accuracy'] > 0.6
  of_few = score(fake[few], labels[few])
  assert of_few['accuracy'] < 0.5 and np.all(of_few['per_class'][4:] == 0)
  assert score(fake, wrong)['accuracy'] < whole['accuracy']
  weights = np.bincount(real_labels, minlength=10) / SIZE
  assert whole['per_class'] @ weights == pytest.approx(whole['accuracy'])
  with pytest.raises(ValueError, match='expected the shape'):
    classification_accuracy_score(fake, labels, real[:, 1:], real_labels, 10)

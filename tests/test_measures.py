"""The table of metrics: intervals that hold what they say, and one line where a metric does not apply."""

from functools import partial

import numpy as np
import pytest

from jaxgan import measures
from jaxgan.config import ConfigError
from jaxgan.measures import Pictures, Seen, Sides
from jaxgan.metrics import classifier

NAMES = ('a', 'b')


def side(features, labels=None, classes=(), images=None, **more):
  """Pictures of which a network says these features."""
  n = len(features)
  images = np.zeros((n, 4, 4, 1), np.uint8) if images is None else images
  labels = np.zeros(n, int) if labels is None else labels
  found = {'features': np.asarray(features, np.float32), **more}
  return Seen(Pictures('drawn', 'train', images, labels, classes), lambda _: found)


def sides(real, fake, **more):
  return Sides(real, fake, real, **more)


def cubic_distance(m):
  """E k(x, x') + E k(y, y') - 2 E k(x, y), k = (x.y / d + 1)^3, of x ~ N(0, 1) and y ~ N(m, 1)."""
  d, s = len(m), m @ m
  within = 1 + 3 * s / d + 3 * (d + 2 * s + s * s) / d**2
  within += (s**3 + 3 * s * s + 3 * s * (s + d + 2)) / d**3
  return (1 + 3 / d) + within - 2 * (1 + 3 * (d + s) / d**2)


def test_intervals_hold_the_truth_in_nineteen_of_twenty_cases(monkeypatch):
  monkeypatch.setattr(measures, 'SUBSETS', 1)  # they tell the standard error, which is not asked
  names, draws, m = ('frechet_distance', 'kernel_distance', 'precision', 'recall'), 60, np.ones(2)
  rng, held = np.random.default_rng(0), []
  for i in range(draws):
    x, y = rng.normal(size=(2, 200, 2)) + np.array([0, 1])[:, None, None]
    held.append(measures.measure(names, sides(side(x), side(y)), 30, i))
  of = lambda name: np.array([found[name].value for found in held])
  truths = {
    name: of(name).mean() for name in names[2:]
  }  # k-NN scores depend on the number of points
  truths |= {'frechet_distance': m @ m, 'kernel_distance': cubic_distance(m)}
  assert of('kernel_distance').mean() == pytest.approx(truths['kernel_distance'], rel=0.1)
  for name, truth in truths.items():
    ends = np.array([found[name].interval for found in held])
    inside = np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    assert inside >= 0.85, name  # 51 of 60: 57 expected, 1.7 the deviation
    wide = np.mean(ends[:, 1] - ends[:, 0]) / (2 * measures.SURE * of(name).std())
    assert 0.65 < wide < 1.5, name


def test_an_interval_by_hand():
  low, high = measures.interval(5.0, [1.0, 2.0, 3.0])  # the deviation is 1
  assert (low, high) == pytest.approx((5 - 1.959964, 5 + 1.959964))
  assert measures.interval(0.9, [0.0, 1.0], (0, 1))[1] == 1.0


def test_halves_have_no_twins_and_as_many_of_each_class():
  labels = np.repeat([0, 1, 2], [10, 20, 5])
  whole = side(np.arange(35)[:, None], labels)
  half = whole.half(np.random.default_rng(0), True)
  assert len(set(half.features[:, 0])) == len(half.features) == 18
  assert set(np.bincount(half.pictures.labels) - [5, 10, 2]) <= {0, 1}
  np.testing.assert_array_equal(half.pictures.labels, labels[half.features[:, 0].astype(int)])
  again = whole.half(np.random.default_rng(1), False)
  assert len(again.features) == 18 and set(again.features[:, 0]) != set(half.features[:, 0])


def test_nothing_is_looked_at_before_a_metric_asks():
  def look(images):
    raise AssertionError('looked')

  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (12, 16, 16, 3)).astype(np.uint8)
  blind = Seen(Pictures('p', '', images, np.zeros(12, int)), look)
  found = measures.measure(('ms_ssim_diversity', 'patch_swd'), sides(blind, blind), 3)
  low, high = found['patch_swd'].interval
  assert low < found['patch_swd'].value < high and found['ms_ssim_diversity'].value < 0.1
  with pytest.raises(AssertionError, match='looked'):
    measures.measure(('frechet_distance',), sides(blind, blind))


def test_every_metric_of_the_table_on_classes_of_pictures(monkeypatch):
  monkeypatch.setattr(classifier, 'train', partial(classifier.train, steps=40, batch_size=32))
  rng, labels = np.random.default_rng(0), np.arange(120) % 2
  draw = lambda: (rng.integers(0, 90, (120, 16, 16, 1)) + 150 * labels[:, None, None, None]).astype(
    np.uint8
  )

  def seen():
    images = draw()
    features = images.reshape(120, -1)[:, :6] / 60
    return side(features, labels, NAMES, images, logits=np.eye(2)[labels] * 9)

  given = sides(seen(), seen(), held_out=seen(), k=3)
  found = measures.measure(list(measures.METRICS), given, 4)
  assert list(found) == list(measures.METRICS)
  assert all(np.isfinite(one.value) for one in found.values())
  without = {'memorisation', 'copied', 'classification_accuracy_score'}
  assert {name for name, one in found.items() if one.interval is None} == without
  for name in {*found} - without:
    low, high = found[name].interval
    assert low <= found[name].value <= high, name
  assert found['inception_score'].value == pytest.approx(2, abs=0.1)
  assert found['classification_accuracy_score'].value > 0.95
  assert abs(found['memorisation'].value) < 4 and found['copied'].value < 0.2
  copies = given._replace(fake=given.train)
  bad = measures.measure(('memorisation', 'copied'), copies)
  assert bad['memorisation'].value < -8 and bad['copied'].value == 1
  told = {name: metric.settings(given) for name, metric in measures.METRICS.items()}
  assert told['copied'] == {
    'held_out': 'drawn train',
    'held_out_count': 120,
    'train': 'drawn',
    'train_count': 120,
  }
  assert told['recall'] == {'k': 3} and told['ms_ssim_diversity']['within_class']


POINTS = np.random.default_rng(0).normal(size=(20, 3))


@pytest.mark.parametrize(
  'name, given, says',
  [
    ('fid', sides(side(POINTS), side(POINTS)), "no metric 'fid'"),
    ('memorisation', sides(side(POINTS), side(POINTS)), 'give --held_out='),
    ('intra_class_frechet', sides(side(POINTS), side(POINTS)), 'samples have none, the reference'),
    (
      'intra_class_frechet',
      sides(side(POINTS, np.arange(20) % 2, NAMES), side(POINTS, None, ('b', 'a'))),
      r'samples have 2 \(b, a\.\.\.\)',
    ),
    (
      'intra_class_frechet',
      sides(side(POINTS, np.arange(20) % 2, NAMES), side(POINTS, None, NAMES)),
      'class 1 has 10 real and 0 generated',
    ),
    ('inception_score', sides(side(POINTS), side(POINTS)), 'needs logits'),
    ('sliced_wasserstein', sides(side(POINTS), side(POINTS[:1])), '1 samples .* 2 needed'),
    ('recall', sides(side(POINTS), side(POINTS), k=12), 'of a half: k=12 neighbours'),
  ],
)
def test_what_does_not_apply_is_one_line(name, given, says):
  with pytest.raises(ConfigError, match=says) as error:
    measures.check([name])
    measures.measure([name], given, 2)
  assert '\n' not in str(error.value) and name in str(error.value)

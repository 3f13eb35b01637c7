"""What translations are measured on, and what does not fit; `tests/test_translate.py` has the scores."""

from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from PIL import Image

from jaxgan import config as configs
from jaxgan.datasets import DataError, Dataset, pictures, unpaired
from jaxgan.datasets.dataset import from_arrays, turned
from jaxgan.evaluators import Run, translations
from jaxgan.games.translation import cycle, paired
from tests.games.test_translation import Discriminator, Generator
from tests.test_translate import PAIRS, Scale, data, without_perceptual_distance


@pytest.mark.parametrize(
  'there, told',
  [
    (('val', 'test'), ''),
    (('test',), 'measured on test: no val'),
    ((), 'measured on the training pictures: no val'),
  ],
)
def test_what_is_measured_where_nothing_is_held_out(there, told, capsys):
  parts = {name: data(3) for name in there}

  def part(split):
    if split not in parts:
      raise DataError(f'no {split}')
    return parts[split]

  run = Run(paired(Generator(), Discriminator()), PAIRS, Path(), None, part=part)
  found = translations.measured_on(run, 'val')
  assert found is (parts[there[0]] if there else PAIRS)
  assert capsys.readouterr().err.strip() == f'translations: {told}' * bool(told)


def test_two_domains_without_a_judge_have_no_baselines_to_tell(tmp_path, capsys):
  game = cycle(Scale(), Discriminator(), pool=0)
  for paired_, said in ((False, 0), (True, 2)):
    domains = () if paired_ else (PAIRS.size, PAIRS.size)
    run = Run(game, PAIRS._replace(domains=domains), tmp_path, None)
    translations.make(run, held_out='')
    assert capsys.readouterr().err.count(' scores ') == said


def test_pictures_of_the_smaller_domain_count_once(tmp_path, monkeypatch):
  """Every picture has one value; of A there are three, of B thirty."""

  def side(name, values):
    image = np.stack([np.full((16, 16, 3), v, np.uint8) for v in values])
    arrays = {'image': image, 'label': np.asarray(values, np.int32)}
    return from_arrays(name, arrays, tuple(map(str, range(60))), '')

  forth = unpaired.together('two', side('A', range(3)), side('B', range(20, 50)))
  values = lambda images: sorted(images[:, 0, 0, 0])
  seen = []
  monkeypatch.setattr(translations.classifier, 'cached', lambda *given: seen.append(given))
  monkeypatch.setattr(translations.classifier, 'features', lambda network, images: images)
  run = Run(cycle(Scale(), Discriminator(), pool=0), forth, tmp_path, None)
  for found, sides in (
    (forth, (range(3), range(20, 50))),
    (turned(forth), (range(20, 50), range(3))),
  ):
    judge = translations.Judge(found, str(tmp_path), 0)
    images, labels = seen[-1][:2]
    assert [values(judge.domains[d]) for d in 'AB'] == [list(s) for s in sides]
    np.testing.assert_array_equal(images[:, 0, 0, 0], labels % 60)
    for direction, (first, second) in (('AtoB', sides), ('BtoA', sides[::-1])):
      way = translations.Way(run, found, direction, 64, None)
      assert values(way.inputs) == list(first) and values(way.targets) == list(second)
      np.testing.assert_array_equal(way.inputs[:, 0, 0, 0], way.label)


def test_own_pairs_go_from_left_to_right():
  own, facades = (configs.load(f'pix2pix:{v}') for v in ('folder', 'facades'))
  assert (own.data.direction, facades.data.direction) == ('AtoB', 'BtoA')
  assert configs.difference(own.to_dict(), facades.to_dict()) == [
    "data.direction: 'AtoB' -> 'BtoA'"
  ]


def test_what_does_not_fit():
  game = paired(Generator(), Discriminator())
  run = Run(game, PAIRS._replace(size=9), Path(), None)
  off = '18 and 4; --config.evaluators.translations.judge=False leaves it out'
  with pytest.raises(ValueError, match=off):
    translations.make(run, judge=True)
  with pytest.raises(ValueError, match='can score but not translate'):
    translations.make(Run(game._replace(predict={'score': None}), PAIRS, Path(), None))


def test_super_resolution_is_measured_against_the_bicubic_enlargement(tmp_path, monkeypatch):
  """A translator that repeats pixels; sheets show the input as large as the output."""
  without_perceptual_distance(monkeypatch)

  class Repeat(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
      by = self.param('by', nn.initializers.ones_init(), ())
      return by * x.repeat(4, 1).repeat(4, 2)

  large = PAIRS.arrays['image']
  small = pictures.scaled(large, (4, 4))
  fetch = lambda i: {'image': small[i], 'target': large[i], 'label': np.zeros(len(i), np.int32)}
  enlarged = Dataset('enlarged', len(large), (4, 4, 3), (), fetch, None, '')
  sheets = []
  writer = SimpleNamespace(write_images=lambda step, images: sheets.append(images['samples']))
  game = paired(Repeat(), Discriminator(), conditional=False, noise=False)
  players = {'generator': {'params': {'by': jnp.array(1.0)}}}
  scores = translations.make(Run(game, enlarged, tmp_path, writer), held_out='', rows=2)(
    1, players, False
  )
  error = lambda x: np.abs(x / 127.5 - large / 127.5).mean()
  np.testing.assert_allclose(scores['l1'], error(small.repeat(4, 1).repeat(4, 2)), rtol=1e-5)
  bicubic = np.stack([Image.fromarray(x).resize((16, 16), Image.Resampling.BICUBIC) for x in small])
  np.testing.assert_allclose(scores['l1_below_copy'], 1 - scores['l1'] / error(bicubic), atol=1e-6)
  assert sheets[0].ndim == 4

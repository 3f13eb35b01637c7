"""What translations are measured on, and what does not fit; `tests/test_translate.py` has the scores."""

from pathlib import Path

import pytest

from jaxgan import config as configs
from jaxgan.datasets import DataError
from jaxgan.evaluators import Run, translations
from jaxgan.games.translation import cycle, paired
from tests.games.test_translation import Discriminator, Generator
from tests.test_translate import PAIRS, Scale, data


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

"""The names of the penalties, as configs and games use them."""

import inspect

import pytest

from jaxgan import penalties
from jaxgan.games import penalising

SUPPLIED = {*penalising.SUPPLIED['generator'], *penalising.SUPPLIED['discriminator']}


@pytest.mark.parametrize('name', penalties.__all__)
def test_a_game_supplies_what_has_no_default(name):
  penalty = penalties.find(name)
  assert penalty is getattr(penalties, name) and penalty.__name__ == name
  for argument, parameter in inspect.signature(penalty).parameters.items():
    assert (argument in SUPPLIED) == (parameter.default is parameter.empty)


def test_an_unknown_name_answers_with_the_list_and_the_nearest():
  with pytest.raises(ValueError, match=r"unknown penalty 'draggan'; did you mean 'dragan'\?$"):
    penalties.find('draggan')
  with pytest.raises(ValueError, match=r"'lecam_means'; did you mean 'lecam'"):
    penalties.find('lecam_means')  # a part of one, no penalty
  with pytest.raises(ValueError, match=r"unknown penalty 'xyz'; there are: .*r2$"):
    penalties.find('xyz')

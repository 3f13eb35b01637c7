"""Sums of latents, read and computed; their sheets are tested with the sample command."""

import numpy as np
import pytest

from jaxgan import arithmetic
from jaxgan.errors import UserError


@pytest.mark.parametrize(
  'expression, found',
  [
    ('0+1-2', [(1, (0,)), (1, (1,)), (-1, (2,))]),
    (' (0, 1,2) - 3', [(1, (0, 1, 2)), (-1, (3,))]),
    ('-(4)+70', [(-1, (4,)), (1, (70,))]),
  ],
)
def test_sums_of_latents_are_read(expression, found):
  assert arithmetic.terms(expression) == found


@pytest.mark.parametrize('expression', ['', '0+', '0_1', '(0,1', '0*2', '()', '0,1', '1.5', '²'])
def test_what_is_no_sum_is_told(expression):
  with pytest.raises(UserError, match='expected a sum of numbers of pictures'):
    arithmetic.terms(expression)


def test_latents_are_added_as_the_sum_says():
  z = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
  found = arithmetic.combine(z, arithmetic.terms('(0,1)-2+(3,4,5)'))
  expected = (z[0] + z[1]) / 2 - z[2] + (z[3] + z[4] + z[5]) / 3
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  assert found.dtype == np.float32

"""What a run says at its end."""

import pytest

from jaxgan import config as configs
from jaxgan import health, last_word


def said(folder, config='gan', step=1000):
  summary = {'step': step, 'seconds': 1.0, 'scores': {}}
  return '\n'.join(last_word.lines(folder, configs.load(config), summary))


@pytest.mark.parametrize('text', ['5', 'null', '{"step": 3}', '[1]', '[{}]', '[{"step": 1000}]'])
def test_a_damaged_health_json_is_passed_over(text, tmp_path):
  (tmp_path / 'health.json').write_text(text)
  assert 'what every look' in said(tmp_path) and 'diverged' not in said(tmp_path)


def test_the_verdict_is_that_of_the_last_step(tmp_path):
  health.close(tmp_path / 'health.json', 1000, 'seen')
  assert 'diverged: seen; try lower learning rates' in said(tmp_path)
  assert 'diverged' not in said(tmp_path, step=2000)  # it has gone on since


def test_points_are_sampled_as_arrays(tmp_path):
  assert f'jaxgan.sample --workdir={tmp_path} --format=npz' in said(tmp_path, 'mixture')
  assert '--format' not in said(tmp_path)

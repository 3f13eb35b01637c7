"""The table of modes: its runs are valid configs, and a run that is there is read and not repeated."""

import json

import pytest

from benchmarks import modes
from jaxgan import train

RUNS = [(table, method) for table, methods in modes.TABLES.items() for method in methods]


@pytest.mark.parametrize('table, method', RUNS)
def test_every_run_is_a_valid_config(table, method):
  config, changes = modes.TABLES[table][method]
  made = modes.prepared(config, changes, 2, ['data.batch_size=32', 'evaluators.modes.every=7'])
  assert made.seed == 2 and made.data.batch_size == 32 and made.evaluators.modes.every == 7


def test_what_is_there_is_read_and_what_diverges_is_counted(tmp_path, monkeypatch, capsys):
  for seed, found in enumerate((5.0, 7.0)):
    folder = tmp_path / 'ring8' / 'gan' / str(seed)
    folder.mkdir(parents=True)
    (folder / 'summary.json').write_text(json.dumps({'modes': found, 'minutes': 0.5}))

  def diverge(config, workdir):
    raise train.TrainingError('not finite')

  monkeypatch.setattr(train, 'train', diverge)
  assert modes.run(['--methods', 'GAN', '--workdir', str(tmp_path)]) == 0
  line = capsys.readouterr().out.splitlines()[-1]
  assert line == '| GAN (1 diverged) | 6 ± 1.4 |  |  |  | 0.5 ± 0 |'


def test_another_setting_is_another_run(tmp_path, monkeypatch, capsys):
  steps = lambda config, folder: {'step': config.total_steps, 'seconds': 0, 'scores': {'modes': config.total_steps}}  # fmt: skip
  monkeypatch.setattr(train, 'train', lambda config, folder: folder.mkdir(parents=True) or steps(config, folder))  # fmt: skip
  for given in ('7', '9', '7'):
    words = ['--methods', 'GAN', '--seeds', '1', '--workdir', str(tmp_path)]
    assert modes.run([*words, '--set', f'total_steps={given}']) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f'| GAN | {given} |')
  assert len(list(tmp_path.glob('ring8/*/0/summary.json'))) == 2


@pytest.mark.parametrize('words', [['--set', 'total_steps'], ['--seeds', '0']])
def test_wrong_words_are_one_line(words, tmp_path, capsys):
  assert modes.run([*words, '--workdir', str(tmp_path)]) == 2
  told = capsys.readouterr().err
  assert words[0] in told and 'expected' in told and len(told.splitlines()) == 1


def test_an_unknown_method_is_one_line(tmp_path, capsys):
  assert modes.run(['--methods', 'gan', '--workdir', str(tmp_path)]) == 2
  assert 'there are: GAN' in capsys.readouterr().err

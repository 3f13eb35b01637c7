"""The notebooks: every one runs from top to bottom, and is committed without what it printed."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import jaxgan

NOTEBOOKS = sorted((Path(__file__).parents[1] / 'notebooks').glob('*.ipynb'))
QUICK = ('losses_as_functions',)  # the others take half a minute each


def test_there_are_notebooks():
  assert NOTEBOOKS


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_is_committed_without_outputs(path):
  notebook = nbformat.read(path, as_version=4)
  nbformat.validate(notebook)
  code = [cell for cell in notebook.cells if cell.cell_type == 'code']
  assert code
  for cell in code:
    assert not cell.outputs and cell.execution_count is None


@pytest.mark.parametrize(
  'path',
  [pytest.param(path, marks=() if path.stem in QUICK else pytest.mark.slow) for path in NOTEBOOKS],
  ids=lambda path: path.stem,
)
def test_runs_with_two_steps(path, tmp_path, monkeypatch):
  places = [str(Path(jaxgan.__file__).parents[1]), os.environ.get('PYTHONPATH', '')]
  monkeypatch.setenv('PYTHONPATH', os.pathsep.join(filter(None, places)))
  monkeypatch.setenv('JAXGAN_NB_STEPS', '2')
  notebook = nbformat.read(path, as_version=4)
  client = NotebookClient(
    notebook, timeout=600, kernel_name='python3', resources={'metadata': {'path': str(tmp_path)}}
  )
  client.execute()
  outputs = [o for cell in notebook.cells if cell.cell_type == 'code' for o in cell.outputs]
  pictures = [o for o in outputs if 'image/png' in o.get('data', {})]
  shown = sum(
    cell.source.count('display(') + cell.source.count('plt.show(')
    for cell in notebook.cells
    if cell.cell_type == 'code'
  )
  assert len(pictures) >= shown >= 2  # each of them once at least
  trains = any('train.train(' in cell.source for cell in notebook.cells)
  assert trains == any('checkpoints' in found.name for found in tmp_path.glob('runs/*/*'))


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_commands_name_the_folder_that_the_training_before_them_writes(path):
  for cell in nbformat.read(path, as_version=4).cells:
    trained = re.findall(r'-m jaxgan\.main --config=configs/(\S+)', cell.source)
    written = {f'runs/{config.replace(".py", "").replace(":", "-")}' for config in trained}
    used = set(re.findall(r'-m jaxgan\.\w+ --workdir=(\S+)', cell.source))
    assert not trained or used <= written

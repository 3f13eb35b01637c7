"""Writers: what they write is read back by TensorBoard's own reader and as plain JSON lines."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import types

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import writers


def read_events(folder):
  """TensorBoard's reader over every event file of a folder."""
  # Without this TensorBoard imports tensorflow wherever it is installed.
  sys.modules.setdefault('tensorboard.compat.notf', types.ModuleType('tensorboard.compat.notf'))
  from tensorboard.backend.event_processing import event_accumulator

  everything = {'scalars': 0, 'images': 0, 'histograms': 0, 'tensors': 0}
  return event_accumulator.EventAccumulator(str(folder), everything).Reload()


def lines(workdir):
  return (pathlib.Path(workdir) / 'metrics.jsonl').read_text().splitlines()


def test_scalars_reach_both_files(tmp_path):
  writer = writers.make_writer(tmp_path)
  writer.write_scalars(1, {'loss': jnp.float32(0.5), 'rate': 3})
  writer.write_scalars(2, {'loss': np.float64(0.25), 'bad': float('nan'), 'worse': -np.inf})
  writer.write_scalars(2, {'score': 1234567.25})
  writer.write_scalars(2, {'score': 7.0})  # a shorter line over a longer one
  writer.close()
  assert [json.loads(line) for line in lines(tmp_path)] == [
    {'step': 1, 'loss': 0.5, 'rate': 3.0},
    {'step': 2, 'loss': 0.25, 'bad': 'NaN', 'worse': '-Infinity', 'score': 7.0},
  ]
  rows = writers.scalars(tmp_path)
  assert rows[0] == {'step': 1, 'loss': 0.5, 'rate': 3.0}
  assert np.isnan(rows[1]['bad'])
  assert rows[1]['worse'] == -np.inf
  events = read_events(tmp_path)
  assert [(e.step, e.value) for e in events.Scalars('loss')] == [(1, 0.5), (2, 0.25)]
  assert np.isnan(events.Scalars('bad')[0].value)


def test_images_histograms_texts_and_settings_are_read_back(tmp_path):
  writer = writers.make_writer(tmp_path)
  picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
  writer.write_images(5, {'grid': picture, 'grey': np.linspace(0, 1, 8).reshape(2, 2, 2, 1)})
  writer.write_histograms(5, {'sv': np.asarray([1.0, 2.0, 2.0, np.nan])}, {'sv': 2})
  writer.write_texts(5, {'note': '**bold**'})
  writer.write_hparams({'lr': 1e-3, 'model': {'name': 'biggan', 'deep': False}})
  writer.close()
  events = read_events(tmp_path)
  import io

  found = events.Images('grid')[0]
  assert (found.step, found.width, found.height) == (5, 6, 4)
  assert np.array_equal(np.asarray(Image.open(io.BytesIO(found.encoded_image_string))), picture)
  last = np.asarray(Image.open(io.BytesIO(events.Images('grey/1')[0].encoded_image_string)))
  assert last.tolist() == [[146, 182], [219, 255]]
  histogram = events.Histograms('sv')[0].histogram_value
  assert (histogram.num, histogram.sum, list(histogram.bucket)) == (3, 5.0, [1, 2])
  assert events.Tensors('note')[0].tensor_proto.string_val == [b'**bold**']
  from tensorboard.plugins.hparams import plugin_data_pb2

  metadata = events.SummaryMetadata('_hparams_/session_start_info')
  data = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
  settings = data.session_start_info.hparams
  assert settings['lr'].number_value == 1e-3
  assert settings['model.name'].string_value == 'biggan'
  assert settings['model.deep'].WhichOneof('kind') == 'bool_value'


def test_videos_and_tensors(tmp_path):
  writer = writers.EventWriter(tmp_path)
  writer.write_videos(1, {'walk': np.zeros((3, 4, 5, 3), np.uint8)})
  writer.write_summaries(1, {'raw': np.arange(3.0)})
  with pytest.raises(NotImplementedError, match='no audio'):
    writer.write_audios(1, {}, sample_rate=1)
  writer.close()
  events = read_events(tmp_path)
  assert (events.Images('walk')[0].height, events.Images('walk')[0].width) == (4, 15)
  assert events.Tensors('raw')[0].tensor_proto.tensor_shape.dim[0].size == 3


def test_a_picture_of_a_wrong_shape_is_named(tmp_path):
  writer = writers.EventWriter(tmp_path)
  with pytest.raises(ValueError, match=r"image 'grid' has shape \(4, 6\)"):
    writer.write_images(1, {'grid': np.zeros((4, 6))})


def test_a_resumed_run_repeats_no_step(tmp_path):
  writer = writers.make_writer(tmp_path)
  for step in range(1, 11):
    writer.write_scalars(step, {'loss': step})
  writer.close()
  with (tmp_path / 'metrics.jsonl').open('a') as file:
    file.write('{"step": 11, "lo')  # killed while writing
  assert [row['step'] for row in writers.scalars(tmp_path)] == list(range(1, 11))
  writer = writers.make_writer(tmp_path, resume_step=6)
  assert len(lines(tmp_path)) == 6
  writer.write_scalars(6, {'score': 1})  # belongs to the last line that was kept
  writer.write_scalars(7, {'loss': -7})
  writer.close()
  rows = writers.scalars(tmp_path)
  assert [row['loss'] for row in rows] == [1, 2, 3, 4, 5, 6, -7]
  assert rows[5] == {'step': 6, 'loss': 6, 'score': 1}
  assert len(list(tmp_path.glob('events.out.tfevents.*'))) == 2
  assert [e.value for e in read_events(tmp_path).Scalars('loss')] == [1, 2, 3, 4, 5, 6, -7]


def test_a_new_run_in_an_old_folder_begins_anew(tmp_path):
  for value in (1, 2):
    writer = writers.make_writer(tmp_path)
    writer.write_scalars(1, {'loss': value})
    writer.close()
  assert writers.scalars(tmp_path) == [{'step': 1, 'loss': 2}]
  assert [e.value for e in read_events(tmp_path).Scalars('loss')] == [2]


def test_rows_that_are_not_there(tmp_path):
  assert writers.scalars(tmp_path) == []
  file = tmp_path / 'metrics.jsonl'
  file.write_bytes(b'{"step": 1, "a": 1}\n\xff\xfe\nnull\n[1]\n{"a": 2}\n{"step": 1, "b": "NaN"}\n')
  rows = writers.scalars(file)
  assert [sorted(row) for row in rows] == [['a', 'b', 'step']]


def run_python(source: str, *args) -> subprocess.Popen:
  root = pathlib.Path(__file__).resolve().parent.parent
  path = os.pathsep.join([str(root), os.environ.get('PYTHONPATH', '')])
  return subprocess.Popen(
    [sys.executable, '-c', textwrap.dedent(source), *map(str, args)],
    env={**os.environ, 'PYTHONPATH': path, 'JAX_PLATFORMS': 'cpu'},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def test_neither_clu_nor_tensorboard_brings_tensorflow(tmp_path):
  (tmp_path / 'tensorflow.py').write_text("raise SystemExit('tensorflow was imported')")
  source = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from jaxgan import writers
    assert 'jax' not in sys.modules and 'tensorboard' not in sys.modules
    writer = writers.make_writer(sys.argv[1] + '/run')
    from clu import metric_writers, periodic_actions
    assert isinstance(writer, metric_writers.MetricWriter)
    assert isinstance(metric_writers.SummaryWriter(sys.argv[1] + '/x'), metric_writers.MetricWriter)
    writer.write_scalars(1, {'a': 1.0})
    writer.write_hparams({'b': 2})
    writer.close()
    print(sorted(m for m in sys.modules if m.split('.')[0] == 'tensorflow'))
  """
  out, err = run_python(source, tmp_path).communicate(timeout=120)
  assert out.strip() == '[]', out + err


def test_a_kill_leaves_whole_lines(tmp_path):
  source = """
    import sys
    from jaxgan import writers
    writer = writers.make_writer(sys.argv[1])
    for step in range(10**6):
      writer.write_scalars(step, {'loss': float(step), 'more': 0.1})
      writer.write_scalars(step, {'score': 1.0})
      if step % 100 == 99:
        writer.flush()
        print(step, flush=True)
  """
  process = run_python(source, tmp_path)
  for line in process.stdout:
    last = int(line)
    if last >= 999:
      break
  process.send_signal(signal.SIGKILL)
  process.communicate()
  rows = writers.scalars(tmp_path)
  assert len(rows) > last
  assert rows[: last + 1] == [
    {'step': i, 'loss': i, 'more': 0.1, 'score': 1} for i in range(last + 1)
  ]
  assert [e.step for e in read_events(tmp_path).Scalars('loss')][: last + 1] == list(
    range(last + 1)
  )


def test_only_the_first_process_writes(tmp_path, monkeypatch):
  import jax

  monkeypatch.setattr(jax, 'process_index', lambda: 1)
  writer = writers.make_writer(tmp_path)
  writer.write_scalars(1, {'loss': 1.0})
  writer.write_images(1, {'grid': np.zeros((2, 2, 3), np.uint8)})
  writer.flush()
  writer.close()
  assert list(tmp_path.iterdir()) == []

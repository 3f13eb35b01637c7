"""What a run writes as it goes: TensorBoard events and metrics.jsonl, through clu's interface.

clu's and TensorBoard's own event writers import tensorflow wherever it is installed (10 to 20 s), so
the events are encoded here: a TensorBoard file is a sequence of records, each a length, a masked
crc32c of the length, an `Event` message and a masked crc32c of it.

Only process 0 writes; the others get a writer that does nothing.
"""

import contextlib
import io
import json
import math
import os
import sys
import threading
import time
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

METRICS_FILE = 'metrics.jsonl'
_HISTOGRAM_BUCKETS = 30


class EventWriter:
  """Writes one TensorBoard event file; the methods are those of clu's `MetricWriter`.

  Args:
    logdir: folder of the file, made if need be; a new file is begun for every writer.
  """

  def __init__(self, logdir: str | os.PathLike[str]):
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    self._event, self._summary, self._crc = event_pb2.Event, summary_pb2, masked_crc32c
    folder = Path(logdir)
    folder.mkdir(parents=True, exist_ok=True)
    stamp, serial = int(time.time()), 0
    while True:  # a resumed run may begin within the same second
      self.path = folder / f'events.out.tfevents.{stamp:010d}.{os.getpid()}.{serial}'
      with contextlib.suppress(FileExistsError):
        self._file: IO[bytes] = self.path.open('xb')
        break
      serial += 1
    self._write(self._event(wall_time=time.time(), file_version='brain.Event:2'))
    self.flush()

  def write_scalars(self, step: int, scalars: Mapping[str, Any]) -> None:
    """Writes numbers; NaN and infinities are written as they are."""
    values = [self._summary.Summary.Value(tag=k, simple_value=float(v)) for k, v in scalars.items()]
    self._write_values(step, values)

  def write_images(self, step: int, images: Mapping[str, Any]) -> None:
    """Writes pictures: uint8, or float in [0, 1], [H, W, C] or [N, H, W, C] with C of 1, 3 or 4."""
    values = []
    for tag, array in images.items():
      batch = _as_uint8(tag, array)
      for i, image in enumerate(batch):
        height, width, channels = image.shape
        message = self._summary.Summary.Image(
          height=height, width=width, colorspace=channels, encoded_image_string=_png(image)
        )
        name = tag if len(batch) == 1 else f'{tag}/{i}'
        values.append(self._summary.Summary.Value(tag=name, image=message))
    self._write_values(step, values)

  def write_histograms(
    self, step: int, arrays: Mapping[str, Any], num_buckets: Mapping[str, int] | None = None
  ) -> None:
    """Writes the distribution of each array's finite values, in 30 equal buckets unless told."""
    values = []
    for tag, array in arrays.items():
      flat = np.asarray(array).astype(np.float64).reshape(-1)
      flat = flat[np.isfinite(flat)]
      if not flat.size:
        continue
      counts, edges = np.histogram(flat, (num_buckets or {}).get(tag) or _HISTOGRAM_BUCKETS)
      message = self._summary.HistogramProto(
        min=flat.min(),
        max=flat.max(),
        num=flat.size,
        sum=flat.sum(),
        sum_squares=np.square(flat).sum(),
        bucket_limit=edges[1:],
        bucket=counts,
      )
      values.append(self._summary.Summary.Value(tag=tag, histo=message))
    self._write_values(step, values)

  def write_texts(self, step: int, texts: Mapping[str, str]) -> None:
    """Writes texts, which TensorBoard shows as markdown."""
    self._write_values(step, [self._tensor(tag, 'text', text) for tag, text in texts.items()])

  def write_hparams(self, hparams: Mapping[str, Any]) -> None:
    """Writes the settings of the run, nested mappings flattened with dots, for the HParams tab."""
    from tensorboard.plugins.hparams import plugin_data_pb2

    info = plugin_data_pb2.SessionStartInfo(start_time_secs=time.time())
    for name, value in _flat(hparams):
      if isinstance(value, bool | np.bool_):
        info.hparams[name].bool_value = bool(value)
      elif isinstance(value, int | float | np.number):
        info.hparams[name].number_value = float(value)
      else:
        info.hparams[name].string_value = str(value)
    data = plugin_data_pb2.HParamsPluginData(session_start_info=info)
    tag = '_hparams_/session_start_info'
    self._write_values(0, [self._tensor(tag, 'hparams', None, data.SerializeToString())])

  def write_summaries(
    self, step: int, values: Mapping[str, Any], metadata: Mapping[str, Any] | None = None
  ) -> None:
    """Writes arrays as tensors for a TensorBoard plugin named by `metadata`."""
    from tensorboard.util import tensor_util

    out = []
    for tag, array in values.items():
      value = self._summary.Summary.Value(tag=tag)
      value.tensor.CopyFrom(tensor_util.make_tensor_proto(np.asarray(array)))
      if isinstance(metadata, bytes):
        value.metadata.ParseFromString(metadata)
      elif metadata is not None:
        value.metadata.CopyFrom(metadata)
      out.append(value)
    self._write_values(step, out)

  def write_videos(self, step: int, videos: Mapping[str, Any]) -> None:
    """Writes every video as a strip of its frames, for TensorBoard shows no videos."""
    strips = {}
    for tag, array in videos.items():
      frames = np.asarray(array)
      frames = frames[None] if frames.ndim == 4 else frames
      n, t, h, w, c = frames.shape
      strips[tag] = frames.transpose(0, 2, 1, 3, 4).reshape(n, h, t * w, c)
    self.write_images(step, strips)

  def write_audios(self, step: int, audios: Mapping[str, Any], *, sample_rate: int) -> None:
    """Is part of clu's interface; this library makes no sound.

    Raises:
      NotImplementedError: always.
    """
    raise NotImplementedError('jaxgan writes no audio')

  def mark_restart(self, step: int) -> None:
    """Tells TensorBoard to hide what earlier files of this folder hold from this step on."""
    event = self._event(wall_time=time.time(), step=int(step))
    event.session_log.status = 1  # SessionLog.START
    self._write(event)
    self.flush()

  def flush(self) -> None:
    """Hands everything written so far to the operating system."""
    self._file.flush()

  def close(self) -> None:
    """Flushes and closes the file."""
    self._file.close()

  def _tensor(self, tag: str, plugin: str, text: str | None, content: bytes = b'') -> Any:
    value = self._summary.Summary.Value(tag=tag)
    value.metadata.plugin_data.plugin_name = plugin
    value.metadata.plugin_data.content = content
    if text is None:
      value.tensor.dtype = 1  # DT_FLOAT, the empty tensor that the HParams plugin expects
      value.tensor.tensor_shape.SetInParent()
      value.tensor.float_val.append(0.0)
    else:
      value.tensor.dtype = 7  # DT_STRING
      value.tensor.tensor_shape.dim.add(size=1)
      value.tensor.string_val.append(text.encode())
    return value

  def _write_values(self, step: int, values: list[Any]) -> None:
    if values:
      summary = self._summary.Summary(value=values)
      self._write(self._event(wall_time=time.time(), step=int(step), summary=summary))

  def _write(self, event: Any) -> None:
    data = event.SerializeToString()
    length = len(data).to_bytes(8, 'little')
    sums = [self._crc(part).to_bytes(4, 'little') for part in (length, data)]
    self._file.write(length + sums[0] + data + sums[1])


class JsonlWriter:
  """Keeps metrics.jsonl: one line `{"step": ..., name: number, ...}` per logged step.

  A line is in the operating system's hands as soon as it is written, so that a killed process loses
  none. Scalars that come later for the same step join its line. A number that is not finite becomes
  the string 'NaN', 'Infinity' or '-Infinity', for bare NaN is not JSON.

  Args:
    path: the file; it is continued.
    resume_step: rows after this step are cut off, for they will be written again; None begins anew.
  """

  def __init__(self, path: str | os.PathLike[str], *, resume_step: int | None = None):
    self.path = Path(path)
    self.path.parent.mkdir(parents=True, exist_ok=True)
    rows = [] if resume_step is None else [r for r in scalars(path) if r['step'] <= resume_step]
    fresh = self.path.with_name(self.path.name + '.new')
    with fresh.open('wb') as file:
      file.writelines(_line(row) for row in rows)
    fresh.replace(self.path)  # never a moment with half the rows
    self._file = self.path.open('r+b')
    self._row: dict[str, Any] = rows[-1] if rows else {}
    self._file.seek(0, os.SEEK_END)
    self._start = self._file.tell() - (len(_line(self._row)) if rows else 0)
    self._lock = threading.Lock()

  def write_scalars(self, step: int, scalars: Mapping[str, Any]) -> None:
    """Writes or completes the line of a step."""
    with self._lock:
      values = {name: _json_number(value) for name, value in scalars.items()}
      if self._row.get('step') == int(step):
        self._row |= values
      else:
        self._file.seek(0, os.SEEK_END)
        self._start = self._file.tell()
        self._row = {'step': int(step)} | values
      self._file.seek(self._start)
      self._file.write(_line(self._row))  # a longer line over a shorter one: no gap in between
      self._file.truncate()
      self._file.flush()

  def flush(self) -> None:
    """Does nothing: every line is flushed as it is written."""

  def close(self) -> None:
    """Closes the file."""
    self._file.close()

  def _ignore(self, *args: Any, **kwargs: Any) -> None:
    """Pictures and the like have no place in a JSON line."""

  write_images = write_histograms = write_texts = write_hparams = _ignore
  write_summaries = write_videos = write_audios = _ignore


def clu_metric_writers() -> types.ModuleType:
  """`clu.metric_writers` with `EventWriter` as its SummaryWriter and without tensorflow.

  Importing clu's own summary writer imports tensorflow; a module of the same name is put in its
  place before the first import. `clu.periodic_actions` is free of tensorflow after this call.
  """
  name = 'clu.metric_writers.summary_writer'
  if name not in sys.modules:
    module = types.ModuleType(name, 'TensorBoard events without tensorflow.')
    module.__dict__['SummaryWriter'] = EventWriter
    sys.modules[name] = module
  from clu import metric_writers

  for ours in (EventWriter, JsonlWriter):
    metric_writers.MetricWriter.register(ours)
  return metric_writers


def make_writer(workdir: str | os.PathLike[str], *, resume_step: int | None = None) -> Any:
  """The writer of a run: TensorBoard events in `workdir` and `workdir/metrics.jsonl`.

  Pictures are encoded and files written in a thread of their own; `flush` and `close` wait for it,
  and an error in it is raised by the next call.

  Args:
    workdir: the run's folder, made if need be.
    resume_step: the step the run continues from: later lines of metrics.jsonl are cut off, and
      TensorBoard, told by a restart mark, hides later events of the earlier files.

  Returns:
    A `clu.metric_writers.MetricWriter`: write_scalars(step, dict), write_images, write_histograms,
    write_texts, write_hparams, flush, close.
  """
  import jax

  metric_writers = clu_metric_writers()
  if jax.process_index() != 0:
    return metric_writers.MultiWriter([])
  events = EventWriter(workdir)
  events.mark_restart(0 if resume_step is None else resume_step + 1)
  lines = JsonlWriter(Path(workdir) / METRICS_FILE, resume_step=resume_step)
  return metric_writers.AsyncMultiWriter([events, lines])


def scalars(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
  """The rows of a metrics.jsonl, in order, one a step.

  Args:
    path: the file, or the work folder that holds it. A file that is not there has no rows.

  Returns:
    `[{'step': int, name: float, ...}, ...]` with NaN and infinities as floats again. Lines that are
    torn (a process was killed) are passed over; rows of one step are joined.
  """
  file = Path(path)
  if file.is_dir():
    file = file / METRICS_FILE
  if not file.exists():
    return []
  rows: dict[int, dict[str, Any]] = {}
  for line in file.read_text(encoding='utf-8', errors='replace').splitlines():
    try:
      row = json.loads(line)
      row = {k: v if k == 'step' else float(v) for k, v in row.items()}
      rows.setdefault(int(row['step']), {}).update(row)
    except (ValueError, KeyError, TypeError, AttributeError):
      continue
  return list(rows.values())


def _line(row: Mapping[str, Any]) -> bytes:
  row = {k: v if k == 'step' else _json_number(v) for k, v in row.items()}
  return json.dumps(row, allow_nan=False).encode() + b'\n'


def _json_number(value: Any) -> float | str:
  number = float(value)
  if math.isnan(number):
    return 'NaN'
  if math.isinf(number):
    return 'Infinity' if number > 0 else '-Infinity'
  return number


def _as_uint8(tag: str, array: Any) -> np.ndarray:
  """[N, H, W, C] uint8 of what `write_images` is given."""
  image = np.asarray(array)
  image = image[None] if image.ndim == 3 else image
  if image.ndim != 4 or image.shape[-1] not in (1, 3, 4):
    raise ValueError(
      f'image {tag!r} has shape {np.shape(array)}; expected [H, W, C] or [N, H, W, C] with C 1, 3 or 4'
    )
  if image.dtype == np.uint8:
    return image
  return np.round(np.clip(image.astype(np.float32), 0.0, 1.0) * 255.0).astype(np.uint8)


def _png(image: np.ndarray) -> bytes:
  from PIL import Image

  out = io.BytesIO()
  Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(out, 'PNG')
  return out.getvalue()


def _flat(tree: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
  """Dotted names and values of nested mappings."""
  for key, value in tree.items():
    if isinstance(value, Mapping) or hasattr(value, 'items'):
      yield from _flat(value, f'{prefix}{key}.')
    else:
      yield f'{prefix}{key}', value

"""Prepares a set of tensorflow-datasets once, as array_record: python -m jaxgan.datasets.prepare cifar10

This is the only place that downloads, and most sets need TensorFlow for it (the extra `tf`);
training then reads the prepared set without either.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from jaxgan.datasets.dataset import DataError


def prepare(name: str, data_dir: str = '') -> Path:
  """Downloads and prepares a set.

  Args:
    name: as tensorflow-datasets writes it: 'cifar10', 'imagenet_resized/64x64'.
    data_dir: where to put it; '' = $TFDS_DATA_DIR or ~/tensorflow_datasets.

  Returns:
    The folder of the prepared set.

  Raises:
    DataError: when the name is unknown, TensorFlow is needed and missing, or the download fails.
  """
  import tensorflow_datasets as tfds

  root = Path(data_dir or os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets').expanduser()
  try:
    builder = tfds.builder(name, data_dir=root, file_format='array_record')
  except tfds.core.registered.DatasetNotFoundError:
    raise DataError(
      f'tensorflow-datasets has no set {name!r}; its catalogue is at https://tensorflow.org/datasets'
    ) from None
  except ModuleNotFoundError as e:
    raise DataError(f"{name} needs {e.name} to be prepared: pip install 'jaxgan[tf]'") from None
  except (ValueError, AssertionError) as e:
    raise DataError(f'{name}: {str(e).splitlines()[0]}') from None
  if not builder.is_prepared():
    if importlib.util.find_spec('tensorflow') is None:
      raise DataError(f"preparing {name} needs TensorFlow: pip install 'jaxgan[tf]'")
    try:
      builder.download_and_prepare(file_format='array_record')
    except (OSError, AssertionError, tfds.download.DownloadError) as e:
      raise DataError(f'{name} could not be prepared: {str(e).strip().splitlines()[0]}') from None
  return Path(builder.data_dir)


def main(argv: list[str] | None = None) -> int:
  """The command; returns the exit status: 0, or 2 after one line that says what is wrong."""
  parser = argparse.ArgumentParser(
    prog='python -m jaxgan.datasets.prepare', description='Downloads and prepares a data set.'
  )
  parser.add_argument('name', help='such as cifar10 or imagenet_resized/64x64')
  parser.add_argument('--data_dir', default='', help='where to put it')
  options = parser.parse_args(argv)
  try:
    print(prepare(options.name, options.data_dir))
  except DataError as e:
    print(e, file=sys.stderr)
    return 2
  return 0


if __name__ == '__main__':
  sys.exit(main())

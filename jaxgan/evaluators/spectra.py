"""Singular values of every kernel, as histograms: what spectral normalisation and collapse look like."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxgan.evaluators import Evaluate, Run

LARGEST = 2**22  # a kernel with more entries takes minutes to decompose


def kernels(params: Any) -> Iterator[tuple[str, np.ndarray]]:
  """(path, matrix) of every kernel, flattened to [-1, out].

  Args:
    params: a Linen params tree.
  """
  for path, value in jax.tree_util.tree_leaves_with_path(params):
    if value.ndim >= 2 and value.size <= LARGEST:
      matrix = np.asarray(value, np.float32).reshape(-1, value.shape[-1])
      yield '/'.join(str(k.key) for k in path), matrix


def largest_singular_value(matrix: np.ndarray, iterations: int = 30) -> float:
  """sigma_max(W) of W [N, M] by power iteration from a fixed start: never above it, cheaper than all of them."""
  v = np.random.default_rng(0).normal(size=(matrix.shape[1],)).astype(matrix.dtype)
  for _ in range(iterations):
    v = matrix.T @ (matrix @ (v / max(np.linalg.norm(v), np.finfo(v.dtype).tiny)))
  return float(np.linalg.norm(v) ** 0.5)


def make(run: Run) -> Evaluate:
  """Writes a histogram a kernel; scores: the largest singular value of each player's raw kernels."""

  def evaluate(step: int, players: Mapping[str, Any], final: bool) -> dict[str, float]:
    histograms: dict[str, np.ndarray] = {}
    largest: dict[str, float] = {}
    for player, variables in players.items():
      for path, matrix in kernels(variables['params']):
        values = np.linalg.svd(matrix, compute_uv=False)
        histograms[f'singular_values/{player}/{path}'] = values
        name = f'sigma_max_raw/{player}'
        largest[name] = max(largest.get(name, 0.0), float(values[0]))
    run.writer.write_histograms(step, histograms)
    return largest

  return evaluate

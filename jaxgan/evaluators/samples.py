"""Sheets of samples: a grid from fixed latents over time, truncation and interpolation at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import plots
from jaxgan.evaluators import Evaluate, NotApplicable, Run
from jaxgan.games import Game

MOST_ROWS = 12
TRUNCATIONS = (1.0, 0.8, 0.6, 0.4, 0.2, 0.05)


class Sheets:
  """The sheets of a game that can `sample`, from latents fixed by the seed.

  Args:
    game: with predict 'latent' and 'sample'.
    class_names: one row a class (the first 12, spread over them); () = rows without a name, as
      those of a game that takes no notice of classes.
    columns: pictures in a row.
    seed: of the latents.
  """

  def __init__(self, game: Game, class_names: Sequence[str] = (), columns: int = 10, seed: int = 0):
    self.game, self.columns, self.key = game, columns, jax.random.key(seed)
    count = len(class_names) if game.conditional else 0
    self.classes = (
      np.unique(np.linspace(0, count - 1, min(count, MOST_ROWS)).round().astype(np.int32))
      if count
      else np.zeros(8, np.int32)
    )
    self.rows = [class_names[c] for c in self.classes] if count else None
    self.sample = jax.jit(game.predict['sample'])
    self.latent = jax.jit(game.predict['latent'], static_argnames=('n', 'truncation', 'convention'))

  def images(self, players: Any, z: Any, labels: np.ndarray) -> np.ndarray:
    """float pictures of latents [n, dim_z] and labels [n]."""
    return np.asarray(self.sample(players, self.key, label=jnp.asarray(labels, jnp.int32), z=z))

  def grid(self, players: Any, truncation: float = 0.0) -> np.ndarray:
    """One row a class, other latents in every cell; truncation 0 = the latents of training."""
    labels = np.repeat(self.classes, self.columns)
    z = self.latent(players, self.key, n=len(labels), truncation=truncation)
    return plots.grid(self.images(players, z, labels), self.columns, row_labels=self.rows)

  def truncates(self) -> bool:
    """Whether the game's latents can be truncated; discrete ones cannot."""
    try:
      jax.eval_shape(
        lambda key: self.game.predict['latent'](None, key, n=1, truncation=1.0), self.key
      )
    except ValueError:
      return False
    return True

  def truncation(self, players: Any, convention: str = 'scaled') -> np.ndarray:
    """One column a truncation, from varied to typical."""
    cells = []
    for truncation in TRUNCATIONS:
      z = self.latent(
        players, self.key, n=len(self.classes), truncation=truncation, convention=convention
      )
      cells.append(self.images(players, z, self.classes))
    stacked = np.stack(cells, axis=1).reshape(-1, *cells[0].shape[1:])
    return plots.grid(
      stacked,
      len(TRUNCATIONS),
      row_labels=self.rows,
      column_labels=[f'{t:g}' for t in TRUNCATIONS],
      title='truncation',
    )

  def interpolation(self, players: Any, seeds: tuple[int, int] = (0, 1)) -> np.ndarray:
    """From one latent to another along the sphere, one row a class."""
    ends = [self.latent(players, jax.random.key(seed), n=len(self.classes)) for seed in seeds]
    path = slerp(np.asarray(ends[0]), np.asarray(ends[1]), self.columns)
    z = path.reshape(-1, path.shape[-1])
    pictures = self.images(players, jnp.asarray(z), np.repeat(self.classes, self.columns))
    return plots.grid(
      pictures,
      self.columns,
      row_labels=self.rows,
      title=f'interpolation, seed {seeds[0]} to seed {seeds[1]}',
    )


def slerp(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
  """Spherical interpolation: sin((1-t) w)/sin w a + sin(t w)/sin w b, w the angle of a and b.

  Args:
    a, b: [n, d].
    steps: points on the way, both ends included.

  Returns:
    [n, steps, d].

  Source: Shoemake 1985; White 2016, arXiv 1609.04468.
  """
  cosine = np.sum(a * b, -1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
  angle = np.arccos(np.clip(cosine, -1 + 1e-7, 1 - 1e-7))[:, None, None]
  t = np.linspace(0, 1, steps)[None, :, None]
  return (
    (np.sin((1 - t) * angle) * a[:, None] + np.sin(t * angle) * b[:, None]) / np.sin(angle)
  ).astype(np.float32)


def make(
  run: Run, columns: int = 10, truncation: float = 0.0, convention: str = 'scaled'
) -> Evaluate:
  """Writes samples/STEP.png at every call, and grid.png, truncation.png, interpolation.png at the end.

  Args:
    run: its game must have predict 'sample' and 'latent'.
    columns: pictures in a row.
    truncation: of the grids; 0 = the latents of training.
    convention: of the truncation sheet, see `jaxgan.nn.latents.truncated_normal`.

  Raises:
    NotApplicable: the data are no pictures.
    ValueError: the game cannot sample.
  """
  if not run.dataset.pictures:
    raise NotApplicable(f'{run.dataset.name} has no pictures; the evaluator modes shows points')
  if not {'sample', 'latent'} <= set(run.game.predict):
    raise ValueError(
      f'this game can {", ".join(run.game.predict)} but not sample; leave the evaluator out'
    )
  sheets = Sheets(run.game, run.dataset.class_names, columns, run.seed)

  def evaluate(step: int, players: Mapping[str, Any], final: bool) -> dict[str, float]:
    grid = sheets.grid(players, truncation)
    plots.save(run.workdir / 'samples' / f'{step:07d}.png', grid)
    run.writer.write_images(step, {'samples': grid[None]})
    if final:
      plots.save(run.workdir / 'grid.png', grid)
      if sheets.truncates():
        plots.save(run.workdir / 'truncation.png', sheets.truncation(players, convention))
      plots.save(run.workdir / 'interpolation.png', sheets.interpolation(players))
    return {}

  return evaluate

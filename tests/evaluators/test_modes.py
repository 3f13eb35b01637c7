"""The judge of modes on players that are known: all modes, one mode, broken; frames survive a resume."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import datasets, evaluators, landscapes
from jaxgan.config import ConfigError
from jaxgan.evaluators import NotApplicable
from jaxgan.evaluators import modes as evaluator
from jaxgan.games import Game
from jaxgan.metrics import classifier
from tests import tiny

POINTS = datasets.load('points', 'ring8')
RING = jnp.asarray(POINTS.arrays['mean'][:8])


def latent(players, key, *, n):
  return jax.random.normal(key, (n, 2))


def sample(players, key, *, label, z):
  """A point of the mode of its latent's angle, or of the first `modes` of them."""
  which = jnp.arange(len(z)) % players['modes']
  return (RING[which] + 0.008 * z).reshape(-1, 1, 1, 2) * players['scale']


def score(players, key, *, image, label):
  return -(image.reshape(-1, 2) ** 2).sum(1)


GAME = Game(None, {}, {'latent': latent, 'sample': sample, 'score': score}, conditional=False)
ALL = {'modes': jnp.asarray(8), 'scale': jnp.asarray(1.0)}


def run_in(folder, game=GAME, data=POINTS):
  return evaluators.Run(game, data, folder, None, cache_dir=str(folder))


def test_scores_of_points(tmp_path):
  evaluate = evaluators.make('modes', run_in(tmp_path), picture=False)
  whole, one = evaluate(1, ALL, False), evaluate(2, {**ALL, 'modes': jnp.asarray(1)}, False)
  assert whole['modes'] == 8 and whole['high_quality'] > 0.98 and whole['mode_kl'] < 1e-3
  assert one['modes'] == 1 and one['mode_kl'] == pytest.approx(np.log(8))
  assert whole['w1'] < 0.1 < 0.9 < one['w1']
  broken = evaluate(3, {**ALL, 'scale': jnp.asarray(np.nan)}, True)
  assert broken == {'modes': 0, 'high_quality': 0, 'mode_kl': pytest.approx(np.log(8))}
  assert not list(tmp_path.iterdir())


def test_frames_are_kept_and_joined_at_the_end_also_after_a_resume(tmp_path):
  first = evaluators.make('modes', run_in(tmp_path), matched=0)
  first(10, ALL, False)
  first(20, {**ALL, 'modes': jnp.asarray(3)}, False)
  (tmp_path / 'modes' / '0000015.npz').write_bytes(b'cut short')
  resumed = evaluators.make('modes', run_in(tmp_path), matched=0)
  resumed(20, ALL, False)  # the same step once more
  resumed(30, ALL, True)
  frames = evaluator.kept(tmp_path / 'modes', 30)
  assert [f.step for f in frames] == [10, 20, 30] and frames[1].scores['modes'] == 8
  assert [f.step for f in evaluator.kept(tmp_path / 'modes', 20)] == [10, 20]
  with Image.open(tmp_path / 'modes.gif') as gif:
    assert gif.n_frames == 3 and gif.info['loop'] == 0
  assert Image.open(tmp_path / 'modes.png').size == gif.size


def test_the_surface_and_its_gradients(tmp_path):
  evaluators.make('modes', run_in(tmp_path), matched=0)(1, ALL, False)
  (frame,) = evaluator.kept(tmp_path / 'modes', 1)
  surface, at = frame.logits, landscapes.positions(landscapes.SURFACE)
  np.testing.assert_allclose(surface - surface[0, 0], 2 * 1.1**2 - (at**2).sum(-1), atol=1e-5)
  assert surface[32, 5] < 0 < surface[32, 32]  # 0 lies between real and fake, on the ring
  np.testing.assert_allclose(
    frame.gradients, -2 * landscapes.positions(landscapes.ARROWS), atol=1e-5
  )


def test_a_game_without_a_discriminator_has_frames_of_points(tmp_path):
  game = GAME._replace(predict={'latent': latent, 'sample': sample})
  evaluators.make('modes', run_in(tmp_path, game), matched=0)(5, ALL, True)
  (frame,) = evaluator.kept(tmp_path / 'modes', 5)
  assert frame.logits is None and (tmp_path / 'modes.gif').exists()


def stripes(labels):
  """16x16 grey pictures, bright in the rows of their class (of 4)."""
  rows = np.arange(16) // 4
  return np.where(rows[None, :, None, None] == np.asarray(labels)[:, None, None, None], 250, 5)


@pytest.fixture
def stacks(monkeypatch):
  """Stacks of stripes, and a game whose sample i shows the modes players['modes'][i mod n]."""
  labels = np.arange(400) % 4
  images = np.broadcast_to(stripes(labels), (400, 16, 16, 16))[..., :1].astype(np.uint8)
  grey = datasets.dataset.from_arrays(
    'stripes', {'image': images, 'label': labels.astype(np.int32)}, tuple('abcd'), 'drawn here'
  )
  made = lambda *_, **__: grey
  monkeypatch.setattr(datasets.stacked.embedded, 'load', made)
  data = datasets.stacked.load('fashion_mnist_10k')
  monkeypatch.setattr(classifier, 'train', partial(classifier.train, batch_size=32))

  def sample(players, key, *, label, z):
    triple = players['modes'][jnp.arange(len(z)) % len(players['modes'])]
    lit = (jnp.arange(16) // 4)[None, :, None, None] == triple[:, None, None, :]
    return jnp.broadcast_to(jnp.where(lit, 0.9, -0.9), (len(z), 16, 16, 3))

  return Game(None, {}, {'latent': latent, 'sample': sample}, conditional=False), data


def test_modes_of_stacks_are_triples_of_classes(stacks, tmp_path):
  game, data = stacks
  assert data.size == 128_000 and len(data.class_names) == 64
  run = run_in(tmp_path, game, data)
  evaluate = evaluators.make('modes', run, samples=500, classifier_steps=60)
  two = evaluate(1, {'modes': jnp.array([[0, 1, 2], [3, 3, 0]])}, False)
  assert two == {'modes': 2, 'mode_kl': pytest.approx(np.log(32), abs=0.01)}
  every = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing='ij'), -1).reshape(-1, 3)
  whole = evaluate(2, {'modes': jnp.asarray(every)}, True)
  assert whole['modes'] == 64 and whole['mode_kl'] < 0.01
  nothing = evaluate(3, {'modes': jnp.full((1, 3), np.nan)}, True)
  assert nothing['modes'] <= 64
  judge = evaluator.Triples(data, tmp_path, 60, 0)
  pictures = data.fetch(np.arange(50))
  np.testing.assert_array_equal(judge(pictures['image']), pictures['label'])


def test_modes_of_other_pictures_are_their_classes(tmp_path, monkeypatch):
  monkeypatch.setattr(classifier, 'train', partial(classifier.train, batch_size=32))
  data = datasets.load('embedded', 'fashion_mnist_10k')
  shown = jnp.asarray(data.fetch(np.arange(10) * 1000)['image'])[:3] / 127.5 - 1
  game = GAME._replace(
    predict={'latent': latent, 'sample': lambda p, k, *, label, z: shown[jnp.arange(len(z)) % 3]}
  )
  run = run_in(tmp_path, game, data)
  got = evaluators.make('modes', run, samples=500, classifier_steps=150)(1, {}, True)
  assert 1 <= got['modes'] <= 3 and got['mode_kl'] >= np.log(10 / 3) - 0.01


def test_sheets_and_class_scores_leave_points_alone(tmp_path):
  for name in ('samples', 'class_score'):
    with pytest.raises(NotApplicable, match='no pictures'):
      evaluators.make(name, run_in(tmp_path))


def test_data_without_known_modes_are_left_out(tmp_path):
  bare = POINTS._replace(arrays={'image': POINTS.arrays['image']})
  with pytest.raises(NotApplicable, match='where its modes are'):
    evaluators.make('modes', run_in(tmp_path, GAME, bare))
  with pytest.raises(NotApplicable, match='fewer than two classes'):
    evaluators.make('modes', run_in(tmp_path, GAME, tiny.dataset()._replace(class_names=())))


@pytest.mark.parametrize('options', [{'samples': -1}, {'within': 0.0}, {'classifier_steps': 0}])
def test_wrong_numbers_are_one_line(tmp_path, options):
  with pytest.raises(ConfigError, match="evaluator 'modes'") as error:
    evaluators.make('modes', run_in(tmp_path), **options)
  assert '\n' not in str(error.value)

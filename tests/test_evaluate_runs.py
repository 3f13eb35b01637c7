"""The evaluate command on a work folder: classes asked for, pictures held out, every checkpoint."""

import json

import jax
import jax.numpy as jnp
import pytest
from absl import flags
from flax import linen as nn

from jaxgan import command, config, datasets, evaluate, models, scores, scoring
from jaxgan.errors import UserError
from jaxgan.games.adversarial import adversarial
from jaxgan.session import Session
from tests import tiny

PARTS = ('train[:600]', 'train[600:900]')


class Painter(nn.Module):
  """A picture whose brightness is its class, with a little of the latent; the scale is its parameter."""

  @nn.compact
  def __call__(self, z, labels, train=False):
    scale = self.param('scale', nn.initializers.constant(0.1), ())
    flat = (labels / 4.5 - 0.9)[:, None] + scale * jnp.repeat(z, 384, 1)
    return jnp.clip(flat, -1, 1).reshape(-1, 16, 16, 3)


def game(*args, **kwargs):
  return adversarial(Painter(), tiny.Discriminator(), dim_z=2, num_classes=9)


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  """Steps 1 and 2 of a run on the first 600 faces that holds out 300."""
  folder = tmp_path_factory.mktemp('run')
  made = config.smoke(config.load('biggan'))
  made.data.split, made.health.held_out = PARTS
  made.checkpoint.keep = 2
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(models, 'make', game)
    session = Session(made, folder, datasets.load('embedded', 'pixel_faces', split=PARTS[0]))
    state, _ = session.restore()
    for step in (1, 2):
      ema = jax.tree.map(lambda x: x * step, state.ema)  # noqa: B023
      session.save(state.replace(ema=ema), step, {})
    session.checkpoints.close()
  return folder


@pytest.fixture
def run(workdir, tmp_path, monkeypatch):
  """The command on the work folder."""
  monkeypatch.setattr(models, 'make', game)
  before = set(flags.FLAGS)
  evaluate.define_flags()

  def command_line(*words):
    fixed = [f'--workdir={workdir}', f'--output={tmp_path}/scores.jsonl', '--n=300']
    assert evaluate.main(command.parse(['evaluate', *fixed, *words])) == 0
    rows = [json.loads(line) for line in (tmp_path / 'scores.jsonl').read_text().splitlines()]
    return [(row.pop('step'), scores.from_json(json.dumps(row))) for row in rows]

  yield command_line
  for name in set(flags.FLAGS) - before:
    delattr(flags.FLAGS, name)


def test_every_checkpoint_with_the_classes_asked_for(run, tmp_path, capsys):
  rows = run('--metrics=ms_ssim_diversity', '--checkpoint=all', '--bootstrap=3')
  (one, first), (two, second) = rows
  assert (one, two) == (1, 2) and first.value > second.value  # the latents show more
  assert dict(first.stamp.settings)['within_class'] is True
  assert (first.stamp.step, two) == (1, second.stamp.step) and first.stamp.truncation == 0
  assert first.stamp.split == PARTS[0] and first.stamp.config and first.stamp.commit
  assert first.resamples == 3 and first.interval[0] <= first.value <= first.interval[1]
  said = capsys.readouterr().out
  assert 'step 1:' in said and 'ms_ssim_diversity(pixels)' in said
  assert (tmp_path / 'scores.png').exists()


def test_the_home_folder_is_found(run, workdir, tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  monkeypatch.chdir(workdir)
  run('--metrics=ms_ssim_diversity', '--checkpoint=all', '--output=~/scores.jsonl')
  assert (tmp_path / 'scores.png').exists() and not (workdir / '~').exists()


def test_what_is_measured_is_written_at_once(run, tmp_path, monkeypatch):
  judge, calls = scoring.Judge.__call__, []

  def interrupted(*arguments, **settings):
    calls.append(1)
    return judge(*arguments, **settings) if len(calls) < 2 else pytest.fail('cut off')

  monkeypatch.setattr(scoring.Judge, '__call__', interrupted)
  with pytest.raises(pytest.fail.Exception, match='cut off'):
    run('--metrics=ms_ssim_diversity', '--checkpoint=all')
  assert len((tmp_path / 'scores.jsonl').read_text().splitlines()) == 1


def test_a_run_has_the_resolution_of_its_data(run):
  with pytest.raises(UserError, match='--resolution=32 is of --samples and --reference'):
    run('--resolution=32')


def test_a_folder_without_checkpoints_is_one_line(run, tmp_path):
  for name in ('missing', 'empty'):
    (tmp_path / 'empty' / 'checkpoints').mkdir(parents=True, exist_ok=True)
    with pytest.raises(UserError, match='checkpoint'):
      run(f'--workdir={tmp_path / name}', '--checkpoint=all')
    assert not (tmp_path / 'missing').exists()


def test_what_the_run_held_out_is_what_training_did_not_see(run, monkeypatch):
  seen = []
  accuracy = lambda *a: seen.append(a) or {'accuracy': 0.5}
  monkeypatch.setattr('jaxgan.measures.classification_accuracy_score', accuracy)
  ((_, record),) = run('--metrics=classification_accuracy_score')
  fake, labels, real, _, classes = seen[0]
  assert classes == 9 and len(real) == 300 and record.value == 0.5
  shade = fake.mean((1, 2, 3)) / 127.5 - 1
  assert abs(shade - (labels / 4.5 - 0.9)).mean() < 0.15  # the label is the class asked for
  told = dict(record.stamp.settings)
  assert told['held_out'].endswith(f' {PARTS[1]}') and told['held_out_count'] == 300
  ((_, again), (_, other)) = run(
    '--metrics=classification_accuracy_score', '--held_out=train[900:910]'
  )
  assert again == record and dict(other.stamp.settings)['held_out_count'] == 10
  with pytest.raises(scores.ScoreError, match='differ in settings'):
    scores.difference(record, other)
  with pytest.raises(UserError, match=r'has 50 examples of data.split=train\[:600\]'):
    run('--metrics=copied', '--held_out=train[550:700]')

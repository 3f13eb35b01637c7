"""The sample command: every format, from a work folder alone, and one line for every mistake."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from absl import flags
from flax import linen as nn
from PIL import Image

from jaxgan import command, models, plots, sample
from jaxgan import config as configs
from jaxgan.errors import UserError
from jaxgan.games.adversarial import adversarial
from jaxgan.nn import latents
from jaxgan.nn.batch_norm import BatchNorm
from jaxgan.session import Session
from tests import tiny

BEST = 2
SCORES = {1: 0.2, 2: 0.9, 3: 0.5}


class Generator(nn.Module):
  """Latents and labels to 4x4 pictures, with running statistics."""

  @nn.compact
  def __call__(self, z, labels, train=False):
    x = nn.Dense(16)(z) + nn.Embed(3, 16)(labels)
    return nn.tanh(BatchNorm(name='norm')(x.reshape(-1, 4, 4, 1), train))


def game(*args, **kwargs):
  return adversarial(Generator(), tiny.Discriminator(), dim_z=2, num_classes=3)


def config(checkpoints=3):
  made = configs.smoke(configs.load('biggan'))
  made.checkpoint.keep, made.checkpoint.best = checkpoints, 'precision'
  return made


def write(workdir, dataset=None):
  """A work folder with checkpoints 1, 2 and 3, in which no two generators are alike."""
  session = Session(config(), workdir, dataset)
  state, _ = session.restore()
  scaled = lambda variables, by: {
    **variables,
    'params': jax.tree.map(lambda x: (1 + by) * x, variables['params']),
  }
  for step, score in SCORES.items():
    players = {name: scaled(v, 0.2 * step) for name, v in state.players.items()}
    ema = {'generator': scaled(state.ema['generator'], 0.5 * step)}
    session.save(state.replace(players=players, ema=ema), step, {'precision': score})
  session.checkpoints.close()


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  folder = tmp_path_factory.mktemp('run')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(models, 'make', game)
    write(folder, tiny.dataset()._replace(class_names=('red #ff0000', 'green #00ff00', 'blue')))
  return folder


@pytest.fixture
def workdir(written, monkeypatch):
  """Of the small game above, which stands in for the model that the config names."""
  monkeypatch.setattr(models, 'make', game)
  return written


@pytest.fixture(scope='module', autouse=True)
def _flags():
  before = set(flags.FLAGS)
  sample.define_flags()
  yield
  for name in set(flags.FLAGS) - before:
    delattr(flags.FLAGS, name)


def run(workdir, *words):
  """The command in this process."""
  flags.FLAGS.unparse_flags()
  for name in flags.FLAGS:
    flags.FLAGS[name].unparse()
  return sample.main(command.parse(['sample', f'--workdir={workdir}', *words]))


def npz(workdir, *words):
  """What --format=npz writes."""
  assert run(workdir, '--format=npz', *words) == 0
  with np.load(workdir / 'samples.npz') as file:
    return dict(file)


def test_npz_holds_pictures_labels_latents_and_names(workdir, capsys):
  found = npz(workdir, '--n=7')
  assert found['image'].shape == (7, 4, 4, 1) and found['image'].dtype == np.uint8
  assert found['label'].tolist() == [0, 1, 2, 0, 1, 2, 0] and found['label'].dtype == np.int32
  assert found['z'].shape == (7, 2) and list(found['class_names'])[2] == 'blue'
  assert capsys.readouterr().out == f'step 3: wrote {workdir / "samples.npz"}\n'
  trained = sample.load(workdir)
  image = trained.game.predict['sample'](
    trained.players, jax.random.key(0), label=found['label'], z=found['z']
  )
  np.testing.assert_array_equal(plots.to_uint8(image)[..., :1], found['image'])
  assert len(np.unique(found['image'].reshape(7, -1), axis=0)) == 7


def test_picture_i_is_the_same_however_many_are_drawn(workdir):
  few, many = npz(workdir, '--n=3'), npz(workdir, '--n=70')
  for name in ('image', 'label', 'z'):
    np.testing.assert_array_equal(few[name], many[name][:3])
  assert len(np.unique(many['z'], axis=0)) == 70  # beyond one batch too
  other = npz(workdir, '--n=3', '--seed=5')
  assert not np.array_equal(few['image'], other['image'])
  np.testing.assert_array_equal(few['image'], npz(workdir, '--n=3')['image'])


def test_numbered_pngs_are_the_pictures(workdir):
  found = npz(workdir, '--n=4')
  assert run(workdir, '--format=png', '--n=4') == 0
  files = sorted((workdir / 'sampled').iterdir())
  assert [file.name for file in files] == [f'{i:06d}.png' for i in range(4)]
  for file, image in zip(files, found['image']):
    read = np.asarray(Image.open(file))
    np.testing.assert_array_equal(read.reshape(4, 4, -1)[..., :1], image)


@pytest.mark.parametrize('kind', ['grid', 'interpolation', 'truncation'])
def test_sheets_are_written_where_they_are_asked_for(workdir, tmp_path, kind):
  assert run(workdir, f'--format={kind}', '--seed=4') == 0
  first = np.asarray(Image.open(workdir / f'{kind}_seed4.png'))
  assert first.ndim == 3 and min(first.shape[:2]) >= 60 and len(np.unique(first)) > 10
  target = tmp_path / 'deep' / 'sheet.png'
  assert run(workdir, f'--format={kind}', '--seed=6', f'--output={target}') == 0
  assert not np.array_equal(first, np.asarray(Image.open(target)))


def test_an_interpolation_depends_on_both_seeds(workdir):
  sheets = []
  for words in (('--to_seed=1',), ('--to_seed=2',), ('--seed=3',)):
    target = workdir / 'path.png'
    assert run(workdir, '--format=interpolation', f'--output={target}', *words) == 0
    sheets.append(np.asarray(Image.open(target)).tobytes())
  assert len(set(sheets)) == 3


def drawn_sheet(monkeypatch, workdir, *words):
  """(pictures, columns) that the command hands to the grid."""
  seen = []
  grid = plots.grid
  monkeypatch.setattr(
    plots,
    'grid',
    lambda images, columns, **k: seen.append((images, columns)) or grid(images, columns, **k),
  )
  assert run(workdir, *words) == 0
  return seen[0]


def test_arithmetic_shows_operands_means_and_the_sum(workdir, monkeypatch):
  """Against the latents of --format=npz; sums are of the class of the first picture."""
  known = npz(workdir, '--n=71', '--seed=3')
  words = ('--format=arithmetic', '--latents=(1,4)-70', '--seed=3')
  images, columns = drawn_sheet(monkeypatch, workdir, *words)
  assert columns == 2 + 3 and images.shape == (20, 4, 4, 1)
  sheet = images.reshape(4, 5, 4, 4, 1)
  shown = plots.to_uint8(sheet)[..., :1]
  np.testing.assert_array_equal(shown[:2, 0], known['image'][[1, 4]])
  np.testing.assert_array_equal(shown[0, 1], known['image'][70])
  trained = sample.load(workdir)
  mean = known['z'][[1, 4]].mean(0)
  z, label = [mean, known['z'][70], mean - known['z'][70]], [1, 70 % 3, 1]
  expected = sample.pictures(trained, z, label)
  for place, image in zip([sheet[3, 0], sheet[3, 1], sheet[1, 3]], expected):
    np.testing.assert_allclose(place, image, atol=1e-5)
  around = sheet[:3, 2:].reshape(9, -1)
  assert len(np.unique(around, axis=0)) == 9
  np.testing.assert_array_equal(sheet[2:3, 0], 1)  # nothing there
  assert (workdir / 'arithmetic_seed3.png').exists()


def test_a_mix_has_the_pictures_on_its_diagonal(workdir, monkeypatch):
  known = npz(workdir, '--n=6', '--class=1')
  words = ('--format=mix', '--latents=0,5,2', '--class=1')
  images, columns = drawn_sheet(monkeypatch, workdir, *words)
  assert columns == 3
  table = images.reshape(3, 3, 4, 4, 1)
  for place, picture in enumerate((0, 5, 2)):
    shown = plots.to_uint8(table[place, place])[..., :1]
    np.testing.assert_array_equal(shown, known['image'][picture])
  np.testing.assert_allclose(table, table.swapaxes(0, 1), atol=1e-5)  # of one class
  assert np.abs(table[0, 1] - table[0, 0]).max() > 1e-3


@pytest.mark.parametrize(
  'words, says',
  [
    (('--format=arithmetic',), '--latents=0[+]1-2 goes with --format=arithmetic'),
    (('--latents=0+1',), 'goes with --format=arithmetic'),
    (('--format=arithmetic', '--latents=0+x'), "latents '0[+]x'; expected a sum"),
    (('--format=arithmetic', '--latents=0+65536'), 'name picture 65536; expected less than 65536'),
    (('--format=mix', '--latents=3'), "latents '3'; expected 2 to 12"),
    (('--format=mix', '--latents=0+1'), "latents '0[+]1'; expected 2 to 12"),
  ],
)
def test_latents_that_cannot_be_are_one_line(workdir, words, says):
  with pytest.raises(UserError, match=says) as error:
    run(workdir, *words)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'given, number', [('1', 1), ('green', 1), ('green #00ff00', 1), ('blue', 2)]
)
def test_one_class_by_name_or_number(workdir, given, number):
  found = npz(workdir, '--n=3', f'--class={given}')
  assert found['label'].tolist() == [number] * 3
  in_turn = npz(workdir, '--n=3')
  np.testing.assert_array_equal(
    found['image'][number], in_turn['image'][number]
  )  # the same latents


def test_truncation_and_its_conventions(workdir):
  plain = npz(workdir, '--n=70')['z']
  scaled = npz(workdir, '--n=70', '--truncation=0.5')['z']
  clipped = npz(workdir, '--n=70', '--truncation=0.5', '--convention=clipped')['z']
  assert np.abs(plain).max() > 1.5
  assert 0.5 < np.abs(scaled).max() <= 1.0
  assert 0.4 < np.abs(clipped).max() <= 0.5


@pytest.mark.parametrize('t', [0.3, 1.0, 1.7])
@pytest.mark.parametrize('convention, cut, scale', [('scaled', 2.0, 't'), ('clipped', 't', 1.0)])
def test_truncated_latents_have_the_support_and_the_variance_of_their_convention(
  convention, cut, scale, t
):
  """Variance of a normal cut at +-a: 1 - 2 a phi(a) / (2 Phi(a) - 1)."""
  cut, scale = (t if value == 't' else value for value in (cut, scale))
  z = np.asarray(latents.truncated_normal(jax.random.key(1), (50_000, 2), t, convention)) / scale
  density = math.exp(-(cut**2) / 2) / math.sqrt(2 * math.pi)
  variance = 1 - 2 * cut * density / math.erf(cut / math.sqrt(2))
  assert 0.99 * cut < np.abs(z).max() <= cut * (1 + 1e-6)
  np.testing.assert_allclose(z.var(), variance, rtol=0.02)
  np.testing.assert_allclose(z.mean(), 0, atol=0.02)
  assert abs(np.corrcoef(z.T)[0, 1]) < 0.02


def test_averaged_live_standing_and_other_steps_are_other_generators(workdir):
  words = ((), ('--noema',), ('--standing=2',), ('--checkpoint=best',), ('--checkpoint=1',))
  found = {word: npz(workdir, '--n=3', *word)['image'] for word in words}
  assert len({image.tobytes() for image in found.values()}) == len(words)
  np.testing.assert_array_equal(
    found[('--checkpoint=best',)], npz(workdir, '--n=3', f'--checkpoint={BEST}')['image']
  )
  np.testing.assert_array_equal(
    found[()], npz(workdir, '--n=3', '--checkpoint=3', '--ema')['image']
  )


def test_load_gives_what_was_saved(workdir):
  live, averaged = sample.load(workdir, ema=False), sample.load(workdir)
  kernel = lambda trained: trained.players['generator']['params']['Dense_0']['kernel']
  np.testing.assert_allclose(
    kernel(averaged) / kernel(live), (1 + 0.5 * 3) / (1 + 0.2 * 3), rtol=1e-5
  )
  assert averaged.step == 3 and averaged.class_names[0] == 'red #ff0000'


@pytest.mark.parametrize(
  'words, says',
  [
    (('--class=gren',), "no class 'gren'; did you mean 'green'"),
    (('--class=7',), "no class '7'; there are: blue, green, red"),
    (('--class=²',), "no class '²'; there are"),
    (('--checkpoint=9',), r'no checkpoint 9 in .*; it has 1, 2, 3'),
    (('--checkpoint=lates',), "no checkpoint 'lates' in"),
    (('--format=gif',), r'format=gif: value should be one of <grid\|png\|npz'),
    (('--truncation=-1',), 'truncation=-1'),
    (('--truncation=nan',), 'truncation=nan'),
    (('--n=0',), 'n=0'),
    (('--sed=1',), "Unknown command line flag 'sed'"),
    (('more',), "unexpected argument 'more'"),
  ],
)
def test_mistakes_are_one_line(workdir, words, says):
  with pytest.raises(UserError, match=says) as error:
    run(workdir, '--n=2', *words)
  assert '\n' not in str(error.value)


def test_an_output_that_cannot_be_written_is_one_line(workdir, tmp_path):
  (tmp_path / 'file').write_text('in the way')
  for kind in ('grid', 'png', 'npz', 'truncation'):
    with pytest.raises(UserError, match=r'file/x cannot be written: ') as error:
      run(workdir, '--n=2', f'--format={kind}', f'--output={tmp_path}/file/x')
    assert '\n' not in str(error.value)


def test_a_system_that_cannot_is_one_line(workdir, monkeypatch):
  whole = game()
  blind = whole._replace(
    predict={'sample': whole.predict['sample'], 'latent': whole.predict['latent']}
  )
  monkeypatch.setattr(models, 'make', lambda *a, **k: blind)
  with pytest.raises(UserError, match='can latent, sample, standing; this one can sample, latent'):
    run(workdir, '--standing=1')
  monkeypatch.setattr(models, 'make', lambda *a, **k: whole._replace(predict={}))
  with pytest.raises(UserError, match='this needs a system that can latent, sample'):
    run(workdir)


def test_a_model_that_has_changed_since_is_one_line(workdir, monkeypatch):
  other = adversarial(tiny.Generator(), tiny.Discriminator(), dim_z=5, num_classes=3)
  monkeypatch.setattr(models, 'make', lambda *a, **k: other)
  with pytest.raises(UserError, match=r'^step 3 in .* was made by another version of its model'):
    run(workdir)


def test_importing_sample_defines_no_flags():
  code = 'from absl import flags; from jaxgan import sample; import jaxgan.main; assert sample.load'
  subprocess.run([sys.executable, '-c', code], check=True)


def spoil(workdir, step):
  """Flips a bit in the middle of every array file of a step."""
  touched = 0
  for file in (workdir / 'checkpoints' / str(step)).rglob('d/*'):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    touched += 1
  assert touched


def shell(cwd, *words):
  path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path[1:]])  # if it is not installed
  return subprocess.run(
    [sys.executable, '-m', 'jaxgan.sample', *words],
    capture_output=True,
    text=True,
    cwd=cwd,
    env={**os.environ, 'PYTHONPATH': path},
  )


@pytest.fixture(scope='module')
def biggan(tmp_path_factory):
  """A work folder of the smallest BigGAN."""
  folder = tmp_path_factory.mktemp('biggan') / 'run'
  write(folder)
  return folder


def test_the_command_itself(biggan, tmp_path):
  """A real BigGAN, in a process and a folder where nothing is but the work folder."""
  alone = tmp_path / 'moved'
  shutil.copytree(biggan, alone)
  spoil(alone, 3)  # the one before is taken, with a warning
  done = shell(tmp_path, '--workdir=moved', '--format=npz', '--n=3', '--output=out/three')
  assert done.returncode == 0, done.stderr
  assert done.stdout == 'step 2: wrote out/three\n' and 'checkpoint 3 is damaged' in done.stderr
  with np.load(tmp_path / 'out/three') as file:
    found = dict(file)
  assert found['image'].shape == (3, 16, 16, 3)
  images, _ = sample.draw(sample.load(biggan, 2), found['label'])
  np.testing.assert_allclose(plots.to_uint8(images).astype(int), found['image'], atol=1)


@pytest.mark.parametrize(
  'words, says',
  [
    (
      ('--workdir=nowhere',),
      'nowhere holds no checkpoints; give the work folder of a training run',
    ),
    (('--workdir=run', '--class=teel'), "no class 'teel'; "),
    (('--workdir=run', '--checkpoint=2'), 'is whole (step 2: '),
    ((), 'no work folder given; try --workdir=runs/biggan'),
  ],
)
def test_mistakes_on_the_command_line_end_in_one_line_and_exit_2(biggan, tmp_path, words, says):
  if '--checkpoint=2' in words:
    shutil.copytree(biggan, tmp_path / 'run')
    spoil(tmp_path / 'run', 2)
  done = shell(tmp_path if (tmp_path / 'run').exists() else biggan.parent, *words)
  told = [line for line in done.stderr.splitlines() if 'is damaged and passed over' not in line]
  assert done.returncode == 2, done.stderr
  assert len(told) == 1 and told[0].startswith('jaxgan: ') and says in told[0], done.stderr
  assert not done.stdout

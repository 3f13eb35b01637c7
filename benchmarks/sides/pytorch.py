"""The other side: the same networks, losses and optimisers as a plain PyTorch training step."""

import copy
import importlib
import json
import sys
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import process
from jaxgan import config as configs
from jaxgan import datasets

LOSSES = {
  'hinge': (
    lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
    lambda fake: -fake.mean(),
  ),
  'non_saturating': (
    lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
    lambda fake: F.softplus(-fake).mean(),
  ),
}


class Side:
  """One config; channels_last, the fused Adam, EMA by foreach.

  Args:
    given, changes: as on our side.
    dtype: 'float32', or 'bfloat16' for autocast.
    compiled: put the networks through `torch.compile`.
  """

  def __init__(
    self,
    given: str,
    changes: dict[str, Any],
    dtype: str = 'float32',
    compiled: bool = False,
  ):
    config = configs.load(given)
    config.update_from_flattened_dict(changes)
    self.config, self.narrow = config, dtype == 'bfloat16'
    self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    torch.backends.cudnn.benchmark = True
    self.before = process.resident()
    options = {k: v for k, v in config.data.items() if k not in configs.BATCHING}
    dataset = datasets.load(**options)
    game = config.game.to_dict()
    make = importlib.import_module(f'benchmarks.torch_models.{config.model}').make
    networks = make(game, dataset.image_shape, len(dataset.class_names))
    self.networks = dict(zip(('generator', 'discriminator'), networks))
    for network in networks:
      network.to(self.device, memory_format=torch.channels_last).train()
    self.average = copy.deepcopy(networks[0])
    self.parameters = sum(p.numel() for n in networks for p in n.parameters())
    self.optimizers = {
      name: torch.optim.Adam(
        network.parameters(),
        lr=config.optimizer[name].learning_rate,
        betas=(config.optimizer[name].get('b1', 0.9), config.optimizer[name].get('b2', 0.999)),
        eps=config.optimizer[name].get('eps', 1e-8),
        fused=True,
      )
      for name, network in self.networks.items()
    }
    self.ema = [
      [t for t in (*n.parameters(), *n.buffers()) if t.is_floating_point()]
      for n in (self.average, networks[0])
    ]
    self.run = {
      name: torch.compile(network) if compiled else network
      for name, network in self.networks.items()
    }
    self.critic_steps = config.updates.get('discriminator', 1)
    self.size = config.data.batch_size
    self.losses = LOSSES[game['loss']]
    self.classes, self.game = max(len(dataset.class_names), 1), game
    batch = dataset.fetch(np.arange(self.size * self.critic_steps) % dataset.size)
    self.pictures = torch.from_numpy(batch['image']).to(self.device)
    self.labels = torch.from_numpy(batch['label']).long().to(self.device)

  def draw(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (n, self.game['dim_z'])
    z = torch.rand(shape, device=self.device) * 2 - 1
    if self.game.get('latent', 'normal') == 'normal':
      z = torch.randn(shape, device=self.device)
    return z, torch.randint(self.classes, (n,), device=self.device)

  def one(self) -> None:
    """One train step."""
    generator, discriminator = self.run['generator'], self.run['discriminator']
    loss_d, loss_g = self.losses
    cast = lambda: torch.autocast(self.device.type, torch.bfloat16, enabled=self.narrow)
    images = self.pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1)  # uint8 NHWC comes in
    for p in self.networks['discriminator'].parameters():
      p.requires_grad_(True)
    for x, y in zip(images.split(self.size), self.labels.split(self.size)):
      self.optimizers['discriminator'].zero_grad(set_to_none=True)
      z, fake_y = self.draw(self.size)
      with torch.no_grad(), cast():
        fake = generator(z, fake_y)
      with cast():
        if self.networks['discriminator'].separate:
          real_logits, fake_logits = discriminator(x, y), discriminator(fake, fake_y)
        else:
          logits = discriminator(torch.cat([fake, x]), torch.cat([fake_y, y]))
          fake_logits, real_logits = logits.chunk(2)
      loss_d(real_logits.float(), fake_logits.float()).backward()
      self.optimizers['discriminator'].step()
    for p in self.networks['discriminator'].parameters():
      p.requires_grad_(False)
    self.optimizers['generator'].zero_grad(set_to_none=True)
    z, y = self.draw(self.size)
    with cast():
      logits = discriminator(generator(z, y), y)
    loss_g(logits.float()).backward()
    self.optimizers['generator'].step()
    with torch.no_grad():
      torch._foreach_lerp_(self.ema[0], self.ema[1], 1 - self.config.ema.decay)

  def wait(self) -> None:
    if self.device.type == 'cuda':
      torch.cuda.synchronize()

  def facts(self) -> dict[str, Any]:
    """Versions, sizes and operation counts."""
    run, self.run = self.run, self.networks  # what is compiled is not counted
    with FlopCounterMode(display=False) as counter:
      self.one()
    self.run = run
    name = torch.cuda.get_device_name() if self.device.type == 'cuda' else 'cpu'
    return {
      'versions': f'torch {torch.__version__}',
      'device': name,
      'parameters': self.parameters,
      'flops': counter.get_total_flops(),
      'images': self.size * self.critic_steps,
    }

  def first(self) -> float:
    """Seconds from the start of the process to the end of a first step."""
    self.steps(1)
    return process.age()

  def steps(self, count: int) -> list[float]:
    """Seconds of each of so many steps."""
    return process.timed(lambda: (self.one(), self.wait()), count)

  def memory(self) -> float:
    """Peak MiB while it steps: the state and what the steps add."""
    if self.device.type == 'cuda':
      torch.cuda.reset_peak_memory_stats()
      self.steps(2)
      return torch.cuda.max_memory_allocated() / 2**20
    process.forget_peak()
    self.steps(2)
    return process.peak() - self.before

  def product(self) -> float:
    """FLOP/s of a product of two large matrices, the best of several."""
    n = 8192 if self.device.type == 'cuda' else 2048
    x = torch.ones(n, n, device=self.device, dtype=torch.bfloat16 if self.narrow else torch.float32)
    call = lambda: ([x @ x for _ in range(4)], self.wait())
    return 4 * 2 * n**3 / min(process.timed(call, 8))

  def forward(self, batch: int, count: int) -> list[float]:
    """Seconds of each of so many generator passes of a batch."""
    network = self.run['generator']
    network.eval()
    with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.narrow):
      z, y = self.draw(batch)
      network(z, y)
      seconds = process.timed(lambda: (network(z, y), self.wait()), count)
    network.train()
    return seconds


if __name__ == '__main__':
  process.serve(lambda: Side(**json.loads(sys.argv[1])))

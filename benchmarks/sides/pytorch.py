"""The other side: the same networks, losses and optimisers as a plain PyTorch training step."""

import copy
import importlib
import json
import sys
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import pictures, process
from benchmarks.sides import torch_games
from jaxgan import config as configs


def compile_(network: nn.Module) -> Any:
  """The network, or each of several, through `torch.compile`."""
  if isinstance(network, nn.ModuleDict):
    return {name: torch.compile(one) for name, one in network.items()}
  return torch.compile(network)


class Side:
  """One config; the fused Adam, EMA by foreach; on a GPU products in TF32, as jax has them there.

  Args:
    given, changes: as on our side.
    dtype: 'float32', or 'bfloat16' for autocast.
    compiled: put the networks through `torch.compile`.
    layout: of kernels and pictures, 'channels_last' or 'contiguous_format'.
  """

  def __init__(
    self,
    given: str,
    changes: dict[str, Any],
    dtype: str = 'float32',
    compiled: bool = False,
    layout: str = 'channels_last',
  ):
    config = configs.load(given)
    config.update_from_flattened_dict(changes)
    self.config, self.narrow = config, dtype == 'bfloat16'
    self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    if self.device.type == 'cuda':
      torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = True
      torch.set_float32_matmul_precision('high')
    self.layout = getattr(torch, layout)
    self.before = process.resident()
    dataset = pictures.load(config)
    game = config.game.to_dict()
    twin = importlib.import_module(f'benchmarks.torch_models.{config.model}')
    networks = twin.make(game, dataset.image_shape, len(dataset.class_names))
    self.networks = dict(zip(('generator', 'discriminator'), networks))
    for network in networks:
      network.to(self.device, memory_format=self.layout).train()
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
    averaged = [self.networks[name] for name in config.ema.players]
    self.ema = [
      [t for n in some for t in (*n.parameters(), *n.buffers()) if t.is_floating_point()]
      for some in (copy.deepcopy(averaged), averaged)
    ]
    self.run = {name: compile_(n) if compiled else n for name, n in self.networks.items()}
    self.critic_steps = config.updates.get('discriminator', 1)
    self.size = config.data.batch_size
    self.play, self.losses = twin.play, torch_games.LOSSES[game['loss']]
    self.classes, self.game = max(len(dataset.class_names), 1), game
    self.pools: dict[str, list[torch.Tensor]] = {}
    batch = dataset.fetch(np.arange(self.size * self.critic_steps) % dataset.size)
    self.batch = {k: torch.from_numpy(v).to(self.device) for k, v in batch.items()}

  def draw(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (n, self.game['dim_z'])
    z = torch.rand(shape, device=self.device) * 2 - 1
    if self.game.get('latent', 'normal') == 'normal':
      z = torch.randn(shape, device=self.device)
    return z, torch.randint(self.classes, (n,), device=self.device)

  def pictures(self, name: str) -> torch.Tensor:
    """Pictures of the batch, float [B, C, H, W] in [-1, 1]; uint8 [B, H, W, C] comes in."""
    images = self.batch[name].permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return images.contiguous(memory_format=self.layout)

  def cast(self) -> torch.autocast:
    """Where networks run: bfloat16 if asked for."""
    return torch.autocast(self.device.type, torch.bfloat16, enabled=self.narrow)

  def freeze(self, frozen: bool) -> None:
    """Whether the discriminator's parameters take no gradient."""
    for p in self.networks['discriminator'].parameters():
      p.requires_grad_(not frozen)

  def update(self, name: str, loss: torch.Tensor) -> None:
    """One update of a player."""
    self.optimizers[name].zero_grad(set_to_none=True)
    loss.backward()
    self.optimizers[name].step()

  def one(self) -> None:
    """One train step."""
    self.play(self)
    if self.ema[0]:
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

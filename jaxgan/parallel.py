"""Meshes, shardings and compilation: the only file that knows about devices.

One way to run a step is a `Layout`. 'jit' keeps every array global over a mesh and lets XLA insert
the collectives; with `fsdp` parameters and optimiser state are sharded over the same mesh. 'pmap'
gives each device its replica of the state. All compute the same numbers.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgan.nn import replicas

AXIS = 'data'
FSDP_MIN_SIZE = 2**14  # smaller arrays cost more to gather than to keep


class Layout(NamedTuple):
  """How states and batches lie on devices, and how a step is compiled for that.

  Attributes:
    place: state on the host or anywhere -> state on the devices.
    shard: this process's share of a batch (numpy) -> batch on the devices.
    compile: pure `step(state, batch) -> (state, metrics)` -> the compiled function, state donated.
    logical: state on the devices -> the one state that it stands for (what a checkpoint holds).
    abstract: logical state -> ShapeDtypeStructs with shardings, the template of a restore.
    devices: the devices in use.
  """

  place: Callable[[Any], Any]
  shard: Callable[[Any], Any]
  compile: Callable[[Callable[..., Any]], Any]
  logical: Callable[[Any], Any]
  abstract: Callable[[Any], Any]
  devices: Sequence[Any]


def make_layout(mode: str = 'jit', fsdp: bool = False, devices: Sequence[Any] | None = None) -> Layout:
  """The layout of that name over the given devices (all of them by default).

  Raises:
    ValueError: unknown mode, or fsdp with pmap.
  """
  devices = list(jax.devices() if devices is None else devices)
  if mode == 'jit':
    return _jit_layout(devices, fsdp)
  if mode == 'pmap' and not fsdp:
    return _pmap_layout(devices)
  raise ValueError(f"parallel.mode={mode!r} with fsdp={fsdp}; expected mode 'jit' (fsdp or not) or 'pmap' (without fsdp)")


def _jit_layout(devices: list[Any], fsdp: bool) -> Layout:
  mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
  everywhere, by_example = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(AXIS))

  def sharding(x: Any) -> NamedSharding:
    fits = [i for i in range(np.ndim(x)) if np.shape(x)[i] % len(devices) == 0]
    if not fsdp or np.size(x) < FSDP_MIN_SIZE or not fits:
      return everywhere
    axis = max(fits, key=lambda i: np.shape(x)[i])
    return NamedSharding(mesh, PartitionSpec(*[AXIS if i == axis else None for i in range(axis + 1)]))

  def shardings(state: Any) -> Any:
    return jax.tree.map(sharding, state)

  def place(state: Any) -> Any:
    return jax.tree.map(lambda x: jax.device_put(x, sharding(x)), state)

  def shard(batch: Any) -> Any:
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(by_example, x), batch)

  def compile(step: Callable[..., Any]) -> Any:
    def constrained(state: Any, batch: Any) -> Any:
      new, metrics = step(state, batch)
      return jax.lax.with_sharding_constraint(new, shardings(new)), metrics

    return jax.jit(constrained, donate_argnums=0)

  def abstract(state: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding(x)), state)

  return Layout(place, shard, compile, lambda state: state, abstract, devices)


def _pmap_layout(devices: list[Any]) -> Layout:
  local = [d for d in devices if d.process_index == jax.process_index()]
  logical = lambda state: jax.tree.map(lambda x: x[0], state)

  def place(state: Any) -> Any:
    copies = lambda x: jnp.broadcast_to(x, (len(local), *x.shape))
    return jax.pmap(lambda x: x, devices=local if jax.process_count() == 1 else None)(jax.tree.map(copies, state))

  def shard(batch: Any) -> Any:
    return jax.tree.map(lambda x: x.reshape((len(local), -1, *x.shape[1:])), batch)

  def compile(step: Callable[..., Any]) -> Any:
    return jax.pmap(
      step, axis_name=replicas.AXIS, donate_argnums=0, out_axes=(0, None), devices=devices if jax.process_count() == 1 else None
    )

  def abstract(state: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)

  return Layout(place, shard, compile, logical, abstract, devices)


def several_steps(step: Callable[..., Any], count: int) -> Callable[..., Any]:
  """`count` train steps as one call: batch leaves [B * count, ...], metrics stacked [count].

  Unrolled on the CPU, where XLA runs convolutions inside a loop 16 times slower.
  """
  if count == 1:
    return lambda state, batch: (lambda out: (out[0], jax.tree.map(lambda m: m[None], out[1])))(step(state, batch))

  def steps(state: Any, batch: Any) -> Any:
    # strided, so that each device keeps its own examples
    parts = jax.tree.map(lambda x: jnp.moveaxis(x.reshape((-1, count, *x.shape[1:])), 1, 0), batch)
    return jax.lax.scan(step, state, parts, unroll=jax.default_backend() == 'cpu')

  return steps


def start_distributed(mode: str = 'auto') -> None:
  """Joins the processes of a cluster: by itself where one is detected, or forced.

  Args:
    mode: 'auto' (join if the environment names a coordinator or a known cluster), 'on', 'off'.

  Raises:
    ValueError: another mode; or 'on' where nothing says who the coordinator is.
  """
  if mode not in ('auto', 'on', 'off'):
    raise ValueError(f"parallel.distributed={mode!r}; expected 'auto', 'on' or 'off'")
  if mode == 'off' or jax.distributed.is_initialized():
    return
  given = {
    'coordinator_address': os.environ.get('JAX_COORDINATOR_ADDRESS'),
    'num_processes': _number('JAX_NUM_PROCESSES'),
    'process_id': _number('JAX_PROCESS_ID'),
  }
  if given['coordinator_address']:
    jax.distributed.initialize(**given)  # type: ignore[arg-type]
  elif mode == 'on' or _cluster():
    try:
      jax.distributed.initialize()
    except ValueError as error:
      raise ValueError(
        f'no cluster found to join ({error}); set JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID, or parallel.distributed=off'
      ) from error


def _number(variable: str) -> int | None:
  value = os.environ.get(variable)
  return int(value) if value else None


def _cluster() -> bool:
  """Whether the environment is that of several processes: Slurm, Open MPI, or a multi-host TPU."""
  several = any((_number(v) or 1) > 1 for v in ('SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE'))
  return several or ',' in os.environ.get('TPU_WORKER_HOSTNAMES', '')

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

from jaxgan.errors import UserError
from jaxgan.nn import replicas

AXIS = 'data'
# By default XLA's CPU scheduler lines up what can run side by side: up to twice the memory, and no
# faster where each operation has all cores to itself.
ONE_AFTER_THE_OTHER = {'xla_cpu_scheduler_type': 'CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED'}
FSDP_MIN_SIZE = 2**14  # smaller arrays cost more to gather than to keep


class Layout(NamedTuple):
  """How states and batches lie on devices, and how a step is compiled for that.

  Attributes:
    place: state on the host or anywhere -> state on the devices.
    shard: this process's share of the batches of a call, numpy [steps, B, ...] -> the devices.
    compile: pure `step(state, batches) -> (state, metrics)` -> the function to call, jitted, its
      state donated; `several_steps` makes such a step.
    logical: state on the devices -> the one state that it stands for (what a checkpoint holds).
    local: any part of the logical state -> the same on one local device, for evaluation.
    abstract: logical state -> ShapeDtypeStructs with shardings, the template of a restore.
    devices: the devices in use.
  """

  place: Callable[[Any], Any]
  shard: Callable[[Any], Any]
  compile: Callable[[Callable[..., Any]], Any]
  logical: Callable[[Any], Any]
  local: Callable[[Any], Any]
  abstract: Callable[[Any], Any]
  devices: Sequence[Any]


def make_layout(
  mode: str = 'jit', fsdp: bool = False, devices: Sequence[Any] | None = None
) -> Layout:
  """The layout of that name over the given devices (all of them by default).

  Raises:
    UserError: unknown mode, or fsdp with pmap.
  """
  devices = list(jax.devices() if devices is None else devices)
  if mode == 'jit':
    return _jit_layout(devices, fsdp)
  if mode == 'pmap' and not fsdp:
    return _pmap_layout(devices)
  raise UserError(
    f"parallel.mode={mode!r} with fsdp={fsdp}; expected mode 'jit' (fsdp or not) or 'pmap' (without fsdp)"
  )


def _jit_layout(devices: list[Any], fsdp: bool) -> Layout:
  mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
  everywhere, by_example = (
    NamedSharding(mesh, PartitionSpec()),
    NamedSharding(mesh, PartitionSpec(None, AXIS)),
  )

  def sharding(x: Any) -> NamedSharding:
    fits = [i for i in range(np.ndim(x)) if np.shape(x)[i] % len(devices) == 0]
    if not fsdp or np.size(x) < FSDP_MIN_SIZE or not fits:
      return everywhere
    axis = max(fits, key=lambda i: np.shape(x)[i])
    return NamedSharding(
      mesh, PartitionSpec(*[AXIS if i == axis else None for i in range(axis + 1)])
    )

  def shardings(state: Any) -> Any:
    return jax.tree.map(sharding, state)

  def place(state: Any) -> Any:
    return jax.tree.map(lambda x: _put(x, sharding(x)), state)

  def shard(batch: Any) -> Any:
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(by_example, x), batch)

  def compile(step: Callable[..., Any]) -> Any:
    def constrained(state: Any, batch: Any) -> Any:
      new, metrics = step(state, batch)
      return jax.lax.with_sharding_constraint(new, shardings(new)), metrics

    return jax.jit(constrained, donate_argnums=0)

  def abstract(state: Any) -> Any:
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding(x)), state
    )

  def local(tree: Any) -> Any:
    if len(devices) == 1:
      return tree
    whole = jax.jit(lambda t: t, out_shardings=everywhere)(tree)
    return jax.tree.map(lambda x: x.addressable_data(0), whole)

  return Layout(place, shard, compile, lambda state: state, local, abstract, devices)


def _put(x: Any, sharding: NamedSharding) -> jax.Array:
  """The array on the devices of all processes, each of which has the same one or its part of it."""
  if jax.process_count() == 1 or not x.is_fully_addressable:
    return jax.device_put(x, sharding)
  if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
    data = _put(jax.random.key_data(x), sharding)
    return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
  whole = np.asarray(x)  # device_put reaches the devices of this process alone
  return jax.make_array_from_callback(x.shape, sharding, lambda index: whole[index])


def _pmap_layout(devices: list[Any]) -> Layout:
  local = [d for d in devices if d.process_index == jax.process_index()]
  chosen = devices if jax.process_count() == 1 else None
  # one program for the whole state: one an array would take as long as compiling the step
  spread = jax.pmap(lambda _, state: state, in_axes=(0, None), devices=chosen)
  first = jax.jit(lambda shards: jax.tree.map(lambda x: x[0], shards))

  def place(state: Any) -> Any:
    return spread(np.arange(len(local)), state)

  def logical(state: Any) -> Any:
    return first(jax.tree.map(lambda x: x.addressable_data(0), state))

  def shard(batch: Any) -> Any:
    by_replica = lambda x: x.reshape((x.shape[0], len(local), -1, *x.shape[2:])).swapaxes(0, 1)
    return jax.tree.map(by_replica, batch)

  def compile(step: Callable[..., Any]) -> Any:
    return jax.pmap(
      step,
      axis_name=replicas.AXIS,
      donate_argnums=0,
      out_axes=(0, None),
      devices=chosen,
    )

  def abstract(state: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)

  return Layout(place, shard, compile, logical, lambda tree: tree, abstract, devices)


def local_batches() -> NamedSharding:
  """Batches shared out among the devices of this process, for what it computes by itself."""
  mesh = Mesh(np.array(jax.local_devices()), (AXIS,), axis_types=(AxisType.Auto,))
  return NamedSharding(mesh, PartitionSpec(AXIS))


def start_distributed(mode: str = 'auto') -> None:
  """Joins the processes of a cluster: by itself where one is detected, or forced.

  Args:
    mode: 'auto' (join if the environment names a coordinator or a known cluster), 'on', 'off'.

  Raises:
    UserError: another mode; or 'on' where nothing says who the coordinator is.
  """
  if mode not in ('auto', 'on', 'off'):
    raise UserError(f"parallel.distributed={mode!r}; expected 'auto', 'on' or 'off'")
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
      raise UserError(
        f'no cluster found to join ({error}); set JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID, or parallel.distributed=off'
      ) from error


def _number(variable: str) -> int | None:
  value = os.environ.get(variable)
  return int(value) if value else None


def _cluster() -> bool:
  """Whether the environment is that of several processes: Slurm, Open MPI, or a multi-host TPU."""
  several = any((_number(v) or 1) > 1 for v in ('SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE'))
  return several or ',' in os.environ.get('TPU_WORKER_HOSTNAMES', '')


def check_batch(size: int, devices: int) -> None:
  """Whether a micro-batch can be shared out equally.

  Raises:
    UserError: it cannot.
  """
  if size % devices:
    raise UserError(
      f'batch_size / accumulate = {size} cannot be shared equally by {devices} devices; make it a multiple of {devices}'
    )


def keep_programs(directory: str) -> None:
  """Keeps compiled programs in a folder, so that the next start is faster; '' keeps none."""
  if directory:
    jax.config.update('jax_compilation_cache_dir', os.path.expanduser(directory))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.2)


def ahead(function: Any, state: Any, batches: Any) -> Any:
  """What `Layout.compile` made, compiled for these arguments.

  A pmap over several processes can be compiled only by calling it: lowered, it asks for the arrays
  of all processes instead of its own.
  """
  if jax.process_count() > 1 and all(x.is_fully_addressable for x in jax.tree.leaves(state)):
    return function
  lowered = function.lower(state, batches)
  if jax.default_backend() == 'cpu':
    try:
      return lowered.compile(compiler_options=ONE_AFTER_THE_OTHER)
    except jax.errors.JaxRuntimeError:  # a release of XLA without the option
      pass
  return lowered.compile()


def cost(compiled: Any, steps: int) -> str:
  """FLOPs and memory of a compiled step in words, as far as the backend tells them."""
  told = []
  if not hasattr(compiled, 'cost_analysis'):
    return 'cost unknown'
  analysis = compiled.cost_analysis()
  analysis = analysis[0] if isinstance(analysis, list) else analysis
  if analysis and analysis.get('flops', 0) > 0:
    told.append(f'{analysis["flops"] / steps / 1e9:.3g} GFLOP a step')
  if held(compiled):
    told.append(f'{held(compiled) / 2**20:.0f} MiB')
  return ', '.join(told) or 'cost unknown'


def held(compiled: Any) -> int:
  """Bytes that a compiled program holds at its peak, its arguments counted in; 0 = not told."""
  memory = compiled.memory_analysis()
  if memory is None:
    return 0
  arguments, results = memory.argument_size_in_bytes, memory.output_size_in_bytes
  return arguments + results - memory.alias_size_in_bytes + memory.temp_size_in_bytes


def memory() -> dict[str, float]:
  """Peak memory of the first local device in MiB, where the device tells it."""
  stats = jax.local_devices()[0].memory_stats() or {}
  return (
    {'device_memory_mib': stats['peak_bytes_in_use'] / 2**20}
    if 'peak_bytes_in_use' in stats
    else {}
  )

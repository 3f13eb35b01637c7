"""BigGAN-PyTorch checkpoints (Brock, https://github.com/ajbrock/BigGAN-PyTorch) to jaxgan variables.

Read a file with `torch_file.read`, then

  module, variables = generator(state_dict, G_ch=96, dim_z=120, shared_dim=128, hier=True, ...)
  images = module.apply(variables, z, labels, train=False)   # NHWC in [-1, 1]

What differs there and is followed here: the kernel size arguments are ignored (all are 3x3); the
output norm's epsilon is always 1e-5; a dim_z that hierarchical z cannot split is rounded down; at
resolution 32 the discriminator's attention argument 16 means every block and 8 means none; the
discriminator's first activation in a block is ReLU whatever its activation; cross-replica norm adds
the gain instead of multiplying by it unless it trains on several devices (see `generator`).
"""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.importers.state_dict import array, listed, strip
from jaxgan.importers.torch_file import WeightsError
from jaxgan.models import biggan, biggan_deep

# Constructor arguments that shape a network, with the reference's defaults.
DEFAULTS: dict[str, Any] = {
  'G_ch': 64,
  'G_depth': 2,
  'dim_z': 128,
  'bottom_width': 4,
  'resolution': 128,
  'G_attn': '64',
  'n_classes': 1000,
  'num_G_SVs': 1,
  'num_G_SV_itrs': 1,
  'G_shared': True,
  'shared_dim': 0,
  'hier': False,
  'cross_replica': False,
  'mybn': False,
  'G_activation': 'relu',
  'BN_eps': 1e-5,
  'SN_eps': 1e-12,
  'G_param': 'SN',
  'norm_style': 'bn',
  'D_ch': 64,
  'D_wide': True,
  'D_depth': 2,
  'D_attn': '64',
  'num_D_SVs': 1,
  'num_D_SV_itrs': 1,
  'D_activation': 'relu',
  'D_param': 'SN',
  'output_dim': 1,
}
# Arguments of the constructors and of the training script that change nothing about a forward pass.
# fmt: off
IGNORED = frozenset([
  'G_kernel_size', 'D_kernel_size', 'G_lr', 'G_B1', 'G_B2', 'D_lr', 'D_B1', 'D_B2', 'adam_eps',
  'G_mixed_precision', 'D_mixed_precision', 'G_fp16', 'D_fp16', 'G_init', 'D_init', 'skip_init',
  'no_optim', 'dataset', 'augment', 'num_workers', 'pin_memory', 'shuffle', 'load_in_mem',
  'use_multiepoch_sampler', 'model', 'z_var', 'G_nl', 'D_nl', 'seed', 'batch_size',
  'G_batch_size', 'num_G_accumulations', 'num_D_steps', 'num_D_accumulations', 'split_D',
  'num_epochs', 'parallel', 'accumulate_stats', 'num_standing_accumulations', 'BN_sync',
  'G_eval_mode', 'save_every', 'num_save_copies', 'num_best_copies', 'which_best', 'no_fid',
  'test_every', 'num_inception_images', 'hashname', 'base_root', 'data_root', 'dataset_root',
  'weights_root', 'logs_root', 'samples_root', 'pbar', 'name_suffix', 'experiment_name',
  'config_from_name', 'ema', 'ema_decay', 'use_ema', 'ema_start', 'G_ortho', 'D_ortho',
  'toggle_grads', 'which_train_fn', 'load_weights', 'resume', 'logstyle', 'log_G_spectra',
  'log_D_spectra', 'sv_log_interval', 'sample_npz', 'sample_num_npz', 'sample_sheets',
  'sample_interps', 'sample_sheet_folder_num', 'sample_random', 'sample_trunc_curves',
  'sample_inception_metrics',
])
# fmt: on
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  'relu': jax.nn.relu,
  'relu6': jax.nn.relu6,
  'elu': jax.nn.elu,
  'selu': jax.nn.selu,
  'celu': jax.nn.celu,
  'gelu': lambda x: jax.nn.gelu(x, approximate=False),
  'silu': jax.nn.silu,
  'swish': jax.nn.silu,
  'mish': jax.nn.mish,
  'softplus': jax.nn.softplus,
  'tanh': jnp.tanh,
  'sigmoid': jax.nn.sigmoid,
  'identity': lambda x: x,
}
COUNTERS = ('accumulation_counter', 'num_batches_tracked')  # buffers that no forward pass reads


def generator(
  state_dict: Mapping[str, Any],
  *,
  deep: bool = False,
  cross_replica_gain: str = 'added',
  **model_args: Any,
) -> tuple[Any, dict[str, Any]]:
  """The generator of a checkpoint.

  Args:
    state_dict: the reference's names -> arrays (NumPy, JAX or torch).
    deep: BigGANdeep.py instead of BigGAN.py.
    cross_replica_gain: with `cross_replica=True`, 'added' does what the reference does in
      evaluation, always, and in training on one device (out + gain + bias); 'multiplied' does what
      it does in training on several devices, which is what such weights were mostly trained for.
    **model_args: the reference's constructor arguments under its names, with its defaults; those
      for the discriminator or for training only are accepted and change nothing.

  Returns:
    (module, variables): `module.apply(variables, z [B, module.dim_z], labels [B], train=False)`
    gives images [B, H, W, 3]; variables hold 'params', 'batch_stats' and, with spectral norm,
    'spectral'.

  Raises:
    WeightsError: an unknown argument, one that the reference cannot build, or weights that are
      missing, superfluous or of another shape; one line.
  """
  args = _arguments(model_args)
  if cross_replica_gain not in ('added', 'multiplied'):
    raise WeightsError(
      f"cross_replica_gain={cross_replica_gain!r}; expected 'added' or 'multiplied'"
    )
  tables = biggan_deep if deep else biggan
  dim_z = args['dim_z']
  shared_dim = (args['shared_dim'] if args['shared_dim'] > 0 else dim_z) if args['G_shared'] else 0
  if (deep or args['hier']) and not (args['hier'] and args['G_shared']):
    needs = 'BigGAN-deep needs hier=True and' if deep else 'hier=True needs'
    raise WeightsError(f'{needs} G_shared=True; the reference cannot run without')
  if not deep and args['hier']:
    slots = len(_table(tables.GENERATOR_WIDTHS, args['resolution']))
    dim_z = dim_z // slots * slots
    if not dim_z:
      raise WeightsError(f'dim_z={args["dim_z"]} is too small to split into {slots} chunks')
  own_statistics = args['cross_replica'] or args['mybn']
  module = tables.Generator(
    resolution=args['resolution'],
    channels=args['G_ch'],
    num_classes=args['n_classes'],
    dim_z=dim_z,
    shared_dim=shared_dim,
    attention=_sizes('G_attn', args['G_attn']),
    bottom_width=args['bottom_width'],
    activation=_activation('G_activation', args['G_activation']),
    spectral=args['G_param'] == 'SN',
    num_svs=args['num_G_SVs'],
    num_itrs=args['num_G_SV_itrs'],
    sn_eps=args['SN_eps'],
    norm='batch' if own_statistics else _norm(args['norm_style']),
    bn_eps=args['BN_eps'],
    output_bn_eps=1e-5,  # the reference's norm before the images takes no notice of BN_eps
    unbiased=args['cross_replica'] or not args['mybn'],
    additive=args['cross_replica'] and cross_replica_gain == 'added',
    **({'depth': args['G_depth']} if deep else {'hierarchical': args['hier']}),
  )
  statistics = 'stored_{}'
  if own_statistics:
    statistics = 'bn.running_{}' if args['cross_replica'] else 'bn.stored_{}'
  names = _Names(depth=args['G_depth'] if deep else 0, last_attends=True, statistics=statistics)
  inputs = (jnp.zeros((1, dim_z)), jnp.zeros(1, jnp.int32))
  return module, _convert(module, inputs, state_dict, names, args['bottom_width'])


def discriminator(
  state_dict: Mapping[str, Any], *, deep: bool = False, **model_args: Any
) -> tuple[Any, dict[str, Any]]:
  """The discriminator of a checkpoint.

  Args:
    state_dict, deep, **model_args: as for `generator`.

  Returns:
    (module, variables): `module.apply(variables, images [B, H, W, 3], labels [B], train=False)`
    gives logits [B].

  Raises:
    WeightsError: as for `generator`.
  """
  args = _arguments(model_args)
  tables = biggan_deep if deep else biggan
  resolution, sizes = args['resolution'], _sizes('D_attn', args['D_attn'])
  _table(tables.DISCRIMINATOR_WIDTHS, resolution)
  # The reference's table calls every feature map of its 32-pixel network 16, the 8-pixel ones too.
  blocks = (tuple(range(3 if deep else 4)) if 16 in sizes else ()) if resolution == 32 else None
  module = tables.Discriminator(
    resolution=resolution,
    channels=args['D_ch'],
    num_classes=args['n_classes'],
    attention=sizes,
    attention_blocks=blocks,
    outputs=args['output_dim'],
    activation=_activation('D_activation', args['D_activation']),
    spectral=args['D_param'] == 'SN',
    num_svs=args['num_D_SVs'],
    num_itrs=args['num_D_SV_itrs'],
    sn_eps=args['SN_eps'],
    **({'depth': args['D_depth']} if deep else {'wide': args['D_wide']}),
  )
  names = _Names(depth=args['D_depth'] if deep else 0, last_attends=False, statistics='')
  inputs = (jnp.zeros((1, resolution, resolution, 3)), jnp.zeros(1, jnp.int32))
  return module, _convert(module, inputs, state_dict, names)


LAYERS = {'shortcut': 'conv_sc', 'output_norm': 'output_layer.0', 'output_conv': 'output_layer.2'}


class _Names:
  """The reference's name of each of our variables."""

  def __init__(self, depth: int, last_attends: bool, statistics: str):
    self.depth = depth  # blocks per stage of a deep network, else 0
    self.last_attends = last_attends  # attention follows in the list of the stage's last block
    self.statistics = statistics

  def __call__(self, collection: str, path: tuple[str, ...]) -> str:
    """Of a variable; for u and sv without the number of the vector."""
    parts = [self.part(part) for part in path[:-1]]
    leaf = path[-1]
    if collection == 'batch_stats':
      return '.'.join([*parts, self.statistics.format(leaf)])
    leaf = {'kernel': 'weight', 'embedding': 'weight', 'scale': 'gain'}.get(leaf, leaf)
    return '.'.join([*parts, leaf])

  def part(self, part: str) -> str:
    """One component of a path."""
    if block := re.fullmatch(r'block_(\d+)(?:_(\d+))?', part):
      stage, inner = int(block[1]), int(block[2] or 0)
      if self.depth and self.last_attends:
        return f'blocks.{stage * self.depth + inner}.0'
      return f'blocks.{stage}.{inner}'
    if attention := re.fullmatch(r'attention_(\d+)', part):
      stage = int(attention[1])
      if self.depth and self.last_attends:
        return f'blocks.{stage * self.depth + self.depth - 1}.1'
      return f'blocks.{stage}.{self.depth or 1}'
    if norm := re.fullmatch(r'norm(\d)', part):
      return f'bn{norm[1]}'
    return LAYERS.get(part, part)


def _convert(
  module: Any, inputs: Any, state_dict: Mapping[str, Any], names: _Names, bottom_width: int = 0
) -> dict[str, Any]:
  """The module's variables out of the reference's arrays; every array is used, every variable filled."""
  given = strip(state_dict)
  shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)
  variables: dict[str, Any] = {}
  used, missing, wrong = set(), [], []
  for collection, tree in sorted(shapes.items(), key=lambda item: item[0] != 'params'):
    flat, structure = jax.tree_util.tree_flatten_with_path(tree)
    leaves = []
    for keys, shape in flat:
      path = tuple(key.key for key in keys)
      name = names(collection, path)
      sources = [f'{name}{i}' for i in range(shape.shape[0])] if path[-1] in ('u', 'sv') else [name]
      missing += [source for source in sources if source not in given]
      if missing:
        continue
      bottom = bottom_width if path[0] == 'linear' else 0
      parts = [_layout(array(given[source]), path[-1], bottom) for source in sources]
      value = np.concatenate(parts) if path[-1] in ('u', 'sv') else parts[0]
      used.update(sources)
      if value.shape != shape.shape:
        expected = _their_shape(shape.shape, path[-1])
        wrong.append(f'{name} {_their_shape(value.shape, path[-1])} for {expected}')
      leaves.append(jnp.asarray(value))
    if not missing:
      variables[collection] = jax.tree_util.tree_unflatten(structure, leaves)
  superfluous = [n for n in given if n not in used and n.rsplit('.', 1)[-1] not in COUNTERS]
  if missing:
    raise WeightsError(f'weights missing for these arguments: {listed(missing, 8)}')
  if superfluous:
    raise WeightsError(f'weights that these arguments have no place for: {listed(superfluous, 8)}')
  if wrong:
    raise WeightsError(f'weights of another shape than these arguments ask for: {listed(wrong, 3)}')
  return variables


def _layout(value: np.ndarray, leaf: str, bottom: int) -> np.ndarray:
  """An array in our layout: kernels [..., in, out]; the first layer's outputs as [H, W, C], not [C, H, W]."""
  if bottom and leaf in ('kernel', 'bias', 'u') and value.size:
    axis = 1 if leaf == 'u' else 0
    rest = value.shape[1:] if axis == 0 else ()
    lead = value.shape[:axis]
    if value.shape[axis] % bottom**2 == 0:
      grid = value.reshape(*lead, -1, bottom, bottom, *rest)
      value = np.moveaxis(grid, axis, axis + 2).reshape(value.shape)
  if leaf == 'kernel' and value.ndim == 4:
    return value.transpose(2, 3, 1, 0)
  return value.T if leaf == 'kernel' else value


def _their_shape(shape: tuple[int, ...], leaf: str) -> tuple[int, ...]:
  """The shape of one of our arrays as the reference has it: [out, in, ...]."""
  return shape[:-3:-1] + shape[:-2] if leaf == 'kernel' else shape


def _arguments(model_args: Mapping[str, Any]) -> dict[str, Any]:
  for name in model_args:
    if name not in DEFAULTS and name not in IGNORED:
      near = difflib.get_close_matches(name, [*DEFAULTS, *IGNORED], 1)
      hint = f'; did you mean {near[0]!r}?' if near else '; expected those of the reference'
      raise WeightsError(f'unknown model argument {name!r}{hint}')
  return {**DEFAULTS, **{k: v for k, v in model_args.items() if k in DEFAULTS}}


def _table(table: Mapping[int, Any], resolution: Any) -> Any:
  if resolution not in table:
    raise WeightsError(f'resolution={resolution!r}; expected one of {", ".join(map(str, table))}')
  return table[resolution]


def _sizes(name: str, attention: Any) -> tuple[int, ...]:
  try:
    return tuple(int(size) for size in str(attention).split('_'))
  except ValueError as error:
    raise WeightsError(
      f"{name}={attention!r}; expected sizes such as '64' or '32_64', '0' for none"
    ) from error


def _norm(style: str) -> str:
  known = {'bn': 'batch', 'in': 'instance', 'nonorm': 'none'}
  if style not in known:
    raise WeightsError(
      f'norm_style={style!r}; expected one of {", ".join(known)}, the reference runs no other'
    )
  return known[style]


def _activation(argument: str, given: Any) -> Callable[[jax.Array], jax.Array]:
  """A function of arrays from a name ('relu', 'ReLU(inplace=True)'), a torch module or a JAX function."""
  kind = type(given)
  module = str(getattr(given, '__module__', kind.__module__))
  if callable(given) and not isinstance(given, type) and not module.startswith('torch'):
    return given
  name = given if isinstance(given, str) else getattr(given, '__name__', repr(given))
  call = re.fullmatch(r'(\w+)(?:\((.*)\))?', name.strip(), re.DOTALL)
  word = re.sub(r'^inplace', '', call[1].lower().replace('_', '')) if call else ''
  word = {'ir': 'relu'}.get(word, word)
  numbers = [
    float(n) for n in re.findall(r'(?<![\w.])-?\d+\.?\d*(?:e-?\d+)?', (call and call[2]) or '')
  ]
  if word == 'leakyrelu':
    slope = numbers[0] if numbers else 0.01
    return lambda x: jax.nn.leaky_relu(x, slope)
  if word in ACTIVATIONS and not numbers:
    return ACTIVATIONS[word]
  if word in ('elu', 'celu') and len(numbers) == 1:
    return lambda x: ACTIVATIONS[word](x, numbers[0])  # type: ignore[call-arg]
  known = ', '.join([*ACTIVATIONS, 'leaky_relu'])
  raise WeightsError(f'{argument}={name!r}; expected one of {known}, or a function of JAX arrays')

"""Random weights of the Inception by a recipe: those of the recorded numbers, too large to be kept."""

import zlib

import numpy as np

from jaxgan.metrics.features import inception


def shapes():
  """Name -> shape of every tensor of the .pth file."""
  out = {}

  def add(name, inputs, outputs, kernel=(1, 1)):
    out[f'{name}.conv.weight'] = (outputs, inputs, *kernel)
    for leaf in ('weight', 'bias', 'running_mean', 'running_var'):
      out[f'{name}.bn.{leaf}'] = (outputs,)

  three, wide, tall = (3, 3), (1, 7), (7, 1)
  add('Conv2d_1a_3x3', 3, 32, three)
  add('Conv2d_2a_3x3', 32, 32, three)
  add('Conv2d_2b_3x3', 32, 64, three)
  add('Conv2d_3b_1x1', 64, 80)
  add('Conv2d_4a_3x3', 80, 192, three)
  inputs = dict(zip(inception.ENTERS, (192, 256, 288, *[768] * 5, 1280, 2048)))
  for block, widths in inception.ENTERS.items():
    for name, outputs in widths.items():
      add(f'{block}.{name}', inputs[block], outputs)
    c = widths.get('branch7x7_1')
    rest = {
      '5': [
        ('branch5x5_2', 48, 64, (5, 5)),
        ('branch3x3dbl_2', 64, 96, three),
        ('branch3x3dbl_3', 96, 96, three),
      ],
      '6': [
        ('branch7x7_2', c, c, wide),
        ('branch7x7_3', c, 192, tall),
        ('branch7x7dbl_2', c, c, tall),
        ('branch7x7dbl_3', c, c, wide),
        ('branch7x7dbl_4', c, c, tall),
        ('branch7x7dbl_5', c, 192, wide),
      ],
      '7': [
        ('branch3x3_2a', 384, 384, (1, 3)),
        ('branch3x3_2b', 384, 384, (3, 1)),
        ('branch3x3dbl_2', 448, 384, three),
        ('branch3x3dbl_3a', 384, 384, (1, 3)),
        ('branch3x3dbl_3b', 384, 384, (3, 1)),
      ],
    }[block[6]]
    if block == 'Mixed_7a':
      rest = [('branch3x3_2', 192, 320, three), ('branch7x7x3_2', 192, 192, wide)]
      rest += [('branch7x7x3_3', 192, 192, tall), ('branch7x7x3_4', 192, 192, three)]
    for name, *sizes in rest:
      add(f'{block}.{name}', *sizes)
  add('Mixed_6a.branch3x3', 288, 384, three)
  add('Mixed_6a.branch3x3dbl_1', 288, 64)
  add('Mixed_6a.branch3x3dbl_2', 64, 96, three)
  add('Mixed_6a.branch3x3dbl_3', 96, 96, three)
  add('Mixed_7c.branch_pool', 2048, 192)
  return {**out, 'fc.weight': (1008, 2048), 'fc.bias': (1008,)}


def draw():
  """Name -> float32 array."""
  out = {}
  for name, shape in shapes().items():
    n = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith('conv.weight'):
      n *= np.sqrt(2 / np.prod(shape[1:]))
    elif name.endswith('bn.weight'):
      n = 1 + 0.1 * n
    elif name.endswith('running_var'):
      n = np.exp(0.2 * n)
    else:
      n *= 0.05 if name == 'fc.weight' else 0.1
    out[name] = n.astype(np.float32)
  return out

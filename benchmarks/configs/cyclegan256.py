"""CycleGAN as published, at 256x256 and batch 1: 9 blocks, patches of 70 pixels, a pool of 50, on emoji enlarged."""

from jaxgan import config as configs


def get_config():
  """The authors' networks and losses on the pictures that come along."""
  config = configs.load('cyclegan:horse2zebra')
  config.data.update(name='emoji', load_size=0, flip=False)
  return config

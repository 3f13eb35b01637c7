"""pix2pix as published, at 256x256 and batch 1: U-Net 256, patches of 70 pixels, on emoji enlarged.

Dropout is drawn once for the discriminator's update and once for the generator's, so that both sides
run the decoder forward twice; the authors' code draws once for both, which is some 9 % fewer
operations. Pictures are neither resized nor cropped.
"""

from jaxgan import config as configs


def get_config():
  """The authors' networks and losses on the pictures that come along."""
  config = configs.load('pix2pix:facades')
  config.data.update(name='emoji', load_size=0, flip=False)
  return config

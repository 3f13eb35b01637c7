"""PyTorch twins of the models, by file name: the same architecture, written as PyTorch users write it.

Each file has `make(game, image_shape, num_classes) -> (generator, discriminator)`, game being the
config's `game` section. They exist to be measured against and to have their operations counted;
nothing of jaxgan depends on them.
"""

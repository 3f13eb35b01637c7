"""PyTorch twins of the models, by file name: the same architecture, written as PyTorch users write it.

Each file has `make(game, image_shape, num_classes) -> (generator, discriminator)`, game being the
config's `game` section, and `play`, its train step in
`benchmarks.sides.torch_games`. They exist to be measured against and to have their operations counted;
nothing of jaxgan depends on them.
"""

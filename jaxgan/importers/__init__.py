"""Official checkpoints to jaxgan variables, one file per code base; every one raises `WeightsError`."""

from jaxgan.importers.torch_file import WeightsError

__all__ = ['WeightsError']

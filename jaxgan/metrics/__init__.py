"""Scores: features in, numbers out; and the networks that turn pictures into features."""

from jaxgan.metrics.prdc import prdc

__all__ = ['prdc']

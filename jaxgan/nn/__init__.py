"""Layers with two users or more, one idea per file."""

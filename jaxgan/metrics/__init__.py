"""Scores: features in, numbers out; and the networks that turn pictures into features."""

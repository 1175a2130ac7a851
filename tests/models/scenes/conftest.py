"""Fixtures of this room."""

from tests.models.stream.samples import here

__all__ = ["here"]

"""Folders anywhere: on this machine, an object store or another machine, by fsspec."""

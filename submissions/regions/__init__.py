"""Regions of cells: runs of neighbours put together, their outlines, what is measured of them, and the ground below."""

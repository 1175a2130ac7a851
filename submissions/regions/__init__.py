"""Regions of cells: runs of neighbours put together, their outlines, and the ground under them. Knows no scores."""

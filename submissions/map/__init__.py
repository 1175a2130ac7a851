"""From score rasters to maps: which cells carry a label, and their regions as vectors that any GIS opens."""

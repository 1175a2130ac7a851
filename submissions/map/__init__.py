"""From score rasters to maps: where each label is, what has changed between two dates, and what that is worth."""

"""The map as a page: one file with scene, scores and regions, which decides anew as the cuts are moved."""

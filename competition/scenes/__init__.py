"""Scenes: images of any size with a place on the ground, read by windows, and the scores of their ground on disk."""

"""Sharing a workspace: what was made, moved by digest between people and machines."""

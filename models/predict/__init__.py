"""Trained networks, and the scores they give."""

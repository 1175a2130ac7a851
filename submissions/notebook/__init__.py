"""Blends in a notebook on Kaggle: what was fitted as plain numbers, and a valid submission at any moment."""

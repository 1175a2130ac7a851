"""Notebooks on Kaggle: brought there once, watched, and what they leave fetched, checked and submitted."""

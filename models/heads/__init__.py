"""Heads on features made once: those of all folds and seeds, trained together in NumPy."""

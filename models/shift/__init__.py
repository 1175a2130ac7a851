"""Adversarial validation: which labelled chips look like those to predict, how the two differ, and weights for that."""

"""Pseudo-labels: chips to predict labelled by networks that did not see a fold, for its training; and what they gain."""

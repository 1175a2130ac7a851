"""Pseudo-labels: chips to predict, labelled for each fold by networks that did not see it, and what they gain."""

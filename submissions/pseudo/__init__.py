"""Pseudo-labels: chips labelled or corrected for each fold by what did not see it, and what they gain."""

"""One command within a time limit: what is at hand is measured, planned and carried out, step by step."""

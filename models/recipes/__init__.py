"""What a model is made by: a flat table of values, each a flag."""

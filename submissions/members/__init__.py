"""The models and blends that a blend is made of, and the chips they share."""

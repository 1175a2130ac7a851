"""Code competitions: the folder that a notebook on Kaggle is made of, and what the notebook finds there."""

"""Networks in a notebook on Kaggle: packed to run without Keras, within a time limit, the most useful first."""

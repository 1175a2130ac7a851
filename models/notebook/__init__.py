"""Networks in a notebook on Kaggle: packed without Keras, run within a time limit, the most useful first."""

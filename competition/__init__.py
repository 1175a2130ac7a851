"""The facts: labels, metric, files, chips as arrays, the door to Kaggle. Knows nothing of networks."""

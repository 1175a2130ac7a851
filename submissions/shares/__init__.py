"""The share of each label among the chips to predict: by their scores, and by the public score of a constant answer."""

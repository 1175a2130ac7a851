"""Beginning a competition: its file, inferred from what Kaggle ships."""

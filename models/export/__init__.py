"""A trained model in one file, in three formats."""

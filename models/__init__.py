"""Everything that imports Keras: from a recipe to scores on disk."""

"""From a recipe to a compiled network."""

"""The fold table: chips dealt to folds by their labels, and how well these hold them."""

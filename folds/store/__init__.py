"""The scores that folds have made, on disk: written whole, known by who made them, or refused with how to mend them."""

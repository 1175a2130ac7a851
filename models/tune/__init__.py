"""The search for settings of heads: trials on inner splits of the folds, and what the choosing is worth."""

"""The report: one page that shows what models, blends and rules are worth, and on which chips they fail."""

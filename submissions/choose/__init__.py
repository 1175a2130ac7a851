"""Which members, method and rule: compared, chosen, kept and reported."""

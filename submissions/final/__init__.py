"""Which two submissions to select: what is known of each, what that foretells of the private part, and every pair."""

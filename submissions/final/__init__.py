"""Which two submissions to select for the private leaderboard: what is known of each, what it foretells, and every pair."""

"""Scoring millions of chips: in parts, by many processes, from and to any place."""

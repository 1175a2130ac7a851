"""Two dates of one place: what has appeared, is gone, has grown or shrunk, beside what noise alone makes of it."""

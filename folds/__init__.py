"""Who is held out, and the scores made for held-out chips. Knows nothing of networks."""

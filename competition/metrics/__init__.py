"""What judges decisions or scores, on whole matrices."""

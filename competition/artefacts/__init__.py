"""What a workspace keeps, looked at as a whole: which files are as they were written, and what mends the others."""

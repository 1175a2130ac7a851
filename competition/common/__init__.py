"""What names no competition: errors, records, files, text, progress, the command line."""

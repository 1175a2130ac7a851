"""What names no competition: errors, records, files, locks, text, progress."""

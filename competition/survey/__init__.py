"""What lies in a folder of files that nobody has described: tables, ids, pictures, bands."""

"""What every verb shares on the command line: flags, one-line errors, tables, completion."""

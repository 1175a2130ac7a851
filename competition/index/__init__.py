"""Where the files of a competition lie: found by their names, explained where they are not, and known again."""

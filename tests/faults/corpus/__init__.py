"""Files that a stranger may hand over, made by code: what each reader is to refuse, or to read as it stands.

Every module has `CASES`: a name, and what writes such a file into a folder and returns its path.
"""

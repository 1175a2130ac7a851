"""How work gets to many machines: by Ray, whose tasks share the workspace; it names no network."""

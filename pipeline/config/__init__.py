"""Reading and validating params.yaml, and looking up the names in it."""

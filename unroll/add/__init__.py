"""`unroll add`: from a file to entries of params.yaml."""

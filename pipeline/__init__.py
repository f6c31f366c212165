"""The nouns of Unroll: typed, importable, no work at import."""

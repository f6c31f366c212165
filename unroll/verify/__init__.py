"""Is a rebuild the same? What is committed, or a miniature, built once more apart and compared output by output."""

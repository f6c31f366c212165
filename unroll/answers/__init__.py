"""The answers of one's own series: what is asked of a file, where its answer lies, and how it is shown."""

"""Looking at what was built: compare, list, show, diff, track, and document 003's assignment."""

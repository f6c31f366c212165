"""Making a workspace: scaled down (the demo), a miniature (tests, `verify --quick`), or a checkout of a commit."""

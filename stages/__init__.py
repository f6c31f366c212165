"""The stages that DVC runs, one module each, and how they show progress."""

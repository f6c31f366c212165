"""The stages that DVC runs, one module each, and their progress display."""

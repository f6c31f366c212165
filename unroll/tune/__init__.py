"""The command `tune`: search the options of an experiment on validation."""

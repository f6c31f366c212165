"""The verbs of Unroll: the five stages that DVC runs, one module each, and in the folders all other commands."""

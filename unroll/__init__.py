"""The command line `unroll`, and the tools around the pipeline."""

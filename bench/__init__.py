"""Measurements of Unroll: speed beside other frameworks, growth with size, costs of a build, reproducibility."""

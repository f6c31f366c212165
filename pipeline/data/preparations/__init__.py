"""Preparations, which make supervised problems of raw data.

A module of this package is a `preparation.name` in params.yaml. Its `METRIC` is the
measure of its data sets. Its function `prepare(name, raw, *, ...)` takes the data set's
name and the folder of its source. The keyword-only parameters are the options.
"""

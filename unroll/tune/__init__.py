"""`unroll tune`: other options of an experiment are tried, and the best on validation
becomes an experiment.
"""

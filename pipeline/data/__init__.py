"""From a file on the web, or a formula, to numbered examples: sources, preparations,
and the data sets they make.
"""

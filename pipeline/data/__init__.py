"""Sources of raw data, preparations, and the data sets that preparations make.

A data set holds numbered examples.
"""

"""A library for one time series of one's own: read a file, judge models at past cutoffs, forecast."""

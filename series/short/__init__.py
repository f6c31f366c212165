"""Series that are too short for windows: panels of months, quarters and years, late
series of a longer file, or one series of a few dozen rows.

Every model is a function of a whole series up to a cutoff, so a series needs few rows.

1. `histories` are the series, and the size of their errors.
2. `local` has models of one series, and `networks` those that learn from all series.
3. `backtest` forecasts from cutoffs of the past, and `board` scores the models.
4. `forecaster` forecasts what comes next, with intervals.
"""

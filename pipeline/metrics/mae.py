"""The mean absolute error."""

from pipeline.metrics.measure import VALUES, Measure

MEASURE = Measure("mae", "MAE", lambda p, t, ops: ops.mean(abs(p - t)), VALUES)

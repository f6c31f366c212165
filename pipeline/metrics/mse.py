"""The mean squared error."""

from pipeline.metrics.measure import VALUES, Measure

MEASURE = Measure("mse", "MSE", lambda p, t, ops: ops.mean((p - t) ** 2), VALUES)

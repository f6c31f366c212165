"""The mean squared error of a probability."""

from pipeline.metrics.measure import CLASSES, Measure

MEASURE = Measure(
    "brier",
    "Brier score",
    lambda p, t, ops: ops.mean((p - t) ** 2),
    CLASSES,
    trains=False,
)

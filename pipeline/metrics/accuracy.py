"""The share of examples whose true class got the higher probability."""

from pipeline.metrics.measure import CLASSES, Measure

MEASURE = Measure(
    "accuracy",
    "accuracy",
    lambda p, t, ops: ops.mean((p > 0.5) == (t > 0.5)),
    CLASSES,
    higher=True,
    trains=False,
)

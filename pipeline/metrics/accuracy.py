"""The share of examples whose class is the likelier one."""

from pipeline.metrics.measure import CLASSES, Measure

MEASURE = Measure(
    "accuracy",
    "accuracy",
    lambda p, t, ops: ops.mean((p > 0.5) == (t > 0.5)),
    CLASSES,
    higher=True,
    trains=False,
)

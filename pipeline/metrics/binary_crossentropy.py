"""The mean of -log p, where p is the predicted probability of the true class."""

from typing import Any

from pipeline.metrics.measure import CLASSES, Measure, Ops

EPSILON = 1e-7
"""The least distance of a probability from 0 and 1 before its logarithm, as in Keras.
"""


def _crossentropy(predictions: Any, targets: Any, ops: Ops) -> Any:
    p = ops.clip(predictions, EPSILON, 1 - EPSILON)
    return ops.mean(-(targets * ops.log(p) + (1 - targets) * ops.log(1 - p)))


MEASURE = Measure("binary_crossentropy", "cross-entropy", _crossentropy, CLASSES)

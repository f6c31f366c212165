"""The mean squared error over all pairs of a prediction and a target.

Keras computes this for outputs (n, 1, 1) and targets (n,), which it broadcasts.
"""

from typing import Any

from pipeline.metrics.measure import Measure, Ops


def _pairwise_mse(predictions: Any, targets: Any, ops: Ops) -> Any:
    mean_prediction = ops.mean(predictions)
    mean_target = ops.mean(targets)
    return (
        ops.mean((predictions - mean_prediction) ** 2)
        + ops.mean((targets - mean_target) ** 2)
        + (mean_prediction - mean_target) ** 2
    )


MEASURE = Measure("pairwise_mse", "pairwise MSE", _pairwise_mse)

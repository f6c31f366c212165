"""The mean square over all pairs of a prediction and a target: Keras' of outputs (n, 1,
1) and targets (n,).
"""

from typing import Any

from pipeline.metrics.measure import Measure, Ops


def _pairwise_mse(predictions: Any, targets: Any, ops: Ops) -> Any:
    one = ops.mean(predictions)
    other = ops.mean(targets)
    return (
        ops.mean((predictions - one) ** 2)
        + ops.mean((targets - other) ** 2)
        + (one - other) ** 2
    )


MEASURE = Measure("pairwise_mse", "pairwise MSE", _pairwise_mse)

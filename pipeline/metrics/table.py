"""The table of all measures. A run depends only on the measures that it uses."""

from pipeline.metrics import (
    accuracy,
    binary_crossentropy,
    brier,
    mae,
    mse,
    pairwise_mse,
)

MODULES = (mse, mae, accuracy, brier, binary_crossentropy, pairwise_mse)
MEASURES = {module.MEASURE.name: module.MEASURE for module in MODULES}

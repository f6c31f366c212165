"""What the stages of a series of one's own may take, before any was built: from what they took on one machine.

CPU seconds of one core of 2026; `Estimates` scales them by what stages take here as soon as one has ended.
"""

from collections.abc import Sequence

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.forecast.backtest import Fold

START, FIXED = 1.0, 12.0
"""Of each stage, and of those that are no model: reading, evaluating, fitting the champion on all rows."""


def seconds(experiment: Experiment, data: Dataset, folds: Sequence[Fold]) -> float:
    """Of a model's backtest."""
    options, method = experiment.model.options, experiment.training.method
    trained = sum(len(fold.train) for fold in folds)
    asked = sum(len(fold.test) for fold in folds)
    outputs = folds[0].test.outputs
    if experiment.model.family == "statistical":
        return START + 0.015 * asked
    if method == "gradient_descent":
        steps = min(int(options.get("last", 1)), data.input_shape[0])
        network = 4e-6 * steps if options.get("units") else 2e-6
        return START + 3 + trained * 12 * len(experiment.seeds) * network
    if method == "boosting":
        return START + len(folds) * 4 + 4e-6 * trained * outputs
    return START + 2e-6 * trained * data.input_shape[0]

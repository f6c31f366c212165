"""What the stages of a series of one's own may take, before any was built: from what they took on one machine.

CPU seconds of one core, measured on 10,000 hourly rows; `Estimates` scales them by what stages take here, as they end.
"""

from collections.abc import Mapping, Sequence

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.forecast.backtest import Fold

START, FIXED = 1.0, 4.0
"""Of each stage, and of those that are no model."""

EPOCHS = 12
"""That networks have, as a rule."""


def stages(experiments: Mapping[str, Experiment], data: Dataset, folds: Sequence[Fold]) -> dict[str, float]:
    """Stage -> seconds, of each model's backtest, and of the champion's fit on all rows."""
    models = {name: _backtest(experiment, data, folds) for name, experiment in experiments.items()}
    members = sum(took for name, took in models.items() if experiments[name].training.method == "boosting")
    last = {f"refit@{data.name}": FIXED + 1.2 * members / len(folds)}
    return {f"train@{name}": took for name, took in models.items()} | last


def _backtest(experiment: Experiment, data: Dataset, folds: Sequence[Fold]) -> float:
    method, options = experiment.training.method, experiment.training.options
    trained, origins = sum(len(fold.train) for fold in folds), sum(len(fold.test) for fold in folds)
    if experiment.model.family == "statistical":
        return START + 0.013 * origins
    if method == "gradient_descent":
        steps = min(int(experiment.model.options.get("last", 1)), data.input_shape[0])
        window = 1.1e-6 * steps if "units" in experiment.model.options else 5e-5
        return START + 3 + EPOCHS * trained * len(experiment.seeds) * window
    if method == "boosting":
        rows, outputs = int(options.get("rows", 10**9)), folds[0].test.outputs
        values = sum(min(len(fold.train) * outputs, rows) for fold in folds)
        return START + 2.5e-7 * values * int(options.get("trees", 100))
    return START + 1.5e-7 * trained * data.input_shape[0] * (method != "none")

"""results/metrics/DATASET.json, for `dvc metrics` and MLflow: the scores of each
experiment of a data set.
"""

from collections.abc import Mapping

from pipeline.evaluation.schema import Entry, Evaluation, Split, Stat

MEASURES = ("mse", "mae", "accuracy")
"""The measures that are shown, where a data set has them; its own measure is, whatever
it is."""

SPLITS: dict[Split, str] = {"test": "", "validation": "validation_"}
"""The splits that are shown, and what stands before the name of a measure on each."""


def metrics(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Experiment -> name of a metric -> its value, by the weights that validation
    chose, if it did.

    Each measure on test is the mean over seeds; `mse_std` is the sample standard
    deviation, where there are several seeds; `validation_mse` is the same of
    validation. The data set's own measure stands first. Experiments without predictions
    are left out.
    """
    by_experiment = {}
    for name, entry in evaluation.experiments.items():
        values = {}
        for key, stat in _shown(entry, evaluation.dataset.metric).items():
            values[key] = stat.mean
            if stat.std is not None:
                values[f"{key}_std"] = stat.std
        if values:
            by_experiment[name] = values
    return by_experiment


def metrics_of_seeds(entry: Entry, metric: str) -> dict[int, dict[str, float]]:
    """Seed -> name of a metric -> its value. A model that does not depend on the seed
    has one value for all.
    """
    by_seed = {}
    for index, seed in enumerate(entry.seeds):
        shown = _shown(entry, metric).items()
        by_seed[seed] = {
            key: stat.values[index] for key, stat in shown if index < len(stat.values)
        }
    return by_seed


def _shown(entry: Entry, metric: str) -> Mapping[str, Stat]:
    """The statistics that are shown of an experiment, those of the data set's own
    measure first.
    """
    shown = {}
    for measure in dict.fromkeys((metric, *MEASURES)):
        for split, prefix in SPLITS.items():
            scores = entry.chosen.get(split, {})
            if measure in scores:
                shown[f"{prefix}{measure}"] = scores[measure]
    return shown

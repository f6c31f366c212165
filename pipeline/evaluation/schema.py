"""What evaluation.json says of the runs of one data set, side by side; and the scores
in results/metrics/DATASET.json, for `dvc metrics` and MLflow.
"""

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import pydantic

from pipeline.data.dataset import Kind, Scale
from pipeline.evaluation.intervals import Difference, Interval, Part, as_errors
from pipeline.files import read_checked
from pipeline.metrics import Metric
from pipeline.training.run_folder import LayerSummary
from pipeline.validation import Strict

RECURRENT = {"SimpleRNN", "LSTM", "GRU", "MinGRU", "RNN", "Bidirectional"}
"""Keras' recurrent layers and `min_gru_cell`; RNN is of stacked cells."""


class Stat(Strict):
    """One figure over the seeds.

    Attributes:
        mean, min, max: over the seeds.
        std: sample standard deviation; None with one seed.
        values: of each seed.
        mean_ci: of the mean over ever more seeds; None with one seed of a model that
            depends on it.
        prediction_interval: of one more run, on the same rows; None with fewer than
            three such seeds.
        prediction_interval_new_rows: the same on other rows of the same kind; None
            where that is not known, too.
    """

    mean: float
    std: float | None
    min: float
    max: float
    values: Annotated[list[float], pydantic.Field(min_length=1)]
    mean_ci: Interval | None = None
    prediction_interval: Interval | None = None
    prediction_interval_new_rows: Interval | None = None

    @property
    def median(self) -> float:
        """For what is bounded by how long one looks, as `horizon`: a mean would mix how
        long with how often.
        """
        return statistics.median(self.values)


Scores = dict[str, Stat]
"""A measure's name -> its values over the seeds."""

Split = Literal["train", "validation", "test"]

Splits = dict[Split, Scores]


SHOWN = ("mse", "mae", "accuracy")
"""The measures in results/metrics, where a data set has them; its own measure always
is."""

PREFIXES: dict[Split, str] = {"test": "", "validation": "validation_"}
"""The splits in results/metrics -> what stands before the name of a measure."""


class Entry(Strict):
    """What evaluation.json says of an experiment.

    Attributes:
        parameters, layers, epochs, loss, seeds: as in run.json.
        baseline: whether its model belongs to the baselines.
        varies: whether its results depend on the seed.
        fingerprint: twelve characters for what it was made of.
        model, method: the names of its model and of how it is trained, as in
            params.yaml.
        converged: whether more epochs would gain nothing, as params.yaml says.
        trials: on validation that its options were chosen by; 0 where they are a
            document's, or were set by hand.
        share: the fraction of the train examples that it has seen.
        best_epoch: None where no epoch was chosen.
        gap: how much worse the measure is on validation than on train, by the last
            weights; None without validation.
        reached: per cents of accuracy on validation -> the epoch that first had them,
            one more than there were for a seed that had them never.
        final, best: by the weights of the last epoch, and of the best one on
            validation; empty without predictions.
        groups: parts of the test set, by the weights that validation chose, if it did.
        rollout: of the free run: its mse, and for how many steps it keeps the phase
            (`horizon`), but for one that is constant and so has no phase.
    """

    parameters: int
    layers: list[LayerSummary]
    baseline: bool
    varies: bool
    epochs: int
    loss: str | None
    seeds: list[int]
    fingerprint: str
    model: str = ""
    method: str = ""
    converged: bool = True
    trials: int = 0
    share: float = 1.0
    best_epoch: Stat | None
    gap: Stat | None = None
    reached: dict[str, Stat] = pydantic.Field(default={})
    final: Splits
    best: Splits | None
    groups: dict[str, Scores]
    rollout: Scores | None

    @property
    def chosen(self) -> Splits:
        """By the weights that validation chose where it did, else by those of the last
        epoch.
        """
        return self.best or self.final

    def score(self, metric: str) -> Stat | None:
        """Return a measure on test, by the chosen weights; None without predictions."""
        return self.chosen.get("test", {}).get(metric)

    def shown(self, metric: str) -> dict[str, Stat]:
        """Return name in results/metrics -> its statistics by the chosen weights; the
        data set's own measure stands first.
        """
        return {
            f"{prefix}{measure}": self.chosen[split][measure]
            for measure in dict.fromkeys((metric, *SHOWN))
            for split, prefix in PREFIXES.items()
            if measure in self.chosen.get(split, {})
        }

    @property
    def recurrent(self) -> bool:
        """Whether its model has a recurrent layer."""
        return any(layer.type in RECURRENT for layer in self.layers)


class About(Strict):
    """What evaluation.json says of its data set; see `Dataset`.

    Attributes:
        layout: how the test set lies: "windows" of a series, "points" (one number in,
            one out) or "examples".
        days: from the first to the last target of test; None where the data set knows
            no days.
        naive: the MAE that MASE divides by, in model units; None where there is none
            (`scores.seasonal_naive`).
        horizons: the least and the greatest `horizon` of a free run that can be seen;
            None without free runs.
    """

    name: str
    kind: Kind
    metric: Metric
    scale: Scale
    stand_in: bool
    floors: dict[str, float]
    examples: dict[str, int]
    input_shape: list[int]
    layout: Literal["windows", "points", "examples"]
    days: float | None = None
    horizons: list[int] | None = None
    naive: float | None = None
    facts: dict[str, Any]


class Evaluation(Strict):
    """What evaluation.json holds.

    Attributes:
        dataset: what is asked.
        experiments: scores of each.
        blocks: split -> how many weeks, or single examples, its errors are taken to be
            independent by.
        rows: split -> experiment -> each later one -> what these add to the variance of
            the difference between the two (`intervals.rows`), by the weights that are
            chosen on validation, else the final ones. Only between experiments that
            have three seeds or need none.
    """

    dataset: About
    experiments: dict[str, Entry]
    blocks: dict[str, int]
    rows: dict[str, dict[str, dict[str, float]]]

    def difference(self, split: str, name: str, other: str) -> Difference | None:
        """Return how much larger the error is for an experiment than for another; None
        where that is not known.
        """
        known = self.rows.get(split, {})
        rows = known.get(name, {}).get(other, known.get(other, {}).get(name))
        if rows is None:
            return None
        part = Part(rows, self.blocks[split])
        return Difference.of(
            self._errors(split, name), self._errors(split, other), part
        )

    def _errors(self, split: str, name: str) -> list[float]:
        """Return the error of each seed."""
        metric = self.dataset.metric
        stat = self.experiments[name].chosen[cast("Split", split)][metric]
        return [as_errors(metric, value) for value in stat.values]


def load(folder: Path, experiments: Iterable[str] | None = None) -> Evaluation:
    """Read the evaluation.json of results/evaluations/DATASET; only of some
    experiments, in this order, if they are given.

    Raises:
        UnrollError: it is missing or damaged.
    """
    whole = read_checked(folder / "evaluation.json", Evaluation)
    if experiments is None:
        return whole
    entries = {
        name: whole.experiments[name]
        for name in experiments
        if name in whole.experiments
    }
    return whole.model_copy(update={"experiments": entries})


def metrics(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Return experiment -> name of a metric -> its value, by the weights that
    validation chose, if it did.

    Each measure on test is the mean over seeds; `mse_std` is the sample standard
    deviation, where there are several seeds; `validation_mse` is the same of
    validation. Experiments without predictions are left out.
    """
    by_experiment = {}
    for name, entry in evaluation.experiments.items():
        values = {}
        for key, stat in entry.shown(evaluation.dataset.metric).items():
            values[key] = stat.mean
            if stat.std is not None:
                values[f"{key}_std"] = stat.std
        if values:
            by_experiment[name] = values
    return by_experiment


def metrics_of_seeds(entry: Entry, metric: str) -> dict[int, dict[str, float]]:
    """Return seed -> name of a metric -> its value. A model that does not depend on the
    seed has one value for all.
    """
    by_seed = {}
    for index, seed in enumerate(entry.seeds):
        by_seed[seed] = {
            key: stat.values[index]
            for key, stat in entry.shown(metric).items()
            if index < len(stat.values)
        }
    return by_seed

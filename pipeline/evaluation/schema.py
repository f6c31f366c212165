"""The contents of evaluation.json: the scores of all runs of one data set. Also the
main scores in results/metrics/DATASET/EXPERIMENT.json, for `dvc metrics`.
"""

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from pipeline.config.model_card import ModelKind
from pipeline.config.params import Params, built_by
from pipeline.data.dataset import Kind, Scale
from pipeline.errors import UnrollError
from pipeline.evaluation.intervals import (
    FEWEST_BLOCKS,
    Difference,
    Interval,
    Part,
    as_errors,
)
from pipeline.files import damaged, read_checked
from pipeline.metrics import MEASURES, Metric
from pipeline.training.run_folder import LayerSummary
from pipeline.validation import Strict
from pipeline.workspace import Workspace


class Stat(Strict):
    """One figure over the seeds.

    Attributes:
        mean, min, max: the mean and the extremes over the seeds.
        std: the sample standard deviation; None with one seed.
        values: the value of each seed.
        mean_ci: the interval of the mean over infinitely many seeds; None with one seed
            of a model that depends on the seed.
        prediction_interval: the interval of one more run on the same rows; None with
            fewer than three seeds of such a model.
        prediction_interval_new_rows: the same on other rows of the same kind; None also
            if the scatter by the rows is not known.
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
    def ends(self) -> tuple[float, float]:
        """The interval of the mean; without one, the mean twice."""
        return self.mean_ci or (self.mean, self.mean)

    @property
    def median(self) -> float:
        """The median, for a figure such as `horizon` that the length of the test bounds.

        The mean would depend on how many seeds reach the bound.
        """
        return statistics.median(self.values)


Scores = dict[str, Stat]
"""A measure's name -> its values over the seeds."""

Split = Literal["train", "validation", "test"]

Splits = dict[Split, Scores]


SHOWN = ("mse", "mae", "accuracy")
"""The measures in results/metrics besides the data set's own, if it has them."""

NOT_SHOWN = ("brier", "binary_crossentropy")
"""Unroll's measures that stand in evaluation.json alone."""

VALIDATION = "val"
"""The name in results/metrics of the data set's own measure on validation. It is short,
so that `dvc metrics show` fits 100 columns."""


class Entry(Strict):
    """One experiment in evaluation.json.

    The chosen weights are those of the best epoch on validation. Without a best epoch
    they are the weights of the last epoch.

    Attributes:
        parameters, layers, epochs, loss, seeds: as in run.json.
        kind: what its model is.
        varies: whether its results depend on the seed.
        fingerprint: a short hash of all that it was made of.
        told: whether its model is told how the series are made.
        model, method: the names of its model and training method in params.yaml.
        converged: whether more epochs would gain nothing, as params.yaml says.
        trials: the number of trials by which its options were chosen on validation; 0
            if they are a document's, or were set by hand.
        repeats: the experiment whose search was repeated for this one; None for a first
            search.
        share: the fraction of the train examples that it was trained on.
        best_epoch: the best epoch on validation; None if no epoch was chosen.
        gap: how much worse the measure is on validation than on train, with the last
            weights; None without validation.
        reached: per cent of accuracy on validation -> the first epoch with it; for a
            seed that never has it, the number of epochs plus one.
        final, best: the scores with the weights of the last epoch, and of the best
            epoch on validation; empty without predictions.
        groups: part of the test set -> its scores with the chosen weights.
        rollout: the scores of the free run: its mse, and the steps for which it keeps
            the phase (`horizon`). A constant free run has no phase and no horizon.
    """

    parameters: int
    layers: list[LayerSummary]
    kind: ModelKind
    varies: bool
    epochs: int
    loss: str | None
    seeds: list[int]
    fingerprint: str
    told: bool = False
    model: str = ""
    method: str = ""
    converged: bool = True
    trials: int = 0
    repeats: str | None = None
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
        """The scores with the chosen weights."""
        return self.best or self.final

    def score(self, metric: str) -> Stat | None:
        """Return a measure on test, with the chosen weights; None without predictions."""
        return self.chosen.get("test", {}).get(metric)

    @property
    def may_gain(self) -> bool:
        """True if more epochs may improve it: its search found so, or nobody searched
        and its last epoch is the best one for every seed.
        """
        best = self.best_epoch
        ends_best = best is not None and best.min == self.epochs
        return not self.converged or (ends_best and not self.trials)

    @property
    def recurrent(self) -> bool:
        """True if the model is a recurrent network."""
        return self.kind == "recurrent"


class About(Strict):
    """The description of the data set in evaluation.json; see `Dataset`.

    Attributes:
        layout: the form of the test set: "windows" of a series, "points" (one number
            in, one number out) or "examples".
        days: the days from the first to the last target of test; None if the data set
            has no days.
        floor: the least error on test that any model can have, as params.yaml says; 0
            if it is not known. `load_built` fills it in: evaluation.json has no floor.
        naive: the MAE that MASE divides by, in model units (`scores.seasonal_naive`);
            None if it is not known.
        horizons: the least and the greatest `horizon` that a free run of this length
            can have; None without free runs.
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
    horizons: (
        Annotated[list[int], pydantic.Field(min_length=2, max_length=2)] | None
    ) = None
    naive: float | None = None
    floor: float = pydantic.Field(default=0.0, exclude=True)
    facts: dict[str, Any]


class Evaluation(Strict):
    """The contents of evaluation.json.

    Attributes:
        dataset: the description of the data set.
        experiments: experiment -> its scores.
        blocks: split -> the number of its blocks (weeks, horizons that are longer, or
            single examples) whose errors are taken as independent.
        rows: split -> experiment -> later experiment -> the part of the rows in the
            variance of the difference between the two (`intervals.rows`), with the
            chosen weights. Only experiments with three seeds, or without seeds, are
            in it.
    """

    dataset: About
    experiments: dict[str, Entry]
    blocks: dict[Split, pydantic.PositiveInt]
    rows: dict[Split, dict[str, dict[str, pydantic.NonNegativeFloat]]]

    @pydantic.model_validator(mode="after")
    def _complete(self) -> "Evaluation":
        """Check that what `rows` compares has blocks and scores."""
        metric = self.dataset.metric
        for split, by_name in self.rows.items():
            compared = {*by_name}.union(*by_name.values())
            for name in sorted(compared & self.experiments.keys()):
                scores = self.experiments[name].chosen.get(split, {})
                if split not in self.blocks or metric not in scores:
                    raise ValueError(
                        f"must have blocks.{split}, and {metric} of {name}"
                    )
        return self

    def searches(self, name: str) -> list[str]:
        """Return the experiments of all searches for the options of one model.

        They are the experiment itself and those that repeat its search.
        """
        entries = self.experiments.items()
        return [name, *(other for other, entry in entries if entry.repeats == name)]

    def mean_score(self, split: Split, name: str, measure: str) -> float | None:
        """Return a measure with the chosen weights, as the mean over all searches.

        Return None if no search has it on the split.
        """
        scores = [
            self.experiments[search].chosen.get(split, {}).get(measure)
            for search in self.searches(name)
        ]
        known = [score.mean for score in scores if score]
        return statistics.fmean(known) if known else None

    def errors(self, split: Split, name: str) -> list[float]:
        """Return the errors whose scatter tells how an experiment would come out again.

        They are the errors of its seeds. Of several searches they are the mean error of
        each search, since the searches differ by more than their seeds.
        """
        metric = self.dataset.metric
        stats = [
            self.experiments[each].chosen[split][metric] for each in self.searches(name)
        ]
        of_searches = [
            [as_errors(metric, value) for value in stat.values] for stat in stats
        ]
        if len(of_searches) == 1:
            return of_searches[0]
        return [statistics.fmean(errors) for errors in of_searches]

    def difference(self, split: Split, name: str, other: str) -> Difference | None:
        """Return the difference between the errors of two experiments.

        Each stands for all of its `searches`. Return None if the difference is not
        known.
        """
        if self.few_weeks(split):
            return None
        shares = [
            self._rows(split, each, against)
            for each in self.searches(name)
            for against in self.searches(other)
        ]
        known = [share for share in shares if share is not None]
        if len(known) < len(shares):
            return None
        # The rows' share in a difference of means is at most the mean of their shares
        # in the differences of the pairs.
        rows = Part(statistics.fmean(known), self.blocks[split])
        errors = self.errors(split, name)
        difference = Difference.of(errors, self.errors(split, other), rows)
        return replace(difference, searched=len(shares) > 1)

    def few_weeks(self, split: Split = "test") -> bool:
        """Return whether the rows of a split span so few weeks, or horizons that are
        longer, that nothing is compared on them.
        """
        known = self.blocks.get(split, FEWEST_BLOCKS)
        return self.dataset.days is not None and known < FEWEST_BLOCKS

    def _rows(self, split: Split, name: str, other: str) -> float | None:
        known = self.rows.get(split, {})
        return known.get(name, {}).get(other, known.get(other, {}).get(name))


def load(folder: Path) -> Evaluation:
    """Read the evaluation.json of results/evaluations/DATASET.

    Raises:
        UnrollError: the file is missing or damaged, or is of another data set.
    """
    file = folder / "evaluation.json"
    whole = read_checked(file, Evaluation)
    if whole.dataset.name != folder.name:
        text = f"dataset.name must be '{folder.name}'. Received: '{whole.dataset.name}'"
        raise damaged(file, ValueError(text))
    return whole


def load_all(workspace: Workspace, params: Params) -> dict[str, Evaluation]:
    """Read the evaluation of each data set that is built, like `load_built`.

    Raises UnrollError if an evaluation is damaged.
    """
    return {
        name: load_built(workspace, params, name)
        for name in params.datasets
        if (workspace.evaluation(name) / "evaluation.json").is_file()
    }


def load_built(workspace: Workspace, params: Params, name: str) -> Evaluation:
    """Read the evaluation of a data set, with its floor.

    It holds only the experiments of params.yaml, in the order of that file.

    Raises:
        UnrollError: the data set is not built, or the file is damaged.
    """
    folder = workspace.evaluation(name)
    if not (folder / "evaluation.json").is_file():
        raise UnrollError(
            f"{name} is not built; {built_by(workspace, f'evaluate@{name}')}"
        )
    whole = load(folder)
    about = whole.dataset.model_copy(update={"floor": params.dataset(name).floor})
    entries = {
        experiment: whole.experiments[experiment]
        for experiment in params.experiments_of(name)
        if experiment in whole.experiments
    }
    return whole.model_copy(update={"dataset": about, "experiments": entries})


def added_measures(scores: Scores) -> list[str]:
    """Return the measures among the scores that a user has added to Unroll's."""
    return sorted((scores.keys() & MEASURES.keys()) - {*SHOWN, *NOT_SHOWN})


def metrics(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Return experiment -> name of a metric -> its value, with the chosen weights.

    The values are means over the seeds on test, the data set's own measure first, those
    of `added_measures`, and the data set's own on validation (`VALIDATION`). Experiments
    without predictions are left out.
    """
    own = evaluation.dataset.metric
    by_experiment = {}
    for name, entry in evaluation.experiments.items():
        on_test = entry.chosen.get("test", {})
        shown = (own, *SHOWN, *added_measures(on_test))
        stats = {measure: on_test.get(measure) for measure in shown}
        stats[VALIDATION] = entry.chosen.get("validation", {}).get(own)
        values = {key: stat.mean for key, stat in stats.items() if stat}
        if values:
            by_experiment[name] = values
    return by_experiment

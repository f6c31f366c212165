"""Scores of the runs of one data set, side by side."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Literal

import numpy as np

from pipeline.config.model_card import card
from pipeline.config.params import Experiment
from pipeline.data.dataset import PUBLISHED, Dataset, mirrored, shortened
from pipeline.data.examples import Array, Windows, ceil_div, compared
from pipeline.data.timestamps import distinct
from pipeline.errors import UnrollError
from pipeline.evaluation import intervals
from pipeline.evaluation.intervals import FEWEST_BLOCKS, as_errors
from pipeline.evaluation.schema import (
    About,
    Entry,
    Evaluation,
    Scores,
    Split,
    Splits,
    Stat,
)
from pipeline.metrics import KEPT, MEASURES, losses, score
from pipeline.provenance.fingerprint import brief
from pipeline.training.run_folder import Run

WEEK = 7 * 24 * 3600
"""Seconds of a week."""

CYCLE = 13
"""Steps over which a rollout's error is averaged: one period of the documents' sine, 2
pi / 0.5 = 12.6."""

COMPARED: tuple[Split, ...] = ("validation", "test")
"""The splits on which models are compared."""

MIN_SEEDS = 3
"""Fewest seeds of a model that depends on them, for an interval of one more run and
for a comparison."""

LEVELS = (80, 85)
"""Per cents of accuracy whose first epoch is noted. The documents name about 85 %."""

LOST = 0.5
"""The mean squared error of a constant 0 on a sine. A rollout with a larger error has
lost the phase."""


def statistics(
    values: Sequence[float],
    measure: str = "",
    *,
    varies: bool = True,
    error: float | None = None,
) -> Stat:
    """Return the statistics of one value per seed (docs/decisions/verdicts.md).

    Args:
        values: the value of each seed.
        measure: the measure's name. Intervals of errors are computed on their
            logarithms, of accuracies on their logits, of others as they are.
        varies: whether the values depend on the seed.
        error: the standard error, by the rows, of the difference between this test and
            another one; None if it is not known.
    """
    count = len(values)
    mean = math.fsum(values) / count
    std = new_rows = None
    if count > 1:
        squares = math.fsum((value - mean) ** 2 for value in values)
        std = math.sqrt(squares / (count - 1))
    several = count > 1 or not varies
    enough = count >= MIN_SEEDS or not varies
    if enough and error is not None:
        new_rows = intervals.prediction(values, measure, error)
    return Stat(
        mean=mean,
        std=std,
        min=min(values),
        max=max(values),
        values=list(values),
        mean_ci=intervals.mean(values, measure) if several else None,
        prediction_interval=intervals.prediction(values, measure) if enough else None,
        prediction_interval_new_rows=new_rows,
    )


def measures(
    dataset: Dataset, predictions: Array, targets: Array | None
) -> dict[str, float]:
    """Return each measure for data sets of this kind.

    Args:
        dataset: the data set.
        predictions: (n, ...) in model units.
        targets: as `examples.compared` returns them.

    Returns:
        Measure -> its value in model units. If the data have a unit, mae_unit and
        rmse_unit are in that unit.
    """
    names = [
        name for name, measure in MEASURES.items() if dataset.kind in measure.kinds
    ]
    values = {name: score(name, predictions, targets) for name in names}
    if dataset.scale.unit:
        values["mae_unit"] = values["mae"] * dataset.scale.std
        values["rmse_unit"] = math.sqrt(values["mse"]) * dataset.scale.std
    return values


def on_test(dataset: Dataset, run: Run) -> float | None:
    """Return the data set's measure on test, in model units, as the mean over seeds.

    The weights are those that validation has chosen. A run without predictions has no
    score.
    """
    predictions = run.predictions.get(f"{run.points[-1]}_test")
    if predictions is None:
        return None
    targets = compared(dataset.splits["test"])
    return fmean(score(dataset.metric, of_seed, targets) for of_seed in predictions)


def steps_in_phase(predictions: Array, targets: Array) -> int:
    """Return how many steps a rollout keeps the phase.

    The answer is at least `CYCLE` - 1, since the error is averaged over a whole cycle.

    Args:
        predictions: (steps,) each made from the predictions before it.
        targets: (steps,) the true values.

    Returns:
        The first step, counted from 0, whose mean squared error over the last `CYCLE`
        steps is above `LOST`; the number of steps if there is none.
    """
    for end in range(CYCLE, len(targets) + 1):
        cycle = slice(end - CYCLE, end)
        if score("mse", predictions[cycle], targets[cycle]) > LOST:
            return end - 1
    return len(targets)


def seasonal_naive(dataset: Dataset) -> float | None:
    """Return the divisor of MASE: the MAE on train of the seasonal naive forecast.

    The naive forecast repeats the value measured a whole number of seasons before each
    target: the fewest seasons that were known at the last input. It looks as far ahead
    as the model, so a MASE of 1 is as good as the naive forecast. Hyndman and Koehler,
    "Another look at measures of forecast accuracy", International Journal of
    Forecasting 22 (2006), section 3, look one step ahead. A season is a day, or a
    timestep if the data set has no days.

    Returns:
        The MAE in model units. None if the data set is no series with timestamps, or if
        the train rows are shorter than a season.
    """
    train = dataset.splits["train"]
    timestamps = dataset.stamps
    if not isinstance(train, Windows) or timestamps is None:
        return None
    season = max(1, dataset.period) * train.step
    of_train = timestamps[train.rows.min() : train.rows.max() + 1]
    spacing = np.median(np.diff(of_train).astype(np.int64))
    values = train.series[:, train.target]
    total = 0.0
    count = 0
    for output in range(train.outputs):
        ahead = output * train.step
        lag = ceil_div(train.horizon + ahead, season) * season
        targets = train.rows + train.delay + ahead
        targets = targets[targets >= lag]
        passed = (timestamps[targets] - timestamps[targets - lag]).astype(np.int64)
        errors = np.abs(values[targets] - values[targets - lag])
        errors = errors[passed == lag * spacing]
        total = total + float(errors.sum(dtype=np.float64))
        count = count + len(errors)
    return total / count if total else None


def layout(dataset: Dataset) -> Literal["windows", "points", "examples"]:
    """Return the form of the test set; see `About`."""
    if isinstance(dataset.splits["test"], Windows):
        return "windows"
    return "points" if dataset.input_shape == (1,) else "examples"


def days(dataset: Dataset) -> float | None:
    """Return the days from the first to the last target of test; None if the data set
    has no days.
    """
    examples = dataset.splits["test"]
    stamps = dataset.stamps
    if not isinstance(examples, Windows) or not (dataset.period or stamps is not None):
        return None
    first = examples.rows.min() + examples.delay
    last = examples.rows.max() + examples.delay + (examples.outputs - 1) * examples.step
    if stamps is None:
        return float(last - first) / (dataset.period * examples.step)
    return float((stamps[last] - stamps[first]) / np.timedelta64(1, "D"))


def blocks(dataset: Dataset, split: str) -> Array:
    """Return the number of the block (n,) that each example belongs to.

    Examples of one week of a series are not independent, so a week is a block, or the
    horizon if it is longer. The same weeks of several series are one block. The sine's
    points and windows are the same grid in each build: they are one block, so that no
    error by the rows is estimated.
    """
    examples = dataset.splits[split]
    if not isinstance(examples, Windows):
        points = layout(dataset) == "points"
        return np.zeros(len(examples), int) if points else np.arange(len(examples))
    length = rows_of_block(dataset)
    if length is None:
        return np.zeros(len(examples), int)
    return np.asarray(shared_rows(dataset, examples.rows) // length)


def shared_rows(dataset: Dataset, rows: Array) -> Array:
    """Return row numbers, counted in each series by itself.

    Series with the same timestamps have the same numbers.
    """
    if dataset.series_id is None:
        return rows
    return rows - np.searchsorted(dataset.series_id, dataset.series_id[rows])


def rows_of_block(dataset: Dataset) -> int | None:
    """Return the rows of a week, or up to the horizon if that is longer; None if the
    data set has no weeks.
    """
    test = dataset.splits["test"]
    week = rows_of_week(dataset)
    if week is None or not isinstance(test, Windows):
        return None
    return max(week, test.delay + test.outputs * test.step)


def few_blocks(dataset: Dataset, split: str) -> int | None:
    """Return the number of whole blocks that the examples of a split span, if it is
    below `FEWEST_BLOCKS`, so that nothing is known of their scatter; else None.
    """
    examples = dataset.splits[split]
    length = rows_of_block(dataset)
    if length is None or not isinstance(examples, Windows):
        return None
    whole = (int(np.ptp(shared_rows(dataset, examples.rows))) + 1) // length
    return whole if whole < FEWEST_BLOCKS else None


def rows_of_week(dataset: Dataset) -> int | None:
    """Return the number of rows in a week of a series; None if the data set has no
    weeks.
    """
    examples = dataset.splits["test"]
    if not isinstance(examples, Windows):
        return None
    if dataset.period:
        # Seven cycles are a week: the only cycle that the preparation `series` finds is
        # the day.
        return 7 * dataset.period * examples.step
    if dataset.stamps is None:
        return None
    # Documents keep the order of the file, and repeated rows.
    spacing = np.median(np.diff(distinct(dataset.stamps)).astype(np.int64))
    return int(ceil_div(WEEK, int(spacing)))


def evaluate(
    dataset: Dataset, runs: Mapping[str, Run], experiments: Mapping[str, Experiment]
) -> Evaluation:
    """Score every run of a data set on the same examples.

    Args:
        dataset: with its splits.
        runs: experiment -> its run.
        experiments: as params.yaml has them, at least those with a run.

    Returns:
        The evaluation; the same input gives the same output, order included.

    Raises:
        UnrollError: predictions are missing, not finite or not one for each example.
    """
    parts = {
        split: _rows(dataset, runs, split)
        for split in COMPARED
        if split in dataset.splits
    }
    count = len(dataset.splits["test"])
    about = About(
        name=dataset.name,
        kind=dataset.kind,
        metric=dataset.metric,
        scale=dataset.scale,
        stand_in=dataset.stand_in,
        floors=dataset.floors,
        examples={split: len(examples) for split, examples in dataset.splits.items()},
        input_shape=list(dataset.input_shape),
        layout=layout(dataset),
        days=days(dataset),
        horizons=[min(CYCLE - 1, count), count] if dataset.rollout else None,
        naive=seasonal_naive(dataset),
        facts=dataset.facts,
    )
    return Evaluation(
        dataset=about,
        experiments={
            name: _entry(dataset, run, experiments[name]) for name, run in runs.items()
        },
        blocks={split: number for split, (_, number) in parts.items()},
        rows={split: rows for split, (rows, _) in parts.items()},
    )


def _rows(
    dataset: Dataset, runs: Mapping[str, Run], split: str
) -> tuple[dict[str, dict[str, float]], int]:
    """Return `Evaluation.rows` and `Evaluation.blocks` of a split."""
    targets = compared(dataset.splits[split])
    numbers = np.unique(blocks(dataset, split), return_inverse=True)[1]
    few = few_blocks(dataset, split)
    if few is not None:
        return {}, max(1, few)
    errors = {}
    for name, run in runs.items():
        enough = not run.varies or len(run.summary.seeds) >= MIN_SEEDS
        if run.predictions and enough:
            predictions = _checked(dataset, run, f"{run.points[-1]}_{split}")
            own = losses(dataset.metric, predictions, targets)
            errors[name] = as_errors(dataset.metric, own)
    names = list(errors)
    rows = {
        name: {
            other: intervals.rows(errors[name], errors[other], numbers).variance
            for other in names[index:]
        }
        for index, name in enumerate(names[:-1], 1)
    }
    return rows, int(numbers.max()) + 1


def _entry(whole: Dataset, run: Run, experiment: Experiment) -> Entry:
    summary = run.summary
    dataset = shortened(whole, experiment.share)
    if experiment.mirrored:
        dataset = mirrored(dataset)
    # A model that was built only for its summary has no predictions.
    scores: dict[str, Any] = {
        point: {
            split: _over_seeds(dataset, run, f"{point}_{split}")
            for split in dataset.splits
        }
        for point in run.points
        if run.predictions
    }
    groups = {
        group: _over_seeds(dataset, run, f"{run.points[-1]}_test", indices)
        for group, indices in dataset.groups.items()
        if run.predictions
    }
    best_epoch = None
    if summary.best_epochs:
        best_epoch = statistics([float(epoch) for epoch in summary.best_epochs])
    return Entry(
        parameters=summary.parameters,
        layers=summary.layers,
        kind=card(experiment.model).kind,
        told=card(experiment.model).told,
        model=experiment.model.name,
        method=experiment.training.method,
        converged=experiment.converged,
        trials=experiment.trials,
        repeats=experiment.repeats,
        share=experiment.share,
        varies=run.varies,
        epochs=summary.epochs,
        loss=summary.loss,
        seeds=summary.seeds,
        fingerprint=brief(summary.fingerprint),
        best_epoch=best_epoch,
        gap=_gap(dataset, scores.get("final", {}), varies=run.varies),
        reached=_reached(run),
        final=scores.get("final", {}),
        best=scores.get("best"),
        groups=groups,
        rollout=_rollout(dataset, run),
    )


def _rollout(dataset: Dataset, run: Run) -> Scores | None:
    if not dataset.rollout or not run.predictions:
        return None
    truth = dataset.splits["test"].targets
    predictions = _checked(dataset, run, "rollout")
    errors = [score("mse", values, truth) for values in predictions]
    scores = {"mse": statistics(errors, "mse", varies=run.varies)}
    if np.ptp(predictions, axis=1).any():
        steps = [float(steps_in_phase(values, truth)) for values in predictions]
        scores["horizon"] = statistics(steps, varies=run.varies)
    return scores


def _gap(dataset: Dataset, final: Splits, *, varies: bool) -> Stat | None:
    if not {"train", "validation"} <= final.keys():
        return None
    sign = -1 if MEASURES[dataset.metric].higher else 1
    validation = final["validation"][dataset.metric].values
    train = final["train"][dataset.metric].values
    gaps = sign * (np.array(validation) - np.array(train))
    return statistics(gaps.tolist(), varies=varies)


def _reached(run: Run) -> dict[str, Stat]:
    if "validation_accuracy" not in run.history:
        return {}
    reached = {}
    for per_cent in LEVELS:
        high = run.history[run.history["validation_accuracy"] >= per_cent / 100]
        first = high.groupby("seed")["epoch"].min().astype(float)
        epochs = first.reindex(run.summary.seeds, fill_value=run.summary.epochs + 1.0)
        reached[str(per_cent)] = statistics(epochs.tolist())
    return reached


def _over_seeds(
    dataset: Dataset, run: Run, name: str, chosen: Array | slice = slice(None)
) -> Scores:
    split = name.partition("_")[2]
    predictions = _checked(dataset, run, name)[:, chosen]
    numbers = blocks(dataset, split)[chosen]
    targets = compared(dataset.splits[split])
    if targets is not None:
        targets = targets[chosen]
    of_seeds = [measures(dataset, values, targets) for values in predictions]
    errors: dict[str, float] = {}
    others = dataset.facts.get(PUBLISHED, len(numbers))
    if (numbers != numbers[0]).any() and few_blocks(dataset, split) is None:
        for measure in MEASURES.keys() & of_seeds[0].keys():
            added = losses(measure, predictions, targets).mean(axis=0)
            error = intervals.clustered_error(added, numbers)
            errors[measure] = error * math.sqrt(1 + len(numbers) / others)
    if "mae" in errors:
        errors["mae_unit"] = errors["mae"] * dataset.scale.std
    return {
        measure: statistics(
            [of_seed[measure] for of_seed in of_seeds],
            measure,
            varies=run.varies,
            error=errors.get(measure),
        )
        for measure in of_seeds[0]
    }


def _checked(dataset: Dataset, run: Run, name: str) -> Array:
    """Return the predictions `name`, (seeds, n) or (seeds, n, values).

    Raises UnrollError if they are missing, of another shape or not finite.
    """
    examples = dataset.splits["test" if name == "rollout" else name.partition("_")[2]]
    targets = compared(examples)
    shape = (len(examples), len(KEPT)) if targets is None else targets.shape
    experiment = run.summary.experiment
    again = f"run `unroll train {dataset.name} {experiment}`"
    if name not in run.predictions:
        raise UnrollError(f"the run of {experiment} has no predictions {name}; {again}")
    values = run.predictions[name]
    expected = (len(run.summary.seeds), *shape)
    if values.shape != expected:
        raise UnrollError(
            f"{experiment}: the predictions {name} must have shape {expected}, "
            f"one for each seed and example. Received: {values.shape}; {again}"
        )
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise UnrollError(
            f"{experiment}: the predictions {name} hold values that are not finite; "
            f"{again}"
        )
    return values

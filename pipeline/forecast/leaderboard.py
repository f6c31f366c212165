"""From one long table of forecasts: every model's scores, whose forecasts to use, and the evaluation that answers.

Which network stands for recurrence, and which model for those without it, is chosen on the earlier half of the origins;
they are compared on the later half (docs/decisions/own-series.md).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Array
from pipeline.data.timestamps import shown
from pipeline.evaluation.intervals import difference
from pipeline.evaluation.schema import SEASON, Difference, Entry, Evaluation, Splits
from pipeline.evaluation.scores import MIN_SEEDS, about, seasonal_naive, statistics
from pipeline.files import read_checked
from pipeline.forecast import backtest, intervals
from pipeline.forecast.ensemble import known_after, weighted_median_forecast
from pipeline.provenance.fingerprint import brief
from pipeline.training.run_folder import Summary
from pipeline.validation import Strict

if TYPE_CHECKING:
    import pandas as pd

ENSEMBLE = "weighted_median"
"""What the combination of several models is called in the table."""

FEWEST = 3
"""Models of a kind of their own that a median is taken of."""

MARGIN = 2 / 3
"""A model must lower the median's MAE by a third to be champion by itself: smaller leads, of some weeks of one season,
did not last on any of the files that were tried (docs/decisions/own-series.md)."""

Half = Literal["validation", "test"]

WEEK = np.timedelta64(7, "D")

FEWEST_BLOCKS = 2
"""Weeks without which nothing is known of how errors scatter from one to the next."""

SHORT = "too short to rank"
"""What differences on test are called in an evaluation whose later half spans less than twelve weeks."""


class Scores(Strict):
    """A model's forecasts: the MAE of each step ahead, in the target's unit, and of the later half of the origins.

    `coverage` is of intervals of `intervals.USUAL` that are made of the origins before; None where those are too few.
    `mase` is the MAE as a part of the seasonal naive forecast's on train.
    """

    mae: list[float]
    later: float
    coverage: list[float | None]
    mase: float | None

    @property
    def mean_mae(self) -> float:
        """The MAE over all steps."""
        return float(np.nanmean(self.mae))

    @property
    def mean_coverage(self) -> float | None:
        """The coverage over all steps."""
        known = [value for value in self.coverage if value is not None]
        return float(np.mean(known)) if known else None


class Leaderboard(Strict):
    """What leaderboard.json holds.

    Attributes:
        first, last: origins: the last row that was known.
        models: each one's scores, `ENSEMBLE` among them; of several series in multiples of each one's deviation.
        naive: which of them need no fit.
        champion: whose forecasts to use.
        members: the models whose weighted median the champion is, or itself.
        why: it is the champion, in words with figures.
        series: of several series the champion's scores on each one, in the target's unit.
    """

    dataset: str
    unit: str
    first: str
    last: str
    origins: int
    refits: int
    models: dict[str, Scores]
    naive: list[str]
    champion: str
    members: list[str]
    why: str
    series: dict[str, Scores]


def load(folder: Path) -> Leaderboard:
    """The leaderboard.json of results/evaluations/DATASET/tables. Raises UnrollError if it is missing or damaged."""
    return read_checked(folder / "tables" / "leaderboard.json", Leaderboard)


def with_ensemble(
    dataset: Dataset, forecasts: "pd.DataFrame", experiments: Mapping[str, Experiment], networks: set[str], refits: int
) -> tuple["pd.DataFrame", Leaderboard]:
    """Add the combination's forecasts to the table, and say whose to use.

    Args:
        dataset: with its stamps.
        forecasts: as `backtest.cross_validate` gives it, of all models.
        experiments: the models.
        networks: those that take TensorFlow, which is slow to start: they are champions by themselves or not at all.
        refits: how often each model was fitted.
    """
    import pandas as pd

    outputs = backtest.windows(dataset).outputs
    scale = _scale_of(dataset, forecasts)
    grids = dict(backtest.grids(forecasts, outputs))
    rows = backtest.first_seed(forecasts, next(iter(grids))).reset_index(drop=True)
    truth, scales = (array.to_numpy().reshape(-1, outputs) for array in (rows["y"], rows["unique_id"].map(scale)))
    series = rows["unique_id"].to_numpy()[::outputs]
    scores = {name: float(np.nanmean(np.abs(values - truth) / scales)) for name, values in grids.items()}
    unfitted = {name for name in grids if experiments[name].training.method == "none"}
    naive = {name for name in unfitted if experiments[name].model.family == "baselines"}  # and not statistical
    members = sorted(_members({name: experiments[name] for name in set(grids) - networks}, scores, unfitted))
    best = min(scores, key=scores.__getitem__)
    delay = known_after(outputs, backtest.windows(dataset).step, backtest.stride(dataset))
    if len(members) >= FEWEST:
        stacked, combined = np.stack([grids[name] for name in members]), np.empty_like(truth)
        for mine in (series == name for name in np.unique(series)):
            combined[mine] = weighted_median_forecast(stacked[:, mine], truth[mine], delay)
        grids[ENSEMBLE], scores[ENSEMBLE] = combined, float(np.nanmean(np.abs(combined - truth) / scales))
        forecasts = pd.concat([forecasts, rows.assign(model=ENSEMBLE, seed=0, y_hat=combined.ravel())])
        beaten = any(scores[name] < scores[ENSEMBLE] for name in naive)
        if not beaten and scores[best] > MARGIN * scores[ENSEMBLE]:
            best = ENSEMBLE
    names, alone = np.unique(series), len(np.unique(series)) == 1
    mase, cutoffs = seasonal_naive(dataset), np.unique(rows["cutoff"].to_numpy())
    # One series is told in its unit; several in multiples of each one's deviation.
    unit = dataset.scale.unit if alone else "of a series' standard deviation"
    factor = scales[0, 0] if alone else 1.0
    in_unit = {name: factor * score for name, score in scores.items()}
    leaderboard = Leaderboard(
        dataset=dataset.name,
        unit=next(iter(dataset.scales.values())).unit,
        first=shown(cutoffs[0]),
        last=shown(cutoffs[-1]),
        origins=len(cutoffs),
        refits=refits,
        models={
            name: _scores(np.abs(values - truth) / scales, series, delay, factor, mase)
            for name, values in grids.items()
        },
        naive=sorted(naive),
        champion=best,
        members=members if best == ENSEMBLE else [best],
        why=_why(best, in_unit, naive, unit),
        series={}
        if alone
        else {
            name: _scores(np.abs(grids[best] - truth)[series == name], series[series == name], delay, 1.0, None)
            for name in names
        },
    )
    return forecasts.reset_index(drop=True), leaderboard


def _members(experiments: Mapping[str, Experiment], scores: Mapping[str, float], unfitted: set[str]) -> list[str]:
    """Models of a kind of their own: of naive and of statistical ones the best speaks for all.

    Of months and weeks, where statistical models look back for years (`history`), all of these and boosting of
    differences to a year before alone: the others follow no trend.
    """
    options = {name: experiment.model.options for name, experiment in experiments.items()}
    if any(given.get("history") for given in options.values()):
        return [name for name, given in options.items() if given.get("history") or given.get("base") == "cycle"]
    kinds: dict[str, str] = {}
    for name in sorted(experiments, key=scores.__getitem__):
        kinds.setdefault(experiments[name].model.family if name in unfitted else name, name)
    return [*kinds.values()]


def _scale_of(dataset: Dataset, forecasts: "pd.DataFrame") -> dict[str, float]:
    """unique_id -> the deviation of its target over the train rows."""
    scales: dict[str, Scale] = dataset.scales
    return {name: scales[name].std if name in scales else dataset.scale.std for name in forecasts["unique_id"].unique()}


def _scores(errors: Array, series: Array, delay: Array, factor: float, mase: float | None) -> Scores:
    """Of absolute errors (origins, steps) in model units; `factor` takes them to the target's."""
    inside = [intervals.adaptive(errors[series == name], intervals.USUAL, delay)[1] for name in np.unique(series)]
    counted = np.concatenate(inside)
    known = np.isfinite(counted).any(axis=0) if len(counted) else np.zeros(errors.shape[1], bool)
    coverage = [float(np.nanmean(counted[:, step])) if there else None for step, there in enumerate(known)]
    mae = np.array([np.nanmean(column) if np.isfinite(column).any() else np.nan for column in errors.T])
    later = np.concatenate([(own := errors[series == name])[len(own) // 2 :] for name in np.unique(series)])
    return Scores(
        mae=np.nan_to_num(mae * factor).tolist(),
        later=float(factor * np.nanmean(later)),
        coverage=coverage,
        mase=float(np.nanmean(mae) / mase) if mase else None,
    )


def _why(best: str, scores: Mapping[str, float], naive: set[str], unit: str) -> str:
    others = sorted((name for name in scores if name not in {best, ENSEMBLE}), key=scores.__getitem__)
    plain = min(naive, key=scores.__getitem__, default=None)
    rivals = [name for name in (others[0] if others else None, plain) if name and name != best]
    beside = ", ".join(f"{name} {scores[name]:.4g}" for name in dict.fromkeys(rivals))
    if best == ENSEMBLE and others and scores[others[0]] < scores[ENSEMBLE]:
        beside += "; a lead below a third rarely lasts"
    found = f"MAE {scores[best]:.4g}{f' {unit}' if unit else ''} from rolling origins"
    return found + (f"; {beside}" if beside else "")


def evaluate(
    dataset: Dataset, forecasts: "pd.DataFrame", summaries: Mapping[str, Summary], experiments: Mapping[str, Experiment]
) -> Evaluation:
    """The evaluation of a series: `validation` is the earlier half of the origins, `test` the later half.

    Args:
        dataset: the series.
        forecasts: of all models.
        summaries: experiment -> what its run says of itself.
        experiments: as params.yaml has them.
    """
    scale = forecasts["unique_id"].map(_scale_of(dataset, forecasts)).to_numpy(float)
    measured = forecasts.assign(loss=(forecasts["y_hat"] - forecasts["y"]).abs().to_numpy() / scale).dropna(subset="y")
    border, ranked = halves_of(measured["cutoff"].to_numpy())
    earlier = measured["cutoff"] < border
    halves: dict[Half, pd.DataFrame] = {"validation": measured[earlier], "test": measured[~earlier]}
    losses = {split: {name: _by_seed(rows, name) for name in summaries} for split, rows in halves.items()}
    unit = next(iter(dataset.scales.values())).std
    entries = {}
    for name, summary in summaries.items():
        varies = summary.epochs > 0
        scored: Splits = {}
        for split in halves:
            values = losses[split][name].mean(axis=1)
            kinds = {"mae": values} | ({"mae_unit": values * unit} if len(dataset.scales) == 1 else {})
            scored[split] = {key: statistics(found.tolist(), key, varies=varies) for key, found in kinds.items()}
        entries[name] = Entry(
            parameters=summary.parameters,
            layers=summary.layers,
            baseline=experiments[name].model.family == "baselines",
            trials=experiments[name].trials,
            varies=varies,
            epochs=summary.epochs,
            loss=summary.loss,
            seeds=summary.seeds,
            fingerprint=brief(summary.fingerprint),
            best_epoch=None,
            final=scored,
            best=None,
            groups={},
            rollout=None,
        )
    sure = [name for name, summary in summaries.items() if summary.epochs == 0 or len(summary.seeds) >= MIN_SEEDS]
    differences = {}
    for split, rows in halves.items():
        found = losses[split]
        blocks = weeks(backtest.first_seed(rows, sure[0])) if sure else np.array([])
        if len(np.unique(blocks)) < FEWEST_BLOCKS:
            continue
        differences[SHORT if split == "test" and ranked < SEASON else split] = {
            one: {other: Difference.of(difference(found[one], found[other], blocks)) for other in sure[index:]}
            for index, one in enumerate(sure[:-1], 1)
        }
    origins: dict[str, int] = {split: rows["cutoff"].nunique() for split, rows in halves.items()}
    return Evaluation(dataset=about(dataset, origins, ranked), experiments=entries, differences=differences)


def _by_seed(rows: "pd.DataFrame", name: str) -> Array:
    """(seeds, values) the losses of a model, in the order of series, cutoff and time."""
    own = rows[rows["model"] == name].sort_values(["seed", "unique_id", "cutoff", "ds"])
    return np.reshape(own["loss"].to_numpy(), (own["seed"].nunique(), -1))


def halves_of(cutoffs: Array) -> tuple[np.datetime64, int]:
    """The first cutoff of the later half, and how many weeks that half spans."""
    cutoffs = np.unique(cutoffs)
    border = cutoffs[len(cutoffs) // 2]
    span = cutoffs[-1] - border + (np.median(np.diff(cutoffs)) if len(cutoffs) > 1 else WEEK)
    return border, int(span / WEEK)


def weeks(rows: "pd.DataFrame") -> Array:
    """The number of the block that each forecast lies in by its cutoff: a week, or as long as forecasts reach ahead if
    that is longer. Errors of one block are not independent.
    """
    cutoffs = rows["cutoff"].to_numpy()
    length = max(WEEK, (rows["ds"].to_numpy() - cutoffs).max())
    blocks: Array = ((cutoffs - cutoffs.min()) // length).astype(int)
    return blocks


def by_week(dataset: Dataset, forecasts: "pd.DataFrame") -> "pd.DataFrame":
    """The MAE of each model in each block of the later half: model, week (from 1), mae.

    In the target's unit; of several series in multiples of each one's deviation.
    """
    scales = _scale_of(dataset, forecasts)
    forecasts = forecasts.assign(scale=forecasts["unique_id"].map(scales) if len(scales) > 1 else 1.0)
    border, _ = halves_of(forecasts["cutoff"].to_numpy())
    later = forecasts[forecasts["cutoff"] >= border].dropna(subset="y")
    later = later.assign(week=weeks(later) + 1, mae=(later["y_hat"] - later["y"]).abs() / later["scale"])
    return later.groupby(["model", "week"], sort=False, as_index=False)["mae"].mean()

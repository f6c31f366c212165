"""From one long table of forecasts: every model's scores, whose forecasts to use, and the evaluation that answers.

Which network stands for recurrence, and which model for those without it, is chosen on the earlier half of the origins;
they are compared on the later half (docs/decisions/own-series.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Array
from pipeline.data.timestamps import shown
from pipeline.evaluation.intervals import difference
from pipeline.evaluation.schema import SEASON, Entry, Evaluation, Splits
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
"""Members that a median is taken of, at least."""

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


@dataclass(frozen=True)
class Origins:
    """All models at the same origins.

    Attributes:
        rows: of the table, one for each value of an origin: those of one model and seed.
        series: (origins,) the series' names.
        truth: (origins, steps), NaN where nothing was measured.
        scales: (origins, steps) the deviation of the series, by which errors are divided.
        delay: (steps,) after how many origins an error is known.
        forecasts: name of a model -> (origins, steps), the mean over its seeds.
    """

    rows: "pd.DataFrame"
    series: Array
    truth: Array
    scales: Array
    delay: Array
    forecasts: dict[str, Array]

    @classmethod
    def of(cls, dataset: Dataset, table: "pd.DataFrame") -> "Origins":
        """From the long table."""
        windows = backtest.windows(dataset)
        forecasts = dict(backtest.grids(table, windows.outputs))
        rows = backtest.first_seed(table, next(iter(forecasts))).reset_index(drop=True)
        scale = rows["unique_id"].map(_scale_of(dataset, table))
        truth, scales = (column.to_numpy().reshape(-1, windows.outputs) for column in (rows["y"], scale))
        series = rows["unique_id"].to_numpy()[:: windows.outputs]
        delay = known_after(windows.outputs, windows.step, backtest.stride(dataset))
        return cls(rows, series, truth, scales, delay, forecasts)

    def errors(self, name: str) -> Array:
        """(origins, steps) absolute errors of a model, in multiples of the series' deviation."""
        return np.asarray(np.abs(self.forecasts[name] - self.truth) / self.scales)

    def maes(self) -> dict[str, float]:
        """Name of a model -> its mean absolute error, as `errors`."""
        return {name: float(np.nanmean(self.errors(name))) for name in self.forecasts}

    def combined(self, members: list[str]) -> Array:
        """(origins, steps) the weighted median of some models, series by series."""
        stacked, combined = np.stack([self.forecasts[name] for name in members]), np.empty_like(self.truth)
        for own in (self.series == name for name in np.unique(self.series)):
            combined[own] = weighted_median_forecast(stacked[:, own], self.truth[own], self.delay)
        return combined


def with_ensemble(
    dataset: Dataset, table: "pd.DataFrame", experiments: Mapping[str, Experiment], networks: set[str], refits: int
) -> tuple["pd.DataFrame", Leaderboard]:
    """Add the combination's forecasts to the table, and say whose to use.

    Args:
        dataset: with its stamps.
        table: as `backtest.cross_validate` gives it, of all models.
        experiments: the models.
        networks: those that take TensorFlow, which is slow to start: they are champions by themselves or not at all.
        refits: how often each model was fitted.
    """
    import pandas as pd

    origins = Origins.of(dataset, table)
    unfitted = {name for name in origins.forecasts if experiments[name].training.method == "none"}
    naive = {name for name in unfitted if experiments[name].model.family == "baselines"}  # and not statistical
    candidates = {name: experiments[name] for name in origins.forecasts if name not in networks}
    members = sorted(_members(candidates, origins.maes(), unfitted))
    if len(members) >= FEWEST:
        combined = origins.combined(members)
        origins = replace(origins, forecasts=origins.forecasts | {ENSEMBLE: combined})
        table = pd.concat([table, origins.rows.assign(model=ENSEMBLE, seed=0, y_hat=combined.ravel())])
    return table.reset_index(drop=True), _leaderboard(dataset, origins, naive, members, refits)


def _leaderboard(dataset: Dataset, origins: Origins, naive: set[str], members: list[str], refits: int) -> Leaderboard:
    maes, delay = origins.maes(), origins.delay
    champion = _champion(maes, naive)
    names, cutoffs = np.unique(origins.series), np.unique(origins.rows["cutoff"].to_numpy())
    # One series is told in its unit; several in multiples of each one's deviation.
    alone, mase = len(names) == 1, seasonal_naive(dataset)
    unit, factor = (dataset.scale.unit, origins.scales[0, 0]) if alone else ("of a series' standard deviation", 1.0)
    by_series = {name: origins.series == name for name in ([] if alone else names)}
    errors = np.abs(origins.forecasts[champion] - origins.truth)
    return Leaderboard(
        dataset=dataset.name,
        unit=next(iter(dataset.scales.values())).unit,
        first=shown(cutoffs[0]),
        last=shown(cutoffs[-1]),
        origins=len(cutoffs),
        refits=refits,
        models={name: _scores(origins.errors(name), origins.series, delay, factor, mase) for name in origins.forecasts},
        naive=sorted(naive),
        champion=champion,
        members=members if champion == ENSEMBLE else [champion],
        why=_why(champion, {name: factor * mae for name, mae in maes.items()}, naive, unit),
        series={name: _scores(errors[own], origins.series[own], delay, 1.0, None) for name, own in by_series.items()},
    )


def _champion(maes: Mapping[str, float], naive: set[str]) -> str:
    """The best single model where it is better than the combination by `MARGIN`, or a naive one is better at all."""
    best = min((name for name in maes if name != ENSEMBLE), key=maes.__getitem__)
    if ENSEMBLE not in maes or any(maes[name] < maes[ENSEMBLE] for name in naive):
        return best
    return ENSEMBLE if maes[best] > MARGIN * maes[ENSEMBLE] else best


def _members(experiments: Mapping[str, Experiment], maes: Mapping[str, float], unfitted: set[str]) -> list[str]:
    """The models that are combined: the best naive one, the best statistical one, and each of the others.

    Of months and weeks, where statistical models look back for years (`history`), all of these and boosting of
    differences to a year before alone: the others follow no trend.
    """
    options = {name: experiment.model.options for name, experiment in experiments.items()}
    if any(own.get("history") for own in options.values()):
        return [name for name, own in options.items() if own.get("history") or own.get("base") == "cycle"]
    kinds: dict[str, str] = {}
    for name in sorted(experiments, key=maes.__getitem__):
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
    known = np.isfinite(counted).any(axis=0)
    coverage = [float(np.nanmean(counted[:, step])) if known[step] else None for step in range(errors.shape[1])]
    mae = np.array([np.nanmean(column) if np.isfinite(column).any() else np.nan for column in errors.T])
    later = np.concatenate([(own := errors[series == name])[len(own) // 2 :] for name in np.unique(series)])
    return Scores(
        mae=np.nan_to_num(mae * factor).tolist(),
        later=float(factor * np.nanmean(later)),
        coverage=coverage,
        mase=float(np.nanmean(mae) / mase) if mase else None,
    )


def _why(champion: str, maes: Mapping[str, float], naive: set[str], unit: str) -> str:
    others = sorted((name for name in maes if name not in {champion, ENSEMBLE}), key=maes.__getitem__)
    best_naive = min(naive, key=maes.__getitem__, default=champion)
    rivals = [name for name in dict.fromkeys([*others[:1], best_naive]) if name != champion]
    text = f"MAE {maes[champion]:.4g}{f' {unit}' if unit else ''} from rolling origins"
    if rivals:
        text += f"; {', '.join(f'{name} {maes[name]:.4g}' for name in rivals)}"
    if champion == ENSEMBLE and others and maes[others[0]] < maes[ENSEMBLE]:
        text += "; a lead below a third rarely lasts"
    return text


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
            scored[split] = {key: statistics(kind.tolist(), key, varies=varies) for key, kind in kinds.items()}
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
    compared = [name for name, summary in summaries.items() if summary.epochs == 0 or len(summary.seeds) >= MIN_SEEDS]
    differences = {}
    for split, rows in halves.items():
        own = losses[split]
        blocks = weeks(backtest.first_seed(rows, compared[0])) if compared else np.array([])
        if len(np.unique(blocks)) < FEWEST_BLOCKS:
            continue
        differences[SHORT if split == "test" and ranked < SEASON else split] = {
            name: {other: difference(own[name], own[other], blocks) for other in compared[index:]}
            for index, name in enumerate(compared[:-1], 1)
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

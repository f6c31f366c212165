"""From one long table of forecasts: the scores of all models, the champion, and the data set's evaluation.

The best network and the best model without recurrence are chosen on the earlier half of the origins, and compared on
the later half, so that the choice does not favour either (docs/decisions/own-series.md).
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
from pipeline.evaluation import intervals as of_scores
from pipeline.evaluation.schema import Entry, Evaluation, Splits
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
"""The name of the forecast combination in the table."""

MIN_MEMBERS = 3
"""Fewer models are not combined."""

MARGIN = 2 / 3
"""A single model is champion only if its MAE is at most this fraction of the combination's: on none of the files that
were tried did a smaller lead last beyond the season that it was measured in (docs/decisions/own-series.md)."""

Half = Literal["validation", "test"]

WEEK = np.timedelta64(7, "D")

MIN_BLOCKS = 2
"""Weeks that a difference of errors needs for a standard error."""


class Scores(Strict):
    """A model's scores over all origins.

    Attributes:
        mae: of each step ahead, in the target's unit.
        later: the MAE at the later half of the origins, over all steps.
        coverage: of each step's intervals at the level `intervals.USUAL`; None where too few origins come before.
        mase: the MAE divided by that of the seasonal naive forecast on train; None where that is not known.
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
        first, last: timestamps of the first and the last origin.
        models: their scores, `ENSEMBLE` included; if there are several series, in their standard deviations.
        naive: the models that are baselines without a fit.
        champion: the model whose forecasts are used.
        members: the models that the champion combines, or the champion itself.
        why: the reason for the champion, with figures.
        series: if there are several, the champion's scores on each one, in the target's unit.
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
    """The forecasts of all models from the same origins.

    Attributes:
        rows: the table's rows for one model and seed.
        series: (origins,) the series' names.
        truth: (origins, steps), NaN where nothing was measured.
        scales: (origins, steps) the standard deviation of the series, by which errors are divided.
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
        """Arrays of the long table."""
        windows = backtest.windows(dataset)
        forecasts = dict(backtest.grids(table, windows.outputs))
        rows = backtest.first_seed(table, next(iter(forecasts))).reset_index(drop=True)
        scale = rows["unique_id"].map(_scale_of(dataset, table))
        truth, scales = (column.to_numpy().reshape(-1, windows.outputs) for column in (rows["y"], scale))
        series = rows["unique_id"].to_numpy()[:: windows.outputs]
        delay = known_after(windows.outputs, windows.step, backtest.stride(dataset))
        return cls(rows, series, truth, scales, delay, forecasts)

    def errors(self, name: str) -> Array:
        """(origins, steps) absolute errors of a model, in standard deviations of the series."""
        return np.asarray(np.abs(self.forecasts[name] - self.truth) / self.scales)

    def maes(self) -> dict[str, float]:
        """Name of a model -> the mean of its `errors`."""
        return {name: float(np.nanmean(self.errors(name))) for name in self.forecasts}

    def combined(self, members: list[str]) -> Array:
        """(origins, steps) the weighted median of the members, for each series by itself."""
        stacked, combined = np.stack([self.forecasts[name] for name in members]), np.empty_like(self.truth)
        for mask in (self.series == name for name in np.unique(self.series)):
            combined[mask] = weighted_median_forecast(stacked[:, mask], self.truth[mask], self.delay)
        return combined


def with_ensemble(
    dataset: Dataset, table: "pd.DataFrame", experiments: Mapping[str, Experiment], networks: set[str], refits: int
) -> tuple["pd.DataFrame", Leaderboard]:
    """Add the combination's forecasts to the table, and choose the champion.

    Args:
        dataset: the series, with its timestamps.
        table: the forecasts of all models, as `backtest.cross_validate` returns them.
        experiments: the models.
        networks: Keras models, which are not combined, since TensorFlow takes seconds to start for every forecast.
        refits: how often each model was fitted.
    """
    import pandas as pd

    origins = Origins.of(dataset, table)
    unfitted = {name for name in origins.forecasts if experiments[name].training.method == "none"}
    # Statistical models have the method "none", too: they are fitted to each window.
    naive = {name for name in unfitted if experiments[name].model.family == "baselines"}
    candidates = {name: experiments[name] for name in origins.forecasts if name not in networks}
    members = sorted(_members(candidates, origins.maes(), unfitted))
    if len(members) >= MIN_MEMBERS:
        combined = origins.combined(members)
        origins = replace(origins, forecasts=origins.forecasts | {ENSEMBLE: combined})
        table = pd.concat([table, origins.rows.assign(model=ENSEMBLE, seed=0, y_hat=combined.ravel())])
    return table.reset_index(drop=True), _leaderboard(dataset, origins, naive, members, refits)


def _leaderboard(dataset: Dataset, origins: Origins, naive: set[str], members: list[str], refits: int) -> Leaderboard:
    maes, delay = origins.maes(), origins.delay
    champion = _champion(maes, naive)
    names, cutoffs = np.unique(origins.series), np.unique(origins.rows["cutoff"].to_numpy())
    # The errors of one series are in the target's unit; those of several series in their standard deviations.
    single, naive_mae = len(names) == 1, seasonal_naive(dataset)
    unit, factor = (dataset.scale.unit, origins.scales[0, 0]) if single else ("of a series' standard deviation", 1.0)
    masks = {name: origins.series == name for name in ([] if single else names)}
    errors = np.abs(origins.forecasts[champion] - origins.truth)
    scores = {name: _scores(origins.errors(name), origins.series, delay, factor, naive_mae) for name in maes}
    return Leaderboard(
        dataset=dataset.name,
        unit=next(iter(dataset.scales.values())).unit,
        first=shown(cutoffs[0]),
        last=shown(cutoffs[-1]),
        origins=len(cutoffs),
        refits=refits,
        models=scores,
        naive=sorted(naive),
        champion=champion,
        members=members if champion == ENSEMBLE else [champion],
        why=_why(champion, {name: factor * mae for name, mae in maes.items()}, naive, unit),
        series={name: _scores(errors[mask], origins.series[mask], delay, 1.0, None) for name, mask in masks.items()},
    )


def _champion(maes: Mapping[str, float], naive: set[str]) -> str:
    """The combination, unless the best single model is better by `MARGIN`, or a naive model is better at all."""
    best = min((name for name in maes if name != ENSEMBLE), key=maes.__getitem__)
    if ENSEMBLE not in maes or any(maes[name] < maes[ENSEMBLE] for name in naive):
        return best
    return ENSEMBLE if maes[best] > MARGIN * maes[ENSEMBLE] else best


def _members(experiments: Mapping[str, Experiment], maes: Mapping[str, float], unfitted: set[str]) -> list[str]:
    """The models to combine: of those without a fit the best of each family (naive, statistical), and all others.

    If rows are weeks or months, statistical models look back for years (option `history`). Then only these are combined
    with boosting of differences to the year before (`base: cycle`), as the others follow no trend.
    """
    options = {name: experiment.model.options for name, experiment in experiments.items()}
    if any(option.get("history") for option in options.values()):
        return [name for name, option in options.items() if option.get("history") or option.get("base") == "cycle"]
    best: dict[str, str] = {}
    for name in sorted(experiments, key=maes.__getitem__):
        best.setdefault(experiments[name].model.family if name in unfitted else name, name)
    return [*best.values()]


def _scale_of(dataset: Dataset, forecasts: "pd.DataFrame") -> dict[str, float]:
    """unique_id -> the standard deviation of its target over the train rows."""
    scales: dict[str, Scale] = dataset.scales
    return {name: scales[name].std if name in scales else dataset.scale.std for name in forecasts["unique_id"].unique()}


def _scores(errors: Array, series: Array, delay: Array, factor: float, naive_mae: float | None) -> Scores:
    """The scores of absolute errors (origins, steps), which times `factor` are in the target's unit."""
    by_series = [errors[series == name] for name in np.unique(series)]
    inside = np.concatenate([intervals.adaptive(own, intervals.USUAL, delay)[1] for own in by_series])
    known = np.isfinite(inside).any(axis=0)
    mae = np.array([np.nanmean(column) if np.isfinite(column).any() else np.nan for column in errors.T])
    return Scores(
        mae=np.nan_to_num(mae * factor).tolist(),
        later=float(factor * np.nanmean(np.concatenate([own[len(own) // 2 :] for own in by_series]))),
        coverage=[float(np.nanmean(inside[:, step])) if known[step] else None for step in range(errors.shape[1])],
        mase=float(np.nanmean(mae) / naive_mae) if naive_mae else None,
    )


def _why(champion: str, maes: Mapping[str, float], naive: set[str], unit: str) -> str:
    """The champion's MAE beside those of the best other model and the best naive one."""
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
    """Evaluate the forecasts of all models: `validation` is the earlier half of the origins, `test` the later half."""
    scale = forecasts["unique_id"].map(_scale_of(dataset, forecasts)).to_numpy(float)
    measured = forecasts.assign(loss=(forecasts["y_hat"] - forecasts["y"]).abs().to_numpy() / scale).dropna(subset="y")
    middle, later_weeks = halves_of(measured["cutoff"].to_numpy())
    earlier = measured["cutoff"] < middle
    halves: dict[Half, pd.DataFrame] = {"validation": measured[earlier], "test": measured[~earlier]}
    losses = {split: {name: _by_seed(rows, name) for name in summaries} for split, rows in halves.items()}
    std = next(iter(dataset.scales.values())).std
    entries = {}
    for name, summary in summaries.items():
        varies = summary.epochs > 0
        scores: Splits = {}
        for split in halves:
            maes = losses[split][name].mean(axis=1)
            metrics = {"mae": maes} | ({"mae_unit": maes * std} if len(dataset.scales) == 1 else {})
            scores[split] = {key: statistics(values.tolist(), key, varies=varies) for key, values in metrics.items()}
        entries[name] = Entry(
            parameters=summary.parameters,
            layers=summary.layers,
            baseline=experiments[name].model.family == "baselines",
            model=experiments[name].model.name,
            method=experiments[name].training.method,
            converged=experiments[name].converged,
            trials=experiments[name].trials,
            varies=varies,
            epochs=summary.epochs,
            loss=summary.loss,
            seeds=summary.seeds,
            fingerprint=brief(summary.fingerprint),
            best_epoch=None,
            final=scores,
            best=None,
            groups={},
            rollout=None,
        )
    compared = [name for name, summary in summaries.items() if summary.epochs == 0 or len(summary.seeds) >= MIN_SEEDS]
    of_rows: dict[str, dict[str, dict[str, float]]] = {}
    counts: dict[str, int] = {}
    for split, rows in halves.items():
        loss = losses[split]
        blocks = weeks(backtest.first_seed(rows, compared[0])) if compared else np.array([])
        if (count := len(np.unique(blocks))) < MIN_BLOCKS:
            continue
        counts[split] = count
        of_rows[split] = {
            name: {other: of_scores.rows(loss[name], loss[other], blocks).variance for other in compared[index:]}
            for index, name in enumerate(compared[:-1], 1)
        }
    origins: dict[str, int] = {split: rows["cutoff"].nunique() for split, rows in halves.items()}
    described = about(dataset, origins, 7.0 * later_weeks)
    return Evaluation(dataset=described, experiments=entries, blocks=counts, rows=of_rows)


def _by_seed(rows: "pd.DataFrame", name: str) -> Array:
    """(seeds, values) the losses of a model, in the order of series, cutoff and time."""
    rows = rows[rows["model"] == name].sort_values(["seed", "unique_id", "cutoff", "ds"])
    return np.reshape(rows["loss"].to_numpy(), (rows["seed"].nunique(), -1))


def halves_of(cutoffs: Array) -> tuple[np.datetime64, int]:
    """The first cutoff of the later half, and how many whole weeks that half spans."""
    cutoffs = np.unique(cutoffs)
    middle = cutoffs[len(cutoffs) // 2]
    span = cutoffs[-1] - middle + (np.median(np.diff(cutoffs)) if len(cutoffs) > 1 else WEEK)
    return middle, int(span / WEEK)


def weeks(rows: "pd.DataFrame") -> Array:
    """The block, numbered from 0, of each row's cutoff: a week, or as long as the horizon if that is longer.

    Errors are taken to depend on one another within a block, not across blocks.
    """
    cutoffs = rows["cutoff"].to_numpy()
    length = max(WEEK, (rows["ds"].to_numpy() - cutoffs).max())
    blocks: Array = ((cutoffs - cutoffs.min()) // length).astype(int)
    return blocks


def by_week(dataset: Dataset, forecasts: "pd.DataFrame") -> "pd.DataFrame":
    """The MAE of each model in each of the later half's `weeks`: model, week (from 1), mae.

    In the target's unit; if there are several series, in their standard deviations.
    """
    scales = _scale_of(dataset, forecasts)
    forecasts = forecasts.assign(scale=forecasts["unique_id"].map(scales) if len(scales) > 1 else 1.0)
    middle, _ = halves_of(forecasts["cutoff"].to_numpy())
    later = forecasts[forecasts["cutoff"] >= middle].dropna(subset="y")
    later = later.assign(week=weeks(later) + 1, mae=(later["y_hat"] - later["y"]).abs() / later["scale"])
    return later.groupby(["model", "week"], sort=False, as_index=False)["mae"].mean()

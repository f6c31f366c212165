"""From one long table of forecasts: the scores of all models, the champion, and the data set's evaluation.

The best network and the best model without recurrence are chosen on the earlier half of the origins, and compared on
the later half, so that the choice does not favour either (docs/decisions/own-series.md).
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array
from pipeline.data.timestamps import shown
from pipeline.evaluation import intervals as of_scores
from pipeline.evaluation.schema import Entry, Evaluation, Split, Splits
from pipeline.evaluation.scores import MIN_SEEDS, about, statistics
from pipeline.files import read_checked
from pipeline.provenance.fingerprint import brief
from pipeline.training.run_folder import Summary
from pipeline.validation import Strict
from series import backtest, intervals
from series.backtest import Origins

if TYPE_CHECKING:
    import pandas as pd

ENSEMBLE = "weighted_median"
"""The name of the forecast combination in the table."""

DEVIATIONS = "standard deviations"
"""The unit of errors over several series: each one's own, over the train rows."""

MIN_MEMBERS = 3
"""Fewer models are not combined."""

MARGIN = 2 / 3
"""A single model is champion only if its MAE is at most this fraction of the combination's: on none of the files that
were tried did a smaller lead last beyond the season that it was measured in (docs/decisions/own-series.md)."""

HALVES: tuple[Split, Split] = ("validation", "test")
"""What the earlier and the later half of the origins stand for in an evaluation."""

WEEK = np.timedelta64(7, "D")

MIN_BLOCKS = 2
"""Weeks that a difference of errors needs for a standard error."""


class Scores(Strict):
    """A model's scores over all steps, in `Leaderboard.unit`.

    Attributes:
        mae: at all origins.
        later: at the later half of them.
        coverage: the fraction of targets inside intervals of the level `intervals.USUAL`; None where too few origins
            come before.
    """

    mae: float
    later: float
    coverage: float | None


class Leaderboard(Strict):
    """What leaderboard.json holds.

    Attributes:
        unit: of the scores: the target's, or `DEVIATIONS` if there are several series.
        first, last: timestamps of the first and the last origin.
        models: their scores, `ENSEMBLE` included.
        naive: the models that are baselines without a fit.
        champion: the model whose forecasts are used.
        members: the models that the champion combines, or the champion itself.
    """

    dataset: str
    unit: str
    first: str
    last: str
    origins: int
    models: dict[str, Scores]
    naive: list[str]
    champion: str
    members: list[str]

    def why(self, titles: Mapping[str, str]) -> str:
        """The champion's MAE beside those of the best other model and the best naive one; name -> title of each."""
        maes = {name: scores.mae for name, scores in self.models.items()}
        others = sorted((name for name in maes if name not in {self.champion, ENSEMBLE}), key=maes.__getitem__)
        best_naive = min(self.naive, key=maes.__getitem__, default=self.champion)
        rivals = [name for name in dict.fromkeys([*others[:1], best_naive]) if name != self.champion]
        text = f"MAE {maes[self.champion]:.4g}{f' {self.unit}' if self.unit else ''} over all rolling origins"
        if rivals:
            text += f"; {', '.join(f'{titles.get(name, name)} {maes[name]:.4g}' for name in rivals)}"
        if self.champion == ENSEMBLE and others and maes[others[0]] < maes[ENSEMBLE]:
            lead = f"{titles.get(others[0], others[0])} was {100 * (1 - maes[others[0]] / maes[ENSEMBLE]):.0f} % better"
            text += f"; the combination forecasts unless one model is a third better: {lead}"
        return text


def load(folder: Path) -> Leaderboard:
    """The leaderboard.json of results/evaluations/DATASET/tables. Raises UnrollError if it is missing or damaged."""
    return read_checked(folder / "tables" / "leaderboard.json", Leaderboard)


def with_ensemble(
    dataset: Dataset, table: "pd.DataFrame", experiments: Mapping[str, Experiment], networks: set[str]
) -> tuple["pd.DataFrame", Leaderboard]:
    """Add the combination's forecasts to the table, and choose the champion.

    Args:
        dataset: the series, with its timestamps.
        table: the forecasts of all models, as `backtest.cross_validate` returns them.
        experiments: the models.
        networks: Keras models, which are not combined, since TensorFlow takes seconds to start for every forecast.
    """
    import pandas as pd

    origins, delay = Origins.of(dataset, table), backtest.delay(dataset)
    unfitted = {name for name in origins.forecasts if experiments[name].training.method == "none"}
    # Statistical models have the method "none", too: they are fitted to each window.
    naive = {name for name in unfitted if experiments[name].model.family == "baselines"}
    candidates = {name: experiments[name] for name in origins.forecasts if name not in networks}
    maes = {name: float(np.nanmean(origins.errors(name))) for name in origins.forecasts}
    members = sorted(_members(candidates, maes, unfitted))
    if len(members) >= MIN_MEMBERS:
        floors = np.array([backtest.floor(dataset.fitted, name) for name in dataset.scales])[origins.series, None]
        combined = np.maximum(origins.combined(members, delay), (floors - origins.mean) / origins.std)
        origins = replace(origins, forecasts=origins.forecasts | {ENSEMBLE: combined})
        maes[ENSEMBLE] = float(np.nanmean(origins.errors(ENSEMBLE)))
        values = (combined * origins.std + origins.mean).ravel()
        table = pd.concat([table, origins.rows.assign(model=ENSEMBLE, seed=0, y_hat=values)])
    champion, cutoffs = _champion(maes, naive), np.unique(origins.rows["cutoff"].to_numpy())
    single = len(dataset.scales) == 1
    board = Leaderboard(
        dataset=dataset.name,
        unit=dataset.scale.unit if single else DEVIATIONS,
        first=shown(cutoffs[0]),
        last=shown(cutoffs[-1]),
        origins=len(cutoffs),
        models={name: _scores(origins, name, delay, dataset.scale.std if single else 1.0) for name in maes},
        naive=sorted(naive),
        champion=champion,
        members=members if champion == ENSEMBLE else [champion],
    )
    return table.reset_index(drop=True), board


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


def _scores(origins: Origins, name: str, delay: Array, factor: float) -> Scores:
    """Of a model; `factor` turns errors in model units into the leaderboard's unit."""
    errors = origins.errors(name)
    by_series = [errors[origins.series == number] for number in np.unique(origins.series)]
    inside = np.concatenate([intervals.adaptive(own, intervals.USUAL, delay)[1] for own in by_series])
    later = np.concatenate([own[len(own) // 2 :] for own in by_series])
    return Scores(
        mae=factor * float(np.nanmean(errors)),
        later=factor * float(np.nanmean(later)),
        coverage=float(np.nanmean(inside)) if np.isfinite(inside).any() else None,
    )


def evaluate(
    dataset: Dataset, forecasts: "pd.DataFrame", summaries: Mapping[str, Summary], experiments: Mapping[str, Experiment]
) -> Evaluation:
    """Evaluate the forecasts of all models: `validation` is the earlier half of the origins, `test` the later half."""
    errors = with_errors(dataset, forecasts)
    unit = {"mae": 1.0} | ({"mae_unit": dataset.scale.std} if len(dataset.scales) == 1 else {})
    compared = [name for name, summary in summaries.items() if summary.epochs == 0 or len(summary.seeds) >= MIN_SEEDS]
    scores: dict[str, Splits] = {name: {} for name in summaries}
    variances: dict[str, dict[str, dict[str, float]]] = {}
    weeks: dict[str, int] = {}
    for split in HALVES:
        rows = errors[errors["split"] == split]
        by_model = {str(name): own for name, own in rows.groupby("model") if name in summaries}
        losses = {name: _by_seed(own, "error") for name, own in by_model.items()}
        for name, loss in losses.items():
            varies, maes = summaries[name].epochs > 0, loss.mean(axis=1)
            stats = {key: statistics((factor * maes).tolist(), key, varies=varies) for key, factor in unit.items()}
            scores[name][split] = stats
        if compared and (count := rows["week"].nunique()) >= MIN_BLOCKS:
            blocks, weeks[split] = _by_seed(by_model[compared[0]], "week")[0], count
            variances[split] = {
                name: {
                    other: of_scores.rows(losses[name], losses[other], blocks).variance for other in compared[index:]
                }
                for index, name in enumerate(compared[:-1], 1)
            }
    origins = errors.groupby("split")["cutoff"].nunique().to_dict()
    described = about(dataset, origins, 7.0 * halves_of(errors["cutoff"].to_numpy())[1])
    entries = {name: _entry(summary, experiments[name], scores[name]) for name, summary in summaries.items()}
    return Evaluation(dataset=described, experiments=entries, blocks=weeks, rows=variances)


def _entry(summary: Summary, experiment: Experiment, scores: Splits) -> Entry:
    return Entry(
        parameters=summary.parameters,
        layers=summary.layers,
        baseline=experiment.model.family == "baselines",
        model=experiment.model.name,
        method=experiment.training.method,
        converged=experiment.converged,
        trials=experiment.trials,
        varies=summary.epochs > 0,
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


def with_errors(dataset: Dataset, forecasts: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of the table whose value was measured, with three columns more.

    `error`, absolute, in model units; `split`, one of `HALVES`; `week`, the block of the cutoff in its half, from 0: a
    week, or as long as the horizon if that is longer; what is left behind the last whole one is of that. Errors depend
    on one another within a block, not across blocks.
    """
    std = {name or dataset.name: scale.std for name, scale in dataset.scales.items()}
    rows = forecasts.dropna(subset="y").reset_index(drop=True)
    rows["error"] = (rows["y_hat"] - rows["y"]).abs() / rows["unique_id"].map(std)
    middle, _ = halves_of(rows["cutoff"].to_numpy())
    rows["split"] = np.where(rows["cutoff"] < middle, *HALVES)
    length = max(WEEK, (rows["ds"] - rows["cutoff"]).max().to_timedelta64())
    cutoffs = rows.groupby("split")["cutoff"]
    first, last = cutoffs.transform("min"), cutoffs.transform("max")
    whole = np.maximum((last - first + _distance(rows["cutoff"].to_numpy())) // length, 1)
    rows["week"] = np.minimum((rows["cutoff"] - first) // length, whole - 1)
    return rows.sort_values(["seed", "unique_id", "cutoff", "ds"])


def _by_seed(rows: "pd.DataFrame", column: str) -> Array:
    """(seeds, values) of a column of one model's `with_errors`, in the order of series, cutoff and time."""
    return np.reshape(rows[column].to_numpy(), (rows["seed"].nunique(), -1))


def halves_of(cutoffs: Array) -> tuple[np.datetime64, int]:
    """The first cutoff of the later half, and how many whole weeks that half spans."""
    cutoffs = np.unique(cutoffs)
    middle = cutoffs[len(cutoffs) // 2]
    return middle, int((cutoffs[-1] - middle + _distance(cutoffs)) / WEEK)


def _distance(cutoffs: Array) -> np.timedelta64:
    """From one cutoff to the next, as a rule."""
    steps = np.diff(np.unique(cutoffs))
    return np.median(steps) if len(steps) else WEEK


def by_week(dataset: Dataset, forecasts: "pd.DataFrame") -> "pd.DataFrame":
    """The MAE of each model in each week of the later half, in the leaderboard's unit: model, week (from 1), mae."""
    rows = with_errors(dataset, forecasts)
    factor = dataset.scale.std if len(dataset.scales) == 1 else 1.0
    later = rows[rows["split"] == "test"].assign(week=rows["week"] + 1, mae=factor * rows["error"])
    return later.groupby(["model", "week"], sort=False, as_index=False)["mae"].mean()

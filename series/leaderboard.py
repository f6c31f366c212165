"""From one long table of forecasts: the scores of all models, the comparison, and who
forecasts.

Models are chosen on the earlier half of the cutoffs and compared on the later half, so
that the choice does not favour any (docs/decisions/own-series.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array
from pipeline.data.timestamps import shown
from pipeline.errors import UnrollError
from pipeline.evaluation.intervals import Part
from pipeline.evaluation.margin import Word
from pipeline.validation import Strict
from series import backtest, combination, comparison
from series.backtest import Origins
from series.comparison import NO_SEEDS, WEEK, BlockErrors, Comparison, compare
from series.scores import QuantileScores

if TYPE_CHECKING:
    import pandas as pd

ENSEMBLE = "weighted_median"
"""The name of the forecast combination in the table."""

DEVIATIONS = "standard deviations"
"""The unit of errors over several series: each one's own, over the train rows."""

RECURRENT = {"simple_rnn", "lstm", "gru", "min_gru", "segments"}
"""Names of models with a recurrent cell."""

MIN_MEMBERS = 3
"""Fewer models are not combined."""

MARGIN = 2 / 3
"""A single model is preferred to the combination only if its MAE is at most this
fraction of the combination's. On none of the files that were tried did a smaller lead
last beyond the season that it was measured in (docs/decisions/own-series.md)."""

DAY = np.timedelta64(1, "D")


class ModelScores(Strict):
    """A model's scores on the later half of the cutoffs; its forecast is the mean over
    its seeds.

    Attributes:
        mae: the mean absolute error, in `Board.unit`.
        earlier: the same on the earlier half, by which models are chosen.
        wql: the weighted quantile loss over the deciles, of all series in the target's
            unit; None where it is not known.
        coverage: the fraction of values inside 90 % intervals; None where it is not
            known.
        recurrent: whether it has a recurrent cell.
        seeds: how many it was fitted with.
        seed_variance: what they add to the variance of the logarithm of its error.
        change: of its error to that of `Board.opponent`, as a fraction of it; None of
            the opponent.
        low: the lower end of the change's 95 % interval; None where there is none.
        high: the upper end.
    """

    mae: float
    earlier: float
    wql: float | None
    coverage: float | None
    recurrent: bool
    seeds: int
    seed_variance: float
    change: float | None
    low: float | None
    high: float | None


class Board(Strict):
    """What is known of all models.

    Attributes:
        dataset: the name of the data set.
        unit: of errors: the target's, or `DEVIATIONS` if there are several series.
        first: the timestamp of the first cutoff.
        middle: the timestamp of the first cutoff of the later half.
        last: the timestamp of the last cutoff.
        origins: the number of cutoffs.
        days: that the later half spans.
        block_days: the length of a block: a week, or the horizon if that is longer.
        deviations: name of a series -> what its errors are divided by when models are
            compared.
        models: name -> scores, the least MAE first; `ENSEMBLE` is one of them.
        members: the models that `ENSEMBLE` combines; empty without it.
        network: the best recurrent model of the earlier half; None if there is none.
        opponent: the best model without recurrence of the earlier half.
        naive: the best naive model of the earlier half; None if there is none.
        rival: the best model of the earlier half that is neither recurrent nor naive;
            None if there is none.
        comparison: the network with the opponent; None without a network.
        with_naive: `network` and `rival` -> the comparison with `naive`.
        champion: the model that forecasts.
    """

    dataset: str
    unit: str
    first: str
    middle: str
    last: str
    origins: int
    days: float
    block_days: float
    deviations: dict[str, float]
    models: dict[str, ModelScores]
    members: list[str]
    network: str | None
    opponent: str
    naive: str | None
    rival: str | None
    comparison: Comparison | None
    with_naive: dict[str, Comparison]
    champion: str

    @property
    def word(self) -> Word | None:
        """Whether recurrence helps; None if it was not tried."""
        return None if self.comparison is None else self.comparison.word

    @property
    def unbeaten(self) -> bool:
        """Whether models were tried, and none is better than the best naive one."""
        return _unbeaten(self.with_naive)

    @property
    def champions(self) -> list[str]:
        """The models whose forecasts make the champion's."""
        return self.members if self.champion == ENSEMBLE else [self.champion]

    @property
    def block_length(self) -> np.timedelta64:
        """The length of a block."""
        return np.timedelta64(round(self.block_days * 86_400), "s")

    @property
    def block_name(self) -> str:
        """What blocks are, in words."""
        if self.block_length == WEEK:
            return "weeks"
        return f"stretches of {self.block_days:.3g} days"

    @property
    def factor(self) -> float:
        """What turns an error in standard deviations into `unit`."""
        [*deviations] = self.deviations.values()
        return deviations[0] if len(deviations) == 1 else 1.0


@dataclass(frozen=True)
class _Halves:
    """The two halves of the cutoffs.

    Attributes:
        cutoffs: (origins,) of each origin.
        later: (origins,) whether it belongs to the later half.
        length: of a block.
    """

    cutoffs: Array
    later: Array
    length: np.timedelta64

    @classmethod
    def of(cls, origins: Origins) -> "_Halves":
        """Halve the cutoffs of a table."""
        steps = origins.truth.shape[1]
        cutoffs = origins.rows["cutoff"].to_numpy()[::steps]
        last = origins.rows["ds"].to_numpy()[steps - 1 :: steps]
        horizon = np.timedelta64((last - cutoffs).max())
        return cls(cutoffs, cutoffs >= comparison.middle(cutoffs), max(WEEK, horizon))

    @property
    def days(self) -> float:
        """How many days the later half spans."""
        return float(comparison.span(self.cutoffs[self.later]) / DAY)

    @property
    def blocks(self) -> Array:
        """The number of the block (later origins,) of each origin of the later half."""
        return comparison.block_numbers(self.cutoffs[self.later], self.length)


@dataclass(frozen=True)
class _Chosen:
    """The models that are chosen on the earlier half; see `Board`."""

    network: str | None
    opponent: str
    naive: str | None
    rival: str | None


def is_recurrent(experiment: Experiment) -> bool:
    """Return whether a model has a recurrent cell."""
    return experiment.model.name in RECURRENT


def is_naive(experiment: Experiment) -> bool:
    """Return whether a model is a baseline that is fitted to nothing, such as the last
    value.
    """
    return (
        experiment.training.method == "none" and experiment.model.family == "baselines"
    )


def board(
    dataset: Dataset,
    table: "pd.DataFrame",
    experiments: Mapping[str, Experiment],
    delay: Array,
) -> tuple["pd.DataFrame", Board]:
    """Score all models and their combination, compare them, and choose who forecasts.

    Args:
        dataset: the series.
        table: the forecasts of all models, as `backtest.cross_validate` returns them.
        experiments: the models.
        delay: (steps,) after how many origins an error is known (`backtest.delay`).

    Returns:
        The table with the combination's forecasts, and the board.

    Raises:
        UnrollError: nothing was measured in one half of the cutoffs, or all models are
            recurrent.
    """
    origins = Origins.of(dataset, table)
    halves = _Halves.of(origins)
    earlier = _earlier(dataset, origins, halves)
    members = _members(experiments, earlier)
    if members:
        origins = _with_ensemble(dataset, origins, members, delay)
        earlier = _earlier(dataset, origins, halves)
        table = _with_rows(table, origins)
    chosen = _chosen(dataset, experiments, earlier)
    errors = _later(origins, halves, _seed_parts(dataset, table, halves))
    quantiles = QuantileScores.of(
        origins, _floors(dataset, origins), halves.later, delay
    )
    models = {}
    for name in sorted(errors, key=lambda name: errors[name].mean):
        wql, coverage = quantiles.scores(origins.forecasts[name])
        compared = _compared(name, chosen.opponent, errors, halves)
        models[name] = ModelScores(
            mae=_factor(dataset) * errors[name].mean,
            earlier=_factor(dataset) * earlier[name],
            wql=wql,
            coverage=coverage,
            recurrent=name in experiments and is_recurrent(experiments[name]),
            seeds=errors[name].seeds.draws,
            seed_variance=errors[name].seeds.variance,
            change=compared.change if compared else None,
            low=compared.low if compared else None,
            high=compared.high if compared else None,
        )
    return table, _board(dataset, halves, models, members, chosen, errors)


def _board(
    dataset: Dataset,
    halves: _Halves,
    models: dict[str, ModelScores],
    members: list[str],
    chosen: _Chosen,
    errors: Mapping[str, BlockErrors],
) -> Board:
    """Compare both sides, and put all together."""
    compared = _compared(chosen.network, chosen.opponent, errors, halves)
    with_naive = {}
    for name in (chosen.network, chosen.rival):
        against = _compared(name, chosen.naive, errors, halves)
        if name is not None and against is not None:
            with_naive[name] = against
    deviations = {
        name or dataset.name: scale.std for name, scale in dataset.scales.items()
    }
    return Board(
        dataset=dataset.name,
        unit=dataset.scale.unit if len(deviations) == 1 else DEVIATIONS,
        first=shown(halves.cutoffs.min()),
        middle=shown(halves.cutoffs[halves.later].min()),
        last=shown(halves.cutoffs.max()),
        origins=len(np.unique(halves.cutoffs)),
        days=halves.days,
        block_days=float(halves.length / DAY),
        deviations=deviations,
        models=models,
        members=members,
        network=chosen.network,
        opponent=chosen.opponent,
        naive=chosen.naive,
        rival=chosen.rival,
        comparison=compared,
        with_naive=with_naive,
        champion=_champion(chosen, compared, with_naive),
    )


def _compared(
    name: str | None,
    other: str | None,
    errors: Mapping[str, BlockErrors],
    halves: _Halves,
) -> Comparison | None:
    """Compare two models on the later half; None where they are one, or one is None."""
    if name is None or other is None or name == other:
        return None
    return compare(errors[name], errors[other], halves.days)


def _champion(
    chosen: _Chosen, compared: Comparison | None, with_naive: Mapping[str, Comparison]
) -> str:
    """Return the model that forecasts: it is without recurrence, unless recurrence
    helps.
    """
    if chosen.naive is not None and _unbeaten(with_naive):
        return chosen.naive
    if (
        chosen.network is not None
        and compared is not None
        and compared.word == Word.HELPS
    ):
        return chosen.network
    return chosen.opponent


def _unbeaten(with_naive: Mapping[str, Comparison]) -> bool:
    """Return whether there are models, and none is better than the naive one."""
    leads = [compared.better for compared in with_naive.values()]
    return bool(leads) and not any(leads)


def _chosen(
    dataset: Dataset,
    experiments: Mapping[str, Experiment],
    earlier: Mapping[str, float],
) -> _Chosen:
    """Choose the best of each side by the MAE of the earlier half."""
    recurrent = {
        name for name, experiment in experiments.items() if is_recurrent(experiment)
    }
    naive = {name for name, experiment in experiments.items() if is_naive(experiment)}
    best_naive = _best([name for name in earlier if name in naive], earlier)
    single = _best(
        [name for name in earlier if name not in recurrent | naive | {ENSEMBLE}],
        earlier,
    )
    rival = _rival(single, earlier)
    opponent = _best(
        [name for name in (rival, best_naive) if name is not None], earlier
    )
    if opponent is None:
        raise UnrollError(
            f"{dataset.name}: all models are recurrent; add one without recurrence"
        )
    return _Chosen(
        network=_best([name for name in earlier if name in recurrent], earlier),
        opponent=opponent,
        naive=best_naive,
        rival=rival,
    )


def _rival(single: str | None, earlier: Mapping[str, float]) -> str | None:
    """Choose between the combination, if there is one, and the best single model: see
    `MARGIN`.
    """
    if single is None or ENSEMBLE not in earlier:
        return single
    return single if earlier[single] <= MARGIN * earlier[ENSEMBLE] else ENSEMBLE


def _best(names: Sequence[str], earlier: Mapping[str, float]) -> str | None:
    return min(names, key=earlier.__getitem__, default=None)


def _members(
    experiments: Mapping[str, Experiment], earlier: Mapping[str, float]
) -> list[str]:
    """Choose the models to combine; none if they are fewer than `MIN_MEMBERS`.

    Of those without a fit it is the best of each family (naive, statistical), by the
    MAE of the earlier half. All others are members but recurrent networks: the
    combination stands on the side without recurrence. If rows are weeks or months,
    statistical models look back for years (option `history`). Then only these are
    combined with boosting of differences to the year before (`base: cycle`), as the
    others follow no trend.
    """
    candidates = [name for name in earlier if not is_recurrent(experiments[name])]
    options = {name: experiments[name].model.options for name in candidates}
    if any(option.get("history") for option in options.values()):
        members = [
            name
            for name, option in options.items()
            if option.get("history") or option.get("base") == "cycle"
        ]
    else:
        best: dict[str, str] = {}
        for name in sorted(candidates, key=earlier.__getitem__):
            fitted = experiments[name].training.method != "none"
            best.setdefault(name if fitted else experiments[name].model.family, name)
        members = list(best.values())
    return sorted(members) if len(members) >= MIN_MEMBERS else []


def _with_ensemble(
    dataset: Dataset, origins: Origins, members: Sequence[str], delay: Array
) -> Origins:
    """Add the combination's forecasts; nothing is forecast below `backtest.floor`."""
    forecasts = np.stack([origins.forecasts[name] for name in members])
    combined = combination.combined(forecasts, origins.truth, origins.series, delay)
    combined = np.maximum(combined, _floors(dataset, origins))
    return replace(origins, forecasts={**origins.forecasts, ENSEMBLE: combined})


def _with_rows(table: "pd.DataFrame", origins: Origins) -> "pd.DataFrame":
    """Add the combination's rows to a table."""
    import pandas as pd

    values = origins.forecasts[ENSEMBLE] * origins.std + origins.mean
    rows = origins.rows.assign(model=ENSEMBLE, seed=0, y_hat=values.ravel())
    return pd.concat([table, rows], ignore_index=True)


def _floors(dataset: Dataset, origins: Origins) -> Array:
    """Return (origins, 1) the least value that is forecast, in model units."""
    floors = np.array([backtest.floor(dataset.fitted, name) for name in dataset.scales])
    return np.asarray((floors[origins.series, None] - origins.mean) / origins.std)


def _earlier(dataset: Dataset, origins: Origins, halves: _Halves) -> dict[str, float]:
    """Return the MAE of each model on the earlier half, in standard deviations."""
    measured = np.isfinite(origins.truth)
    for half, chosen in (("earlier", ~halves.later), ("later", halves.later)):
        if not measured[chosen].any():
            raise UnrollError(
                f"{dataset.name}: no value was measured after the cutoffs of the {half} half; "
                "add rows, or leave out those where the target is missing"
            )
    return {
        name: float(np.nanmean(origins.errors(name)[~halves.later]))
        for name in origins.forecasts
    }


def _later(
    origins: Origins, halves: _Halves, seeds: Mapping[str, Part]
) -> dict[str, BlockErrors]:
    """Return the errors of each model on the later half, in standard deviations."""
    blocks = halves.blocks
    return {
        name: BlockErrors.of(
            origins.errors(name)[halves.later], blocks, seeds.get(name, NO_SEEDS)
        )
        for name in origins.forecasts
    }


def _seed_parts(
    dataset: Dataset, table: "pd.DataFrame", halves: _Halves
) -> dict[str, Part]:
    """Return what seeds add to the variance of the error of each model that has
    several.
    """
    seeds = table.groupby("model")["seed"].nunique()
    several = table["model"].isin(seeds.index[seeds > 1])
    rows = table[several & (table["cutoff"] >= halves.cutoffs[halves.later].min())]
    deviations = {
        name or dataset.name: scale.std for name, scale in dataset.scales.items()
    }
    errors = comparison.in_deviations(rows, deviations)
    means = errors.groupby([rows["model"], rows["seed"]]).mean()
    return {
        str(name): comparison.seed_part(own.to_numpy())
        for name, own in means.groupby(level="model")
    }


def _factor(dataset: Dataset) -> float:
    """Return what turns an error in standard deviations into the board's unit."""
    return dataset.scale.std if len(dataset.scales) == 1 else 1.0


def errors_by_block(forecasts: "pd.DataFrame", board: Board) -> "pd.DataFrame":
    """Return the MAE of each model in each block of the later half, in the board's
    unit.

    Args:
        forecasts: unique_id, ds, cutoff, model, y and y_hat, the mean over seeds.
        board: of these forecasts.

    Returns:
        A row for each block, from 1, and a column for each model; the index is named
        for what it counts, such as "weeks".
    """
    rows = forecasts[forecasts["cutoff"] >= np.datetime64(board.middle)]
    errors = comparison.in_deviations(rows, board.deviations)
    numbers = comparison.block_numbers(rows["cutoff"].to_numpy(), board.block_length)
    by_block = rows.assign(error=board.factor * errors, block=numbers + 1).dropna(
        subset="error"
    )
    means = by_block.pivot_table(index="block", columns="model", values="error")
    return means.rename_axis(index=board.block_name, columns=None)

"""The scores of all models, the comparison, and the choice of the model that forecasts.

All are computed from one long table of forecasts. Models are chosen on the earlier half
of the cutoffs and compared on the later half, so that the choice does not favour any
model (docs/decisions/own-series.md).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pydantic

from pipeline.config.params import Experiment
from pipeline.data import windowing
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array
from pipeline.data.timestamps import shown
from pipeline.errors import UnrollError
from pipeline.evaluation.intervals import Part
from pipeline.evaluation.verdict_rule import Word
from pipeline.validation import Strict, Timestamp
from unroll.series import backtest, combination, pairwise, prediction_intervals
from unroll.series.backtest import Plan
from unroll.series.combination import ENSEMBLE
from unroll.series.models.recipes import card
from unroll.series.options import Objective
from unroll.series.pairwise import (
    FEWEST_SERIES,
    POWER,
    SEASON,
    WEEK,
    Errors,
    Interval,
    ModelComparison,
)
from unroll.series.prediction_intervals import PastErrors
from unroll.series.row_options import fitted_of, scales

DEVIATIONS = "standard deviations"
"""The unit of errors over several series: standard deviations of their train rows."""

USUAL_CHANGES = "usual changes"
"""The unit of errors of whole series: usual changes from one cycle to the next."""

MIN_MEMBERS = 3
"""Smallest number of models that are combined; of whole series two are enough."""

MARGIN = 2 / 3
"""Largest MAE, relative to the combination's, at which a single model is preferred.

A smaller lead did not outlast its season on any file that was tried
(docs/decisions/own-series.md)."""

LEVELS = (0.2, 0.4, 0.6, 0.8)
"""Coverages of the intervals whose ends are deciles."""

DECILES = [number / 10 for number in range(1, 10)]
"""The quantiles of the weighted quantile loss."""

MEASURE: Mapping[Objective, str] = {"median": "mae", "mean": "rmse"}
"""Objective -> the score by which models are chosen and compared."""

ROLES = {
    "network": ("recurrent",),
    "rival": ("network", "statistical"),
    "naive": ("naive",),
}
"""Role -> the kinds of models (`ModelCard.kind`) of which the best one has it.

The opponent is the better one of rival and naive model."""

Size = Annotated[float, pydantic.Field(ge=0)]
"""The size of an error."""

SHOWN = 0.9995
"""Largest error, relative to another's, that is shown as less: by -0.1 %."""

DAY = np.timedelta64(1, "D")

DAYS_OF_YEAR = 365.25

DAYS_OF_MONTH = DAYS_OF_YEAR / 12
"""Days of a month, on average."""

MOST_SCORED = 500
"""Largest number of cutoffs of all series together whose quantiles are scored."""


def factor(deviations: Mapping[str, float], unit: str) -> float:
    """Return what turns an error in `deviations` into a unit, as `Board.unit`."""
    is_relative = unit in {DEVIATIONS, USUAL_CHANGES}
    return 1.0 if is_relative else next(iter(deviations.values()))


def in_months(days: float) -> str:
    """Return a number of days in months, as text."""
    months = max(1, round(days / DAYS_OF_MONTH))
    return "a month" if months == 1 else f"{months:,} months"


class ModelScores(Interval):
    """A model's scores on the later half of the cutoffs; its forecast is the mean over
    its seeds.

    Attributes:
        mae: the mean absolute error, in `Board.unit`.
        rmse: the root of the mean squared error, in `Board.unit`.
        bias: the sum of all forecasts relative to that of the truth: -.1 is a tenth too
            low; None if values may lie below 0.
        earlier: the MAE, or for the objective "mean" the RMSE, on the earlier half, by
            which models are chosen.
        wql: the weighted quantile loss over the deciles of all series, in the target's
            unit; None if too few errors are known.
        coverage: the fraction of values inside 90 % intervals; None if too few errors
            are known.
        recurrent: whether the model has a recurrent cell.
        seeds: number of seeds that the model was fitted with.
        seed_variance: the part of the variance of the error's logarithm that is due to
            seeds.
        change: the error relative to that of `Board.opponent`: -0.04 is 4 % less; None
            for the opponent.
        low: the lower end of the change's 95 % interval; None if there is none.
        high: the upper end of the interval.
    """

    mae: Size
    rmse: Size
    bias: float | None
    earlier: Size
    wql: Size | None
    coverage: Annotated[float, pydantic.Field(ge=0, le=1)] | None
    recurrent: bool
    seeds: int
    seed_variance: float


class Board(Strict):
    """The leaderboard: the scores of all models, and the models of the comparison.

    Attributes:
        unit: the unit of errors: the target's, `DEVIATIONS` for several series, or
            `USUAL_CHANGES` for whole series.
        middle: the timestamp of the first cutoff of the later half.
        days: number of days that the later half spans.
        block_days: the days of a block: a week, or the horizon if it is longer. None if
            models see whole series: each series is then a block, and all of its cutoffs
            choose and compare. There are few models to choose from, and the mean of
            several is preferred to a single one, so the choice favours little.
        deviations: name of a series -> its standard deviation, or the size of its usual
            changes if it is seen as a whole; errors are divided by it when models are
            compared.
        models: name -> scores, the smallest error first; also of `ENSEMBLE`.
        members: the models that `ENSEMBLE` combines; empty without `ENSEMBLE`.
        shares: the fixed share of each member; empty if their errors weigh them.
        network: the best recurrent model of the earlier half; None if there is none.
        opponent: the best model without recurrence of the earlier half.
        naive: the best naive model of the earlier half; None if there is none.
        rival: the best model of the earlier half that is neither recurrent nor naive;
            None if there is none.
        comparison: the network compared with the opponent; None without a network.
        with_naive: `network` and `rival` -> the comparison with `naive`.
        champion: the model that forecasts.
        objective: what a forecast is, and so by which error models are judged.
        untrained: networks that had too few rows to be trained.
        monthly: whether rows lie a month or several months apart.
        naives: all naive models.
    """

    unit: str
    middle: Timestamp
    days: Annotated[float, pydantic.Field(ge=0, le=1e6)]
    block_days: Annotated[float, pydantic.Field(gt=0, le=1e6)] | None
    deviations: Annotated[
        dict[str, Annotated[float, pydantic.Field(gt=0)]],
        pydantic.Field(min_length=1),
    ]
    models: dict[str, ModelScores]
    members: list[str]
    shares: dict[str, float] = pydantic.Field(default={})
    network: str | None
    opponent: str
    naive: str | None
    rival: str | None
    comparison: ModelComparison | None
    with_naive: dict[str, ModelComparison]
    champion: str
    objective: Objective = "median"
    untrained: list[str] = pydantic.Field(default=[])
    monthly: bool = False
    naives: list[str] = pydantic.Field(default=[])

    @property
    def word(self) -> Word | None:
        """The verdict on recurrence; None if recurrence was not tried."""
        return None if self.comparison is None else self.comparison.word

    @property
    def unbeaten(self) -> bool:
        """True if no other model is better than the best naive model."""
        leads = [compared.better for compared in self.with_naive.values()]
        return bool(leads) and not any(leads)

    @property
    def ahead(self) -> dict[str, tuple[str, str]]:
        """A role, such as "network" -> the model of its kind with the least error, and
        the one that was chosen.

        It has those roles alone whose model another one is ahead of: models are chosen
        on the earlier half of the cutoffs, and have their errors on the later half.
        """
        others = [name for name, own in self.models.items() if not own.recurrent]
        networks = [name for name in self.models if name not in others]
        fitted = [name for name in others if name not in self.naives]
        roles = {
            "network": (self.network, networks),
            "opponent": (self.opponent, others),
            "naive": (self.naive, self.naives),
            "rival": (self.rival, fitted),
        }
        found = {}
        for role, (chosen, kind) in roles.items():
            best = min(kind, key=self.error, default=chosen)
            if chosen and best and self.error(best) < SHOWN * self.error(chosen):
                found[role] = (best, chosen)
        return found

    @property
    def factor(self) -> float:
        """What turns an error in `deviations` into `unit`."""
        return factor(self.deviations, self.unit)

    @property
    def champions(self) -> list[str]:
        """The models that the champion combines, or the champion alone."""
        return self.members if self.champion == ENSEMBLE else [self.champion]

    @property
    def block_length(self) -> np.timedelta64 | None:
        """The length of a block; None if each series is a block."""
        if self.block_days is None:
            return None
        return np.timedelta64(round(self.block_days * windowing.DAY), "s")

    @property
    def block_name(self) -> str:
        """The name of blocks, such as "weeks"."""
        if self.block_days is None:
            return "series"
        if self.block_length == WEEK:
            return "weeks"
        if self.monthly:
            return f"stretches of {in_months(self.block_days)}"
        return f"stretches of {self.block_days:.3g} days"

    def check(self) -> None:
        """Raise ValueError unless all models of the comparison have scores."""
        fitted = [side for side in (self.network, self.rival) if side is not None]
        named = [self.opponent, self.champion, *self.members, *fitted]
        named += [*filter(None, [self.naive]), *self.naives]
        unknown = [name for name in named if name not in self.models]
        if unknown:
            raise ValueError(f"models must have {unknown[0]!r:.80}")
        if (self.comparison is None) != (self.network is None):
            raise ValueError("comparison must be null without a network, and only then")
        expected = fitted if self.naive is not None else []
        if {*self.with_naive} != {*expected}:
            raise ValueError(f"with_naive must compare {expected}")
        if not self.champions:
            raise ValueError(f"members must have models for the champion {ENSEMBLE}")

    def later(self, forecasts: pd.DataFrame) -> pd.DataFrame:
        """Return the forecasts that models are compared by.

        They are those of the later half of the cutoffs, or all of whole series.
        """
        return forecasts[forecasts["cutoff"] >= np.datetime64(self.middle)]

    def errors(self, later: pd.DataFrame) -> Errors:
        """Return the errors of some forecasts, also of models that have no scores."""
        by_block = pairwise.errors_by_block(
            later, self.deviations, self.block_length, self.objective
        )
        seeds = {
            name: Part(scores.seed_variance, scores.seeds)
            for name, scores in self.models.items()
        }
        return Errors(by_block, self.days, seeds, self.objective)

    def error(self, name: str) -> float:
        """Return the error of a model by which models are judged."""
        scores = self.models[name]
        return scores.rmse if self.objective == "mean" else scores.mae


def of_role(role: str, experiments: Mapping[str, Experiment]) -> list[str]:
    """Return the names of the models that can have one of `ROLES`."""
    return [
        name for name, model in experiments.items() if card(model).kind in ROLES[role]
    ]


def board(
    dataset: Dataset,
    table: pd.DataFrame,
    experiments: Mapping[str, Experiment],
    plan: Plan,
) -> tuple[pd.DataFrame, Board]:
    """Score all models and their combination, compare them, and choose who forecasts.

    Args:
        dataset: the series.
        table: the forecasts of all models, as `training.cross_validate` returns them.
        experiments: the models.
        plan: the cutoffs of the table.

    Returns:
        The mean forecasts over seeds, also of the combination: unique_id, ds, cutoff,
        model, y and y_hat, of each model in the order of the table; and the board.

    Raises:
        UnrollError: nothing was measured in one half of the cutoffs, or all models are
            recurrent.
    """
    values = table.groupby(
        ["unique_id", "ds", "cutoff", "model"], sort=False, as_index=False
    )
    forecasts = values[["y", "y_hat"]].mean()
    deviations = {
        name or dataset.name: scale.std for name, scale in scales(dataset).items()
    }
    objective = pairwise.objective_of(dataset)
    middle, end = _halves(dataset, forecasts, plan)

    # The earlier half of the cutoffs chooses models.
    earlier = _errors_before(end, forecasts, deviations, objective)
    planned = bool(fitted_of(dataset).windows.future)
    members = _members(experiments, earlier, plan, planned=planned)
    shares = _shares(members, experiments, plan)
    if members:
        combined = _combined(dataset, forecasts, members, plan, shares)
        earlier |= _errors_before(end, combined, deviations, objective)
        forecasts = pd.concat([forecasts, combined], ignore_index=True)
    chosen = _chosen(dataset, experiments, earlier)
    network = chosen["network"]
    opponent = chosen["opponent"]
    naive = chosen["naive"]

    # The later half compares them.
    later = forecasts[forecasts["cutoff"] >= middle]
    length, days = _blocks(later, deviations, plan)
    errors = Errors(
        pairwise.errors_by_block(later, deviations, length, objective),
        days,
        seed_parts(table[table["cutoff"] >= middle], deviations, objective),
        objective,
    )
    unit = _unit(dataset, plan)
    size = factor(deviations, unit)
    judged = pairwise.scores(later, deviations)
    quantiles = _Quantiles(dataset, middle, plan)
    models = {}
    for name, error in earlier.items():
        wql, coverage = quantiles.scores(forecasts[forecasts["model"] == name])
        models[name] = ModelScores(
            **judged_by(judged.loc[name], size),
            **errors.against(name, opponent),
            earlier=size * error,
            wql=wql,
            coverage=coverage,
            recurrent=name in of_role("network", experiments),
        )
    sides = [*filter(None, (network, chosen["rival"]))]
    rows = fitted_of(dataset).cleaning.rows
    found = Board(
        unit=unit,
        middle=shown(middle),
        days=days,
        block_days=None if length is None else float(length / DAY),
        deviations=deviations,
        models=by_error(models, objective),
        members=members,
        shares=shares,
        **chosen,
        comparison=errors.compared(network, opponent) if network else None,
        with_naive={side: errors.compared(side, naive) for side in sides if naive},
        champion=opponent,
        objective=objective,
        monthly=isinstance(rows, str) and rows != "business",
        naives=of_role("naive", experiments),
    )
    return forecasts, found.model_copy(update={"champion": champion(found)})


def _halves(
    dataset: Dataset, forecasts: pd.DataFrame, plan: Plan
) -> tuple[np.datetime64, np.datetime64]:
    """Return the first cutoff that compares models, and the first that chooses none.

    They are the same, but of whole series, where all cutoffs choose and compare.

    Raises:
        UnrollError: nothing was measured in one half of the cutoffs.
    """
    cutoffs = forecasts["cutoff"].drop_duplicates().to_numpy()
    middle = pairwise.middle(cutoffs)
    end = middle
    if plan.apart:
        middle = cutoffs.min()
        end = cutoffs.max() + WEEK
    measured = forecasts["cutoff"][forecasts["y"].notna()]
    halves = {"earlier": measured < end, "later": measured >= middle}
    for half, known in halves.items():
        if not known.any():
            raise UnrollError(
                f"{dataset.name}: no value was measured after the cutoffs of the "
                f"{half} half; add rows, or leave out rows without a target"
            )
    return middle, end


def _errors_before(
    end: np.datetime64,
    forecasts: pd.DataFrame,
    deviations: Mapping[str, float],
    objective: Objective,
) -> dict[str, float]:
    """Return the error of each model at the cutoffs before `end`, in `deviations`."""
    choosing = forecasts[forecasts["cutoff"] < end]
    errors = pairwise.scores(choosing, deviations)[MEASURE[objective]]
    return {str(name): float(error) for name, error in errors.items()}


def _unit(dataset: Dataset, plan: Plan) -> str:
    """Return `Board.unit`."""
    if plan.apart:
        return USUAL_CHANGES
    return dataset.scale.unit if len(scales(dataset)) == 1 else DEVIATIONS


def _blocks(
    later: pd.DataFrame, deviations: Mapping[str, float], plan: Plan
) -> tuple[np.timedelta64 | None, float]:
    """Return the length of blocks, and the days that they span.

    Of whole series each series is a block, without a length. A panel of enough series
    counts as long enough for an interval.
    """
    if plan.apart:
        return None, float(SEASON if len(deviations) >= FEWEST_SERIES else 0)
    days = pairwise.span(later["cutoff"].to_numpy()) / DAY
    horizon = (later["ds"] - later["cutoff"]).max()
    return max(WEEK, horizon.to_timedelta64()), float(days)


def _shares(
    members: Sequence[str], experiments: Mapping[str, Experiment], plan: Plan
) -> dict[str, float]:
    """Return the fixed share of each member; none if errors weigh members."""
    if not plan.apart:
        return {}
    return combination.fixed_shares(
        {name: card(experiments[name]).kind == "network" for name in members}
    )


def champion(board: Board) -> str:
    """Return the model that forecasts, without recurrence unless recurrence helps."""
    if board.naive is not None and board.unbeaten:
        return board.naive
    if board.network is not None and board.word == Word.HELPS:
        return board.network
    return board.opponent


def _chosen(
    dataset: Dataset,
    experiments: Mapping[str, Experiment],
    earlier: Mapping[str, float],
) -> dict[str, Any]:
    """Return the model of each role, by the errors of the earlier half, or None.

    The combination is the rival, unless a single model leads by far.
    """

    def best(names: Iterable[str]) -> str | None:
        return min(names, key=earlier.__getitem__, default=None)

    chosen = {role: best(of_role(role, experiments)) for role in ROLES}
    rival = chosen["rival"]
    if rival and ENSEMBLE in earlier and earlier[rival] > MARGIN * earlier[ENSEMBLE]:
        chosen["rival"] = ENSEMBLE
    opponent = best(filter(None, (chosen["rival"], chosen["naive"])))
    if opponent is None:
        raise UnrollError(
            f"{dataset.name}: all models are recurrent; add a model without recurrence"
        )
    return {**chosen, "opponent": opponent}


def _members(
    experiments: Mapping[str, Experiment],
    errors: Mapping[str, float],
    plan: Plan,
    *,
    planned: bool = False,
) -> list[str]:
    """Choose the models to combine; none if there are fewer than `MIN_MEMBERS`.

    The combination has no recurrence, so recurrent networks are no members. All other
    fitted models are. Models without a fit are naive or statistical, and the best of
    each family is a member, by the MAE of the earlier half.

    If rows are weeks or months, statistical models look back for years (option
    `history`). Then the members are these models, and boosting of differences to the
    year before (`base: cycle`), since the other models follow no trend.

    If columns are known beforehand (`planned`), a model that cannot see them is a member
    only if its error is below that of all models that see them. If that holds for a
    statistical model that looks back for years, the columns do not help, and members are
    as above.

    Of whole series all fitted models without recurrence are members.
    """
    if plan.apart:
        members = of_role("rival", experiments)
        return members if len(members) > 1 else []
    recurrent = of_role("network", experiments)
    candidates = [name for name in errors if name not in recurrent]
    options = {name: experiments[name].model.options for name in candidates}
    if planned:
        seeing = [name for name in candidates if options[name].get("known")]
        least = min((errors[name] for name in seeing), default=math.inf)
        candidates = [
            name for name in candidates if name in seeing or errors[name] < least
        ]
    if any(options[name].get("history") for name in candidates):
        members = [
            name
            for name, option in options.items()
            if option.get("history") or option.get("base") == "cycle"
        ]
    else:
        best: dict[str, str] = {}
        for name in sorted(candidates, key=errors.__getitem__):
            fitted = experiments[name].training.method != "none"
            best.setdefault(name if fitted else experiments[name].model.family, name)
        members = list(best.values())
    return sorted(members) if len(members) >= MIN_MEMBERS else []


def _combined(
    dataset: Dataset,
    forecasts: pd.DataFrame,
    members: Sequence[str],
    plan: Plan,
    shares: Mapping[str, float],
) -> pd.DataFrame:
    """Return the rows of the combination of some models."""
    delay = backtest.delay(dataset, plan.stride)
    by_model = [forecasts[forecasts["model"] == name] for name in members]
    rows = by_model[0]
    values = combination.combined(
        np.stack([_by_origin(own["y_hat"], delay) for own in by_model]),
        _by_origin(rows["y"], delay),
        _by_origin(rows["unique_id"], delay)[:, 0],
        delay,
        pairwise.objective_of(dataset),
        [*shares.values()],
    )
    lowest = rows["unique_id"].map(backtest.lowest_forecasts(dataset))
    return rows.assign(model=ENSEMBLE, y_hat=np.maximum(values.ravel(), lowest))


def _by_origin(column: "pd.Series[Any] | Array", delay: Array) -> Array:
    """Return a column of a model's rows as (origins, steps)."""
    return np.asarray(column).reshape(-1, len(delay))


def judged_by(row: "pd.Series[float]", unit: float) -> dict[str, Any]:
    """Return a model's row of `pairwise.scores` as scores.

    Args:
        row: the row.
        unit: `Board.unit`, in standard deviations.
    """
    bias = row["bias"]
    return {
        "mae": float(unit * row["mae"]),
        "rmse": float(unit * row["rmse"]),
        "bias": float(bias) if np.isfinite(bias) else None,
    }


def by_error(
    models: Mapping[str, ModelScores], objective: Objective
) -> dict[str, ModelScores]:
    """Return models in the order of their errors, the smallest first."""
    measure = MEASURE[objective]
    return dict(sorted(models.items(), key=lambda model: getattr(model[1], measure)))


def seed_parts(
    rows: pd.DataFrame, deviations: Mapping[str, float], objective: Objective
) -> dict[str, Part]:
    """Return the part of the variance of each model's error that is due to seeds.

    Args:
        rows: forecasts, with the column seed.
        deviations: unique_id -> the standard deviation of the series.
        objective: decides whether errors are squared.
    """
    errors = pairwise.in_deviations(rows, deviations, objective)
    means = errors.groupby([rows["model"], rows["seed"]]).mean()
    means **= 1 / POWER[objective]
    return {
        str(name): pairwise.seed_part(own.to_numpy())
        for name, own in means.groupby(level="model")
    }


@dataclass(frozen=True)
class _Quantiles:
    """Scores the quantiles of forecasts: the weighted quantile loss, and the coverage.

    Attributes:
        dataset: the series.
        middle: the first cutoff of the later half.
        plan: the cutoffs.
    """

    dataset: Dataset
    middle: np.datetime64
    plan: Plan

    @cached_property
    def recent(self) -> Array:
        """`backtest.recent` of the data set, which all models share."""
        return backtest.recent(self.dataset, self.plan)

    def scores(self, rows: pd.DataFrame) -> tuple[float | None, float | None]:
        """Return a model's weighted quantile loss and the coverage of 90 % intervals.

        Both are None if too few errors are known for an interval.

        Args:
            rows: the forecasts of the model.
        """
        delay = backtest.delay(self.dataset, self.plan.stride)
        floors = backtest.lowest_forecasts(self.dataset)
        names = [*floors]
        series = rows["unique_id"].map(names.index).to_numpy()[:: len(delay)]
        cutoffs = rows["cutoff"].to_numpy()[:: len(delay)]
        errors = PastErrors.of_origins(
            truth=_by_origin(rows["y"], delay),
            forecasts=_by_origin(rows["y_hat"], delay),
            recent=self.recent[backtest.rows_at(self.dataset, series, cutoffs)],
            positions=_by_origin(backtest.positions(self.dataset, rows["ds"]), delay),
            series=series,
            lowest=np.array([*floors.values()]),
        )
        if self.plan.apart:
            offsets = _of_other_series(errors)
        else:
            first = int((np.unique(cutoffs) < self.middle).sum())
            offsets = _of_earlier_cutoffs(errors, delay, first)
        truth = errors.truth
        forecasts = errors.forecasts[:, :-1]
        held = prediction_intervals.inside(truth - forecasts, offsets)
        known = np.isfinite(held)  # (series, cutoffs, steps)
        if not known.any():
            return None, None
        # The outermost offsets are those of the 90 % interval; the forecast itself is
        # the median.
        offsets = np.insert(offsets[..., 1:-1], len(LEVELS), 0.0, axis=-1)
        lowest = errors.lowest[:, None, None, None]
        deciles = np.maximum(forecasts[..., None] + offsets, lowest)
        wql = prediction_intervals.weighted_quantile_loss(
            truth[known], deciles[known], DECILES
        )
        return wql, float(held[known].mean())


SCORED = (*LEVELS, prediction_intervals.USUAL)
"""Coverages of the intervals that are scored."""


def _of_earlier_cutoffs(errors: PastErrors, delay: Array, first: int) -> Array:
    """Return the quantiles of errors from those that were known at each cutoff.

    They are (series, cutoffs, steps, quantiles), and infinite before cutoff `first`, at
    closed times, and at cutoffs that are left out since there are many.
    """
    count = errors.truth.shape[1]
    every = math.ceil(len(errors.truth) * (count - first) / MOST_SCORED)
    offsets = np.full((*errors.truth.shape, 2 * len(SCORED)), np.inf)
    for cutoff in range(count - 1, first - 1, -every):
        # without errors that are too old to count
        begin = max(0, cutoff - prediction_intervals.KEPT - int(delay[-1]))
        is_known = np.arange(begin, cutoff)[:, None] + delay <= cutoff
        before = PastErrors(
            np.where(is_known, errors.truth[:, begin:cutoff], np.nan),
            errors.forecasts[:, begin : cutoff + 1],
            errors.recent[:, begin : cutoff + 1],
            errors.positions[:, begin : cutoff + 1],
            errors.lowest,
        )
        offsets[:, cutoff] = before.next_offsets(SCORED, before.shared(SCORED))
    return offsets


def _of_other_series(errors: PastErrors) -> Array:
    """Return the quantiles of errors of each series from those of other series.

    Those of every second series are made from the errors of the others, and the other
    way round. They are infinite if there are fewer than `FEWEST_SERIES`.
    """
    count, cutoffs, _ = errors.truth.shape
    offsets = np.full((*errors.truth.shape, 2 * len(SCORED)), np.inf)
    if count < FEWEST_SERIES:
        return offsets
    is_even = np.arange(count) % 2 == 0
    for own in (is_even, ~is_even):
        shared = errors.of_series(~own).shared(SCORED)
        some = errors.of_series(own)
        for cutoff in range(cutoffs):
            unknown = replace(
                some,
                truth=np.full_like(some.truth[:, :1], np.nan),
                forecasts=some.forecasts[:, [cutoff, cutoff]],
                recent=some.recent[:, [cutoff, cutoff]],
                positions=some.positions[:, [cutoff, cutoff]],
            )
            offsets[own, cutoff] = unknown.next_offsets(SCORED, shared)
    return offsets


def mae_by_block(forecasts: pd.DataFrame, board: Board) -> pd.DataFrame:
    """Return the MAE of each model in each block of the later half, in `board.unit`.

    Args:
        forecasts: unique_id, ds, cutoff, model, y and y_hat, the mean over seeds.
        board: the leaderboard of these forecasts.

    Returns:
        A row for each block, by its first cutoff, and a column for each model; the
        index is called `Board.block_name`.
    """
    later = board.later(forecasts)
    errors = pairwise.errors_by_block(later, board.deviations, board.block_length)
    means = board.factor * errors["sum"] / errors["count"]
    by_model = means.unstack(level=0)  # noqa: PD010 - there is one value for each
    first = later["cutoff"].min().to_datetime64()
    by_model.index = pd.DatetimeIndex(first + by_model.index * board.block_length)
    return by_model.rename_axis(index=board.block_name, columns=None)

"""The models of a file's series: compared at cutoffs of the past, and fitted.

All series go this way. What differs stands in one place each: how rows become a data set
(`preparation`), which models suit it (`candidates`), how cutoffs are laid (`backtest`),
and how members are weighed (`combination`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array
from pipeline.errors import UsageError
from unroll.series import backtest, fits, leaderboard, sentence, training
from unroll.series.backtest import Plan
from unroll.series.candidates import candidates
from unroll.series.combination import require_memory
from unroll.series.fits import FitCache, Workers
from unroll.series.forecaster import AHEAD, COUNTS, SEEN, Forecaster
from unroll.series.leaderboard import Board
from unroll.series.models.recipes import card
from unroll.series.options import Arguments, argument
from unroll.series.preparation import Prepared, as_wholes, cut_into_windows, of_all_rows
from unroll.series.question import (
    YEARS,
    Proposal,
    ends_apart,
    is_short,
    perhaps_known,
    too_far,
)
from unroll.series.reading import calendars
from unroll.series.reading.profile import FileProfile
from unroll.series.spec import ForecasterSpec

TOO_FEW = "the series have too few rows to train a network"
"""Why a network is left out."""


@dataclass(frozen=True)
class Compared:
    """The models of some series at cutoffs of the past, and those that forecast.

    Attributes:
        forecaster: the models that forecast, fitted to all rows.
        forecasts: unique_id, ds, cutoff, model, y and y_hat, from all cutoffs.
        board: the scores of all models.
        titles: name of a model -> its title.
        models_left_out: name of a model -> why it was not fitted.
        series_left_out: name of a series -> why it is not forecast.
        seconds: name of a model -> CPU seconds that its backtest took.
        mostly_zero: the number of series whose median is 0.
    """

    forecaster: Forecaster
    forecasts: pd.DataFrame
    board: Board
    titles: dict[str, str]
    models_left_out: dict[str, str]
    series_left_out: Mapping[str, str]
    seconds: Mapping[str, float]
    mostly_zero: int


def compare(
    name: str,
    profile: FileProfile,
    proposal: Proposal,
    asked: Arguments,
    folder: Path,
    kept: Path,
    workers: Workers,
) -> Compared:
    """Compare models on all series of a file, and fit the best ones to all rows.

    Args:
        name: the name of the file.
        profile: the profile of the files, with their rows.
        proposal: the question.
        asked: the options of `answer`.
        folder: an empty folder for the weights.
        kept: the folder of the caches of fitted models.
        workers: what fits models.

    Raises:
        UnrollError: the rows do not suffice; the text says what would help.
        UsageError: horizon, lookback and step do not go together.
    """
    if is_short(profile, proposal):
        if proposal.windows.future or proposal.windows.holidays:
            workers.tell(
                "Models of short series see the target alone, without "
                f"{argument('future')} and {argument('holidays')}."
            )
        workers.tell(ends_apart(profile, proposal) or too_far(profile, proposal))
        prepared = as_wholes(name, profile, proposal)
    else:
        prepared = cut_into_windows(name, profile, proposal)
        if prepared.unfinished is not None:
            workers.tell(calendars.left_out(prepared.unfinished))
        workers.tell(perhaps_known(profile, proposal))
    if proposal.objective == "mean":  # the mean has the least squared error
        judged = replace(prepared.dataset, metric="mse")
        prepared = replace(prepared, dataset=judged)
    dataset = prepared.dataset
    plan = backtest.plan(dataset, proposal.cycles)
    workers.tell(_announced(plan, prepared))
    every, untrained = candidates(
        profile, proposal, prepared, plan, networks=asked.networks
    )
    tried = asked.tried([*every, *untrained], leaderboard.of_role("naive", every))
    experiments = {model: every[model] for model in tried if model in every}
    try:
        require_memory(len(tried), backtest.delay(dataset, plan.stride))
    except ValueError as error:
        raise UsageError(f"{error}; pass a smaller {argument('horizon')}") from None
    cache = FitCache.of(kept, dataset)
    fitted, left_out = fits.cross_validated(cache, experiments, plan, workers)
    too_few = [model for model in tried if model in untrained]
    left_out |= dict.fromkeys(too_few, TOO_FEW)
    trained = {model: fit.experiment for model, fit in fitted.items()}
    table = pd.concat([fit.table for fit in fitted.values()])
    forecasts, board = leaderboard.board(dataset, table, trained, plan)
    board = board.model_copy(update={"untrained": too_few})
    # A user may choose another model than the champion. To fit networks again takes
    # long, so those alone are kept that the user named.
    needed = {*board.champions, *asked.models}
    if board.shares:
        needed |= {*board.members}
    members = {
        model: experiment
        for model, experiment in trained.items()
        if model in needed or not training.is_network(experiment)
    }
    are_kept = {*board.members} <= {*members}
    fixed, ahead = fits.refitted(cache, members, plan, folder, workers)
    titles = {model: card(own).short_title(own) for model, own in trained.items()}
    if sentence.ZERO in titles:
        titles[sentence.ZERO] = "always 0"
    year_before = f"cycle_{proposal.year}"
    if year_before in titles:
        titles[year_before] = YEARS[proposal.year].before
    spec = ForecasterSpec(
        dataset=dataset.name,
        members=fixed,
        champions=board.champions,
        combined=board.members if are_kept else [],
        shares=board.shares,
        objective=board.objective,
        fitted=of_all_rows(prepared),
        stride=plan.stride,
        lag=plan.lag,
        keep_last=proposal.asked.keep_last,
        why=sentence.title(board, titles, board.champion),
        until=str(prepared.until),
    )
    arrays = backtest.arrays(dataset, forecasts, [*members], plan)
    if plan.apart:
        arrays |= _ahead(dataset, spec, ahead)
    return Compared(
        forecaster=Forecaster(
            spec, arrays, {model: folder / model for model in members}
        ),
        forecasts=forecasts,
        board=board,
        titles=titles,
        models_left_out=left_out,
        series_left_out=prepared.left_out,
        seconds={model: fit.seconds for model, fit in fitted.items()},
        mostly_zero=prepared.mostly_zero,
    )


def _announced(plan: Plan, prepared: Prepared) -> str:
    """Return a line on the cutoffs that models forecast from."""
    if plan.apart:
        count = plan.origins
        cutoffs = "one cutoff" if count == 1 else f"up to {count} cutoffs"
        return (
            f"For short series, each model sees a whole series, and forecasts from "
            f"{cutoffs} of its past. Short series: {len(prepared.names):,}."
        )
    times = "once" if plan.refits == 1 else f"{plan.refits} times"
    return (
        f"Each model forecasts from {plan.origins} cutoffs of the past, fitted {times} "
        "to the rows before. The earlier half of the cutoffs chooses models, the later "
        "half compares them."
    )


def _ahead(
    dataset: Dataset, spec: ForecasterSpec, ahead: Mapping[str, Array]
) -> dict[str, Array]:
    """Return the arrays `AHEAD`, `SEEN` and `COUNTS` of whole series."""
    counts = np.bincount(np.asarray(dataset.series_id))
    to_come = spec.fitted.windows.horizon
    by_series = np.split(backtest.windows(dataset).series, np.cumsum(counts)[:-1])
    return {
        AHEAD: np.stack([ahead[member.name] for member in spec.members], axis=1),
        SEEN: np.concatenate([rows[:-to_come] for rows in by_series]),
        COUNTS: counts - to_come,
    }

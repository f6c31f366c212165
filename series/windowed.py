"""The answer for series that are cut into windows."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data import row_calendar
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from series import backtest, fits, late, leaderboard, sentence
from series.backtest import Plan
from series.candidates import candidates, is_network
from series.compared import Compared
from series.fits import FitCache, Workers
from series.forecaster import Forecaster
from series.leaderboard import Board
from series.options import Arguments
from series.question import Proposal, perhaps_known, prepared
from series.reading.profile import FileProfile
from series.recipes import card
from series.spec import ForecasterSpec, Member, fitted_of


def answered(
    name: str,
    profile: FileProfile,
    proposal: Proposal,
    asked: Arguments,
    folder: Path,
    kept: Path,
    workers: Workers,
) -> Compared:
    """Compare models at cutoffs of the past, and fit the best one to all rows.

    Args:
        name: the name of the series.
        profile: the profile of the files, with their rows.
        proposal: the question.
        asked: the options of `answer`.
        folder: the folder of the answer, for the weights.
        kept: a folder for fitted models.
        workers: what fits models.

    Raises:
        UnrollError: the rows do not suffice; the text says what would help.
        UsageError: horizon, lookback and step do not go together.
    """
    dataset, proposal = prepared(name, profile, proposal)
    if proposal.by_multiples:
        dataset = _from_zero(dataset)
    known = perhaps_known(profile, proposal)
    if known:
        workers.say(known)
    plan = backtest.plan(dataset, proposal.cycles)
    workers.say(
        f"Each model forecasts from {plan.origins} cutoffs of the past, fitted "
        f"{'once' if plan.refits == 1 else f'{plan.refits} times'} to the rows "
        "before. The earlier half of the cutoffs chooses models, the later half "
        "compares them."
    )
    experiments = candidates(
        profile,
        proposal,
        networks=asked.networks,
        series=len(dataset.scales),
        origins=plan.origins,
    )
    experiments = {
        name: experiments[name]
        for name in asked.tried(experiments, leaderboard.naive_of(experiments))
    }
    cache = FitCache.of(kept, dataset)
    fitted, left_out = fits.cross_validated(cache, experiments, plan, workers)
    trained = {name: fit.experiment for name, fit in fitted.items()}
    forecasts, board = leaderboard.board(
        dataset,
        pd.concat([fit.table for fit in fitted.values()]),
        trained,
        backtest.delay(dataset, plan.stride),
    )
    # A user may choose another model than the champion. To fit networks again takes
    # long, so those alone are kept that the user named.
    kept_models = {
        name: model
        for name, model in trained.items()
        if name in [*board.champions, *asked.models] or not is_network(model)
    }
    weights = folder / "weights"
    members = fits.refitted(cache, kept_models, weights, workers)
    titles = {name: card(model).short_title(model) for name, model in trained.items()}
    if sentence.ZERO in titles:
        titles[sentence.ZERO] = "always 0"
    forecaster = Forecaster(
        _spec(dataset, board, titles, members, plan),
        backtest.arrays(dataset, forecasts, [*kept_models]),
        {name: weights / name for name in kept_models},
    )
    made = Compared(
        forecaster=forecaster,
        forecasts=forecasts,
        board=board,
        titles=titles,
        models_left_out=left_out,
        series_left_out=proposal.leave_out,
        seconds={name: fit.seconds for name, fit in fitted.items()},
        mostly_zero=_mostly_zero(dataset),
    )
    return late.added(made, profile, proposal, kept, workers)


def _from_zero(dataset: Dataset) -> Dataset:
    """Return a data set whose targets are not centred, so that 0 is 0 in each series."""
    fitted = fitted_of(dataset)
    column = fitted.columns.index(fitted.csv.target)
    statistics = {}
    moved = []
    for name, own in fitted.series.items():
        moved.append(own.mean[column] / own.std[column])
        mean = [*own.mean]
        mean[column] = 0.0
        statistics[name] = own.model_copy(update={"mean": mean})
    values = backtest.windows(dataset).series.copy()
    values[:, column] += np.repeat(moved, len(values) // len(moved))
    return replace(
        dataset,
        fitted=fitted.model_copy(update={"series": statistics}),
        scale=dataset.scale.model_copy(update={"mean": 0.0}),
        splits={
            name: replace(split, series=values)
            for name, split in dataset.splits.items()
            if isinstance(split, Windows)
        },
    )


def _mostly_zero(dataset: Dataset) -> int:
    """Return the number of series whose median is 0."""
    truth = np.asarray(dataset.truth).reshape(len(fitted_of(dataset).series), -1)
    return int((np.nanmedian(truth, axis=1) == 0).sum())


def _spec(
    dataset: Dataset,
    board: Board,
    titles: Mapping[str, str],
    members: list[Member],
    plan: Plan,
) -> ForecasterSpec:
    """Return the forecaster as plain data; the range of all rows is usual to it."""
    fitted = fitted_of(dataset)
    count = len(fitted.series)  # their rows stand one after the other
    # (series, rows, columns + calendar), in model units
    whole = backtest.windows(dataset).series
    whole = whole.reshape(count, -1, whole.shape[1])
    truth = np.asarray(dataset.truth).reshape(count, -1)
    target = fitted.columns.index(fitted.csv.target)
    statistics = {}
    for number, (name, known) in enumerate(fitted.series.items()):
        own = whole[number, :, : len(known.mean)]
        low = own.min(axis=0) * known.std + known.mean
        high = own.max(axis=0) * known.std + known.mean
        # Exact for the target, whose lowest value decides whether 0 is a floor.
        low[target] = np.nanmin(truth[number])
        high[target] = np.nanmax(truth[number])
        statistics[name] = known.model_copy(
            update={"low": low.tolist(), "high": high.tolist()}
        )
    last = np.asarray(dataset.stamps).max(keepdims=True).astype("datetime64[ms]")
    until = row_calendar.numbered(last, fitted.cleaning, fitted.csv.time_zone)
    return ForecasterSpec(
        name=dataset.name,
        dataset=dataset.name,
        members=members,
        champions=board.champions,
        objective=board.objective,
        fitted=fitted.model_copy(update={"series": statistics}),
        stride=plan.stride,
        why=sentence.title(board, titles, board.champion),
        until=str(until[0]),
    )

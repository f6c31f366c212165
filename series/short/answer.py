"""The answer for series that are too short for windows."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.data import row_calendar
from pipeline.data.examples import Array
from pipeline.data.series_options import ALONE, Preprocessing, Statistics
from pipeline.errors import UnrollError
from series import rows
from series.compared import Compared
from series.fits import Workers
from series.leaderboard import MEAN
from series.options import Arguments
from series.question import Proposal, options
from series.reading.profile import FileProfile
from series.rows import Window
from series.short import backtest, board, forecaster, networks
from series.short.backtest import CARDS, Work
from series.short.forecaster import DIGESTS, FORECASTS, ShortForecaster, ShortSpec
from series.short.histories import Histories, known

TOO_FEW = "the series have too few rows to train a network"
"""Why a network is left out."""


def answered(
    name: str,
    profile: FileProfile,
    proposal: Proposal,
    asked: Arguments,
    kept: Path,
    workers: Workers,
) -> Compared:
    """Compare models at cutoffs of the past of each series, and fit the best ones.

    Args:
        name: the name of the file.
        profile: the profile of the files, with their rows.
        proposal: the question.
        asked: the options of `answer`.
        kept: a folder for forecasts.
        workers: what fits models.

    Raises:
        UnrollError: no series has rows enough for a cutoff.
    """
    if proposal.future or proposal.holidays:
        workers.say(
            "Models of short series see the target alone, without future= and holidays=."
        )
    spec, windows, left_out = _read(name, profile, proposal)
    histories = Histories.of(windows, spec.cycle, proposal.horizon)
    work = Work.of(histories, kept, asked)
    count = backtest.cutoffs(histories)
    workers.say(
        f"For short series, each model sees a whole series, and forecasts from "
        f"{'one cutoff' if count == 1 else f'up to {count} cutoffs'} of its past. Short "
        f"series: {len(windows):,}."
    )
    past = work.past(workers)
    titles = {model: str(CARDS[model].title).format(cycle=spec.cycle) for model in past}
    scales = dict(zip(_names(name, windows), histories.scales.tolist(), strict=True))
    lowest = {
        unique_id: window.question.lowest
        for unique_id, window in zip(scales, windows.values(), strict=True)
    }
    every = board.table(
        [*scales],
        [_stamps(window) for window in windows.values()],
        [_measured(window) for window in windows.values()],
        histories,
        past,
    )
    if every["y"].notna().sum() == 0:
        raise UnrollError(
            f"{name}: no series has rows enough for a cutoff; add rows, or pass a "
            "smaller horizon="
        )
    forecasts, found = board.board(every, scales, lowest, proposal.objective)
    found = found.model_copy(update={"untrained": [*work.untrained]})
    if found.members:
        of_one = [titles[member] for member in found.members]
        titles[MEAN] = f"the mean of {', '.join(of_one[:-1])} and {of_one[-1]}"
    names = [model for model in past if model not in networks.NETWORKS]
    needed = {*found.members, *found.champions, *asked.models}
    names += [each for each in networks.NETWORKS if each in needed and each in past]
    ahead, learnt = work.ahead(names, workers)
    digests = [forecaster.digest(values) for values in histories.series]
    arrays = {
        **learnt,
        FORECASTS: np.stack([ahead[model] for model in names], axis=1),
        DIGESTS: np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32),
    }
    for model in [*names, *([MEAN] if found.members else [])]:
        own = forecasts[forecasts["model"] == model]
        arrays[f"scores.{model}"] = board.scores(own, scales, proposal.horizon)
    last = max(window.stamps[-1] for window in windows.values())
    chosen = {
        "why": titles[found.champion],
        "until": str(last),
        "names": names,
        "members": found.members,
        "champion": found.champion,
    }
    columns = ["unique_id", "ds", "cutoff", "model", "y", "y_hat"]
    return Compared(
        forecaster=ShortForecaster(spec.model_copy(update=chosen), arrays),
        forecasts=forecasts[columns],
        board=found,
        titles=titles,
        models_left_out=_without_fit(work, past, workers.minutes),
        series_left_out=left_out,
        seconds=work.seconds,
    )


def _read(
    name: str, profile: FileProfile, proposal: Proposal
) -> tuple[ShortSpec, dict[str, Window], dict[str, str]]:
    """Return how rows are read, all rows of each series, and which series are left out."""
    csv, cleaning, windows = options(profile, proposal)
    kept = {proposal.target, profile.series_id}
    csv = csv.model_copy(
        update={
            "drop": [column for column in profile.columns if column not in kept],
            "categories": [],
        }
    )
    columns = [proposal.target]
    if cleaning.fill is not None:
        columns.append("filled")
    windows = windows.model_copy(
        update={
            "lookback": windows.step,
            "stride": 1,
            "week": False,
            "future": [],
            "holidays": None,
        }
    )
    names = [ALONE]
    if profile.series_id:
        names = [each for each in profile.series if each not in proposal.leave_out]
    unknown = _statistics(0.0, 0.0, len(columns))
    spec = ShortSpec(
        name=name,
        dataset=name,
        fitted=Preprocessing(
            csv=csv,
            cleaning=cleaning,
            windows=windows,
            columns=columns,
            series=dict.fromkeys(names, unknown),
        ),
        cycle=max([1, *proposal.cycles]),
        names=["last_value"],
        members=[],
        champion="last_value",
    )
    file = replace(profile.file, form=csv)
    found = {}
    left_out = {}
    statistics = {}
    for series, history in rows.histories(spec.questions, file).items():
        try:
            window = forecaster.whole(history, None)
        except UnrollError as error:
            if series == ALONE:
                raise
            left_out[series] = str(error).removeprefix(f"{history.name}: ")
            continue
        values = known(window)
        found[series] = window
        statistics[series] = _statistics(values.min(), values.max(), len(columns))
    if not found:
        raise UnrollError(f"{name}: {next(iter(left_out.values()))}")
    csv = csv.model_copy(update={"leave_out": [*csv.leave_out, *left_out]})
    fitted = spec.fitted.model_copy(update={"series": statistics, "csv": csv})
    spec = spec.model_copy(update={"fitted": fitted})
    questions = spec.questions
    windows_of = {
        series: replace(window, question=questions[series])
        for series, window in found.items()
    }
    return spec, windows_of, left_out


def _statistics(low: float, high: float, columns: int) -> Statistics:
    """Return the statistics of the target, and of a column that says what was filled."""
    more = columns - 1
    return Statistics(
        mean=[0.0] * columns,
        std=[1.0] * columns,
        low=[float(low), *[0.0] * more],
        high=[float(high), *[1.0] * more],
    )


def _names(name: str, windows: Mapping[str, Window]) -> list[str]:
    """Return the unique_id of each series."""
    return [series or name for series in windows]


def _stamps(window: Window) -> Array:
    """Return the timestamps (rows,) of the values of `known`."""
    zone = window.question.csv.time_zone
    own = _of_known(window, window.stamps)
    return row_calendar.stamps(own, window.question.cleaning, zone)


def _measured(window: Window) -> Array:
    """Return the measured values (rows,) among those of `known`, the others as NaN."""
    return _of_known(window, window.target)


def _of_known(window: Window, rows: Array) -> Array:
    """Return those of some rows that the values of `known` are taken from."""
    every = rows[:: -window.question.windows.step][::-1]
    return every[-len(known(window)) :]


def _without_fit(
    work: Work, past: Mapping[str, Array], minutes: float | None
) -> dict[str, str]:
    """Return name of a model -> why it was not fitted."""
    left_out = dict.fromkeys(work.untrained, TOO_FEW)
    for name in work.names:
        if name not in past:
            left_out[name] = f"there was no time for it in {minutes:g} min"
    return left_out

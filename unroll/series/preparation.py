"""The series of a file as a data set: cut into windows, or as a whole.

Series with rows enough are cut into windows of equal length, at the timestamps of all
series. Other series, and panels of months, are seen as a whole: a window of such a
series reaches back to its first row, and each series has its own timestamps.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows
from pipeline.data.timestamps import shown
from pipeline.data.windowing import Statistics
from pipeline.errors import UnrollError, UnusableSeriesError
from unroll.series import measured_rows, row_calendar, rows, windowed
from unroll.series.options import argument
from unroll.series.question import Proposal, train_share
from unroll.series.reading.file_rows import table_of
from unroll.series.reading.profile import FileProfile
from unroll.series.row_options import (
    ALONE,
    Preprocessing,
    SeriesWindows,
    fitted_of,
)

MOST_NAMED = 5
"""The most series that are named with the reasons why they cannot be used."""

ROUNDING = 1e-9
"""Changes of this share of the values, or less, are rounding."""


@dataclass(frozen=True)
class Prepared:
    """Some series of a file, ready for models.

    Attributes:
        dataset: the series.
        left_out: name of a series that cannot be used -> why.
        unfinished: the timestamp of a target before others that are known beforehand,
            which does not count, since its period is not over.
    """

    dataset: Dataset
    left_out: Mapping[str, str]
    unfinished: np.datetime64 | None = None

    @property
    def names(self) -> list[str]:
        """The names of the series; a single one is called `ALONE`."""
        return [*fitted_of(self.dataset).series]

    @property
    def until(self) -> np.datetime64:
        """The number of the last measured row (`row_calendar.numbered`)."""
        fitted = fitted_of(self.dataset)
        stamps = np.asarray(self.dataset.stamps)
        last = stamps[np.isfinite(np.asarray(self.dataset.truth))].max(keepdims=True)
        moments = last.astype("datetime64[ms]")
        numbers = row_calendar.numbered(moments, fitted.cleaning, fitted.csv.time_zone)
        return np.datetime64(numbers[0])

    @property
    def mostly_zero(self) -> int:
        """The number of series whose median is 0."""
        truth = np.asarray(self.dataset.truth)
        medians = pd.Series(truth).groupby(self.dataset.series_id).median()
        return int((medians == 0).sum())


def cut_into_windows(name: str, profile: FileProfile, proposal: Proposal) -> Prepared:
    """Cut the rows of files into windows.

    The first half of the rows is the split "train".

    Args:
        name: the name of the data set.
        profile: the profile of the files, with their rows.
        proposal: the question.

    Raises:
        UnrollError: the rows do not suffice; the text says what would help.
    """
    table = table_of(replace(profile.file, form=proposal.csv))
    unfinished = None
    if profile.unfinished is None and not proposal.asked.keep_last:
        table, unfinished = rows.only_over(table, proposal.csv)

    share = train_share(profile, proposal)

    def windows_of(windows: SeriesWindows, leave_out: Collection[str] = ()) -> Dataset:
        csv = proposal.csv.model_copy(update={"leave_out": sorted(leave_out)})
        return windowed.cut(name, table, csv, proposal.cleaning, windows, share)

    left_out: Mapping[str, str] = {}
    try:
        dataset = windows_of(proposal.windows)
    except UnusableSeriesError as error:
        left_out = error.reasons
        _require_some(error, profile)
        dataset = windows_of(proposal.windows, left_out)
    except UnrollError as error:
        raise UnrollError(f"{error}; {_cure(windows_of, proposal.windows)}") from None
    if proposal.by_multiples:
        dataset = _from_zero(dataset)
    return Prepared(dataset, {**left_out, **_over(dataset)}, unfinished)


def _over(dataset: Dataset) -> dict[str, str]:
    """Return name of a series without a value in the last horizon -> when it had one."""
    fitted = fitted_of(dataset)
    truth = np.asarray(dataset.truth).reshape(len(fitted.series), -1)
    stamps = np.asarray(dataset.stamps)
    reasons = {}
    for name, values in zip(fitted.series, truth, strict=True):
        last = np.flatnonzero(np.isfinite(values))[-1]
        if last + fitted.windows.ahead[-1] < len(values):
            reasons[name] = f"it was measured last at {shown(stamps[last])}"
    return reasons


def _require_some(error: UnusableSeriesError, profile: FileProfile) -> None:
    """Raise UnrollError if no series can be used, or names may be no names of series."""
    file = profile.file.paths[0].name
    doubtful = profile.reasons.get("series_id")
    if doubtful is not None:
        told_apart = f"its series are told apart by {profile.series_id!r}; {doubtful}"
        raise UnrollError(
            f"{file}: {some_reasons(error.reasons)}; {told_apart}"
        ) from None
    if error.every:
        raise UnrollError(
            f"{file}: none of the series can be used "
            f"({some_reasons(error.reasons)}); add rows"
        ) from None


def _from_zero(dataset: Dataset) -> Dataset:
    """Return a data set whose targets are not centred, so that 0 is 0 in each series."""
    fitted = fitted_of(dataset)
    column = fitted.target
    statistics = {}
    moved = []
    for name, own in fitted.series.items():
        moved.append(own.mean[column] / own.std[column])
        mean = [*own.mean]
        mean[column] = 0.0
        statistics[name] = own.model_copy(update={"mean": mean})
    splits = cast("Mapping[str, Windows]", dataset.splits)
    values = splits["train"].series.copy()
    values[:, column] += np.repeat(moved, len(values) // len(moved))
    return replace(
        dataset,
        fitted=fitted.model_copy(update={"series": statistics}),
        scale=dataset.scale.model_copy(update={"mean": 0.0}),
        splits={name: replace(split, series=values) for name, split in splits.items()},
    )


def as_wholes(name: str, profile: FileProfile, proposal: Proposal) -> Prepared:
    """Return series as they are, each from its first row or its last long gap on.

    Values are divided by the size of a series' usual changes. The split "train" has a
    window up to each row of a series, and "test" the window that ends at its last row.

    Args:
        name: the name of the data set.
        profile: the profile of the files, with their rows.
        proposal: the question.

    Raises:
        UnrollError: no series has a row.
    """
    fitted = _fitted_to_wholes(profile, proposal)
    csv = fitted.csv
    table = table_of(replace(profile.file, form=csv))
    table = measured_rows.timesteps_of(table, csv, fitted.cleaning)
    cycle = max([1, *proposal.cycles])
    found = {}
    left_out = {}
    statistics = {}
    for series, every in table.by_series(fitted.series).items():
        measured = rows.completed_rows(fitted, every.up_to_last(proposal.target))
        try:
            rows.require_rows(fitted, series, measured)
        except UnrollError as error:
            left_out[series] = str(error)
            continue
        own = measured.only(int(measured.begins(fitted.windows)[-1]))
        values = np.asarray(own.series.values)[:, fitted.target]
        statistics[series] = _statistics(values, cycle, len(fitted.columns))
        found[series] = own.with_rows_to_come(fitted.windows.horizon)
    if not found:
        place = name if profile.series_id else profile.file.paths[0].name
        raise UnrollError(f"{place}: {next(iter(left_out.values()))}")
    csv = csv.model_copy(update={"leave_out": [*csv.leave_out, *left_out]})
    fitted = fitted.model_copy(update={"csv": csv, "series": statistics})
    # a window up to each row, which ends before the row of the next value
    lengths = [len(own.series.values) for own in found.values()]
    ends = np.cumsum(lengths) - fitted.windows.horizon
    until = [
        np.arange(end - length + fitted.windows.horizon + 1, end)
        for end, length in zip(ends, lengths, strict=True)
    ]
    splits = {"train": np.concatenate(until), "test": ends}
    return Prepared(windowed.data_set(name, fitted, found, splits), left_out)


def _fitted_to_wholes(profile: FileProfile, proposal: Proposal) -> Preprocessing:
    """Return how rows are read whose models see the target alone; scales are unknown."""
    windows = proposal.windows
    kept = {proposal.target, profile.series_id}
    alone = {
        "drop": [column for column in profile.columns if column not in kept],
        "categories": [],
    }
    of_one_row = SeriesWindows(
        lookback=1,
        horizon=windows.horizon,
        unit=windows.unit,
        quantity=windows.quantity,
        whole=True,
    )
    columns = [proposal.target]
    if proposal.cleaning.fill is not None:
        columns.append("filled")
    unknown = _statistics(np.array([0.0]), 1, len(columns))
    return Preprocessing(
        csv=proposal.csv.model_copy(update=alone),
        cleaning=proposal.cleaning,
        windows=of_one_row,
        columns=columns,
        series=dict.fromkeys(profile.series if profile.series_id else [ALONE], unknown),
    )


def _statistics(values: Array, cycle: int, columns: int) -> Statistics:
    """Return statistics of the target (rows,), and of a column that says what is filled.

    The deviation of the target is the size of its usual changes.
    """
    more = columns - 1
    return Statistics(
        mean=[0.0] * columns,
        std=[usual_change(values, cycle), *[1.0] * more],
        low=[float(values.min()), *[0.0] * more],
        high=[float(values.max()), *[1.0] * more],
    )


def usual_change(values: Array, cycle: int) -> float:
    """Return the mean absolute change of values (rows,) from one cycle to the next.

    It is the scale of the mean absolute scaled error (Hyndman and Koehler 2006,
    International Journal of Forecasting 22). Where there is none, it is the change from
    row to row, or the size of the values.
    """
    size = float(np.abs(values).mean()) or 1.0
    for lag in (cycle, 1):
        changes = np.abs(values[lag:] - values[:-lag])
        if len(changes) and changes.mean() > ROUNDING * size:
            return float(changes.mean())
    return size


def of_all_rows(prepared: Prepared) -> Preprocessing:
    """Return how rows are prepared, with the range of all rows as the usual one."""
    dataset = prepared.dataset
    fitted = fitted_of(dataset)
    if fitted.windows.whole:
        return fitted
    count = len(fitted.series)  # their rows stand one after the other
    # (series, rows, columns + calendar), in model units
    train = cast("Windows", dataset.splits["train"])
    inputs = train.series.reshape(count, -1, train.series.shape[1])
    truth = np.asarray(dataset.truth).reshape(count, -1)
    target = fitted.target
    statistics = {}
    for number, (name, known) in enumerate(fitted.series.items()):
        own = inputs[number, :, : len(known.mean)]
        low = own.min(axis=0) * known.std + known.mean
        high = own.max(axis=0) * known.std + known.mean
        # Exact for the target, whose lowest value decides whether 0 is a floor.
        low[target] = np.nanmin(truth[number])
        high[target] = np.nanmax(truth[number])
        statistics[name] = known.model_copy(
            update={"low": low.tolist(), "high": high.tolist()}
        )
    return fitted.model_copy(update={"series": statistics})


def some_reasons(reasons: Mapping[str, str]) -> str:
    """Return why series cannot be used, in words; of many series, only why the first.

    Args:
        reasons: name of a series -> why it cannot be used.
    """
    shown = [*reasons.items()]
    if len(shown) > MOST_NAMED:
        shown = shown[:1]
    text = "; ".join(f"{name}: {reason}" for name, reason in shown)
    more = len(reasons) - len(shown)
    return f"{text}; and {more:,} more" if more else text


def not_forecast(reasons: Mapping[str, str], used: int) -> str:
    """Return sentences on the series that are not forecast; "" if all are.

    Args:
        reasons: name of a series that is not forecast -> why.
        used: the number of series that are forecast.
    """
    count = len(reasons)
    if not count:
        return ""
    text = f"{count:,} of {count + used:,} series {'is' if count == 1 else 'are'} not "
    if count <= MOST_NAMED:
        text += f"forecast ({some_reasons(reasons)})."
    else:
        text += "forecast."
        name, reason = next(iter(reasons.items()))
        text += f" The first is {name} ({reason}); `left_out` has all with reasons."
    return f"{text} To forecast {'it' if count == 1 else 'more'}, add rows."


def _cure(
    windows_of: Callable[[SeriesWindows], Dataset], windows: SeriesWindows
) -> str:
    """Return what would help if the rows are too few, after trying it."""
    try:
        windows_of(windows.model_copy(update={"horizon": 1, "lookback": 1}))
    except UnrollError:
        return (
            f"no smaller {argument('horizon')} or {argument('lookback')} helps: give "
            f"more rows, or pass another {argument('target')}"
        )
    return (
        f"pass a smaller {argument('horizon')} or {argument('lookback')}, or add rows"
    )

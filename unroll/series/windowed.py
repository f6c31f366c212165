"""The series of a file cut into windows: a data set at the timestamps of all series."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from pipeline.data import windowing
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Array, Windows
from pipeline.data.timestamps import shown
from pipeline.data.windowing import DAY, Rows, Statistics
from pipeline.errors import UnrollError, UnusableSeriesError
from unroll.series import measured_rows, row_calendar
from unroll.series.measured_rows import Measured
from unroll.series.row_options import (
    ALONE,
    Cleaning,
    CsvFormat,
    Preprocessing,
    SeriesWindows,
)
from unroll.series.series_table import SeriesTable


def cut(
    name: str,
    table: SeriesTable,
    csv: CsvFormat,
    cleaning: Cleaning,
    windows: SeriesWindows,
    train: float,
) -> Dataset:
    """Return windows over the rows of one or more series, standardised by the train rows.

    Each series is prepared on its own, at the timestamps of all series, and cut at the
    same rows. The series follow one another in the data set (`Dataset.series_id`). Each
    is standardised by its own train rows. With `windows.begun` a series that begins
    late, or that changes late, is standardised by all its rows.

    Args:
        name: the name of the data set.
        table: the rows.
        csv: the form of the file.
        cleaning: how rows are cleaned.
        windows: how windows are cut.
        train: the share of the rows that models learn from at first.

    Raises:
        UnrollError: the rows are too few for the splits and the windows, or there is
            nothing to learn.
        UnusableSeriesError: some of several series cannot be used for such a reason.
        ValueError: `lookback` is not a multiple of `step`.
    """
    table = _rows_that_count(table, csv, cleaning)
    measured_by_series = {
        key: measured_rows.rows_of(own, csv, cleaning, windows)
        for key, own in table.by_series().items()
    }
    first = next(iter(measured_by_series.values()))
    count = len(first.series.values)
    column = first.columns.index(csv.target)
    border, _ = windowing.borders(count, train, None)
    cuts = _cuts(measured_by_series, border, csv, cleaning, windows)
    fitted = Preprocessing(
        csv=csv,
        cleaning=cleaning.model_copy(update={"spacing": first.regular.freq}),
        windows=windows,
        columns=first.columns,
        series={key: own.statistics for key, own in cuts.items()},
    )
    inputs = [
        measured_rows.inputs_of(rows.series, fitted, fitted.series[key])
        for key, rows in measured_by_series.items()
    ]
    truth = np.concatenate(
        [rows.target(column) for rows in measured_by_series.values()]
    )
    chosen = defaultdict[str, list[Array]](list)
    for number, own in enumerate(cuts.values()):
        for split, rows in own.rows.items():
            chosen[split].append(rows + number * count)
    # A single series is not copied.
    all_inputs = np.concatenate(inputs) if len(inputs) > 1 else inputs[0]
    stamps = row_calendar.stamps(first.series.timestamps, cleaning, csv.time_zone)
    # Several series have no scale in common.
    scale = Scale(quantity=windows.quantity)
    if ALONE in fitted.series:
        scale = fitted.scale(ALONE)
    return Dataset(
        name=name,
        kind="forecast",
        metric="mae",
        splits={
            split: Windows(
                all_inputs,
                np.concatenate(rows),
                windows.lookback,
                windows.step,
                delay=windows.first - windows.step,
                target=column,
                outputs=windows.horizon,
                measured=np.isfinite(truth),
            )
            for split, rows in chosen.items()
        },
        scale=scale,
        period=_timesteps_of_day(cleaning, first.regular.freq, windows.step),
        calendar=windowing.calendar_columns(week=windows.week),
        scored=(),
        stamps=np.tile(stamps, len(cuts)),
        series_id=np.repeat(np.arange(len(cuts)), count),
        truth=truth,
        fitted=fitted,
    )


@dataclass(frozen=True)
class _Cut:
    """What is chosen of one series.

    Attributes:
        statistics: the statistics of its train rows.
        rows: split -> the rows of its examples, counted in the series.
    """

    statistics: Statistics
    rows: Rows


def _cuts(
    measured_by_series: dict[str, Measured],
    border: int,
    csv: CsvFormat,
    cleaning: Cleaning,
    windows: SeriesWindows,
) -> dict[str, _Cut]:
    """Return series -> what is chosen of it (`_cut_one`).

    Raises:
        UnrollError: the only series cannot be used.
        UnusableSeriesError: some of several series cannot be used.
    """
    cuts = dict[str, _Cut]()
    reasons = dict[str, str]()
    first = next(iter(measured_by_series.values()))
    column = first.columns.index(csv.target)
    for key, rows in measured_by_series.items():
        try:
            cuts[key] = _cut_one(rows, border, column, first.regular.freq, windows)
        except UnrollError as error:
            if key == ALONE:
                raise
            times = rows.series.timestamps[[border]]
            [moment] = row_calendar.stamps(times, cleaning, csv.time_zone)
            reasons[key] = _lacking(rows, column, border, moment) or str(error)
    if reasons:
        raise UnusableSeriesError(reasons, len(measured_by_series))
    return cuts


def _cut_one(
    measured: Measured, border: int, column: int, freq: int, windows: SeriesWindows
) -> _Cut:
    """Choose the rows of examples in one series.

    Args:
        measured: the rows of the series.
        border: the first row after the train rows.
        column: the number of the target's column.
        freq: seconds from one row to the next.
        windows: how windows are cut.

    Raises:
        UnrollError: a split has no window, or there is nothing to learn.
    """
    last = border
    if windows.begun and _has_just_begun(measured, last, column, windows):
        last = len(measured.series.values)
    statistics = windowing.statistics(measured.series, measured.columns, last)
    if not windows.begun:
        windowing.require_a_change(statistics, measured.columns, column, last)
    rows = measured_rows.chosen_rows(
        measured.series, border, windows, freq=freq, target=column
    )
    # A series that has just begun is forecast, though it may have no window yet.
    if not windows.begun or not np.isfinite(measured.target(column)[border:]).any():
        windowing.require_room(
            rows,
            measured.series,
            measured.columns,
            windows,
            (border, border),
            measured.regular,
            earlier=windows.lookback,
        )
    return _Cut(statistics, rows)


def _has_just_begun(
    measured: Measured, first: int, target: int, windows: SeriesWindows
) -> bool:
    """Return whether the rows before row `first` are no window, or all have one value."""
    known = measured.target(target)[measured.series.start : first]
    known = known[np.isfinite(known)]
    return len(known) < windows.lookback or known.min() == known.max()


def _timesteps_of_day(cleaning: Cleaning, freq: int, step: int) -> int:
    """Return the number of timesteps in a day; 0 if a day is no cycle of these rows."""
    rows_per_day = row_calendar.slots_per_day(cleaning.rows, freq)
    if rows_per_day and freq < 7 * DAY:
        return max(rows_per_day) // step
    return 0 if cleaning.rows else windowing.timesteps_of_day(freq * step)


def _rows_that_count(
    table: SeriesTable, csv: CsvFormat, cleaning: Cleaning
) -> SeriesTable:
    """Return the rows that count, with evenly spaced timestamps.

    The target may be measured only from some day on, or up to some day. Rows before
    and after do not count.
    """
    table = measured_rows.on_calendar(table, csv, cleaning)
    table = measured_rows.in_timesteps(table, csv, cleaning)
    target = table.values[:, table.columns.index(csv.target)]
    measured = table.timestamps[~np.isnan(target)]
    if not len(measured):
        return table
    if not csv.series_id:
        table = table.only(table.timestamps >= measured.min())
    return table.only(table.timestamps <= measured.max())


def _lacking(measured: Measured, target: int, first: int, border: np.datetime64) -> str:
    """Return why a series has no value from row `first` on, at `border`; "" if it has."""
    known = ~measured.series.unknown[:, target]
    if not known.any():
        return "there is no row with a value"
    if known[first:].any():
        return ""
    return f"{known.sum():,} rows, none of them from {shown(border)} on"

"""The rows of series as a data set, and its windows as models see them.

Fits and forecasts, series cut into windows and whole series use `data_set` and `seen`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    """
    table = _rows_that_count(table, csv, cleaning)
    by_series = {
        key: measured_rows.rows_of(own, csv, cleaning, windows)
        for key, own in table.by_series().items()
    }
    first = next(iter(by_series.values()))
    count = len(first.series.values)
    border, _ = windowing.borders(count, train, None)
    fitted = Preprocessing(
        csv=csv,
        cleaning=cleaning.model_copy(update={"spacing": first.regular.freq}),
        windows=windows,
        columns=first.columns,
        series={},
    )
    cuts = _cuts(by_series, border, fitted)
    statistics = {key: own.statistics for key, own in cuts.items()}
    fitted = fitted.model_copy(update={"series": statistics})
    chosen = defaultdict[str, list[Array]](list)
    for number, own in enumerate(cuts.values()):
        for split, rows in own.rows.items():
            chosen[split].append(rows + number * count)
    splits = {split: np.concatenate(rows) for split, rows in chosen.items()}
    return data_set(name, fitted, by_series, splits)


def data_set(
    name: str,
    fitted: Preprocessing,
    by_series: Mapping[str, Measured],
    splits: Mapping[str, Array],
) -> Dataset:
    """Return the data set of some series, whose rows stand one after the other.

    All rows become inputs here: those that models are fitted to, those that they
    forecast from, of whole series and of series cut into windows.

    Args:
        name: the name of the data set.
        fitted: how rows are prepared.
        by_series: name of a series -> its rows.
        splits: split -> the rows of its windows, as `Windows.rows`.
    """
    windows = fitted.windows
    column = fitted.target
    inputs = [
        measured_rows.inputs_of(rows.series, fitted, fitted.series[key])
        for key, rows in by_series.items()
    ]
    truth = np.concatenate([rows.target(column) for rows in by_series.values()])
    numbers = np.concatenate([rows.series.timestamps for rows in by_series.values()])
    # A single series is not copied.
    cut = Windows(
        np.concatenate(inputs) if len(inputs) > 1 else inputs[0],
        np.arange(0),
        windows.lookback,
        1,
        delay=0,
        target=column,
        outputs=windows.horizon,
        measured=np.isfinite(truth),
    )
    # Several series have no scale in common.
    scale = Scale(quantity=windows.quantity)
    if ALONE in fitted.series:
        scale = fitted.scale(ALONE)
    return Dataset(
        name=name,
        kind="forecast",
        metric="mae",
        splits={split: replace(cut, rows=rows) for split, rows in splits.items()},
        scale=scale,
        period=_timesteps_of_day(fitted),
        calendar=cut.series.shape[1] - len(fitted.columns),
        scored=(),
        stamps=row_calendar.stamps(numbers, fitted.cleaning, fitted.csv.time_zone),
        series_id=np.repeat(np.arange(len(inputs)), [len(own) for own in inputs]),
        truth=truth,
        fitted=fitted,
    )


def seen(
    windows: Windows, timesteps: int, begins: Array, fitted: Preprocessing
) -> Windows:
    """Return windows of at least so many timesteps, as models see them.

    They have NaN before the first row that they may reach. If windows count whose
    series has just begun (`SeriesWindows.begun`), the rows of a lookback are
    `completed`; such windows have rows of their own, behind the rows of all series.

    Args:
        windows: the windows, as long as the preparation says.
        timesteps: the number of timesteps.
        begins: (rows,) the first row that a window up to each row may reach.
        fitted: how rows are prepared.
    """
    if windows.measured is None:
        windows = replace(windows, measured=np.ones(len(windows.series), bool))
    if fitted.windows.begun:
        windows, begins = _with_made_up_rows(windows, begins, fitted)
    more = timesteps - windows.lookback
    if more <= 0:
        return windows
    # rows of NaN stand before the rows of each stretch without a gap
    stretch = np.cumsum(np.diff(begins, prepend=begins[:1]) != 0)
    places = np.arange(len(begins)) + more * (1 + stretch)
    length = len(begins) + more * (1 + int(stretch[-1]))
    is_seen = np.arange(len(begins)) >= begins
    series = np.full((length, windows.series.shape[1]), np.nan, windows.series.dtype)
    series[places[is_seen]] = windows.series[is_seen]
    measured = np.zeros(length, bool)
    measured[places] = windows.measured
    return replace(
        windows,
        series=series,
        rows=places[windows.rows],
        lookback=windows.lookback + more,
        measured=measured,
    )


def _with_made_up_rows(
    windows: Windows, begins: Array, fitted: Preprocessing
) -> tuple[Windows, Array]:
    """Return windows with rows before the first one of a series as `completed`.

    Also returned are the first rows (rows,) that windows up to each row may reach.
    """
    begin = begins[windows.rows - 1]
    late = windows.rows - windows.lookback < begin
    if not late.any():
        return windows, begins
    # (late windows, rows of a window and its targets)
    span = np.arange(-windows.lookback, windows.ahead[-1] + 1)
    places = windows.rows[late, None] + span
    values = windows.series[places]
    inputs = values[:, : windows.lookback]
    before = places[:, : windows.lookback] < begin[late, None]
    values[:, : windows.lookback] = completed(inputs, before, fitted)
    count = len(windows.series)
    own = count + len(span) * np.arange(len(places))
    rows = windows.rows.copy()
    rows[late] = own + windows.lookback
    measured = np.asarray(windows.measured)
    made = replace(
        windows,
        series=np.concatenate([windows.series, values.reshape(-1, values.shape[2])]),
        rows=rows,
        measured=np.concatenate([measured, measured[places].ravel()]),
    )
    return made, np.append(begins, np.repeat(own, len(span)))


def completed(inputs: Array, before: Array, fitted: Preprocessing) -> Array:
    """Return windows whose rows before the first one of a series are made up.

    They are means of its known rows: of those at the same place in a cycle, if a whole
    cycle is known, else of all.

    Args:
        inputs: (windows, timesteps, columns + calendar); the calendar and the mark of
            filled rows are known in all rows.
        before: (windows, timesteps) whether a row lies before the first one.
        fitted: the preparation of the series.
    """
    made = inputs.copy()
    lacking = before.sum(axis=1)
    cycle = fitted.cleaning.repeat or 1
    for count in np.unique(lacking[lacking > 0]):
        own = np.flatnonzero(lacking == count)[:, None, None]
        known = np.arange(count, inputs.shape[1])
        period = cycle if cycle <= len(known) else 1
        for row in range(count):
            same = known[(known - row) % period == 0]
            columns = fitted.of_rows
            means = inputs[own, same[:, None], columns].mean(axis=1, dtype=np.float64)
            made[own[:, 0], row, columns] = means
    return made


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
    measured_by_series: dict[str, Measured], border: int, fitted: Preprocessing
) -> dict[str, _Cut]:
    """Return series -> what is chosen of it (`_cut_one`).

    Raises:
        UnrollError: the only series cannot be used.
        UnusableSeriesError: some of several series cannot be used.
    """
    cuts = dict[str, _Cut]()
    reasons = dict[str, str]()
    for key, rows in measured_by_series.items():
        try:
            cuts[key] = _cut_one(rows, border, fitted)
        except UnrollError as error:
            if key == ALONE:
                raise
            times = rows.series.timestamps[[border]]
            [moment] = row_calendar.stamps(times, fitted.cleaning, fitted.csv.time_zone)
            reasons[key] = _lacking(rows, fitted.target, border, moment) or str(error)
    if reasons:
        raise UnusableSeriesError(reasons, len(measured_by_series))
    return cuts


def _cut_one(measured: Measured, border: int, fitted: Preprocessing) -> _Cut:
    """Choose the rows of examples in one series.

    Args:
        measured: the rows of the series.
        border: the first row after the train rows.
        fitted: how rows are prepared, without statistics.

    Raises:
        UnrollError: a split has no window, or there is nothing to learn.
    """
    windows = fitted.windows
    column = fitted.target
    last = border
    if windows.begun and _has_just_begun(measured, last, column, windows):
        last = len(measured.series.values)
    statistics = windowing.statistics(measured.series, measured.columns, last)
    if not windows.begun:
        windowing.require_a_change(statistics, measured.columns, column, last)
    rows = measured_rows.chosen_rows(measured, border, windows, column)
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


def _timesteps_of_day(fitted: Preprocessing) -> int:
    """Return the number of timesteps in a day; 0 if a day is no cycle of these rows."""
    windows = fitted.windows
    cleaning = fitted.cleaning
    freq = cleaning.spacing or 1
    if windows.whole:
        return 0
    rows_per_day = row_calendar.slots_per_day(cleaning.rows, freq)
    if rows_per_day and freq < 7 * DAY:
        return max(rows_per_day)
    return 0 if cleaning.rows else windowing.timesteps_of_day(freq)


def _rows_that_count(
    table: SeriesTable, csv: CsvFormat, cleaning: Cleaning
) -> SeriesTable:
    """Return the rows that count, with evenly spaced timestamps.

    The target may be measured only from some day on, or up to some day. Rows before
    and after do not count.
    """
    table = measured_rows.timesteps_of(table, csv, cleaning)
    measured = table.known(csv.target)
    if len(measured) and not csv.series_id:
        table = table.only(table.timestamps >= measured.min())
    return table.up_to_last(csv.target)


def _lacking(measured: Measured, target: int, first: int, border: np.datetime64) -> str:
    """Return why a series has no value from row `first` on, at `border`; "" if it has."""
    known = ~measured.series.unknown[:, target]
    if not known.any():
        return "there is no row with a value"
    if known[first:].any():
        return ""
    return f"{known.sum():,} rows, none of them from {shown(border)} on"

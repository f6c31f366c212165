"""Series of rows: cleaning them, choosing the rows of examples, and making inputs.

Data sets and forecasts of later rows use the same functions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.data import row_calendar, timestamps
from pipeline.data.examples import Array, ceil_div
from pipeline.data.row_options import (
    Cleaning,
    CsvFormat,
    Preprocessing,
    Statistics,
    WindowSpec,
)
from pipeline.data.row_table import RowTable
from pipeline.data.timestamps import Regularity, regularity
from pipeline.errors import UnrollError, UsageError

DAY = 86_400
"""Seconds of a day."""

YEAR = 365.2425 * DAY
"""Seconds of a year."""

BLOCK = 2**20
"""Rows whose calendar is computed at once, which limits the memory."""

CYCLES = 7
"""Longest gap, in cycles, that is filled from earlier cycles."""

Plan = Mapping[str, Array] | None
"""Column that is known in advance -> its values after the last row; see `rows_of`."""

Rows = dict[str, Array]
"""Split -> row numbers (examples,), as `Windows.rows` takes them."""


@dataclass(frozen=True)
class Series:
    """The rows of a series.

    Attributes:
        timestamps: (rows,) datetime64[ms].
        values: (rows, columns) float64.
        unknown: (rows, columns) bool, whether a value was not measured.
        start: the first row that may be used.
        late: (rows,) bool, whether a value of the row is missing for too long to be
            filled; None if gaps were not filled.
    """

    timestamps: Array
    values: Array
    unknown: Array
    start: int = 0
    late: Array | None = None

    def with_column(self, values: Array) -> "Series":
        """Return the series with one more column (rows,), which has no unknown value."""
        return replace(
            self,
            values=np.column_stack([self.values, values]),
            unknown=np.column_stack([self.unknown, np.zeros(len(values), bool)]),
        )


def clean(moments: Array, values: Array, sentinel: float | None) -> Series:
    """Return rows sorted by their timestamps, without duplicates and missing values.

    Of rows with the same timestamp the first in the file is kept. A missing value takes
    the last good value of its column. That value is from the past, so no later block
    reaches an earlier one. `start` is the first row by which all columns have had a
    good value. It is the number of rows if a column holds no value.

    Args:
        moments: (rows,) datetime64[ms].
        values: (rows, columns) float64, NaN where a value is missing.
        sentinel: a number that also stands for a missing value.
    """
    moments, first = timestamps.first_rows(moments)
    values = np.array(values[first])
    unknown = np.isnan(values) | _is(values, sentinel)
    start = _take_last_good(values, unknown)
    values[:start][np.isnan(values[:start])] = 0.0
    return Series(moments, values, unknown, start)


def _is(values: Array, sentinel: float | None) -> Array:
    """Return which values are the sentinel."""
    return np.asarray(values == (np.nan if sentinel is None else sentinel))


def _take_last_good(values: Array, unknown: Array) -> int:
    """Give unknown values (rows, columns) the last good value of their column, in place.

    Return the first row by which all columns have had a good value.
    """
    start = 0
    for column in np.flatnonzero(unknown.any(axis=0)):
        last_good = _last_good(unknown[:, column])
        start = max(start, int((last_good < 0).sum()))
        values[:, column] = values[np.maximum(last_good, 0), column]
    return start


def _last_good(unknown: Array) -> Array:
    """Return for each row (rows,) the number of the last known row up to it, or -1."""
    known = np.where(unknown, -1, np.arange(len(unknown)))
    return np.asarray(np.maximum.accumulate(known))


def fill(
    series: Series, freq: int, limit: int, repeat: int | None = None
) -> tuple[Series, dict[str, int]]:
    """Insert the missing rows of gaps of up to `limit` rows, with the last good values.

    If a value is missing for longer, the rows after the limit are `late`, and no window
    may contain them. A window that ends before these rows is kept: at its end nobody
    can know how long the gap will be.

    Args:
        series: the series that `clean` returned.
        freq: seconds from one row to the next.
        limit: the longest gap in rows.
        repeat: rows of a cycle. Beyond `limit` a missing value then takes the value one
            cycle earlier, for up to `CYCLES` cycles.

    Returns:
        A new series, and description -> count of what was filled.
    """
    longest = max(limit, CYCLES * repeat) if repeat else limit
    steps = np.diff(series.timestamps).astype(np.int64)
    lacking = np.where(steps % (freq * 1000) == 0, steps // (freq * 1000) - 1, 0)
    lacking = np.append(np.where(lacking <= longest, lacking, 0), 0)
    # For each row, the number of the last measured row up to it.
    before = np.repeat(np.arange(len(series.values)), lacking + 1)
    rows = np.arange(len(before))
    after = rows - np.searchsorted(before, before)
    unknown = series.unknown[before] | (after > 0)[:, None]
    values = series.values[before]
    late = np.zeros(len(before), bool)
    for column, missing in enumerate(unknown.T):
        age = rows - _last_good(missing)
        late |= age > longest
        if repeat:
            source = rows - ceil_div(age, repeat) * repeat
            old = (age > limit) & (age <= longest) & (source >= 0)
            values[old, column] = values[source[old], column]
    start = int(np.searchsorted(before, series.start))
    passed = (after * freq * 1000).astype("timedelta64[ms]")
    moments = series.timestamps[before] + passed
    counts = {
        "rows put in": int((after > 0).sum()),
        "values filled": int((unknown & ~late[:, None])[start:].sum()),
        "rows missing for longer": int(late[start:].sum()),
    }
    return Series(moments, values, unknown, start, late), counts


@dataclass(frozen=True)
class Measured:
    """The cleaned rows of a series, with all columns that models see except the
    calendar.

    Attributes:
        series: the rows.
        columns: the names of the columns.
        regular: how regular the file's timestamps are.
        missed: the number of cells without a value.
        lost: description -> count of what was filled.
    """

    series: Series
    columns: list[str]
    regular: Regularity
    missed: int
    lost: dict[str, int]

    def target(self, column: int) -> Array:
        """Return the measured values of a column (rows,), NaN where they are missing."""
        series = self.series
        return np.where(series.unknown[:, column], np.nan, series.values[:, column])


def on_calendar(table: RowTable, csv: CsvFormat, cleaning: Cleaning) -> RowTable:
    """Return the rows of a file with evenly spaced timestamps (`row_calendar.numbered`).

    Rows outside of opening hours and rows of the series in `leave_out` are removed.

    Raises:
        UnrollError: no row is left.
    """
    if table.series_id is not None and csv.leave_out:
        table = table.only(~np.isin(table.series_id, csv.leave_out))
    numbers = row_calendar.numbered(table.timestamps, cleaning.of_file, csv.time_zone)
    outside = np.isnat(numbers)
    if outside.all():
        raise UnrollError(
            f"no row lies within the hours {cleaning.rows}; give rows of these hours"
        )
    table = replace(table, timestamps=numbers)
    return table.only(~outside) if outside.any() else table


def in_timesteps(table: RowTable, csv: CsvFormat, cleaning: Cleaning) -> RowTable:
    """Return a row for each timestep of `cleaning.timestep` rows (`on_calendar`).

    A row has the mean of the values that are known, of rows with the same timestamp the
    first. The target is missing if fewer than half of its values are known. So it is in
    the last timestep until its last row is there. A sum of which a few values are
    missing is as many times the mean as there should be values.
    """
    if cleaning.timestep == 1:
        return table
    timestep = np.timedelta64(1000 * (cleaning.spacing or 1), "ms")
    row = timestep // cleaning.timestep
    start = _start(csv, cleaning)
    if csv.ends:
        start += row
    begins = start + (table.timestamps - start) // timestep * timestep
    means, counts = table.means(begins)
    if csv.target in table.columns:
        target = table.columns.index(csv.target)
        known = table.timestamps[~np.isnan(table.values[:, target])]
        lacking = 2 * counts[:, target] < cleaning.timestep
        if len(known):
            lacking |= means.timestamps + timestep - row > known.max()
        means.values[lacking, target] = np.nan
        if cleaning.aggregate == "sum":
            means.values[:, target] *= cleaning.timestep
    return means


def _start(csv: CsvFormat, cleaning: Cleaning) -> Any:
    """Return the timestamp from which timesteps are counted.

    It is a Monday at midnight, by the winter's clock of a time zone.
    """
    if cleaning.rows not in {None, "business"}:
        return np.datetime64(0, "ms")
    monday = row_calendar.MONDAY
    if csv.time_zone is None or cleaning.rows is not None:
        return monday
    winter = np.array(["2024-01-01"], "datetime64[ms]")
    return monday - (timestamps.to_wall_clock(winter, csv.time_zone) - winter)[0]


def rows_of(
    table: RowTable,
    csv: CsvFormat,
    cleaning: Cleaning,
    windows: WindowSpec,
    plan: Plan = None,
) -> Measured:
    """Return cleaned and completed rows.

    No row depends on a later row, except for columns that are known in advance.

    Args:
        table: the rows; their timestamps are evenly spaced (`on_calendar`).
        csv: the form of the file.
        cleaning: how rows are cleaned.
        windows: how windows are cut.
        plan: column of `windows.future` -> its values (lead,) after the last row; None
            if no forecast is made.
    """
    target = table.columns.index(csv.target)
    if cleaning.measured:
        table = table.only(~np.isnan(table.values[:, target]))
    regular = regularity(table.timestamps, cleaning.spacing)
    lost = dict[str, int]()
    series = clean(table.timestamps, table.values, cleaning.sentinel)
    columns = table.columns
    missed = int(series.unknown.sum())
    if cleaning.fill is not None:
        series, lost = fill(series, regular.freq, cleaning.fill, cleaning.repeat)
        columns = [*columns, "filled"]
        series = series.with_column(np.asarray(series.unknown.any(axis=1)))
    for lag in windows.target_lags:
        # `np.roll` wraps around, but no window reaches the first `lag` rows.
        earlier = np.roll(series.values[:, target], lag)
        columns = [*columns, f"{csv.target} {lag} rows before"]
        series = series.with_column(earlier)
    # A row holds the value of a future column at the time of the window's last target.
    lead = int(windows.ahead[-1])
    for name in windows.future:
        values = series.values[:, table.columns.index(name)]
        # Without a plan no target lies after the last row, so any value will do.
        later = plan[name] if plan else np.repeat(values[-1:], lead)
        columns = [*columns, f"{name} {lead} rows on"]
        series = series.with_column(np.append(values, later)[lead:])
    if windows.holidays:
        until_target = np.timedelta64(lead * regular.freq * 1000, "ms")
        moments = on_clock(series.timestamps + until_target, csv, cleaning)
        columns = [*columns, "holiday"]
        begins, ends = periods_of(moments, cleaning, regular.freq)
        series = series.with_column(holidays_of(windows.holidays, begins, ends))
    return Measured(series, columns, regular, missed, lost)


def as_they_are(
    table: RowTable, freq: int | None, sentinel: float | None = None
) -> Measured:
    """Return rows as the documents take them, in the order of the file.

    A sentinel takes the last good value of its column; nothing else is cleaned.
    """
    values = np.array(table.values)
    unknown = _is(values, sentinel)
    start = _take_last_good(values, unknown)
    series = Series(table.timestamps, values, unknown, start)
    missed = int(unknown.sum())
    regular = regularity(table.timestamps, freq)
    return Measured(series, table.columns, regular, missed, {})


def borders(rows: int, train: float, validation: float | None) -> tuple[int, int]:
    """Return the first row of the validation block and of the test block.

    Args:
        rows: the number of rows of the series.
        train: the size of the train block in rows if it is 1 or more, else as a
            fraction of `rows`.
        validation: the size of the validation block; None for no such block.

    Raises:
        ValueError: a number of 1 or more is not whole.
        UnrollError: no row is left for the test block.
    """
    counts = []
    for size in (train, validation or 0.0):
        if size >= 1 and size != int(size):
            raise ValueError(
                "`train` and `validation` must be whole rows, or shares below 1. "
                f"Received: {size}"
            )
        # The small step up: 0.29 of 100 rows is 29, though the product of the doubles
        # is 28.999...
        counts.append(int(size) if size >= 1 else math.floor(size * rows + 1e-6))
    if sum(counts) >= rows:
        raise UnrollError(
            f"{rows} rows are too few for a test block after {counts[0]} to train on "
            f"and {counts[1]} to validate on"
        )
    return counts[0], sum(counts)


def document_rows(
    rows: int, first: int, second: int, windows: WindowSpec, batch_size: int | None
) -> Rows:
    """Return the rows of examples in the documents.

    Documents 001 and 002 have a generator, slips included. Train rows are drawn from
    [lookback, first). Validation rows lie from first + 1 + lookback up to `second`.
    Test rows lie from second + 1 + lookback up to rows - delay - 1. Validation and test
    consist of whole batches: if a batch would reach the end, the generator starts
    again. So n rows give (n - 1) // batch_size batches, or one batch of n rows if that
    is 0. A target may lie beyond the border of its block.

    Document 006 calls `keras.utils.timeseries_dataset_from_array`. A window's inputs
    lie in one block, and its target may lie in the next block. The document drops the
    last rows of the test block, as many as lie from a window's first input to its
    target. So the last windows are not used.

    Args:
        rows: the number of rows of the series.
        first: the first row of the validation block.
        second: the first row of the test block.
        windows: how windows are cut. For the generator `delay` counts from a window's
            row, one step after the last input, else from the last input.
        batch_size: the number of windows that the generator yields at once; None for
            document 006.
    """
    lookback = windows.lookback
    if batch_size is None:
        last = rows - lookback - windows.first + windows.step
        ends = {
            "train": (0, first),
            "validation": (first, second),
            "test": (second, last),
        }
        return {
            split: np.arange(start + lookback, stop + windows.step)
            for split, (start, stop) in ends.items()
        }

    def cycle(start: int, stop: int) -> Array:
        batches = (stop - start - 1) // batch_size
        return np.arange(start, start + batches * batch_size if batches > 0 else stop)

    return {
        "train": np.arange(lookback, first),
        "validation": cycle(first + 1 + lookback, second),
        "test": cycle(second + 1 + lookback, rows - windows.first - 1),
    }


def corrected_rows(
    series: Series,
    first: int,
    second: int,
    windows: WindowSpec,
    *,
    freq: int,
    target: int,
) -> tuple[Rows, dict[str, int]]:
    """Return the rows whose window and targets lie in one block, with no gap between
    them.

    Args:
        series: the series that `clean` returned.
        first: the first row of the validation block.
        second: the first row of the test block.
        windows: how windows are cut.
        freq: seconds from one row to the next.
        target: the column to forecast. A window whose targets were not measured is left
            out (but see `WindowSpec.partial`).

    Returns:
        The rows, and description -> count of lost windows.
    """
    # A window's first row needs its lagged value, too.
    lookback = windows.lookback + windows.lag
    # `Windows` counts from the row one step after the last input.
    ahead = windows.ahead - windows.step
    # A window crosses no gap if both of its ends belong to the same run.
    runs = runs_of(series, freq)
    blocks = {
        "train": (series.start, first),
        "validation": (first, second),
        "test": (second, len(series.values)),
    }
    # Rows before those of a series that has just begun hold no gap.
    begin = series.start if windows.begun else 0
    rows: Rows = {}
    lost = {"windows lost to gaps": 0, "windows lost to unknown targets": 0}
    for split, (start, stop) in blocks.items():
        earliest = start + lookback
        if windows.overlap:
            earliest = max(series.start + lookback, start - ahead[0])
        if windows.begun:
            earliest = max(lookback, series.start + windows.step, start - ahead[0])
        candidates = np.arange(earliest, stop - ahead[-1])
        first = np.maximum(candidates - lookback, begin)
        whole = runs[first] == runs[candidates + ahead[-1]]
        known = np.full(len(candidates), not windows.partial)
        for steps in ahead:
            measured = ~series.unknown[candidates + steps, target]
            known = known | measured if windows.partial else known & measured
        rows[split] = candidates[whole & known]
        lost["windows lost to gaps"] += int((~whole).sum())
        lost["windows lost to unknown targets"] += int((whole & ~known).sum())
    return rows, lost


def runs_of(series: Series, freq: int) -> Array:
    """Return the number (rows,) of the run that each row belongs to.

    A run is a stretch of rows without a gap.
    """
    breaks = np.diff(series.timestamps).astype(np.int64) != freq * 1000
    runs = np.concatenate([[0], np.cumsum(breaks)])
    if series.late is not None:  # each late row is a run of its own
        runs = runs + np.cumsum(series.late) + np.cumsum(np.roll(series.late, 1))
    return np.asarray(runs)


def inputs_of(series: Series, fitted: Preprocessing, statistics: Statistics) -> Array:
    """Return the inputs of models: (rows, columns + calendar), float32.

    Columns are standardised by the mean and deviation of the train rows.
    """
    rows, columns = series.values.shape
    week = fitted.windows.week
    inputs = np.empty((rows, columns + calendar_columns(week=week)), np.float32)
    for column in range(columns):
        centred = series.values[:, column] - statistics.mean[column]
        inputs[:, column] = centred / statistics.std[column]
    for start in range(0, rows, BLOCK):
        block = series.timestamps[start : start + BLOCK]
        moments = on_clock(block, fitted.csv, fitted.cleaning)
        moments = row_calendar.spread(moments, fitted.cleaning)
        inputs[start : start + BLOCK, columns:] = calendar(moments, week=week)
    return inputs


def on_clock(moments: Array, csv: CsvFormat, cleaning: Cleaning) -> Array:
    """Return numbered timestamps (rows,) as the clock of the file shows them."""
    moments = row_calendar.stamps(moments, cleaning, csv.time_zone)
    if csv.time_zone is None:
        return moments
    return timestamps.to_wall_clock(moments, csv.time_zone)


def periods_of(moments: Array, cleaning: Cleaning, freq: int) -> tuple[Array, Array]:
    """Return the first day of each row's period, and the day after its last.

    Args:
        moments: (rows,) datetime64[ms], by the clock.
        cleaning: the calendar of the rows.
        freq: seconds from row to row, by the calendar.
    """
    days = max(1, freq // DAY)
    if not str(cleaning.rows).startswith("month"):
        begins = moments.astype("datetime64[D]")
        return begins, begins + (days if cleaning.rows is None else 1)
    months = moments.astype("datetime64[M]") + 1  # of which a day is as many months
    if "-" not in str(cleaning.rows):
        months += days - 1
    return (months - days).astype("datetime64[D]"), months.astype("datetime64[D]")


def holidays_of(place: str, begins: Array, ends: Array) -> Array:
    """Return the number of holidays in periods: (periods,) integers.

    Args:
        place: a country such as "DE", or one of its states such as "DE-BY".
        begins: (periods,) datetime64[D], the first days.
        ends: (periods,) datetime64[D], the days after the last.

    Raises:
        UsageError: the country or the state is unknown.
    """
    import holidays

    years = np.arange(begins.min(), ends.max() + 1).astype("datetime64[Y]")
    try:
        country, _, state = place.partition("-")
        found = holidays.country_holidays(
            country,
            subdiv=state or None,
            years=(1970 + np.unique(years).astype(int)).tolist(),
        )
    except NotImplementedError:
        raise UsageError(
            "holidays must be a country such as DE or US, or a state such as DE-BY. "
            f"Received: {place!r}"
        ) from None
    days = np.sort(np.array([*found], "datetime64[D]"))
    return np.searchsorted(days, ends) - np.searchsorted(days, begins)


def calendar_columns(*, week: bool) -> int:
    """Return the number of columns that `calendar` returns."""
    return 6 if week else 4


def calendar(moments: Array, *, week: bool = False) -> Array:
    """Return sine and cosine of the time of day, of the year and, with `week`, of the
    week.

    Args:
        moments: (rows,) datetime64[ms]. A day begins at 00:00 of their clock, a week on
            Thursday, the first day of 1970.
        week: whether the time of the week is included.

    Returns:
        (rows, 4) or, with the week, (rows, 6) float64.
    """
    seconds = moments.astype(np.int64) / 1000
    cycles = (DAY, YEAR, 7 * DAY) if week else (DAY, YEAR)
    return np.column_stack(
        [
            wave(2 * np.pi * seconds / cycle)
            for cycle in cycles
            for wave in (np.sin, np.cos)
        ]
    )

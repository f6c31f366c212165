"""The rows of an answer's series: at the timestamps of a calendar, in timesteps, cleaned and
completed, with all columns that models see.

Answers and forecasts of later rows use the same functions.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from pipeline.data import windowing
from pipeline.data.examples import Array, ceil_div
from pipeline.data.timestamps import Regularity, regularity
from pipeline.data.windowing import DAY, Rows, Series, Statistics
from pipeline.errors import UnrollError, UsageError
from unroll.series import row_calendar, time_zones
from unroll.series.row_options import Cleaning, CsvFormat, Preprocessing, SeriesWindows
from unroll.series.series_table import SeriesTable

CYCLES = 7
"""Longest gap, in cycles, that is filled from earlier cycles."""

Plan = Mapping[str, Array] | None
"""Column that is known in advance -> its values after the last row; see `rows_of`."""


@dataclass(frozen=True)
class CompletedSeries(Series):
    """The rows of a series whose gaps may be filled.

    Attributes, besides those of `Series`:
        late: (rows,) bool, whether a value of the row is missing for too long to be
            filled; None if gaps were not filled.
    """

    late: Array | None = None

    def with_column(self, values: Array) -> Self:
        """Return the series with one more column (rows,), which has no unknown value."""
        return replace(
            self,
            values=np.column_stack([self.values, values]),
            unknown=np.column_stack([self.unknown, np.zeros(len(values), bool)]),
        )

    def runs(self, freq: int) -> Array:
        """Return the number (rows,) of each row's run; a late row is one of its own."""
        runs = super().runs(freq)
        if self.late is None:
            return runs
        return np.asarray(
            runs + np.cumsum(self.late) + np.cumsum(np.roll(self.late, 1))
        )


def fill(
    series: Series, freq: int, limit: int, repeat: int | None = None
) -> CompletedSeries:
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
        age = rows - windowing.last_good(missing)
        late |= age > longest
        if repeat:
            source = rows - ceil_div(age, repeat) * repeat
            old = (age > limit) & (age <= longest) & (source >= 0)
            values[old, column] = values[source[old], column]
    start = int(np.searchsorted(before, series.start))
    passed = (after * freq * 1000).astype("timedelta64[ms]")
    moments = series.timestamps[before] + passed
    return CompletedSeries(moments, values, unknown, start, late)


def fill_limit(spacing: int) -> int:
    """Return the longest gap that is filled, in rows: six hours, or one longer row.

    Args:
        spacing: seconds from row to row.
    """
    return max(1, DAY // 4 // spacing)


@dataclass(frozen=True)
class Measured:
    """The cleaned rows of a series, with all columns that models see except the
    calendar.

    Attributes:
        series: the rows.
        columns: the names of the columns.
        regular: how regular the file's timestamps are.
    """

    series: CompletedSeries
    columns: list[str]
    regular: Regularity

    def target(self, column: int) -> Array:
        """Return the measured values of a column (rows,), NaN where they are missing."""
        series = self.series
        return np.where(series.unknown[:, column], np.nan, series.values[:, column])

    def begins(self, windows: SeriesWindows) -> Array:
        """Return for each row the first row (rows,) that a window up to it may reach.

        No gap lies between the two. What is missing in a series that has just begun, or
        has begun again, is made up (`SeriesWindows.begun`).
        """
        series = self.series
        if not windows.begun:
            series = replace(series, late=None, start=0)
        runs = series.runs(self.regular.freq)
        return np.asarray(np.maximum(np.searchsorted(runs, runs), series.start))

    def only(self, first: int) -> Self:
        """Return the rows from row `first` on."""
        series = self.series
        rest = CompletedSeries(
            series.timestamps[first:], series.values[first:], series.unknown[first:]
        )
        return replace(self, series=rest)

    def with_rows_to_come(self, count: int) -> Self:
        """Return the rows, and behind them `count` rows without a known value."""
        series = self.series
        row = np.timedelta64(1000 * self.regular.freq, "ms")
        ahead = series.timestamps[-1] + row * np.arange(1, count + 1)
        below = ((0, count), (0, 0))
        longer = CompletedSeries(
            np.append(series.timestamps, ahead),
            np.pad(series.values, below),
            np.pad(series.unknown, below, constant_values=True),
            series.start,
        )
        return replace(self, series=longer)


def on_calendar(table: SeriesTable, csv: CsvFormat, cleaning: Cleaning) -> SeriesTable:
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


def in_timesteps(table: SeriesTable, csv: CsvFormat, cleaning: Cleaning) -> SeriesTable:
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
        known = table.known(csv.target)
        lacking = 2 * counts[:, target] < cleaning.timestep
        if len(known):
            lacking |= means.timestamps + timestep - row > known.max()
        means.values[lacking, target] = np.nan
        if cleaning.aggregate == "sum":
            means.values[:, target] *= cleaning.timestep
    return means


def timesteps_of(table: SeriesTable, csv: CsvFormat, cleaning: Cleaning) -> SeriesTable:
    """Return the timesteps of a file's rows. Raises as `on_calendar`."""
    return in_timesteps(on_calendar(table, csv, cleaning), csv, cleaning)


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
    return monday - (time_zones.to_wall_clock(winter, csv.time_zone) - winter)[0]


def rows_of(
    table: SeriesTable,
    csv: CsvFormat,
    cleaning: Cleaning,
    windows: SeriesWindows,
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
    regular = regularity(table.timestamps, cleaning.spacing)
    cleaned = windowing.clean(table.timestamps, table.values, None)
    series = CompletedSeries(**vars(cleaned))
    columns = table.columns
    if cleaning.fill is not None:
        series = fill(series, regular.freq, cleaning.fill, cleaning.repeat)
        columns = [*columns, "filled"]
        series = series.with_column(np.asarray(series.unknown.any(axis=1)))
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
    return Measured(series, columns, regular)


def chosen_rows(
    measured: Measured, border: int, windows: SeriesWindows, target: int
) -> Rows:
    """Return the rows whose targets lie in one block, with no gap in their window.

    A window counts if one of its targets was measured. It may begin in the block
    before, and before the first row of a series that has just begun
    (`SeriesWindows.begun`).

    Args:
        measured: the rows.
        border: the first row of the block "test", behind the block "train".
        windows: how windows are cut.
        target: the column to forecast.
    """
    series = measured.series
    ahead = windows.ahead - 1
    runs = series.runs(measured.regular.freq)
    blocks = {"train": (series.start, border), "test": (border, len(series.values))}
    # Rows before those of a series that has just begun hold no gap.
    begin = series.start if windows.begun else 0
    fewest = 1 if windows.begun else windows.lookback  # rows of its own
    rows: Rows = {}
    for split, (start, stop) in blocks.items():
        earliest = max(windows.lookback, series.start + fewest, start - ahead[0])
        candidates = np.arange(earliest, stop - ahead[-1])
        begins = np.maximum(candidates - windows.lookback, begin)
        rows[split] = windowing.whole_windows(
            series, runs, candidates, begins, ahead, target, 1, Counter()
        )
    return rows


def inputs_of(series: Series, fitted: Preprocessing, train: Statistics) -> Array:
    """Return the inputs of models: (rows, columns + calendar), float32.

    Models of whole series see no calendar, (rows, columns), and float64: 32 bits do not
    hold a count above 16 million.
    """
    if fitted.windows.whole:
        return np.asarray((series.values - train.mean) / train.std)
    clock = on_clock(series.timestamps, fitted.csv, fitted.cleaning)
    clock = row_calendar.spread(clock, fitted.cleaning)
    week = fitted.windows.week
    with np.errstate(over="ignore"):  # who needs such a number refuses it
        return windowing.inputs_of(series.values, clock, train, week=week)


def on_clock(moments: Array, csv: CsvFormat, cleaning: Cleaning) -> Array:
    """Return numbered timestamps (rows,) as the clock of the file shows them."""
    moments = row_calendar.stamps(moments, cleaning, csv.time_zone)
    if csv.time_zone is None:
        return moments
    return time_zones.to_wall_clock(moments, csv.time_zone)


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

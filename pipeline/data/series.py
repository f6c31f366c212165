"""Rows of a file -> rows as models see them: for a data set that is prepared, and for a forecast of later rows."""

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data import manifest, row_table, series_splits, timestamps
from pipeline.data.examples import Array
from pipeline.data.series_options import Cleaning, CsvFormat, Fitted, Statistics, Windowing
from pipeline.errors import UsageError

DAY = 86_400
YEAR = 365.2425 * DAY
"""Seconds."""

Plan = Mapping[str, Array] | None


def files_of(raw: Path, file: str) -> list[Path]:
    """The file of that name, or those that its pattern matches, in the order of their names."""
    if (raw / file).is_file():
        return [raw / file]
    found = (path for path in raw.iterdir() if fnmatch.fnmatchcase(path.name, file)) if raw.is_dir() else ()
    return sorted(path for path in found if path.name != manifest.NAME) or [raw / file]


@dataclass(frozen=True)
class Measured:
    """A file's rows, cleaned as the protocol says, each with all that models see of it but the calendar.

    Attributes:
        series: the rows.
        columns: their names.
        clock: how regular the file's stamps are.
        missed: cells without a value.
        lost: what was filled: words -> count.
    """

    series: series_splits.Series
    columns: list[str]
    clock: timestamps.Regularity
    missed: int
    lost: dict[str, int]

    def target(self, column: int) -> Array:
        """(rows,) what was measured of a column, NaN where nothing was."""
        return np.where(self.series.unknown[:, column], np.nan, self.series.values[:, column])


def rows_of(
    table: row_table.RowTable, csv: CsvFormat, cleaning: Cleaning, windows: Windowing, plan: Plan = None
) -> Measured:
    """Rows, cleaned and completed; none depends on a later one, but for what is known beforehand.

    Args:
        table: what was read, stamps an even distance apart (`timestamps.evenly`).
        csv: how the file is written.
        cleaning: how rows are completed.
        windows: which further columns there are.
        plan: of each of `windows.future` its values (lead,) after the last row; None where no forecast is made.
    """
    target = table.columns.index(csv.target)
    if cleaning.measured:
        table = table.only(~np.isnan(table.values[:, target]))
    clock, lost = timestamps.regularity(table.stamps, cleaning.spacing), dict[str, int]()
    series = series_splits.clean(table.stamps, table.values, cleaning.sentinel)
    columns, missed = table.columns, int(series.unknown.sum())
    if cleaning.fill is not None:
        series, lost = series_splits.fill(series, clock.freq, cleaning.fill, cleaning.repeat)
        columns, series = [*columns, "filled"], series.with_column(np.asarray(series.unknown.any(axis=1)))
    for lag in windows.target_lags:
        earlier = np.roll(series.values[:, target], lag)  # windows do not reach what wraps around
        columns, series = [*columns, f"{csv.target} {lag} rows before"], series.with_column(earlier)
    for name, values in _known(table, series, clock.freq, csv, cleaning, windows, plan):
        columns, series = [*columns, name], series.with_column(values)
    return Measured(series, columns, clock, missed, lost)


def as_they_are(table: row_table.RowTable, spacing: int | None) -> Measured:
    """Rows as the documents take them: nothing is handled."""
    unknown = np.zeros(table.values.shape, bool)
    series = series_splits.Series(table.stamps, table.values, unknown)
    return Measured(series, table.columns, timestamps.regularity(table.stamps, spacing), 0, {})


def _known(
    table: row_table.RowTable,
    series: series_splits.Series,
    spacing: int,
    csv: CsvFormat,
    cleaning: Cleaning,
    windows: Windowing,
    plan: Plan,
) -> Iterator[tuple[str, Array]]:
    """Columns that are known beforehand, each row's as they are when the last value that is asked for comes."""
    lead = int(windows.ahead[-1])
    for name in windows.future:
        values = series.values[:, table.columns.index(name)]
        later = plan[name] if plan else np.repeat(values[-1:], lead)  # no target lies there
        yield f"{name} {lead} rows on", np.concatenate([values, later])[lead:]
    if windows.holidays:
        moments = series.stamps + np.timedelta64(lead * spacing * 1000, "ms")
        yield "holiday", holidays_of(windows.holidays, on_clock(moments, csv, cleaning)).astype(np.float64)


def inputs_of(series: series_splits.Series, fitted: Fitted, statistics: Statistics) -> Array:
    """What models see: (rows, columns + calendar) float32, by the mean and deviation of the train rows."""
    columns, week = series.values.shape[1], fitted.windows.week
    inputs = np.empty((len(series.values), columns + calendar_columns(week=week)), np.float32)
    for column in range(columns):
        inputs[:, column] = (series.values[:, column] - statistics.mean[column]) / statistics.std[column]
    inputs[:, columns:] = calendar(on_clock(series.stamps, fitted.csv, fitted.cleaning), week=week)
    return inputs


def on_clock(moments: Array, csv: CsvFormat, cleaning: Cleaning) -> Array:
    """Stamps (rows,) as the clock of the file shows them."""
    moments = timestamps.as_they_are(moments, cleaning.rows)
    return moments if csv.time_zone is None else timestamps.to_wall_clock(moments, csv.time_zone)


def holidays_of(country: str, moments: Array) -> Array:
    """(rows,) whether stamps lie on a holiday. Raises UsageError if the country is unknown."""
    import holidays

    years = 1970 + np.unique(moments.astype("datetime64[Y]")).astype(int)
    try:
        found = holidays.country_holidays(country, years=years.tolist())
    except NotImplementedError:
        raise UsageError(f"--holidays must be a country such as DE or US. Received: {country!r}") from None
    return np.isin(moments.astype("datetime64[D]"), np.array([*found], "datetime64[D]"))


def calendar_columns(*, week: bool) -> int:
    """How many columns `calendar` gives."""
    return 6 if week else 4


def calendar(stamps: Array, *, week: bool = False) -> Array:
    """When a row is: sine and cosine of the time of day, then of the time of year, then perhaps of the week.

    Args:
        stamps: (rows,) datetime64[ms]; a day begins at 00:00 of their clock, a week on Thursday as 1970 did.
        week: whether it tells the week.

    Returns:
        (rows, 4) or, with the week, (rows, 6) float64.
    """
    seconds, cycles = stamps.astype(np.int64) / 1000, (DAY, YEAR, 7 * DAY) if week else (DAY, YEAR)
    return np.column_stack([wave(2 * np.pi * seconds / cycle) for cycle in cycles for wave in (np.sin, np.cos)])

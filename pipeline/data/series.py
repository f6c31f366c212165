"""Rows of a file -> rows as models see them, and which of them are examples; of a data
set, and of later rows.
"""

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.data import manifest, row_calendar, timestamps
from pipeline.data.examples import Array, ceil_div
from pipeline.data.row_table import RowTable
from pipeline.data.series_options import (
    Cleaning,
    CsvFormat,
    Fitted,
    Statistics,
    Windowing,
)
from pipeline.data.timestamps import Regularity, regularity
from pipeline.errors import UnrollError, UsageError

DAY = 86_400
YEAR = 365.2425 * DAY
"""Seconds."""

BLOCK = 2**20
"""Rows whose calendar is computed at once; bounds memory."""

CYCLES = 7
"""That a gap may last where what repeats is known."""

Plan = Mapping[str, Array] | None

Rows = dict[str, Array]
"""train, validation and test -> (examples,) row numbers, as `Windows.rows` takes them.
"""


def files_of(raw: Path, file: str) -> list[Path]:
    """The file of that name, or those that its pattern matches, in the order of their
    names.
    """
    if (raw / file).is_file():
        return [raw / file]
    paths = (
        (path for path in raw.iterdir() if fnmatch.fnmatchcase(path.name, file))
        if raw.is_dir()
        else ()
    )
    return sorted(path for path in paths if path.name != manifest.NAME) or [raw / file]


@dataclass(frozen=True)
class Series:
    """A series' rows, cleaned or not.

    Attributes:
        timestamps: (rows,) datetime64[ms].
        values: (rows, columns) float64.
        unknown: (rows, columns) bool, where nothing was measured.
        start: the first row that may be used.
        late: (rows,) bool, rows whose last good values are too old to stand for them;
            None where none is.
    """

    timestamps: Array
    values: Array
    unknown: Array
    start: int = 0
    late: Array | None = None

    def with_column(self, values: Array) -> "Series":
        """The same series with one more column, (rows,), that is known everywhere."""
        unknown = np.column_stack([self.unknown, np.zeros(len(values), bool)])
        return replace(
            self, values=np.column_stack([self.values, values]), unknown=unknown
        )


def clean(moments: Array, values: Array, sentinel: float | None) -> Series:
    """Rows in the order of their timestamps, each timestamp once, a value everywhere.

    Of rows with one timestamp the first in the file is kept. A missing value takes the
    last good value of its column: a value from the past, so nothing of a later block
    reaches an earlier one. Rows before the first good value of every column lie before
    `start`, which is the number of rows if a column holds no value.

    Args:
        moments: (rows,) datetime64[ms].
        values: (rows, columns) float64, NaN where there is no value.
        sentinel: a number that stands for a missing value, too.
    """
    moments, first = timestamps.first_rows(moments)
    values = np.array(values[first])
    unknown = np.isnan(values)
    if sentinel is not None:
        unknown |= values == sentinel
    start = 0
    for column in np.flatnonzero(unknown.any(axis=0)):
        last_good = _last_good(unknown[:, column])
        start = max(start, int((last_good < 0).sum()))
        values[:, column] = values[np.maximum(last_good, 0), column]
    values[:start][np.isnan(values[:start])] = 0.0
    return Series(moments, values, unknown, start)


def _last_good(unknown: Array) -> Array:
    """(rows,) for each row the last one up to it that is known, -1 where there is none."""
    return np.asarray(
        np.maximum.accumulate(np.where(unknown, -1, np.arange(len(unknown))))
    )


def fill(
    series: Series, freq: int, limit: int, repeat: int | None = None
) -> tuple[Series, dict[str, int]]:
    """Put in the rows that a gap of up to `limit` of them lacks; they hold what was
    measured last.

    A value that is missing for longer is not held further than that: its rows are
    `late`, and no window may have one. A window that ends before it is too late is
    kept: when it ends, nobody can know how long the gap will be.

    Args:
        series: as `clean` gives it.
        freq: seconds from one row to the next.
        limit: rows.
        repeat: rows of a cycle; beyond `limit` a missing value takes that of a cycle
            before, for `CYCLES` of them.

    Returns:
        A new series, and what was done: words -> count.
    """
    longest = max(limit, CYCLES * repeat) if repeat else limit
    steps = np.diff(series.timestamps).astype(np.int64)
    lacking = np.where(steps % (freq * 1000) == 0, steps // (freq * 1000) - 1, 0)
    lacking = np.append(np.where(lacking <= longest, lacking, 0), 0)
    # the measured row that each row is, or follows
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
    moments = series.timestamps[before] + (after * freq * 1000).astype(
        "timedelta64[ms]"
    )
    counts = {
        "rows put in": int((after > 0).sum()),
        "values filled": int((unknown & ~late[:, None])[start:].sum()),
        "rows missing for longer": int(late[start:].sum()),
    }
    return Series(moments, values, unknown, start, late), counts


@dataclass(frozen=True)
class Measured:
    """A file's rows, cleaned as the protocol says, each with all that models see of it
    but the calendar.

    Attributes:
        series: the rows.
        columns: their names.
        regular: how regular the file's timestamps are.
        missed: cells without a value.
        lost: what was filled: words -> count.
    """

    series: Series
    columns: list[str]
    regular: Regularity
    missed: int
    lost: dict[str, int]

    def target(self, column: int) -> Array:
        """(rows,) what was measured of a column, NaN where nothing was."""
        return np.where(
            self.series.unknown[:, column], np.nan, self.series.values[:, column]
        )


def on_calendar(table: RowTable, csv: CsvFormat, cleaning: Cleaning) -> RowTable:
    """The rows at an even distance (`row_calendar.numbered`), without those outside of
    opening hours and `leave_out`.

    Raises:
        UnrollError: there are no others.
    """
    if table.series_id is not None and csv.leave_out:
        table = table.only(~np.isin(table.series_id, csv.leave_out))
    table = replace(
        table,
        timestamps=row_calendar.numbered(table.timestamps, cleaning, csv.time_zone),
    )
    outside = np.isnat(table.timestamps)
    if outside.all():
        raise UnrollError(
            f"no row lies at a time of cleaning.rows ({cleaning.rows}); give rows of these hours"
        )
    return table.only(~outside) if outside.any() else table


def rows_of(
    table: RowTable,
    csv: CsvFormat,
    cleaning: Cleaning,
    windows: Windowing,
    plan: Plan = None,
) -> Measured:
    """Rows, cleaned and completed; none depends on a later one, but for what is known
    beforehand.

    The table's timestamps are an even distance apart (`on_calendar`). `plan` has of
    each of `windows.future` its values (lead,) after the last row; it is None where no
    forecast is made.
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
        # windows do not reach what wraps around
        earlier = np.roll(series.values[:, target], lag)
        columns = [*columns, f"{csv.target} {lag} rows before"]
        series = series.with_column(earlier)
    # a row has what is known beforehand as it is when the last target comes
    lead = int(windows.ahead[-1])
    for name in windows.future:
        values = series.values[:, table.columns.index(name)]
        # no target lies there
        later = plan[name] if plan else np.repeat(values[-1:], lead)
        columns = [*columns, f"{name} {lead} rows on"]
        series = series.with_column(np.append(values, later)[lead:])
    if windows.holidays:
        moments = on_clock(
            series.timestamps + np.timedelta64(lead * regular.freq * 1000, "ms"),
            csv,
            cleaning,
        )
        columns = [*columns, "holiday"]
        series = series.with_column(holidays_of(windows.holidays, moments))
    return Measured(series, columns, regular, missed, lost)


def as_they_are(table: RowTable, freq: int | None) -> Measured:
    """Rows as the documents take them: nothing is handled."""
    series = Series(table.timestamps, table.values, np.zeros(table.values.shape, bool))
    return Measured(series, table.columns, regularity(table.timestamps, freq), 0, {})


def borders(rows: int, train: float, validation: float | None) -> tuple[int, int]:
    """The first row of the validation block and of the test block.

    Args:
        rows: of the series.
        train: rows, if 1 or more, else a fraction of `rows`.
        validation: the same; None for no such block.

    Raises:
        ValueError: a number of 1 or more is not whole.
        UnrollError: no row is left for the test block.
    """
    counts = []
    for size in (train, validation or 0.0):
        if size >= 1 and size != int(size):
            raise ValueError(
                f"`train` and `validation` must be whole rows, or shares below 1. Received: {size}"
            )
        # The small step up: 0.29 of 100 rows is 29, though the product of the doubles
        # is 28.999...
        counts.append(int(size) if size >= 1 else math.floor(size * rows + 1e-6))
    if sum(counts) >= rows:
        raise UnrollError(
            f"{rows} rows are too few for a test block after {counts[0]} to train on and {counts[1]} to validate on"
        )
    return counts[0], sum(counts)


def published_rows(
    rows: int, first: int, second: int, windows: Windowing, batch_size: int
) -> Rows:
    """The rows that the generator of documents 001 and 002 uses, its slips included.

    Train rows are drawn from [lookback, first). Validation runs from first + 1 +
    lookback up to `second`, test from second + 1 + lookback up to rows - delay - 1, in
    whole batches: where a batch would reach the end, the generator starts again, so a
    cycle over n rows is (n - 1) // batch_size batches, or, where that is none, the n
    rows at once. A target may lie beyond the border of its block.

    Args:
        rows: of the series.
        first: the first row of the validation block.
        second: the first row of the test block.
        windows: how they are cut; `delay` counts from a window's row, and the last
            input lies a step before that.
        batch_size: rows that the generator gives at once.
    """

    def cycle(start: int, stop: int) -> Array:
        batches = (stop - start - 1) // batch_size
        return np.arange(start, start + batches * batch_size if batches > 0 else stop)

    return {
        "train": np.arange(windows.lookback, first),
        "validation": cycle(first + 1 + windows.lookback, second),
        "test": cycle(second + 1 + windows.lookback, rows - windows.first - 1),
    }


def document_rows(
    rows: int, first: int, second: int, windows: Windowing, batch_size: int | None
) -> Rows:
    """`published_rows`; without batches `utility_rows`."""
    if batch_size is None:
        return utility_rows(rows, first, second, windows)
    return published_rows(rows, first, second, windows, batch_size)


def utility_rows(rows: int, first: int, second: int, windows: Windowing) -> Rows:
    """The rows that `keras.utils.timeseries_dataset_from_array` uses, as document 006
    calls it.

    A window's inputs lie in one block, and its target may lie in the next. Of the test
    block the document leaves out as many rows as lie from a window's first input to its
    target, so the last windows are not used.

    Args:
        rows: of the series.
        first: the first row of the validation block.
        second: the first row of the test block.
        windows: how they are cut; `delay` counts from the last input.
    """
    last = rows - windows.lookback - windows.first + windows.step
    blocks = {
        "train": (0, first),
        "validation": (first, second),
        "test": (second, last),
    }
    return {
        split: np.arange(start + windows.lookback, stop + windows.step)
        for split, (start, stop) in blocks.items()
    }


def corrected_rows(
    series: Series,
    first: int,
    second: int,
    windows: Windowing,
    *,
    freq: int,
    target: int,
) -> tuple[Rows, dict[str, int]]:
    """Every row whose window and targets lie in one block, with no gap between them.

    Args:
        series: as `clean` gives it.
        first: the first row of the validation block.
        second: the first row of the test block.
        windows: how they are cut.
        freq: seconds from one row to the next.
        target: the column to forecast; where nothing was measured of it, there is
            nothing to be right about.

    Returns:
        The rows, and how many were lost: words -> count.
    """
    # a window's first row needs its lagged value, too
    lookback = windows.lookback + windows.lag
    # `Windows` counts from the row after the last step
    ahead = windows.ahead - windows.step
    # a window crosses no gap if both of its ends are of one run
    runs = runs_of(series, freq)
    blocks = {
        "train": (series.start, first),
        "validation": (first, second),
        "test": (second, len(series.values)),
    }
    rows: Rows = {}
    lost = {"windows lost to gaps": 0, "windows lost to unknown targets": 0}
    for split, (start, stop) in blocks.items():
        earliest = (
            max(series.start + lookback, start - ahead[0])
            if windows.overlap
            else start + lookback
        )
        candidates = np.arange(earliest, stop - ahead[-1])
        whole = runs[candidates - lookback] == runs[candidates + ahead[-1]]
        known = np.full(len(candidates), not windows.partial)
        for steps in ahead:
            measured = ~series.unknown[candidates + steps, target]
            known = known | measured if windows.partial else known & measured
        rows[split] = candidates[whole & known]
        lost["windows lost to gaps"] += int((~whole).sum())
        lost["windows lost to unknown targets"] += int((whole & ~known).sum())
    return rows, lost


def runs_of(series: Series, freq: int) -> Array:
    """(rows,) the number of the run that each row is of; rows of one have no gap
    between them.
    """
    breaks = np.diff(series.timestamps).astype(np.int64) != freq * 1000
    runs = np.concatenate([[0], np.cumsum(breaks)])
    if series.late is not None:  # a late row is a run of its own
        runs = runs + np.cumsum(series.late) + np.cumsum(np.roll(series.late, 1))
    return np.asarray(runs)


def inputs_of(series: Series, fitted: Fitted, statistics: Statistics) -> Array:
    """What models see: (rows, columns + calendar) float32, by the mean and deviation of
    the train rows.
    """
    columns = series.values.shape[1]
    week = fitted.windows.week
    inputs = np.empty(
        (len(series.values), columns + calendar_columns(week=week)), np.float32
    )
    for column in range(columns):
        inputs[:, column] = (
            series.values[:, column] - statistics.mean[column]
        ) / statistics.std[column]
    for start in range(0, len(inputs), BLOCK):
        moments = on_clock(
            series.timestamps[start : start + BLOCK], fitted.csv, fitted.cleaning
        )
        moments = row_calendar.spread(moments, fitted.cleaning)
        inputs[start : start + BLOCK, columns:] = calendar(moments, week=week)
    return inputs


def on_clock(moments: Array, csv: CsvFormat, cleaning: Cleaning) -> Array:
    """Timestamps (rows,) as the clock of the file shows them."""
    moments = row_calendar.stamps(moments, cleaning, csv.time_zone)
    return (
        moments
        if csv.time_zone is None
        else timestamps.to_wall_clock(moments, csv.time_zone)
    )


def holidays_of(country: str, moments: Array) -> Array:
    """(rows,) whether timestamps lie on a holiday. Raises UsageError if the country is
    unknown.
    """
    import holidays

    years = 1970 + np.unique(moments.astype("datetime64[Y]")).astype(int)
    try:
        days = holidays.country_holidays(country, years=years.tolist())
    except NotImplementedError:
        raise UsageError(
            f"holidays must be a country such as DE or US. Received: {country!r}"
        ) from None
    return np.isin(moments.astype("datetime64[D]"), np.array([*days], "datetime64[D]"))


def calendar_columns(*, week: bool) -> int:
    """How many columns `calendar` gives."""
    return 6 if week else 4


def calendar(moments: Array, *, week: bool = False) -> Array:
    """When a row is: sine and cosine of the time of day, then of the time of year, then
    perhaps of the week.

    Args:
        moments: (rows,) datetime64[ms]; a day begins at 00:00 of their clock, a week on
            Thursday as 1970 did.
        week: whether it tells the week.

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

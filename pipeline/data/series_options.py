"""The form of a file of rows, how its rows are cleaned, and how they are cut into
windows.
"""

import operator
from typing import Annotated, Literal

import numpy as np
import pydantic

from pipeline.data.examples import Array
from pipeline.validation import Strict

Count = Annotated[int, pydantic.Field(ge=1, le=1_000_000_000)]
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Rows = str | dict[str, str] | None
"""What rows of no even distance are made of; see `Cleaning`."""


class CsvFormat(Strict):
    """How files of rows are written, CSV or Parquet, and which of their columns are
    wanted.

    Attributes:
        file: its name in the folder of a source.
        stamp: the columns of times, which `stamp_format` has with a space between.
        target: the column to forecast.
        stamp_format: as `strptime` takes it, with `%q` for a quarter and `%G` with `%V`
            for a week; "ISO8601"; "unix", "unix_ms", "unix_us" or "unix_ns" since 1970;
            "excel", days since 30 December 1899; or a year with decimals,
            "decimal_month" for months and quarters, else "decimal_year".
        first_year: the first of the hundred years that the two digits of `%y` stand
            for; by default 1969.
        time_zone: such as "Europe/Berlin", if stamps are read from a clock that keeps
            daylight saving. Rows are then in the order of UTC, and the calendar's hours
            are that clock's.
        ends: whether stamps tell the end of what was measured; with a time zone.
        drop: columns to leave out.
        categories: columns of words; each word becomes a column of 0 and 1.
        series_id: the column that says which of several series a row belongs to;
            `leave_out` names some of them.
        missing: words and numbers that mean no value, "" an empty cell; if left out,
            such a cell is an error.
        encoding, delimiter, decimal, thousands: of the text; a delimiter that is a
            space stands for any white space.
        names: of the columns, in a file without a header.
        skip: lines before the header.
        units_rows: lines right below the header, the first of which holds units.
    """

    file: str = ""
    stamp: list[str] = pydantic.Field(default=[])
    target: str = ""
    stamp_format: str = "ISO8601"
    first_year: int | None = pydantic.Field(default=None, exclude_if=operator.not_)
    time_zone: str | None = None
    ends: bool = False
    drop: list[str] = pydantic.Field(default=[])
    categories: list[str] = pydantic.Field(default=[])
    series_id: str | None = None
    leave_out: list[str] = pydantic.Field(default=[], exclude_if=operator.not_)
    missing: list[str] | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    names: list[str] | None = None
    skip: int = 0
    units_rows: int = 0

    @property
    def words(self) -> list[str]:
        """The columns that are read as words: categories, and the series' names."""
        return [*self.categories, *filter(None, [self.series_id])]


class Cleaning(Strict):
    """How rows are completed before they are cut into windows. A row depends on no
    later one.

    A missing value takes the last good value of its column; rows before the first good
    value are left out.

    Attributes:
        spacing: seconds from row to row; the median of the file if left out.
        sentinel: the number that stands for a missing value, too.
        fill: rows. Gaps of up to so many are filled from the past, and the column
            `filled` is 1 there; longer ones cut windows. If left out, each gap does.
        repeat: rows of a cycle. With `fill` gaps of up to seven cycles are filled: what
            is missing for longer than `fill` rows takes the value of a cycle before.
        rows: of what rows are made that have no even distance, so that none is a gap:
            "business" days; "month", by its first day or as in "month, business day
            -1", the last one, and "month, day 30", which is the last one of February;
            or opening hours, a day of the week -> "07:00-17:00", the first row's time
            and the last one's, `spacing` apart; by the clock of `time_zone`.
        measured: whether rows without a target are left out, such as days on which
            nothing is sold.
        until: the last row that counts, as ISO 8601; in UTC with a time zone. Later
            rows are for the refit alone, so that they change no evaluation.
    """

    spacing: Count | None = None
    sentinel: float | None = None
    fill: int | None = None
    repeat: Count | None = None
    rows: Rows = None
    measured: bool = False
    until: str | None = None


class Windowing(Strict):
    """What a window of rows holds, and which values are asked for after it.

    Attributes:
        lookback: rows that a window spans, a multiple of `step`.
        delay: rows to forecast ahead, by default `step`: the next value.
        horizon: how many values to forecast at once: the one `delay` rows ahead and
            those after it, `step` rows apart.
        step: rows from one input to the next.
        stride: rows from one window to the next that models learn from.
        target_lags: rows. The target so long before is a further input of each row.
        week: whether the calendar tells the day of the week, too.
        overlap: whether windows of a block may begin in the block before; their targets
            never lie there.
        partial: whether windows count of whose targets some were not measured; those
            cost a method that has a row for each value no more than themselves. Rows
            before the first measured target are left out.
        future: columns whose later values are known beforehand. Each row has them as
            they are when the last value that is asked for comes.
        holidays: a country, such as "DE"; the column `holiday` is 1 on its holidays,
            known beforehand.
        unit, quantity: of the target, for reports.
    """

    lookback: Count
    delay: Count | None = None
    horizon: Annotated[int, pydantic.Field(ge=1, le=10_000)] = 1
    step: Count = 1
    stride: Count = 1
    target_lags: Annotated[list[Count], pydantic.Field(max_length=100)] = (
        pydantic.Field(default=[])
    )
    week: bool = False
    overlap: bool = False
    partial: bool = False
    future: list[str] = pydantic.Field(default=[])
    holidays: str | None = None
    unit: str = ""
    quantity: str = "value"

    @property
    def first(self) -> int:
        """Rows from a window's last input to the first value that is asked for."""
        return self.delay or self.step

    @property
    def ahead(self) -> Array:
        """Rows from a window's last input to each value that is asked for (horizon,)."""
        return self.first + self.step * np.arange(self.horizon)

    @property
    def lag(self) -> int:
        """Rows that the inputs of a row look back."""
        return max(self.target_lags, default=0)


class Statistics(Strict):
    """Statistics of a series' columns over the train rows, without the calendar."""

    mean: list[float]
    std: list[float]
    low: list[float]
    high: list[float]


class Fitted(Strict):
    """Everything that turns new rows into inputs, as it was when the data set was made.

    Attributes:
        csv, cleaning, windows: of the preparation; the spacing as it was found, where
            it was not given.
        columns: of a row, in their order, the calendar left out.
        series: name of a series -> its statistics; one that is alone is `ALONE`.
        slip: rows that the documents' generator forgets between the last input and the
            target; else 0.
    """

    csv: CsvFormat
    cleaning: Cleaning
    windows: Windowing
    columns: list[str]
    series: dict[str, Statistics]
    slip: int = 0


ALONE = ""
"""The name of a series that is alone in its file."""

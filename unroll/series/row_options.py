"""The options of an answer's rows: the form of their file, how they are cleaned, and how
they are cut into windows.
"""

import operator
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Array
from pipeline.data.windowing import Count, Statistics, WindowSpec
from pipeline.errors import UnrollError
from pipeline.validation import Strict

Lines = Annotated[int, pydantic.Field(ge=0, le=1_000_000)]
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

A_DAY = np.timedelta64(1, "D")

SLOTS = 24

POSITIONS = len(WEEKDAYS) * SLOTS
"""Number of positions in the cycle: the hours of a week."""

RECENT = 52
"""Rows over which the recent change and the recent level of a series are means."""

Rows = str | dict[str, str] | None
"""The calendar of rows that are not evenly spaced; see `Cleaning.rows`."""


class CsvFormat(Strict):
    """The form of a file of rows, CSV or Parquet, and the columns to read.

    Attributes:
        stamp: the columns of times; `stamp_format` has a space between two of them.
        target: the column to forecast.
        stamp_format: one of
            - a format of `strptime`, with `%q` for a quarter, and `%G` and `%V` for a
              week;
            - "ISO8601";
            - "unix", "unix_ms", "unix_us" or "unix_ns", counted from 1970;
            - "excel", days since 30 December 1899;
            - "decimal_month" for months and quarters as a year with decimals.
        first_year: the first of the hundred years that the two digits of `%y` stand
            for; by default 1969.
        time_zone: the time zone, such as "Europe/Berlin", of a clock with daylight
            saving. Rows are then in the order of UTC, and hours are those of the clock.
        ends: with a time zone, whether a timestamp is the end of the measured interval.
        drop: columns to leave out.
        categories: columns of words. Each word becomes a column of 0 and 1.
        series_id: the column that names the series of each row, if there are several.
        leave_out: the names of series to leave out.
        missing: words and numbers that stand for a missing value; "" is an empty cell.
            If left out, such a cell is an error.
        encoding, delimiter, decimal, thousands: the form of the text. A space as
            delimiter stands for any white space.
        names: the names of the columns, for a file without a header.
        skip: the number of lines before the header.
        units_rows: the number of lines right below the header, the first of which holds
            units.
    """

    stamp: list[str] = pydantic.Field(default=[])
    target: str = ""
    stamp_format: str = "ISO8601"
    first_year: int | None = pydantic.Field(default=None, exclude_if=operator.not_)
    time_zone: Annotated[str, pydantic.Field(min_length=1)] | None = None
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
    skip: Lines = 0
    units_rows: Lines = 0

    @property
    def words(self) -> list[str]:
        """The columns that are read as words: `categories` and `series_id`."""
        return [*self.categories, *filter(None, [self.series_id])]


class Cleaning(Strict):
    """Options of cleaning rows, before windows are cut.

    No row depends on a later row. A missing value takes the last good value of its
    column. Rows before the first good value are left out.

    Attributes:
        spacing: seconds from row to row; by default the median of the file.
        fill: the longest gap, in rows, that is filled from the past. The column
            `filled` is 1 in filled rows. No window crosses a longer gap. If left out,
            no window crosses any gap.
        repeat: rows of a cycle. With `fill`, gaps of up to seven cycles are filled:
            beyond `fill` rows a missing value takes the value one cycle earlier.
        rows: the calendar of rows that are not evenly spaced, by the clock of
            `time_zone`. One of
            - "business" for business days;
            - "month" for the first day of each month, "month, day 30" for the 30th or,
              in February, the last day, or "month, business day -1" for the last
              business day;
            - opening hours: day of the week -> "07:00-17:00", the times of its first
              and its last row, with rows `spacing` seconds apart.
        timestep: rows of the file that become one row, `spacing` seconds long, before
            anything else happens to them.
        aggregate: what the target of such a row is, the "mean" or the "sum" of its
            rows. Other columns have the mean.
    """

    spacing: Count | None = None
    fill: int | None = None
    repeat: Count | None = None
    rows: Rows = None
    timestep: Count = 1
    aggregate: Literal["mean", "sum"] = "mean"

    @property
    def of_file(self) -> "Cleaning":
        """The options of the rows as the file has them."""
        spacing = self.spacing and self.spacing // self.timestep
        return self.model_copy(update={"spacing": spacing, "timestep": 1})


class SeriesWindows(WindowSpec):
    """The windows of an answer's series.

    A window counts if some of its targets were measured. It may begin in the block
    before.

    Each row is an input, and the first value to forecast is that of the next row.

    Attributes, besides those of `WindowSpec`:
        stride: rows from one window to the next, for the windows that models learn
            from.
        week: whether the calendar includes the day of the week.
        begun: whether windows count whose first rows lie before the first row of their
            series, such as a new product's. Whoever takes them says what these rows hold.
        future: columns whose later values are known in advance. Each row holds their
            values at the time of the last value to forecast.
        holidays: a country such as "DE", or a state such as "DE-BY". The column `holiday`, known in advance, is 1
            on its holidays.
        whole: whether a window reaches back to the first row of its series, or to its
            last long gap. Each series then has its own timestamps.
    """

    delay: None = None
    step: Literal[1] = 1
    stride: Count = 1
    week: bool = False
    begun: bool = False
    future: list[str] = pydantic.Field(default=[])
    holidays: str | None = None
    whole: bool = False


class Preprocessing(Strict):
    """Everything that turns new rows into inputs, as of the making of the data set.

    Attributes:
        csv, cleaning, windows: the options of the preparation. A spacing that was not
            given is the one that was found.
        columns: the names of a row's columns, without the calendar.
        series: name of a series -> its statistics; a single series is named `ALONE`.
    """

    csv: CsvFormat
    cleaning: Cleaning
    windows: SeriesWindows
    columns: list[str]
    series: dict[str, Statistics]

    @property
    def target(self) -> int:
        """The column that is forecast."""
        return self.columns.index(self.csv.target)

    @property
    def read(self) -> list[str]:
        """The columns from a file: numbers, then a column for each word."""
        derived = (self.cleaning.fill is not None) + len(self.windows.future)
        derived += bool(self.windows.holidays)
        return self.columns[: len(self.columns) - derived]

    @property
    def of_rows(self) -> list[int]:
        """The places of columns that are unknown where a series has no row.

        The calendar and the mark of filled rows are known there, too.
        """
        places = [*range(len(self.columns) - bool(self.windows.holidays))]
        if self.cleaning.fill is not None:
            places.remove(len(self.read))
        return places

    @property
    def numbers(self) -> list[str]:
        """The columns of numbers."""
        words = tuple(f"{name}=" for name in self.csv.words)
        return [name for name in self.read if not name.startswith(words)]

    @property
    def row(self) -> np.timedelta64:
        """The time from row to row."""
        return np.timedelta64(1000 * (self.cleaning.spacing or 1), "ms")

    @property
    def reach(self) -> int:
        """Consecutive rows that a forecast needs: those of a window."""
        return self.windows.lookback

    def positions(self, times: Any) -> Array:
        """Return the positions of timestamps in the week: its hour, or its day.

        Args:
            times: (n,) pandas DatetimeIndex, on the clock of the series.

        Returns:
            (n,) integers below `POSITIONS`; 0 if a timestep is longer than a day.
        """
        if self.row > A_DAY:
            return np.zeros(len(times), int)
        return np.asarray(times.day_of_week.to_numpy() * SLOTS + times.hour)

    def lowest(self, name: str) -> float:
        """Return the smallest value that is forecast of a series, in the target's unit.

        It is 0 if no row that was learnt from lies below 0, else minus infinity.
        """
        return -np.inf if self.series[name].low[self.target] < 0 else 0.0

    def scale(self, name: str) -> Scale:
        """Return the scale of a series' targets, by its mean and deviation."""
        return Scale(
            mean=self.series[name].mean[self.target],
            std=self.series[name].std[self.target],
            unit=self.windows.unit,
            quantity=self.windows.quantity,
        )


ALONE = ""
"""The name of a single series."""


def scales(dataset: Dataset) -> dict[str, Scale]:
    """Return name of a series -> the scale of its targets."""
    fitted = fitted_of(dataset)
    return {name: fitted.scale(name) for name in fitted.series}


def fitted_of(dataset: Dataset) -> Preprocessing:
    """Return how rows are prepared.

    Raises:
        UnrollError: the data set is no series of a file.
    """
    if not isinstance(dataset.fitted, Preprocessing):
        raise UnrollError(f"{dataset.name} is no series of a file")
    return dataset.fitted

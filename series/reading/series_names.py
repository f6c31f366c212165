"""The column that says which of several series a row belongs to."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.errors import UsageError
from series.reading import notations
from series.reading.timestamp_formats import as_text

MOST_SERIES = 10_000
"""Largest number of series in a file."""

FEW = 50
"""Largest number of words of a column that names series only beside other columns."""

LONG_FORMAT = ("unique_id", "item_id", "series_id")
"""Names of the column of series in the long format of forecasting libraries."""

PARTS_OF_A_DAY = (24, 25, 48, 50, 96, 100, 144, 150)
"""Numbers of hours, half hours and such of a day, which some files count in a column.

Some files have an hour more in autumn."""

DISTINCT = 0.99
"""Share of rows that a column of series must tell apart.

The other rows are of the nights when clocks are put back."""

FILLED = 0.5
"""Smallest share of all timestamps that series have, on average."""

REPEATED = 0.7
"""Different timestamps per row, up to which a file may hold several series."""

SOMETIMES = 0.99
"""Different timestamps per row, up to which a file may hold several even series."""

EVEN = 0.8
"""Share of even steps from which a series counts as even."""

PART_OF_TIME = re.compile(
    r"(?<![a-z])(time|hour|hr|he|minute|min|day|month|mon|quarter|qtr|week|period|"
    r"interval|half|date|zeit|uhrzeit|stunde|minute|tag|datum|monat|quartal|woche|kw|von|bis|"
    r"heure|mois|hora|mes|dia)(?![a-z])",
    re.IGNORECASE,
)
"""Names of columns that may hold a part of the time."""

MOST_PARTS = 400
"""Largest number of words that count parts of the time."""

COUNTED = re.compile(
    r"(?:h|he|hour|q|m|month|w|kw|day)?[ _]?(\d{1,4})(?:[.:h]\d+\w*)?", re.IGNORECASE
)
"""A part of the time, as a cell or a heading: H1, Q4, 31, 02:00."""


@dataclass(frozen=True)
class SeriesNames:
    """The names of a file's series.

    Attributes:
        column: the column of the names; None for a single series.
        names: the names, sorted; empty for a single series without a name.
        why: the reason for the column, if the column is a guess.
        of_rows: (rows,) the name of each row's series; None for a single series.
    """

    column: str | None = None
    names: Sequence[str] = ()
    why: str = ""
    of_rows: Array | None = None

    def rows(self, count: int) -> Iterator[Array]:
        """Yield the row numbers of each series, of `count` rows in all, in order."""
        if self.of_rows is None:
            yield np.arange(count)
            return
        codes, names = pd.factorize(self.of_rows)
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(1, len(names)))
        yield from np.split(order, starts)


def series_names(frame: pd.DataFrame, moments: Array, path: Path) -> SeriesNames:
    """Return the series of a file's rows.

    Each series has a timestamp once, except for the hours that come twice in autumn. A
    column with a name of the long format is taken. Without such a column, a file holds
    several series only if timestamps repeat.

    Args:
        frame: the rows, without the columns of the timestamp.
        moments: (rows,) datetime64[ms].
        path: the file, for messages.

    Raises:
        UsageError: there are too many series, or no column tells apart rows that differ
            at one timestamp.
    """
    found = _in_long_format(frame, moments) or _told_apart(frame, moments, path)
    if len(found.names) > MOST_SERIES:
        raise UsageError(
            f"{path} holds {len(found.names):,} series, by {found.column!r}; keep "
            f"at most {MOST_SERIES:,}"
        )
    return found


def _in_long_format(frame: pd.DataFrame, moments: Array) -> SeriesNames | None:
    """Return the series by a column of the long format; None where there is none."""
    for name in frame.columns:
        if name.lower() not in LONG_FORMAT:
            continue
        texts = as_text(frame[name]).reset_index(drop=True)
        names = sorted(texts[texts != ""].dropna().unique())
        if len(names) == 1:
            return SeriesNames(None, names)
        if names and _apart(texts, moments) >= DISTINCT:
            return SeriesNames(name, names, "", texts.fillna("").to_numpy(object))
    return None


def _told_apart(frame: pd.DataFrame, moments: Array, path: Path) -> SeriesNames:
    """Return the series by a column that tells rows of one timestamp apart."""
    times = len(timestamps.distinct(moments))
    if times < 2 or times > SOMETIMES * len(moments):
        return SeriesNames()
    often = times <= REPEATED * len(moments)
    for name in frame.columns:
        texts = as_text(frame[name]).reset_index(drop=True)
        counts = texts[texts != ""].value_counts()
        if len(counts) < 2 or counts.median() < 2 or counts.max() * DISTINCT > times:
            continue
        filled = counts.mean() >= FILLED * times or 2 * counts.max() >= times
        even = (often and filled) or _each_even(texts, moments)
        if not even or _apart(texts, moments) < DISTINCT:
            continue
        words = list(counts.index)
        _require_no_part_of_time(name, words, path)
        why = ""
        if _counts_parts_of_a_day(words):
            why = (
                f"{name!r} may count parts of a day, too; then make {name!r} part of "
                "the timestamp"
            )
        if why and len(words) > FEW:
            raise UsageError(
                f"{path} holds {len(words)} series, by {name!r}; {why}, else call it "
                "unique_id"
            )
        of_rows = texts.fillna("").to_numpy(object)
        return SeriesNames(name, sorted(words), why, of_rows)
    different = len(frame.assign(**{"the stamp": moments}).drop_duplicates())
    if often and different > 2 * times:
        few = [name for name in frame if 1 < frame[name].nunique() <= FEW]
        raise UsageError(
            f"{path}: each timestamp occurs {len(frame) / times:.3g} times, with other "
            "numbers, and no single column names the series; join the columns that do "
            f"({' and '.join(few) or 'none has few values'}) into one, or keep one "
            "series"
        )
    return SeriesNames()


def _apart(names: "pd.Series[str]", moments: Array) -> float:
    """Return the share of rows that differ in their name or their timestamp."""
    rows = pd.DataFrame({"stamp": moments, "series": names})
    return float(1 - rows.duplicated().mean())


def _each_even(names: "pd.Series[str]", moments: Array) -> bool:
    """Return whether the rows of each series have the median distance of all series."""
    rows = pd.DataFrame({"series": names, "stamp": moments})
    rows = rows.sort_values(["series", "stamp"])
    steps = rows.groupby("series")["stamp"].diff()
    even = (steps == steps.median())[steps.notna()]
    return bool(even.groupby(rows["series"]).mean().min() >= EVEN)


def _require_no_part_of_time(column: str, words: Sequence[str], path: Path) -> None:
    """Raise UsageError if a column holds parts of the time, not names of series."""
    weekdays = notations.WEEKDAYS.split()
    months = notations.MONTHS
    named = all(
        word.lower() in weekdays or notations.plain_date(word) in months
        for word in words
    )
    numbered = PART_OF_TIME.search(column) and all(map(COUNTED.fullmatch, words))
    if named or (numbered and len(words) <= MOST_PARTS):
        raise UsageError(
            f"{path}: column {column!r} may be a part of the time, since each "
            f"timestamp stands {len(words)} times; join both in the file, as in "
            "2024-01-31 13:00, or rename the column if it names series"
        )


def _counts_parts_of_a_day(words: Sequence[str]) -> bool:
    """Return whether words count parts of a day, from 0 or 1 on."""
    numbers = pd.to_numeric(pd.Series(words), errors="coerce")
    span = numbers.max() - numbers.min()
    counted = numbers.min() in {0, 1} and span == len(words) - 1
    return bool(counted) and len(words) in PARTS_OF_A_DAY

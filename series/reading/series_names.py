"""Which column says which of several series a row belongs to."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data import notations, timestamps
from pipeline.data.examples import Array
from pipeline.data.row_table import MOST_CATEGORIES, MOST_SERIES
from pipeline.errors import UsageError

LONG_FORMAT = ("unique_id", "item_id", "series_id")
"""Names of the series' column in the long format of forecasting libraries."""

PARTS_OF_A_DAY = (24, 25, 48, 50, 96, 100, 144, 150)
"""Hours, half hours and such, which some files count in a column of its own; some have
an hour more in autumn."""

DISTINCT = 0.99
"""The share of rows that a column must tell apart by series.

The others are of the nights when clocks are put back."""

FILLED = 0.5
"""The share of all timestamps that series have, at least on average."""

REPEATED = 0.7
"""Different timestamps, as a fraction of the rows, up to which there may be several
series."""

SOMETIMES = 0.99
"""As `REPEATED`, for series of which each is even."""

EVEN = 0.8
"""The share of even steps that each of those series must have."""

PART_OF_TIME = re.compile(
    r"(?<![a-z])(time|hour|hr|he|minute|min|day|month|mon|quarter|qtr|week|period|interval|half|"
    r"date|zeit|uhrzeit|stunde|minute|tag|datum|monat|quartal|woche|kw|von|bis|"
    r"heure|mois|hora|mes|dia)(?![a-z])",
    re.IGNORECASE,
)
"""What a column is called that may hold a part of the time."""

COUNTED = re.compile(
    r"(?:h|he|hour|q|m|month|w|kw|day)?[ _]?(\d{1,4})(?:[.:h]\d+\w*)?", re.IGNORECASE
)
"""A part of the time, as a cell or a heading: H1, Q4, 31, 02:00."""


@dataclass(frozen=True)
class SeriesNames:
    """Which series rows belong to.

    Attributes:
        column: says so; None for a single series.
        names: of the series, sorted; one, where a column names a single series.
        why: the column was chosen, if that is not certain.
        of_rows: (rows,) the names of the rows' series; None for a single series.
        count: rows.
    """

    column: str | None = None
    names: Sequence[str] = ()
    why: str = ""
    of_rows: Array | None = None
    count: int = 0

    def rows(self) -> Iterator[Array]:
        """Give the numbers of each series' rows, in their order."""
        if self.of_rows is None:
            yield np.arange(self.count)
            return
        codes, names = pd.factorize(self.of_rows)
        order = np.argsort(codes, kind="stable")
        yield from np.split(
            order, np.searchsorted(codes[order], np.arange(1, len(names)))
        )


def series_names(frame: pd.DataFrame, moments: Array, path: Path) -> SeriesNames:
    """Return the column that says which series a row belongs to, and the series' names.

    Each series has a timestamp once, except for the hours that come twice in autumn. In
    the long format of forecasting libraries the column is known by its name; otherwise
    there are several series only where timestamps repeat.

    Args:
        frame: the rows, without the columns of the timestamp.
        moments: (rows,) datetime64[ms].
        path: of the file, for messages.

    Raises:
        UsageError: there are too many series, or no column tells apart rows that differ
            at one timestamp.
    """
    found = _in_long_format(frame, moments, path)
    if found is None:
        found = _told_apart(frame, moments, path)
    return found or SeriesNames(count=len(frame))


def _in_long_format(
    frame: pd.DataFrame, moments: Array, path: Path
) -> SeriesNames | None:
    """Return the series by a column of the long format; None where there is none."""
    for name in frame.columns:
        if name.lower() not in LONG_FORMAT:
            continue
        texts = timestamps.as_text(frame[name]).reset_index(drop=True)
        names = sorted(texts[texts != ""].dropna().unique())
        if len(names) == 1:
            return SeriesNames(None, names, count=len(frame))
        if names and _apart(texts, moments) >= DISTINCT:
            return _found(name, texts, names, "", path)
    return None


def _told_apart(frame: pd.DataFrame, moments: Array, path: Path) -> SeriesNames | None:
    """Return the series by a column that tells apart rows of one timestamp; None
    without one.
    """
    times = len(timestamps.distinct(moments))
    if times < 2 or times > SOMETIMES * len(moments):
        return None
    often = times <= REPEATED * len(moments)
    for name in frame.columns:
        texts = timestamps.as_text(frame[name]).reset_index(drop=True)
        counts = texts[texts != ""].value_counts()
        if not _may_be_series(counts, times) or _apart(texts, moments) < DISTINCT:
            continue
        filled = (
            counts.sum() >= FILLED * times * len(counts) or 2 * counts.max() >= times
        )
        if not (often and filled) and not _each_even(texts, moments):
            continue
        _require_no_part_of_time(name, counts.index, path)
        why = ""
        if _counts_parts_of_a_day(counts.index):
            why = f"{name!r} may count parts of a day, too; then make it part of the stamp"
            if len(counts) > MOST_CATEGORIES:
                raise UsageError(
                    f"{path} holds {len(counts)} series, by {name!r}; {why}, else call it unique_id"
                )
        return _found(name, texts, sorted(counts.index), why, path)
    if (
        often
        and len(frame.assign(**{"the stamp": moments}).drop_duplicates()) > 2 * times
    ):
        raise UsageError(f"{path}: {_no_column(frame, times)}")
    return None


def _apart(names: "pd.Series[str]", moments: Array) -> float:
    """Return the share of rows that differ in their name or their timestamp."""
    rows = pd.DataFrame({"stamp": moments, "series": names})
    return float(1 - rows.duplicated().mean())


def _each_even(names: "pd.Series[str]", moments: Array) -> bool:
    """Return whether the rows of each series have the median distance of all series."""
    rows = pd.DataFrame({"series": names, "stamp": moments}).sort_values(
        ["series", "stamp"]
    )
    steps = rows.groupby("series")["stamp"].diff()
    even = (steps == steps.median())[steps.notna()]
    return bool(even.groupby(rows["series"]).mean().min() >= EVEN)


def _found(
    column: str, texts: "pd.Series[str]", names: Sequence[str], why: str, path: Path
) -> SeriesNames:
    """Return the series of a column. Raises UsageError if there are too many."""
    if len(names) > MOST_SERIES:
        raise UsageError(
            f"{path} holds {len(names):,} series, by {column!r}; leave all but {MOST_SERIES:,} out"
        )
    return SeriesNames(
        column, names, why, texts.fillna("").to_numpy(object), len(texts)
    )


def _may_be_series(counts: "pd.Series[int]", times: int) -> bool:
    """Return whether a column has words that several rows have, and none has too many
    rows.
    """
    return (
        len(counts) >= 2 and counts.median() >= 2 and counts.max() * DISTINCT <= times
    )


def _require_no_part_of_time(column: str, words: Sequence[str], path: Path) -> None:
    """Raise UsageError if the words of a column are parts of the time, not names of
    series.
    """
    words_of_time = all(_names_a_time(word) for word in words[:400])
    counted = PART_OF_TIME.search(column) and len(words) <= 400
    if words_of_time or (counted and all(COUNTED.fullmatch(word) for word in words)):
        raise UsageError(
            f"{path}: column {column!r} may be a part of the time, since each stamp stands "
            f"{len(words)} times; join both in the file, as in 2024-01-31 13:00, or rename the "
            "column if it names series"
        )


def _names_a_time(word: str) -> bool:
    """Return whether a word is a month or a day of the week."""
    weekday = word.lower() in notations.WEEKDAYS.split()
    return weekday or notations.plain_date(word) in notations.MONTHS


def _counts_parts_of_a_day(words: Sequence[str]) -> bool:
    """Return whether words count from 0 or 1 to as many as a day has parts."""
    numbers = pd.to_numeric(pd.Series(words), errors="coerce")
    counted = (
        numbers.min() in {0, 1} and numbers.max() - numbers.min() == len(words) - 1
    )
    return bool(counted) and len(words) in PARTS_OF_A_DAY


def _no_column(frame: pd.DataFrame, times: int) -> str:
    """Return what is wrong where no column says which series a row belongs to, and what
    to do.
    """
    few = [name for name in frame if 1 < frame[name].nunique() <= MOST_CATEGORIES]
    candidates = " and ".join(few) or "none has few values"
    return (
        f"each stamp stands {len(frame) / times:.3g} times, with other numbers, and no column "
        f"alone says which series a row is of; join those that do ({candidates}) into one, or "
        "leave all but one series out"
    )

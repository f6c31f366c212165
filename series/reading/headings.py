"""The names of columns.

A user may write a name with other letters of upper and lower case. A table with a
column for each time is refused.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import UsageError
from series.reading import (
    notations,
    series_names,
    timestamp_columns,
    timestamp_formats,
)
from series.reading.files import plain_name
from series.reading.timestamp_formats import YEARS

WIDTHS = {12, 24, 25, 28, 29, 30, 31, 48, 96}
"""Numbers of columns that the times of a year, a day or a month take."""

YEAR_FIRST = r"(?<!\d)(\d{4})(?:[/-]\d{1,2}|\.\d{1,2}\.\d{1,2})(?!\d)"
YEAR_LAST = r"(?<!\d)\d{1,2}(?:[/-]|[./-]\d{1,2}[./-])(\d{4})(?!\d)"
"""Patterns of a date that begins or ends with a year of four digits, unlike 2564.74."""

FEW = 3
"""Largest number of columns that are named like times and still hold something else."""


def column_named(name: str, columns: Iterable[str]) -> str:
    """Return the column that a user means by a name.

    The case of letters is ignored if only one column fits. If no column fits, or
    several do, the name is returned as it is.

    Args:
        name: the name that the user wrote.
        columns: the names of a file's columns.
    """
    plain = plain_name(name)
    alike = [column for column in columns if column.casefold() == plain.casefold()]
    if plain in alike:
        return plain
    return alike[0] if len(alike) == 1 else name


def require_no_times_beside_a_date(header: Sequence[str], path: Path) -> None:
    """Raise UsageError if columns are times of a day, a month or a year."""
    for kind in ("hour", "month", "quarter", "weekday"):
        times = [name for name in header if _kind(name) == kind]
        if len(times) > FEW:
            raise turned(path, header, times)
    counted = {
        match[0]: int(match[1])
        for match in map(series_names.COUNTED.fullmatch, header)
        if match
    }
    counts = sorted({*counted.values()})
    if len(counts) in WIDTHS and counts[0] < 2 and np.ptp(counts) == len(counts) - 1:
        raise turned(path, header, list(counted))


def _kind(heading: str) -> str:
    """Return the part of the time that a heading names; "" if it names none."""
    plain = notations.plain_date(heading)
    names = {
        "quarter": re.fullmatch("Q[1-4]", plain),
        "month": plain in notations.MONTHS,
        "weekday": heading.lower() in notations.WEEKDAYS.split(),
        "hour": timestamp_formats.time_formats(plain),
    }
    return next((kind for kind in names if names[kind]), "")


def require_no_times(path: Path, names: Sequence[str]) -> None:
    """Raise UsageError if most names are times.

    A word may stand before the time, as in "X2024.01.31".

    Args:
        path: the file, for the message.
        names: headings, or the cells of a row.
    """
    times = []
    for name in names:
        # 1990 [YR1990]
        plain = re.sub(r"\s*[\[(].*[\])]$|^[A-Za-z]+[_ ]?(?=\d{4})", "", name)
        plain = re.sub(r"(?<=\d)_(?=\d)", "-", plain)
        forms = timestamp_formats.formats(name, digits=False)
        if forms or timestamp_formats.formats(plain, digits=True):
            times.append(name)
    if len(times) > len(names) / 2:
        raise turned(path, names, times)


def strange_year(row: Mapping[str, str]) -> int | None:
    """Return a year of another calendar in a row, such as 2567; None without one.

    Without marks of a date it is a Buddhist year below a heading that names a time.

    Args:
        row: heading -> cell.
    """
    years = []
    for name, cell in row.items():
        years += re.findall(YEAR_FIRST, cell) + re.findall(YEAR_LAST, cell)
        if {*re.findall(r"\w+", name.lower())} & {*timestamp_columns.NAMED.split()}:
            years += re.findall(r"(?<!\d)2[4-6]\d\d(?=\d{4}(?!\d)|(?!\d))", cell)
    return next((int(year) for year in years if int(year) not in range(*YEARS)), None)


def turned(path: Path, names: Sequence[str], times: Sequence[str]) -> UsageError:
    """Return the error that refuses a column for each time.

    The message says how to turn the columns into rows.
    """
    first = times[0]
    kind = _kind(first) or "date"
    others = [name for name in names if name not in times]
    call = f"frame.melt({others!r:.200}, var_name={kind!r})"
    cure = f"turn the table, so that each row has one time (pandas: {call})"
    if kind == "date" and not timestamp_formats.formats(first, digits=True):
        cure = f"write these names like 2024-01-31, 2024-01 or 2024; {cure}"
    if kind == "weekday" or (first.isdigit() and len(first) < len("2024")):
        cure = "make a row of each, with a date such as 2024-01-31"
    return UsageError(
        f"{path}: each column holds another time, from {first!r:.40} to "
        f"{times[-1]!r:.40}; {cure}"
    )

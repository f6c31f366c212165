"""The names of columns: which name a user means, which are times, and which are not for the eye."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.data import notations
from pipeline.data.row_files import RowFile, plain_name, require_same
from pipeline.errors import UnrollError, UsageError
from series.reading import layout, series_names, timestamp_formats

WIDTHS = {12, 24, 25, 28, 29, 30, 31, 48, 96}
"""How many columns there are for the times of a year, a day or a month."""

FEW = 3
"""Columns that may be named like times without being of them."""

QUARTERS = {"q1", "q2", "q3", "q4"}

WEEK = 7
"""Days."""


def column_named(name: str, columns: Iterable[str]) -> str:
    """Return the column of that name, without regard to case if that is unambiguous.

    The name is returned as it is where there is no such column, or several.

    Args:
        name: as a user writes it.
        columns: of a file.
    """
    plain = plain_name(name)
    names = list(columns)
    if plain in names:
        return plain
    alike = [column for column in names if column.casefold() == plain.casefold()]
    return alike[0] if len(alike) == 1 else name


def require_plain(files: Sequence[RowFile]) -> None:
    """Require columns that can be told apart and are alike in all files.

    Raises:
        UnrollError: there are too many, one has a name that is not for the eye, or files differ.
        UsageError: each column is of another time.
    """
    header = files[0].header()
    path = files[0].path
    if len(header) > layout.MOST_COLUMNS:
        what = f"{path} has {len(header):,} columns"
        raise UnrollError(f"{what}; keep those that matter, {layout.MOST_COLUMNS:,} at most")
    for name in header:  # of a file, or to steer a terminal: it is a mistake or mischief
        if re.match(r"\.{0,2}[/\\]|~[/\\]|[A-Za-z]:\\", name) or not name.isprintable():
            what = f"column {name!r:.80} is named like a path"
            raise UnrollError(f"{path}: {what}; rename it in the file")
    times = _times_beside_a_date(header)
    if times:
        raise UsageError(turned(path, header, times))
    require_same(files, header)


def _times_beside_a_date(header: Sequence[str]) -> list[str]:
    """Return columns that are times of a day, a month or a year, in a file with a date, too."""
    clocks = [name for name in header if timestamp_formats.time_formats(name)]
    months = [name for name in header if notations.plain_date(name) in notations.MONTHS]
    for names in (clocks, months):
        if len(names) > FEW:
            return names
    weekdays = [name for name in header if name.lower() in notations.WEEKDAYS.split()]
    if len(weekdays) == WEEK:
        return weekdays
    quarters = [name for name in header if name.lower() in QUARTERS]
    if len({name.lower() for name in quarters}) == len(QUARTERS):
        return quarters
    found = {name: series_names.COUNTED.fullmatch(name) for name in header}
    counted = {name: int(match[1]) for name, match in found.items() if match}
    counts = sorted({*counted.values()})
    whole = len(counts) in WIDTHS and counts[0] < 2 and counts[-1] - counts[0] == len(counts) - 1
    return list(counted) if whole else []


def times_of(names: Sequence[str]) -> list[str]:
    """Return the headings that are times, also behind a word: "X2024.01.31", "1990 [YR1990]"."""
    found = []
    for name in names:
        plain = re.sub(r"\s*[\[(].*[\])]$|^[A-Za-z]+[_ ]?(?=\d{4})", "", str(name))
        plain = re.sub(r"(?<=\d)_(?=\d)", "-", plain)
        forms = timestamp_formats.formats(str(name), digits=False)
        if forms or timestamp_formats.formats(plain, digits=True):
            found.append(name)
    return found


def turned(path: Path, names: Sequence[str], times: Sequence[str]) -> str:
    """Return that columns are of different times, and how to turn them to rows."""
    first = times[0]
    what = f"{path}: each column is of another time, from {first!r:.40} to {times[-1]!r:.40}"
    variable = _variable(first)
    if variable is None:
        return f"{what}; make a row with a date of each, such as 2024-01-31"
    others = [name for name in names if name not in times]
    call = f"frame.melt({others!r:.200}, var_name={variable!r})"
    rename = ""
    if variable == "date" and not timestamp_formats.formats(first, digits=True):
        rename = "write these names like 2024-01-31, 2024-01 or 2024, and "
    return f"{what}; {rename}turn the table, so that each row has one time (pandas: {call})"


def _variable(heading: str) -> str | None:
    """Return what to call a column of such headings; None for a part of a date."""
    if heading.lower() in QUARTERS:
        return "quarter"
    if notations.plain_date(heading) in notations.MONTHS:
        return "month"
    if timestamp_formats.time_formats(heading) or re.match(r"[Hh]\D*\d", heading):
        return "hour"
    if heading.isdigit() and len(heading) < len("2024"):
        return None
    return None if heading.lower() in notations.WEEKDAYS.split() else "date"

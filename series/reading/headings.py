"""The names of columns: which name a user means, which are times, and which are not for
the eye.
"""

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
        UnrollError: there are too many, one has a name that is not for the eye, or
            files differ.
        UsageError: each column is of another time.
    """
    header = files[0].header()
    path = files[0].path
    if len(header) > layout.MOST_COLUMNS:
        raise UnrollError(
            f"{path} has {len(header):,} columns; keep those that matter, "
            f"{layout.MOST_COLUMNS:,} at most"
        )
    # of a file, or to steer a terminal: it is a mistake or mischief
    for name in header:
        if re.match(r"\.{0,2}[/\\]|~[/\\]|[A-Za-z]:\\", name) or not name.isprintable():
            raise UnrollError(
                f"{path}: column {name!r:.80} is named like a path; rename it in the file"
            )
    times = _times_beside_a_date(header)
    if times:
        raise UsageError(turned(path, header, times))
    require_same(files, header)


def _times_beside_a_date(header: Sequence[str]) -> list[str]:
    """Return columns that are times of a day, a month or a year, in a file with a date,
    too.
    """
    for kind in ("hour", "month", "quarter", "weekday"):
        names = [name for name in header if _kind(name) == kind]
        if len(names) > FEW:
            return names
    found = {name: series_names.COUNTED.fullmatch(name) for name in header}
    counted = {name: int(match[1]) for name, match in found.items() if match}
    counts = sorted({*counted.values()})
    whole = (
        len(counts) in WIDTHS
        and counts[0] < 2
        and counts[-1] - counts[0] == len(counts) - 1
    )
    return list(counted) if whole else []


def _kind(heading: str) -> str | None:
    """Return what part of the time a heading is; None for another one."""
    plain = notations.plain_date(heading)
    if re.fullmatch("Q[1-4]", plain):
        return "quarter"
    if plain in notations.MONTHS:
        return "month"
    if heading.lower() in notations.WEEKDAYS.split():
        return "weekday"
    return "hour" if timestamp_formats.time_formats(plain) else None


def times_of(names: Sequence[str]) -> list[str]:
    """Return the headings that are times, also behind a word: "X2024.01.31", "1990
    [YR1990]".
    """
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
    kind = _kind(first) or "date"
    what = f"{path}: each column is of another time, from {first!r:.40} to {times[-1]!r:.40}"
    if kind == "weekday" or (first.isdigit() and len(first) < len("2024")):
        return f"{what}; make a row with a date of each, such as 2024-01-31"
    if kind == "date" and not timestamp_formats.formats(first, digits=True):
        what += "; write these names like 2024-01-31, 2024-01 or 2024"
    others = [name for name in names if name not in times]
    call = f"frame.melt({others!r:.200}, var_name={kind!r})"
    return f"{what}; turn the table, so that each row has one time (pandas: {call})"

"""How a text file of rows is written: encoding, lines before the header, delimiter,
header.
"""

import codecs
import csv
import functools
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.data import notations
from pipeline.errors import UnrollError, UsageError
from series.reading import timestamp_formats

HEAD = 2**18
"""Bytes at a file's beginning that its form is read from; no line has as many."""

MOST_COLUMNS = 500
"""Largest number of columns in a file."""

DELIMITERS = "\t;|, "
"""In the order of trust: a comma may be a decimal mark, a space may be in a stamp."""

MOST_UNITS = 3
"""Rows of units that may follow the header."""

LOOKED_AT = 50
"""Rows below the header that are looked at to tell what it is."""

ALIKE = 0.9
"""The share of rows that must have the same number of cells."""

UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Cells = list[str]
"""The cells of a row."""


@dataclass(frozen=True)
class Layout:
    """The beginning of a file.

    Attributes:
        delimiter: between columns; a space stands for any white space.
        skip: lines before the header, or before the first row if there are `names`.
        names: of the columns, if the file has no header with a name for each.
        units: rows of units below the header.
    """

    delimiter: str
    skip: int
    names: Cells | None
    units: list[Cells]


def encoding(path: Path, known: str | None = None) -> str:
    """Return the encoding of a file: the known one, or ascii, utf-8, cp1252 or latin-1.

    Every byte decides. UTF-16 is recognised by its mark at the beginning. A user's file
    is read by this before anything else reads it, unless it is Parquet.

    Raises:
        UnrollError: the file is empty, packed or no text, or has too many columns or
            too long a line.
        LookupError, UnicodeError: there is no such encoding.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip():
        raise UnrollError(f"{path} is empty; name a file with a header and rows")
    marked = head.startswith(UTF16) and not head.startswith(UTF32)
    wide = marked or len("0".encode(known or "ascii")) > 1
    odd = rb"\x00" if known else rb"[\x00-\x08\x0e-\x1f]"
    if not wide and re.search(odd, head):
        raise UnrollError(
            f"{path} is packed, binary, UTF-32 or UTF-16 without its mark; save it as UTF-8 CSV"
        )
    first_line = re.split(rb"[\r\n]", head.lstrip())[0]
    columns = 1 + max(first_line.count(mark) for mark in DELIMITERS.encode())
    if columns > MOST_COLUMNS:
        raise UnrollError(
            f"{path} has {columns:,} columns, more than {MOST_COLUMNS}; keep those that matter"
        )
    candidates = ["ascii", "utf-8", "cp1252"]
    if known or marked:
        candidates = [known or "utf-16"]
    for name in candidates:
        with suppress(UnicodeDecodeError):
            _require_lines(path, name)
            return name
    return known or "latin-1"


def _require_lines(path: Path, encoding: str) -> None:
    """Read a whole file.

    Raises:
        UnrollError: it has a line that is too long.
        UnicodeDecodeError: it has another encoding.
    """
    size = HEAD // 2
    line = 1
    with path.open(encoding=encoding) as text:
        for block in iter(functools.partial(text.read, size), ""):
            if len(block) == size and "\n" not in block:
                raise UnrollError(
                    f"{path}: line {line:,} has {size:,} characters or more; "
                    "save it with a line for each row"
                )
            line += block.count("\n")


def layout(path: Path, encoding: str, delimiter: str | None) -> Layout:
    """Look at the first lines.

    Raises:
        UnrollError: its rows have no columns, now more, now less of them, or are too
            few.
        UsageError: the delimiter has several letters.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise UsageError(f"--delimiter must be one letter. Received: {delimiter!r}")
    lines = _first_lines(path, encoding)
    if not "".join(lines).strip():
        raise UnrollError(f"{path} is empty; name a file with a header and rows")
    for mark in delimiter or DELIMITERS:
        found = _layout_by(lines, mark, path)
        if found is not None:
            return found
    if delimiter:
        raise UnrollError(
            f"{path} has not the same number of columns in all rows, by {delimiter!r}; "
            "correct the file"
        )
    raise UnrollError(
        f"{path} has no columns that a comma, a semicolon, a tab, a bar or white space divides "
        "alike; give each row as many cells as the header, without quotes around a whole line, "
        "or pass --delimiter, one letter"
    )


def _first_lines(path: Path, encoding: str) -> list[str]:
    """Return the first lines; those that are comments above a header are empty."""
    with path.open("rb") as file:
        head = file.read(HEAD)
        whole = not file.read(1)
    text = head.decode(encoding if encoding != "ascii" else "utf-8", "ignore")
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    if not whole:
        del lines[-1]
    if lines and re.fullmatch(r"sep=.\s*", lines[0]):  # of a spreadsheet
        lines[0] = "\n"
    comments = sum(
        1 for _ in itertools.takewhile(lambda line: line.startswith("#"), lines)
    )
    if comments < len(lines):
        cells = re.split(r"[\t;|, ]", lines[comments])
        if not any(map(_like_data, cells)):
            lines[:comments] = ["\n"] * comments
    return lines


def _layout_by(lines: Sequence[str], mark: str, path: Path) -> Layout | None:
    """Return the layout by a delimiter; None where that does not divide the rows alike."""
    rows = _divided(lines, mark)
    found = _first_row(rows, mark)
    if found is None:
        return None
    first, width = found
    below = [row for row in rows[first + 1 :] if row]
    alike = [row for row in below if len(row) == width] or below
    names = _names(rows, first, alike[:LOOKED_AT], path)
    if names is not None:
        return _checked(Layout(mark, first, names, []), 1 + len(below), path)
    units = _units(alike[:LOOKED_AT])
    longest = max((len(row) for row in below), default=0)
    extra = [cell for row in below for cell in row[width:]]
    layout = Layout(mark, first, None, units)
    if longest > width and not "".join(extra).strip():
        layout = Layout(mark, first + 1, _numbered(rows[first], longest), units)
    return _checked(layout, len(below) - len(units), path)


def _checked(layout: Layout, count: int, path: Path) -> Layout:
    """Return a layout. Raises UnrollError if the file has too few rows."""
    if count >= 2:
        return layout
    rows = "one row" if count else "no row"
    holds = rows if layout.names is not None else f"a header and {rows}"
    raise UnrollError(f"{path} holds {holds}; a series has many")


def _divided(lines: Sequence[str], mark: str) -> list[Cells]:
    """Return the cells of each row."""
    if mark == " ":
        return [line.split() for line in lines]
    return list(csv.reader(lines, delimiter=mark, skipinitialspace=True))


def _first_row(rows: list[Cells], mark: str) -> tuple[int, int] | None:
    """Return the header or, where there is none, the first row, and how many cells it
    has.

    Most rows have as many cells as it, or they lack some at their end, or have empty
    ones more. None where that is not so.
    """
    widths = Counter(len(row) for row in rows if row)
    width, often = widths.most_common(1)[0]
    first = next(index for index, row in enumerate(rows) if len(row) == width)
    before = rows[first - 1] if first else []
    lacking = len(before) > width and any(
        len(row) == len(before) for row in rows[first:]
    )
    if (
        width > 1
        and often >= ALIKE * sum(1 for row in rows[first:] if row)
        and not lacking
    ):
        return first, width
    filled = [_filled(row) for row in rows]
    widest = max(filled)
    first = filled.index(widest)
    below = [row for row in rows[first:] if row]
    ragged = widest > 1 and min(map(len, below)) > 1 and mark != " "
    if not ragged or any(map(_like_data, rows[first])):
        return None
    return first, len(rows[first])


def _filled(row: Cells) -> int:
    """Return how many cells a row has up to its last one that holds something."""
    count = len(row)
    while count and not row[count - 1].strip():
        count -= 1
    return count


def _names(
    rows: list[Cells], first: int, below: list[Cells], path: Path
) -> Cells | None:
    """Return the names of the columns where the first row is none, else None.

    The first row is data if it holds data above a column of data. The names are then
    those of the row before it, if only columns at the end, or the rows' own names, have
    none; else numbers.

    Raises:
        UnrollError: the row before it has too many names, or too few.
    """
    row = rows[first]
    full = _full(below) or list(range(len(row)))
    heads = not _like_data(row[full[0]])
    if heads and (full == _full(below) or not any(map(_like_data, row))):
        return None
    before = rows[first - 1] if first else []
    count = len(before)
    if not count or any(map(_like_data, before)):
        return _numbered([], len(row))
    data = [row, *below]
    if count < len(row):
        extra = [cell for cells in data for cell in cells[count:]]
        if count > 1 and not "".join(extra).strip():
            return _numbered(before, len(row))
        if count == len(row) - 1 and _own_names(data, count):
            return [*_numbered([], 1), *before]
    if count < max(2, len(row) - 1):
        return _numbered([], len(row))
    raise UnrollError(
        f"{path}, line {first}: the header has {count} names, and the rows have {len(row)} cells; "
        "make them as many, with quotes around a cell that holds a delimiter"
    )


def _numbered(names: Cells, count: int) -> Cells:
    """Return names, and numbers for those that lack."""
    return [*names, *(f"column{number}" for number in range(len(names) + 1, count + 1))]


def _own_names(rows: list[Cells], names: int) -> bool:
    """Return whether the first cells of rows are the rows' names, which have no
    heading.

    They count the rows, or are timestamps beside a single column.
    """
    cells = [row[0] for row in rows]
    if names == 1:
        return bool(timestamp_formats.formats(cells[0], digits=False))
    first = int(cells[0]) if cells[0].isdigit() else 0
    return cells == [str(first + index) for index in range(len(cells))]


def _units(rows: list[Cells]) -> list[Cells]:
    """Return the rows right below the header that hold no data where all later rows do.

    A 1 may be a unit.
    """
    for count in range(min(MOST_UNITS, len(rows) - 2), 0, -1):
        full = _full(rows[count:])
        cells = [row[index].strip() for row in rows[:count] for index in full]
        data = any(_like_data(cell) and cell != "1" for cell in cells)
        if full and not data and all("".join(row) for row in rows[:count]):
            return rows[:count]
    return []


def _full(rows: list[Cells]) -> list[int]:
    """Return the columns of some rows that hold data in all of them."""
    if not rows:
        return []
    width = min(len(row) for row in rows)
    return [
        index for index in range(width) if all(_like_data(row[index]) for row in rows)
    ]


@functools.lru_cache(maxsize=10_000)
def _like_data(cell: str) -> bool:
    """Return whether a cell is a number or a date, and so no heading."""
    number, _ = notations.plain_number(cell)
    if re.fullmatch(r"[-+]?[\d.,][\d.,'e+-]*|\d+[-./:]\d+[-./:T \d]*.*", number):
        return True
    return bool(timestamp_formats.formats(cell, digits=True))

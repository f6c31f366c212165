"""The text of a file or workbook, and its layout: encoding, lines before the header,
delimiter, and header.
"""

import csv
import datetime as dt
import functools
import io
import itertools
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.memory import limited
from unroll.series.options import argument
from unroll.series.reading import timestamp_formats
from unroll.series.reading.numbers import plain_number
from unroll.series.row_options import CsvFormat

HEAD = 2**17
"""Number of characters at a file's beginning that its layout is read from.

`csv` takes no more for a cell."""

DELIMITERS = "\t;|, "
"""Delimiters, the surest first.

A comma may be a decimal mark, and a space may stand in a timestamp."""

MOST_UNITS = 3
"""Largest number of rows of units below the header."""

LOOKED_AT = 50
"""Number of rows below the first row that show whether the first row is a header."""

ALIKE = 0.9
"""Share of rows that must have the same number of cells, or data in the same columns."""

UTF16 = rb"\xff\xfe(?!\x00\x00)|\xfe\xff"
"""The mark at the beginning of UTF-16, which is not that of UTF-32."""

KINDS: Mapping[bytes, str] = {
    rb"PK\x03\x04": "a damaged archive or workbook",
    rb"\x1f\x8b|BZh\d|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!\x1a": "a packed file",
    rb"\xd0\xcf\x11\xe0": "a file of an old Office, such as .xls",
    rb"ARROW1|FEA1": "a Feather file",
    rb"SQLite format 3": "an SQLite database",
    rb"%PDF-": "a PDF",
    rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II\*\x00|MM\x00\*": "a picture",
    rb"\x89HDF|CDF[\x01\x02\x05]": "an HDF5 or netCDF file",
    rb"\x80[\x02-\x05]": "a pickle of Python's",
    rb"\x93NUMPY": "an array of NumPy's",
    rb"Obj\x01": "an Avro file",
    rb"(\xef\xbb\xbf)?\s*(\{\s*[\"}]|\[\s*[\[{\"])": "JSON",
    rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml|head|body|table|svg)": "HTML or XML",
}
"""Patterns of a file's first bytes -> what the file is."""

PACKED = {
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint presentation",
    "xl/workbook.bin": "an .xlsb workbook",
    "content.xml": "an OpenDocument file, such as .ods",
}
"""Names in a zip archive -> what the archive is, if it is no workbook to be read."""

Cells = list[str]
"""The cells of a row."""


def text_of(path: Path, known: str | None = None) -> tuple[str, str, str]:
    """Return the text of a file, its encoding, and the sheet of a workbook, else "".

    Without a known encoding it is the first of ascii, utf-8, cp1252 and latin-1 that
    decodes every byte. UTF-16 is recognised by its mark at the beginning. The text of a
    workbook is that of a CSV file.

    Raises:
        UnrollError: the file is empty, packed or no text.
        UsageError: there is no such encoding, or the file is not written in it.
    """
    data = path.read_bytes()
    if not data.strip():
        raise _empty(path)
    if _is_workbook(path, data):
        text, sheet = _first_sheet(path, data)
        return text, "utf-8", sheet
    marked = re.match(UTF16, data)
    if not known and not marked and re.search(rb"[\x00-\x08\x0e-\x1f]", data[:HEAD]):
        raise UnrollError(
            f"{path} is packed, binary, UTF-32 or UTF-16 without its mark; save it as "
            "UTF-8 CSV"
        )
    usual = ["utf-16"] if marked else ["ascii", "utf-8", "cp1252", "latin-1"]
    try:
        for name in [known] if known else usual:
            with suppress(UnicodeDecodeError):
                return data.decode(name).removeprefix("\ufeff"), name, ""
    except (LookupError, UnicodeError):  # a name that is no text of UTF-8
        raise UsageError(
            f"{argument('encoding')} must be one that Python knows, such as latin-1. "
            f"Received: {known!r}"
        ) from None
    raise UsageError(
        f"{path} is not {known} text; pass another {argument('encoding')}, such as "
        "latin-1"
    )


def _is_workbook(path: Path, data: bytes) -> bool:
    """Return whether a file is an .xlsx workbook.

    Raises:
        UnrollError: it is known to be something else than a workbook or text.
    """
    kind = next((KINDS[begin] for begin in KINDS if re.match(begin, data)), None)
    with suppress(zipfile.BadZipFile):
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
        if "xl/workbook.xml" in names:
            return True
        kind = next((PACKED[name] for name in PACKED if name in names), "a zip archive")
    if kind is not None:
        cures = dict.fromkeys(["a packed file", "a zip archive"], "unpack it")
        cure = cures.get(kind, "save its rows as CSV, Parquet or .xlsx")
        raise UnrollError(f"{path} is {kind}; {cure}, and name that")
    return False


def _first_sheet(path: Path, data: bytes) -> tuple[str, str]:
    """Return the first sheet with rows as the text of a CSV file, and which it is.

    Timestamps are written by ISO 8601.

    Raises:
        UnrollError: the workbook is damaged or has no rows.
    """
    import openpyxl

    try:
        with limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and such
            book = openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=True
            )
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # they may be wrong
                rows = _table([*sheet.iter_rows(values_only=True)])
                if sum(_cells_in(row) > 1 for row in rows) > 1:  # notes fill one column
                    why = f"{sheet.title!r}, the first that has rows"
                    is_alone = len(book.worksheets) == 1
                    return _csv_of(rows, book.epoch), "" if is_alone else why
    except UnrollError as error:
        raise UnrollError(f"{path}: {error}") from None
    except Exception as error:  # noqa: BLE001 - of zip, of XML, or openpyxl's
        raise UnrollError(
            f"{path} is no whole workbook ({one_line(str(error)):.160}); save it again"
        ) from None
    raise UnrollError(f"{path} has no sheet with rows; name a file with rows")


def _cells_in(row: Sequence[Any]) -> int:
    """Return how many cells of a row hold something."""
    return len(row) - row.count(None)


def _table(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the rows of a sheet without cells that stand alone, far from all others."""
    filled = [_cells_in(row) for row in rows]
    last = 0
    columns = Counter[int]()
    for number, row in enumerate(rows):
        if filled[number] > 1 or (filled[number] and number == last):
            last = number + 1
        if filled[number]:
            columns.update(place for place, cell in enumerate(row) if cell is not None)
    width = 1 + max(
        (place for place in columns if columns[place] > 1 or place - 1 in columns),
        default=0,
    )
    return [row[:width] for row in rows[:last]]


def _csv_of(rows: list[tuple[Any, ...]], epoch: dt.datetime) -> str:
    """Return rows of a sheet as CSV.

    Args:
        rows: the rows.
        epoch: the day from which the workbook counts days, in columns named like times.
    """
    from openpyxl.utils.datetime import MAC_EPOCH, from_excel

    table = pd.DataFrame(rows, dtype=object)
    for name in table if epoch == MAC_EPOCH else []:
        cells = table[name]
        heading = str(cells.dropna().iloc[0]) if cells.notna().any() else ""
        if timestamp_formats.names_a_time(heading):
            table[name] = [
                from_excel(cell, epoch) if isinstance(cell, int | float) else cell
                for cell in cells
            ]
    return str(table.map(_cell_text).to_csv(header=False, index=False))


def _cell_text(cell: Any) -> Any:
    """Return a cell as CSV has it, with numbers that cannot be read in two ways."""
    if isinstance(cell, dt.datetime):
        return str(pd.Timestamp(cell).round("ms")).removesuffix(" 00:00:00")
    if isinstance(cell, float) and not cell.is_integer():
        return f"{cell!r}0" if "e" not in repr(cell) else repr(cell)
    return int(cell) if isinstance(cell, float) else cell


def _empty(path: Path) -> UnrollError:
    return UnrollError(f"{path} is empty; name a file with a header and rows")


def layout(
    path: Path, text: str, delimiter: str | None
) -> tuple[CsvFormat, list[Cells]]:
    """Return how a file is written, by its first lines, and its rows of units.

    The format's `skip` counts the lines before the header. Where the header does not
    name every column, the format has `names`, and `skip` counts the lines before the
    first row.

    Raises:
        UnrollError: the rows are too few, have no columns, or differ in their number of
            columns.
        UsageError: the delimiter has several letters.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise UsageError(
            f"{argument('delimiter')} must be one letter. Received: {delimiter!r}"
        )
    lines = _first_lines(text)
    if not lines and text:
        raise UnrollError(
            f"{path}: line 1 has more than {HEAD:,} characters; save it with a line "
            "for each row"
        )
    if not "".join(lines).strip():
        raise _empty(path)
    # Most rows must have as many cells as the header; or rows may lack cells at their
    # end, or have more that are empty. Otherwise the delimiter is wrong.
    for mark in delimiter or DELIMITERS:
        reader = csv.reader(lines, delimiter=mark, skipinitialspace=True)
        rows = [line.split() for line in lines] if mark == " " else [*reader]
        found = _first_of_usual(rows) or _first_of_widest(rows, mark)
        if found is not None:
            return _layout_by(rows, mark, *found, path)
    if delimiter:
        raise UnrollError(
            f"{path} has not the same number of columns in all rows, by "
            f"{delimiter!r}; correct the file"
        )
    raise UnrollError(
        f"{path} has no columns that a comma, a semicolon, a tab, a bar or white space "
        "divides alike; give each row as many cells as the header, without quotes "
        f"around a whole line, or pass {argument('delimiter')}, one letter"
    )


def _first_lines(text: str) -> list[str]:
    """Return the first lines, with an empty line for each comment above a header."""
    lines = text[:HEAD].splitlines(keepends=True)
    if len(text) > HEAD:
        del lines[-1]
    if lines and re.fullmatch(r"sep=.\s*", lines[0]):  # of a spreadsheet
        lines[0] = "\n"
    count = len([*itertools.takewhile(lambda line: line.startswith("#"), lines)])
    header = re.split(r"[\t;|, ]", "".join(lines[count : count + 1]))
    if count < len(lines) and not _data_in(header):
        lines[:count] = ["\n"] * count
    return lines


def _first_of_usual(rows: list[Cells]) -> tuple[int, int] | None:
    """Return the row of the header with the usual number of cells, and that number.

    Without a header it is the first row. Nearly all rows below must have that number.
    None is returned if they do not, or if some have as many cells as the row before,
    which is then the header.
    """
    width = Counter(len(row) for row in rows if row).most_common(1)[0][0]
    first = next(index for index, row in enumerate(rows) if len(row) == width)
    first = _below_padded_lines(rows, first, width)
    below = [len(row) for row in rows[first:] if row]
    before = len(rows[first - 1]) if first else 0
    is_below_header = before > width and before in below
    alike = width > 1 and below.count(width) >= ALIKE * len(below)
    return (first, width) if alike and not is_below_header else None


def _below_padded_lines(rows: list[Cells], first: int, width: int) -> int:
    """Return the header's row, where a spreadsheet padded the lines before it.

    A padded line leaves cells empty. The header is the last row above the data that
    fills all columns. Of several such rows one after the other it is the first that
    names a time, or else the first.
    """
    tail = [row for row in rows if len(row) == width][-LOOKED_AT:]
    full = _full(tail)
    usual = Counter(map(_filled, tail)).most_common(1)[0][0]
    data = [bool(full) and len(row) == width and full <= _data_in(row) for row in rows]
    headers = list[int]()
    for index, row in enumerate(rows[first:], first):
        # A single row of numbers, such as a year, may stand above the header.
        if all(data[index : index + 2]):
            break
        if len(row) == width and all(row[:usual]) and not _data_in(row[:usual]):
            headers = [*headers, index] if index - 1 in headers else [index]
    if not headers or first in headers:
        return first
    return next(
        (
            index
            for index in headers
            if timestamp_formats.names_a_time(" ".join(rows[index]))
        ),
        headers[0],
    )


def _first_of_widest(rows: list[Cells], mark: str) -> tuple[int, int] | None:
    """Return the first row that is filled furthest, and its number of cells.

    Rows below may lack cells at their end. None is returned if the row holds data, or
    if a row below has a single cell.
    """
    filled = [_filled(row) for row in rows]
    first = filled.index(max(filled))
    header = rows[first]
    shortest = min(len(row) for row in rows[first:] if row)
    if mark == " " or min(filled[first], shortest) < 2 or _data_in(header):
        return None
    return first, len(header)


def _filled(row: Cells) -> int:
    """Return how many cells a row has up to the last cell that holds something."""
    return max((index for index, cell in enumerate(row, 1) if cell.strip()), default=0)


def _layout_by(
    rows: list[Cells], mark: str, first: int, width: int, path: Path
) -> tuple[CsvFormat, list[Cells]]:
    """Return `layout` for a known delimiter, header and number of columns.

    Raises:
        UnrollError: there are fewer than two rows.
    """
    below = [row for row in rows[first + 1 :] if row]
    alike = ([row for row in below if len(row) == width] or below)[:LOOKED_AT]
    full = _full(alike)
    in_first = _data_in(rows[first])
    is_data = min(full) in in_first if full else bool(in_first)
    names = _names(rows, first, alike, path) if is_data else None
    units = [] if is_data else _units(alike)
    count = len(below) - len(units) + (names is not None)
    if count < 2:
        holds = "" if names else "a header and "
        raise UnrollError(
            f"{path} holds {holds}{'one row' if count else 'no row'}; add rows"
        )
    longest = max(map(len, below))
    if names is None and longest > width and not _filled(_beyond(below, width)):
        first += 1
        names = _numbered(rows[first - 1], longest)
    return CsvFormat(
        delimiter=mark, skip=first, names=names, units_rows=len(units)
    ), units


def _beyond(rows: list[Cells], width: int) -> Cells:
    """Return the cells of all rows in the columns from `width` on."""
    return [cell for row in rows for cell in row[width:]]


def _names(rows: list[Cells], first: int, below: list[Cells], path: Path) -> Cells:
    """Return names for the columns of a file whose first row is data.

    The names are taken from the row before. That row may leave the last columns, or the
    rows' own names, without a name. Without such a row the names are numbered.

    Raises:
        UnrollError: the row before has too many names, or too few.
    """
    before = rows[first - 1] if first else []
    count = 0 if _data_in(before) else len(before)
    data = [rows[first], *below]
    width = len(data[0])
    if 1 < count < width and not _filled(_beyond(data, count)):
        return _numbered(before, width)
    if count == width - 1 and _own_names(data, count):
        return [*_numbered([], 1), *before]
    if count >= max(2, width - 1) or (
        count > 1 and timestamp_formats.names_a_time(" ".join(before))
    ):
        raise UnrollError(
            f"{path}, line {first}: the header has {count} names, and the rows have "
            f"{width} cells; make them as many, with quotes around a cell that holds a "
            "delimiter"
        )
    return _numbered([], width)


def _numbered(names: Cells, count: int) -> Cells:
    """Return names, and numbered names for columns that have none."""
    return [*names, *(f"column{number}" for number in range(len(names) + 1, count + 1))]


def _own_names(rows: list[Cells], names: int) -> bool:
    """Return whether the first cells are the rows' names, which have no heading.

    Such cells count the rows, or are timestamps beside a single column.
    """
    cells = [row[0] for row in rows]
    if names == 1:
        return bool(timestamp_formats.formats(cells[0], digits=False))
    first = int(cells[0]) if cells[0].isdigit() else 0
    return cells == [str(first + index) for index in range(len(cells))]


def _units(rows: list[Cells]) -> list[Cells]:
    """Return the rows of units: rows below the header without data in columns of data.

    The number 1 may be a unit.
    """
    for count in range(min(MOST_UNITS, len(rows) - 2), 0, -1):
        full = _full(rows[count:])
        cells = [row[index].strip() for row in rows[:count] for index in full]
        data = any(like_data(cell) and cell != "1" for cell in cells)
        if full and not data and all("".join(row) for row in rows[:count]):
            return rows[:count]
    return []


def _full(rows: list[Cells]) -> set[int]:
    """Return the numbers of the columns that hold data in nearly all rows."""
    counts = Counter(place for row in rows for place in _data_in(row))
    return {place for place, count in counts.items() if count >= ALIKE * len(rows)}


def _data_in(row: Cells) -> set[int]:
    """Return the numbers of the columns in which a row holds data."""
    return {index for index, cell in enumerate(row) if like_data(cell)}


@functools.lru_cache(maxsize=10_000)
def like_data(cell: str) -> bool:
    """Return whether a cell is a number or a date, and so no heading."""
    is_number = re.fullmatch(
        r"[-+]?[\d.,][\d.,'e+-]*|\d+[-./:]\d+[-./:T \d]*.*", plain_number(cell)[0]
    )
    return bool(is_number or timestamp_formats.formats(cell, digits=True))

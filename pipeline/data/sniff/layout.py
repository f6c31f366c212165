"""How a text file of rows is written: encoding, lines before the header, delimiter, header, marks in numbers."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data import notations
from pipeline.data.sniff import timestamp_formats
from pipeline.errors import UnrollError, UsageError

HEAD = 2**18
"""Bytes at a file's beginning that its form is read from; no line has as many."""

MOST_COLUMNS = 1000
DELIMITERS = "\t;|, "
"""In the order of trust: a comma may be a decimal mark, a space may be in a stamp."""

MOST_UNITS, LOOKED_AT = 3, 50
"""Rows of units that may follow the header, and rows below it that are looked at to tell."""

UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


@dataclass(frozen=True)
class Layout:
    """The beginning of a file: `skip` lines, perhaps a header, then perhaps `units`, and the cells of the first rows.

    A delimiter that is a space stands for any white space.
    """

    delimiter: str
    skip: int
    header: bool
    units: list[list[str]]
    rows: list[list[str]]


def encoding(path: Path, known: str | None = None) -> str:
    """What is known, or ascii, utf-8, cp1252 or latin-1, decided by every byte; utf-16 if its mark is at the beginning.

    A user's file is read by this before anything else reads it, unless it is Parquet.

    Raises:
        UnrollError: the file is empty, packed or no text, or has too many columns or too long a line.
        LookupError, UnicodeError: there is no such encoding.
    """
    decoder, plain, unicode, high = codecs.getincrementaldecoder("utf-8")(), True, True, False
    with path.open("rb") as file:
        head = file.read(HEAD)
        if not head.strip():
            raise UnrollError(f"{path} is empty; name a file with a header and rows")
        marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not head.startswith(UTF32)
        wide = marked or len("0".encode(known or "ascii")) > 1
        if not wide and re.search(rb"\x00" if known else rb"[\x00-\x08\x0e-\x1f]", head):
            raise UnrollError(f"{path} is packed, binary, UTF-32 or UTF-16 without its mark; save it as UTF-8 CSV")
        end = b"\n" if b"\n" in head else b"\r"
        if max(map(head.partition(end)[0].count, DELIMITERS.encode())) >= MOST_COLUMNS:
            raise UnrollError(f"{path} has more than {MOST_COLUMNS:,} columns; keep those that matter")
        line, begun, block = 1, 0, head  # `begun`: bytes of the line in the blocks before
        while block:
            if begun + len(block.partition(end)[0]) >= HEAD:
                raise UnrollError(f"{path}: line {line:,} has {HEAD:,} bytes or more; save it with a line for each row")
            line, begun = line + block.count(end), len(block) - 1 - block.rfind(end) + begun * (end not in block)
            if not block.isascii():
                plain, high = False, high or re.search(rb"[\x80-\x9f]", block) is not None
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                unicode = False
            block = file.read(HEAD)
    detected = "ascii" if plain else "utf-8" if unicode else "cp1252" if high else "latin-1"
    return known or ("utf-16" if marked else detected)


def layout(path: Path, encoding: str, delimiter: str | None) -> Layout:
    """Look at the first lines.

    Raises:
        UnrollError: its rows have no columns, now more, now less of them, or are too few.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
        whole = not file.read(1)
    text = head.decode(encoding if encoding != "ascii" else "utf-8", "ignore").removeprefix("\ufeff")
    lines = text.splitlines(keepends=True)[: None if whole else -1]
    if not "".join(lines).strip():
        raise UnrollError(f"{path} is empty; name a file with a header and rows")
    for mark in [delimiter] if delimiter else DELIMITERS:
        rows = [line.split() for line in lines] if mark == " " else list(csv.reader(lines, delimiter=mark))
        width, often = Counter(len(row) for row in rows if row).most_common(1)[0]
        first = next(index for index, row in enumerate(rows) if len(row) == width)
        if width > 1 and often >= 0.9 * sum(1 for row in rows[first:] if row):
            first, width = _with_names(rows, first, width, path)
            below = [row[:width] for row in rows[first + 1 :] if len(row) >= width]
            header = _is_header(rows[first], below[:LOOKED_AT])
            units = _units(rows[first + 1 : first + LOOKED_AT], width) if header else []
            body = below[len(units) :] if header else [rows[first], *below]
            if len(body) < 2:
                count = "no row" if not body else "one row"
                raise UnrollError(f"{path} holds {'a header and ' if header else ''}{count}; a series has many")
            return Layout(mark, first, header, units, body)
    if delimiter:
        raise UnrollError(f"{path} has not the same number of columns in all rows, by {delimiter!r}; correct the file")
    raise UnrollError(
        f"{path} has no columns that a comma, a semicolon, a tab, a bar or white space divides alike; pass --delimiter"
    )


def _units(rows: list[list[str]], width: int) -> list[list[str]]:
    """Those right below the header without data in the columns that all later rows have data in; 1 may be a unit."""
    for count in range(min(MOST_UNITS, len(rows) - 2), 0, -1):
        units, later = rows[:count], [row for row in rows[count:] if len(row) == width]
        if not later or not all(len(row) == width and any(map(str.strip, row)) for row in units):
            continue
        full = [index for index in range(width) if all(_like_data(row[index]) for row in later)]
        cells = [row[index].strip() for row in units for index in full]
        if full and not any(_like_data(cell) and cell != "1" for cell in cells):
            return units
    return []


def _with_names(rows: list[list[str]], first: int, width: int, path: Path) -> tuple[int, int]:
    """Return where the rows begin and how many columns they have, if all end with a delimiter and the header does not.

    Raises:
        UnrollError: the header has one name less than the rows have cells.
    """
    names = rows[first - 1] if first else []
    if len(names) != width - 1 or width < 3 or any(map(_like_data, names)) or not any(map(_like_data, rows[first])):
        return first, width
    if any(row[-1].strip() for row in rows[first:] if len(row) == width):
        raise UnrollError(f"{path}, line {first}: the header has {width - 1} names, and the rows {width}; add the name")
    return first - 1, width - 1


def _is_header(row: list[str], below: list[list[str]]) -> bool:
    """Whether the first row is of names: above a column of data it has none."""
    for index, cell in enumerate(row):
        if below and all(_like_data(other[index]) for other in below):
            return not _like_data(cell)
    return not any(map(_like_data, row))


def _like_data(cell: str) -> bool:
    """Whether a cell is a number or a date, and so no heading."""
    number, _ = notations.plain_number(cell)
    data = re.fullmatch(r"[-+]?[\d.,][\d.,'e+-]*|\d+[-./:]\d+[-./:T \d]*.*", number) is not None
    return data or bool(timestamp_formats.formats(cell, digits=True))


def marks(columns: Iterable[Sequence[str]], path: Path, delimiter: str, known: str | None = None) -> tuple[str, str | None]:
    """Return the decimal mark, perhaps known, and the mark between thousands that the cells of some columns have.

    Raises:
        UsageError: they can be read in two ways.
    """
    counts = Counter[str]()
    beside = set[str]()
    for cells in columns:
        plain = [notations.plain_number(cell)[0].removeprefix("-") for cell in cells]
        own = Counter(kind for number in plain for kind, form in FORMS.items() if re.fullmatch(form, number))
        counts += own
        if own["123"] and not own["1234"]:
            beside |= {mark for mark in ".," if own[f"1{mark}234"]}
    decimal = known or _decimal(counts, beside, path, delimiter)
    other = OTHER[decimal]
    candidates = {" ": " ", "'": "'", other: f"1{other}234{decimal}5", f"{other}?": f"1{other}234"}
    thousands = next((mark[0] for mark, kind in candidates.items() if counts[kind]), None)
    return decimal, thousands


def _decimal(counts: Counter[str], beside: set[str], path: Path, delimiter: str) -> str:
    for mark, other in OTHER.items():
        if counts[f"1{other}234{mark}5"]:
            return mark
    if counts["1,5"] or counts["1.5"]:
        return "," if counts["1,5"] else "."
    for mark, other in OTHER.items():
        if counts[f"1{mark}234"] and not (mark == "." and delimiter == ","):
            if counts["1234"] or counts[" "] or counts["'"]:
                return mark
            if mark in beside:
                return other
            raise UsageError(f"{path}: 1{mark}234 may be a thousand or one and a bit; pass --decimal , or --decimal .")
    return "."


OTHER = {",": ".", ".": ","}

FORMS = {
    "1.234,5": r"\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,}",
    "1,234.5": r"\d{1,3}(,\d{2,3})*,\d{3}\.\d+|\d{1,3}(,\d{2,3})+,\d{3}",
    " ": rf"\d{{1,3}}([{notations.BLANKS}]\d{{3}})+([.,]\d+)?",
    "'": r"\d{1,3}(['’]\d{3})+([.,]\d+)?",
    "1,5": rf"(\d{{1,3}}([{notations.BLANKS}'’]\d{{3}})+|0?|\d{{4,}}),\d+|\d+,(\d{{1,2}}|\d{{4,}})",
    "1.5": rf"(\d{{1,3}}([{notations.BLANKS}'’]\d{{3}})+|0?|\d{{4,}})\.\d+|\d+\.(\d{{1,2}}|\d{{4,}})",
    "1,234": r"[1-9]\d{0,2},\d{3}",
    "1.234": r"[1-9]\d{0,2}\.\d{3}",
    "1234": r"\d{4,}",
    "123": r"\d{1,3}",
}
"""An example -> the numbers that are written so, without their sign; of blanks and apostrophes between thousands the mark."""

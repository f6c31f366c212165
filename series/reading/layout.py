"""How a text file of rows is written: encoding, lines before the header, delimiter, header, marks in numbers."""

import codecs
import csv
import functools
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.data import notations
from pipeline.errors import UnrollError, UsageError
from series.reading import timestamp_formats

HEAD = 2**18
"""Bytes at a file's beginning that its form is read from; no line has as many."""

MOST_COLUMNS = 500
DELIMITERS = "\t;|, "
"""In the order of trust: a comma may be a decimal mark, a space may be in a stamp."""

MOST_UNITS, LOOKED_AT = 3, 50
"""Rows of units that may follow the header, and rows below it that are looked at to tell."""

UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


@dataclass(frozen=True)
class Layout:
    """The beginning of a file: `skip` lines, a header unless there are `names`, then perhaps rows of `units`.

    A delimiter that is a space stands for any white space.
    """

    delimiter: str
    skip: int
    names: list[str] | None
    units: list[list[str]]


def encoding(path: Path, known: str | None = None) -> str:
    """What is known, or ascii, utf-8, cp1252 or latin-1, decided by every byte; utf-16 if its mark is at the beginning.

    A user's file is read by this before anything else reads it, unless it is Parquet.

    Raises:
        UnrollError: the file is empty, packed or no text, or has too many columns or too long a line.
        LookupError, UnicodeError: there is no such encoding.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip():
        raise UnrollError(f"{path} is empty; name a file with a header and rows")
    marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not head.startswith(UTF32)
    wide = marked or len("0".encode(known or "ascii")) > 1
    if not wide and re.search(rb"\x00" if known else rb"[\x00-\x08\x0e-\x1f]", head):
        raise UnrollError(f"{path} is packed, binary, UTF-32 or UTF-16 without its mark; save it as UTF-8 CSV")
    first_line = re.split(rb"[\r\n]", head.lstrip())[0]
    columns = 1 + max(map(first_line.count, DELIMITERS.encode()))
    if columns > MOST_COLUMNS:
        raise UnrollError(f"{path} has {columns:,} columns, more than {MOST_COLUMNS}; keep those that matter")
    for name in [known or "utf-16"] if known or marked else ("ascii", "utf-8", "cp1252"):
        with suppress(UnicodeDecodeError), path.open(encoding=name) as text:
            line = 1
            for block in iter(functools.partial(text.read, HEAD // 2), ""):
                if len(block) == HEAD // 2 and "\n" not in block:
                    what = f"line {line:,} has {HEAD // 2:,} characters or more"
                    raise UnrollError(f"{path}: {what}; save it with a line for each row")
                line += block.count("\n")
            return name
    return known or "latin-1"


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
    if lines and re.fullmatch(r"sep=.\s*", lines[0]):  # of a spreadsheet
        lines[0] = "\n"
    comments = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    if len(lines) > len(comments) and not any(map(_like_data, re.split(r"[\t;|, ]", lines[len(comments)]))):
        lines[: len(comments)] = ["\n" for _ in comments]
    if not "".join(lines).strip():
        raise UnrollError(f"{path} is empty; name a file with a header and rows")
    for mark in [delimiter] if delimiter else DELIMITERS:
        rows = [line.split() for line in lines] if mark == " " else list(csv.reader(lines, delimiter=mark))
        width, often = Counter(len(row) for row in rows if row).most_common(1)[0]
        first = next(index for index, row in enumerate(rows) if len(row) == width)
        if width > 1 and often >= 0.9 * sum(1 for row in rows[first:] if row):
            below = [row for row in rows[first + 1 :] if len(row) == width]
            names = _names(rows, first, below[:LOOKED_AT], path)
            units = _units(below[:LOOKED_AT]) if names is None else []
            count = len(below) - len(units) if names is None else 1 + len(below)
            if count < 2:
                what = "one row" if count else "no row"
                raise UnrollError(f"{path} holds {'a header and ' if names is None else ''}{what}; a series has many")
            return Layout(mark, first, names, units)
    if delimiter:
        raise UnrollError(f"{path} has not the same number of columns in all rows, by {delimiter!r}; correct the file")
    raise UnrollError(
        f"{path} has no columns that a comma, a semicolon, a tab, a bar or white space divides alike; pass --delimiter"
    )


def _names(rows: list[list[str]], first: int, below: list[list[str]], path: Path) -> list[str] | None:
    """Return the names of the columns where the first row is none: above a column of data it holds data, too.

    They are those of the row before it, if only the delimiter at each row's end has no name; else numbers.

    Raises:
        UnrollError: the row before it has one name less than the rows have cells.
    """
    row = rows[first]
    full = _full(below) or range(len(row))
    if not _like_data(row[full[0]]) and (full == _full(below) or not any(map(_like_data, row))):
        return None
    numbered = [f"column{number}" for number in range(1, len(row) + 1)]
    before = rows[first - 1] if first else []
    if len(before) < max(2, len(row) - 1) or any(map(_like_data, before)):
        return numbered
    if len(before) > len(row) or any(other[-1].strip() for other in below):
        counts = f"the header has {len(before)} names, and the rows have {len(row)} cells"
        raise UnrollError(f"{path}, line {first}: {counts}; make them as many")
    return [*before, numbered[-1]]


def _units(rows: list[list[str]]) -> list[list[str]]:
    """Return the rows right below the header that hold no data where all later rows do; 1 may be a unit."""
    for count in range(min(MOST_UNITS, len(rows) - 2), 0, -1):
        full = _full(rows[count:])
        cells = [row[index].strip() for row in rows[:count] for index in full]
        if full and all(map("".join, rows[:count])) and not any(_like_data(cell) and cell != "1" for cell in cells):
            return rows[:count]
    return []


def _full(rows: list[list[str]]) -> list[int]:
    """Return the columns of some rows that hold data in all of them."""
    return [index for index in range(len(rows[0])) if all(_like_data(row[index]) for row in rows)] if rows else []


def _like_data(cell: str) -> bool:
    """Whether a cell is a number or a date, and so no heading."""
    number, _ = notations.plain_number(cell)
    data = re.fullmatch(r"[-+]?[\d.,][\d.,'e+-]*|\d+[-./:]\d+[-./:T \d]*.*", number) is not None
    return data or bool(timestamp_formats.formats(cell, digits=True))


def marks(
    columns: Iterable[Sequence[str]], path: Path, delimiter: str, known: str | None = None
) -> tuple[str, str | None]:
    """Return the decimal mark, perhaps known, and the mark between thousands that the cells of some columns have.

    Raises:
        UsageError: they can be read in two ways.
    """
    decimals = set[str]()
    between = list[str]()
    unsure = dict[str, str]()
    doubtful = delimiter != ","
    for cells in columns:
        numbers = [notations.plain_number(cell)[0].removeprefix("-") for cell in cells]
        own = {kind: [number for number in numbers if re.fullmatch(form, number)] for kind, form in FORMS.items()}
        between += [mark for mark, kind in BETWEEN.items() if own[kind]]
        certain = Counter({",": len(own["1.234,5"] + own["1,5"]), ".": len(own["1,234.5"] + own["1.5"])})
        short = {number for number in own["123"] if number not in {"99", "999"}}
        for mark, other in OTHER.items():
            if not own[f"1{mark}234"]:
                continue
            if certain[other]:  # 1.5 beside 1,234
                between.append(mark)
            elif own["1234"]:  # 1002 beside 1.002: what is longer has no mark
                certain[mark] += 1
            elif not certain[mark] and len(short) > 1 and (mark, delimiter) != (".", ","):  # 998 beside 1.002: it has
                certain[other] += 1
                between.append(mark)
            elif not certain[mark]:
                unsure[mark] = own[f"1{mark}234"][0]
                doubtful = doubtful or len(short) > 1 or mark == ","
        decimals |= {certain.most_common(1)[0][0]} if certain.total() else set()
    if not known and len(decimals) > 1:
        raise UsageError(f"{path}: columns have different decimal marks; pass --decimal , or --decimal .")
    grouped = not {" ", "'"}.isdisjoint(between)
    if not known and not decimals and unsure and doubtful and not grouped:
        _ask(path, *unsure.values())
    decimal = known or next(iter(decimals), next(iter(unsure), ".") if grouped else ".")
    other = OTHER[decimal]
    if other in unsure and other == "." and not known:
        _ask(path, unsure[other])
    between += [other] if other in unsure else []
    return decimal, next((mark for mark in between if mark != decimal), None)


def _ask(path: Path, number: str, *_: str) -> None:
    raise UsageError(f"{path}: {number} may be a thousand or one and a bit; pass --decimal , or --decimal .")


OTHER = {",": ".", ".": ","}

GROUPS = rf"\d{{1,3}}(?:[{notations.BLANKS}]\d{{3}}|['\u2019]\d{{3}})+"

BETWEEN = {" ": "1 234", "'": "1'234", ".": "1.234,5", ",": "1,234.5"}
"""A mark between thousands -> the kind of `FORMS` that has it for certain."""

FORMS = {
    "1.234,5": r"\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,}",
    "1,234.5": r"\d{1,3}(,\d{2,3})*,\d{3}\.\d+|\d{1,3}(,\d{2,3})+,\d{3}",
    "1 234": rf"\d{{1,3}}([{notations.BLANKS}]\d{{3}})+([.,]\d+)?",
    "1'234": r"\d{1,3}(['\u2019]\d{3})+([.,]\d+)?",
    "1,5": rf"({GROUPS}|0?|\d{{4,}}),\d+|\d+,(\d{{1,2}}|\d{{4,}})",
    "1.5": rf"({GROUPS}|0?|\d{{4,}})\.\d+|\d+\.(\d{{1,2}}|\d{{4,}})",
    "1,234": r"[1-9]\d{0,2},\d{3}",
    "1.234": r"[1-9]\d{0,2}\.\d{3}",
    "1234": r"\d{4,}",
    "123": r"[1-9]\d{1,2}",
}
"""An example -> the numbers that are written so, without their sign."""

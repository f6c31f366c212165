"""Which marks numbers have: between thousands, and before decimals."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data import notations
from pipeline.errors import UsageError

OTHER = {",": ".", ".": ","}
"""A decimal mark -> the other one."""

BETWEEN = {" ": "1 234", "'": "1'234", ".": "1.234,5", ",": "1,234.5"}
"""A mark between thousands -> the kind of `FORMS` that has it for certain."""

BLANK = f"[{notations.BLANKS}]"
QUOTE = f"[{notations.APOSTROPHES}]"
GROUPS = rf"\d{{1,3}}(?:{BLANK}\d{{3}}|{QUOTE}\d{{3}})+"

FORMS = {
    "1.234,5": r"\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,}",
    "1,234.5": r"\d{1,3}(,\d{2,3})*,\d{3}\.\d+|\d{1,3}(,\d{2,3})+,\d{3}",
    "1 234": rf"\d{{1,3}}({BLANK}\d{{3}})+([.,]\d+)?",
    "1'234": rf"\d{{1,3}}({QUOTE}\d{{3}})+([.,]\d+)?",
    "1,5": rf"({GROUPS}|0?|\d{{4,}}),\d+|\d+,(\d{{1,2}}|\d{{4,}})",
    "1.5": rf"({GROUPS}|0?|\d{{4,}})\.\d+|\d+\.(\d{{1,2}}|\d{{4,}})",
    "1,234": r"[1-9]\d{0,2},\d{3}",
    "1.234": r"[1-9]\d{0,2}\.\d{3}",
    "1234": r"\d{4,}",
    "123": r"[1-9]\d{1,2}",
}
"""An example -> the numbers that are written so, without their sign."""

NO_VALUE = {"99", "999"}
"""Numbers that may mean no value, and so say nothing about thousands."""


@dataclass
class Marks:
    """What some cells say about marks.

    Attributes:
        certain: decimal marks -> how many numbers show them.
        between: marks between thousands that numbers show.
        unsure: a mark -> a number in which it may be either.
        many: whether there are several numbers below a thousand, too.
    """

    certain: Counter[str] = field(default_factory=Counter)
    between: list[str] = field(default_factory=list)
    unsure: dict[str, str] = field(default_factory=dict)
    many: bool = False


def marks(
    columns: Iterable[Sequence[str]],
    path: Path,
    delimiter: str,
    known: str | None = None,
) -> tuple[str, str | None]:
    """Return the decimal mark and the mark between thousands that the cells of columns
    have.

    Args:
        columns: of each column some cells.
        path: of the file, for messages.
        delimiter: of the file.
        known: the decimal mark, if a user named it.

    Raises:
        UsageError: they can be read in two ways.
    """
    found = [_marks_of(cells, delimiter) for cells in columns]
    decimals = {one.certain.most_common(1)[0][0] for one in found if one.certain}
    between = [mark for one in found for mark in one.between]
    unsure = {mark: number for one in found for mark, number in one.unsure.items()}
    if known is None and len(decimals) > 1:
        raise UsageError(
            f"{path}: columns have different decimal marks; pass --decimal , or --decimal ."
        )
    grouped = " " in between or "'" in between
    # In a file with commas between columns, a number such as 1.234 has decimals.
    doubtful = (
        delimiter != ","
        or "," in unsure
        or any(one.many for one in found if one.unsure)
    )
    if known is None and not decimals and unsure and doubtful and not grouped:
        _ask(path, next(iter(unsure.values())))
    decimal = known or next(iter(decimals), ".")
    if known is None and not decimals and grouped and unsure:
        decimal = next(iter(unsure))
    other = OTHER[decimal]
    if other in unsure:
        if other == "." and known is None:
            _ask(path, unsure[other])
        between.append(other)
    return decimal, next((mark for mark in between if mark != decimal), None)


def _marks_of(cells: Sequence[str], delimiter: str) -> Marks:
    """Return what the cells of a column say."""
    kinds = _by_kind(cells)
    found = Marks()
    found.between = [mark for mark, kind in BETWEEN.items() if kinds[kind]]
    commas = len(kinds["1.234,5"]) + len(kinds["1,5"])
    points = len(kinds["1,234.5"]) + len(kinds["1.5"])
    found.certain = +Counter({",": commas, ".": points})
    short = {*kinds["123"]} - NO_VALUE
    found.many = len(short) > 1
    for mark, other in OTHER.items():
        doubtful = kinds[f"1{mark}234"]
        if not doubtful:
            continue
        if found.certain[other]:  # 1.5 beside 1,234
            found.between.append(mark)
        elif kinds["1234"]:  # 1002 beside 1.002: what is longer has no mark
            found.certain[mark] += 1
        elif found.certain[mark]:
            continue
        elif found.many and (mark, delimiter) != (
            ".",
            ",",
        ):
            # 998 beside 1.002: it has one
            found.certain[other] += 1
            found.between.append(mark)
        else:
            found.unsure[mark] = doubtful[0]
    return found


def _by_kind(cells: Sequence[str]) -> dict[str, list[str]]:
    """Return the numbers of each kind of `FORMS`, without signs, units and powers of
    ten.
    """
    stripped, _ = notations.without_unit([cell for cell in cells if cell.strip()])
    kinds: dict[str, list[str]] = {kind: [] for kind in FORMS}
    for cell in stripped:
        number, _ = notations.plain_number(cell)
        number = re.sub(r"^-|[eE][-+]?\d+$", "", number)
        for kind, form in FORMS.items():
            if re.fullmatch(form, number):
                kinds[kind].append(number)
    return kinds


def _ask(path: Path, number: str) -> None:
    """Raise UsageError about a number that can be read in two ways."""
    raise UsageError(
        f"{path}: {number} may be a thousand or one and a bit; pass --decimal , or --decimal ."
    )

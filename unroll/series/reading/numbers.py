"""Numbers as people write them, with signs, units and marks between their digits.

A text that fits no rule here is no number.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from unroll.series.reading.cures import CurableError, Cure
from unroll.series.row_options import CsvFormat

CURRENCY = r"(?:[A-Z]{0,2}[$€£¥₹₽₩]|[A-Z]{3}|Fr\.|kr\.?|Rs\.?|zł|Kč)"

MINUS = "-\u2212\u2013"

BLANKS = " \u00a0\u2007\u2009\u202f"

APOSTROPHES = "'\u2019\u2018\u02bc\u00b4`"

NUMBER = re.compile(
    rf"(?P<bracket>\()?(?P<before>[{MINUS}+])?\s?"
    rf"(?P<sign>{CURRENCY})?\s?(?P<within>[{MINUS}+])?"
    rf"(?P<digits>\d[\d.,{APOSTROPHES}{BLANKS}]*|[.,]\d+)(?P<power>[eE][-+]?\d+)?"
    rf"(?P<behind>[{MINUS}])?\s?(?P<unit>[%‰]|{CURRENCY})?(?P<after>[{MINUS}])?"
    r"(?P<end>\))?"
)
"""A number with a sign before or behind it, or in brackets as in accounts, and perhaps
a currency or percent sign."""

# Without \s and \d, so that Arrow searches: ten times as fast as Python.
NUMBER_BEGINS = (
    rf'^(?:=")?[{BLANKS}\t]*\(?[{MINUS}+]?[{BLANKS}]?(?:{CURRENCY})?'
    rf"[{BLANKS}]?[{MINUS}+]?[.,]?[0-9]"
)
"""The beginning of each `NUMBER`."""

UNIT = re.compile(
    rf"(.*\d[.,]?[{BLANKS}]?)([A-Za-zÀ-ÿµμΩ°][A-Za-zÀ-ÿµμΩ°²³/·.^]{{0,11}}[23]?)"
)
"""A number and the unit behind it."""

MULTIPLES = (
    "k m b g t bn mn mio mrd mln mld mil tsd tn thousand million billion lakh crore cr "
    "dr"
)
"""Words behind a number that are no unit: they change its value."""

TRUTH = {"true": 1, "True": 1, "TRUE": 1, "false": 0, "False": 0, "FALSE": 0}
"""Words that are numbers."""

GROUPS = {" ": f"[{BLANKS}]", "'": f"[{APOSTROPHES}]", ",": ",", ".": r"\."}
"""A mark between thousands -> a pattern of all characters that are written for it."""

EITHER = (
    [Cure("decimal", ","), Cure("decimal", ".")],
    "write all numbers with one decimal mark",
)
"""The options of a mark that may be of decimals, and what else helps."""

OTHER = {",": ".", ".": ","}
"""A decimal mark -> the other decimal mark."""

BETWEEN = {" ": "1 234", "'": "1'234", ".": "1.234,5", ",": "1,234.5"}
"""A mark between thousands -> the kind of `FORMS` that surely has this mark."""

GROUPED = rf"\d{{1,3}}(?:[{BLANKS}]\d{{3}}|[{APOSTROPHES}]\d{{3}})+"
"""Digits in groups by blanks or apostrophes."""

FORMS = {
    "1.234,5": r"\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,}",
    "1,234.5": r"\d{1,3}(,\d{2,3})*,\d{3}\.\d+|\d{1,3}(,\d{2,3})+,\d{3}",
    "1 234": rf"\d{{1,3}}([{BLANKS}]\d{{3}})+([.,]\d+)?",
    "1'234": rf"\d{{1,3}}([{APOSTROPHES}]\d{{3}})+([.,]\d+)?",
    "1,5": rf"({GROUPED}|0?|\d{{4,}}),\d+|\d+,(\d{{1,2}}|\d{{4,}})",
    "1.5": rf"({GROUPED}|0?|\d{{4,}})\.\d+|\d+\.(\d{{1,2}}|\d{{4,}})",
    "1,234": r"[1-9]\d{0,2},\d{3}",
    "1.234": r"[1-9]\d{0,2}\.\d{3}",
    "1234": r"\d{4,}",
    "123": r"[1-9]\d{1,2}",
}
"""An example of a kind -> the pattern of numbers of this kind, without their sign."""


Role: TypeAlias = Literal["decimals", "thousands", "likely", "unsure"]


def is_number(text: str) -> bool:
    """Return whether a text is a number, with whatever marks between its digits."""
    return bool(NUMBER.fullmatch(text.strip()))


def plain_number(text: str) -> tuple[str, str]:
    """Return a number as sign and digits, and its currency or percent sign.

    Marks of decimals and thousands stay. A text that is no number is returned as it is,
    with "". A number with two signs, or with one bracket, is no number.
    """
    whole = text.strip().removeprefix('="').removesuffix('"')
    # 120.- has no cents
    whole = re.sub(r"(?<=\d)[.,][-\u2013\u2014\u2212]{1,2}(?=\D*$)", "", whole)
    match = NUMBER.fullmatch(whole)
    if match is None or (match["bracket"] is None) != (match["end"] is None):
        return text, ""
    signs = [
        match[place]
        for place in ("before", "within", "behind", "after", "bracket")
        if match[place]
    ]
    units = {match["sign"], match["unit"]} - {None}
    if len(signs) > 1 or len(units) > 1:
        return text, ""
    minus = "-" if signs and signs[0] != "+" else ""
    return f"{minus}{match['digits'].strip()}{match['power'] or ''}", "".join(units)


def without_unit(texts: Iterable[str]) -> tuple[list[str], str]:
    """Return numbers without the unit that stands behind all of them, and the unit.

    If the numbers have several units, or a number has none, all texts are returned as
    they are, with "".
    """
    found = [UNIT.fullmatch(text.strip()) for text in texts]
    units = {match[2] if match else "" for match in found}
    unit = min(units, default="")
    if len(units) > 1 or unit.lower().rstrip(".") in ["", *MULTIPLES.split()]:
        return list(texts), ""
    return [match[1] for match in found if match], unit


def marks(
    columns: Iterable[Sequence[str]],
    path: Path,
    delimiter: str,
    known: str | None = None,
) -> tuple[str, str | None]:
    """Return the decimal mark and the mark between thousands of some columns.

    Args:
        columns: some cells of each column.
        path: the file, for messages.
        delimiter: the mark between the file's columns.
        known: the decimal mark, if a user named it.

    Raises:
        UsageError: the numbers can be read in two ways.
    """
    found = [one for cells in columns for one in _shown(cells, delimiter)]
    decimals = {one.mark for one in found if one.role == "decimals"}
    thousands = [one.mark for one in found if one.role == "thousands"]
    # A mark that may have both roles -> a number with it
    unsure = {one.mark: one.number for one in found if one.role in {"likely", "unsure"}}
    if known is None and len(decimals) > 1:
        raise CurableError(f"{path}: columns have different decimal marks", *EITHER)
    if not decimals and {" ", "'"} & {*thousands}:
        # In 1 234.567 the blank is the mark of thousands, so the point is of decimals.
        decimals = {next(iter(unsure), ".")}
    decimal = known or next(iter(decimals), ".")
    other = OTHER[decimal]
    has_doubts = not decimals and any(one.role == "unsure" for one in found)
    if known is None and (has_doubts or (other == "." and other in unsure)):
        number = unsure.get(other) or next(iter(unsure.values()))
        what = f"{path}: {number} may be a whole number or a decimal"
        raise CurableError(what, *EITHER)
    if other in unsure and other not in decimals:
        thousands.append(other)
    return decimal, next((mark for mark in thousands if mark != decimal), None)


@dataclass(frozen=True)
class Shown:
    """What the numbers of a column show about a mark.

    Attributes:
        mark: a blank, an apostrophe, a comma or a point.
        role: what the mark stands before; "unsure" if it may have both roles, "likely"
            if it likely stands before decimals.
        number: a number such as 1,234 whose mark may have both roles; else "".
    """

    mark: str
    role: Role
    number: str = ""


def _shown(cells: Sequence[str], delimiter: str) -> Iterator[Shown]:
    """Yield what the numbers of a column show about their marks."""
    texts, _ = without_unit([cell for cell in cells if cell.strip()])
    numbers = [re.sub(r"^-|[eE][-+]?\d+$", "", plain_number(text)[0]) for text in texts]
    kinds = {
        kind: [number for number in numbers if re.fullmatch(form, number)]
        for kind, form in FORMS.items()
    }
    decimals = Counter(  # a mark -> numbers in which it stands before decimals
        {
            ",": len(kinds["1.234,5"]) + len(kinds["1,5"]),
            ".": len(kinds["1,234.5"]) + len(kinds["1.5"]),
        }
    )
    for mark, kind in BETWEEN.items():
        if kinds[kind]:
            yield Shown(mark, "thousands")
    for mark, other in OTHER.items():
        doubtful = kinds[f"1{mark}234"]
        if not doubtful:
            continue
        role = _role(mark, decimals, kinds, delimiter)
        if role == "decimals":
            decimals[mark] += 1
            continue
        if role == "thousands":
            decimals[other] = max(1, decimals[other])
        yield Shown(mark, role, doubtful[0])
    if decimals.total():
        yield Shown(decimals.most_common(1)[0][0], "decimals")


def _role(
    mark: str,
    decimals: Counter[str],
    kinds: Mapping[str, Sequence[str]],
    delimiter: str,
) -> Role:
    """Return the role of a mark in numbers such as 1,234.

    Args:
        mark: a comma or a point.
        decimals: a mark -> the numbers in which it surely stands before decimals.
        kinds: a key of `FORMS` -> the numbers of this kind.
        delimiter: the mark between the file's columns.
    """
    if decimals[OTHER[mark]]:  # 1.5 beside 1,234
        return "thousands"
    if decimals[mark] or kinds["1234"]:  # 1002 beside 1.002
        return "decimals"
    # 99 and 999 may mean no value, and so show nothing about marks of thousands.
    has_short = len({*kinds["123"]} - {"99", "999"}) > 1
    beside_commas = mark == "." and delimiter == ","
    if has_short == beside_commas:
        return "unsure"
    return "thousands" if has_short else "likely"  # 998 beside 1.002


def values_of(cells: "pd.Series[Any]", form: CsvFormat) -> Array:
    """Return (rows,) float64 of cells, NaN where a cell is no number.

    A unit is left out if the unit stands behind every number.

    Args:
        cells: text or numbers.
        form: the marks of decimals and thousands.
    """
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return np.asarray(cells.to_numpy(np.float64, na_value=np.nan))
    texts = cells.astype("str").reset_index(drop=True)
    is_likely = texts.str.contains(NUMBER_BEGINS, na=False)
    likely = texts[is_likely]
    values = pd.Series(np.nan, texts.index)
    values.update(texts[~is_likely].map(TRUTH).astype(float))
    values.update(_floats(likely, form))
    failed = likely[values[likely.index].isna()]
    if len(failed):
        plain = failed.map(lambda text: plain_number(text)[0])
        if values.isna().all() and (plain == failed).all():
            stripped, _ = without_unit(failed)
            plain[:] = [plain_number(text)[0] for text in stripped]
        values.update(_floats(plain[plain != failed], form))
    return np.asarray(values)


def _floats(texts: "pd.Series[str]", form: CsvFormat) -> "pd.Series[float]":
    """Return numbers by the marks of a file, NaN where a text is no number."""
    if form.thousands:
        group = GROUPS[form.thousands]
        # Groups of three digits, or as in India, and not behind a 0 alone.
        mark = rf"(?<=\d)(?<!^0)(?<!^-0){group}(?=(?:\d\d{group})*\d{{3}}(?:\D|$))"
        texts = texts.str.replace(re.compile(mark), "", regex=True)
    if form.decimal != ".":  # a point is then no mark of a number, as for pandas
        texts = texts.str.replace(".", "?", regex=False)
        texts = texts.str.replace(form.decimal, ".", regex=False)
    return pd.to_numeric(texts, errors="coerce").astype(np.float64)

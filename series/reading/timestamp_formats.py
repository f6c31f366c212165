"""Formats that the text of a timestamp may have."""

import functools
import itertools
import re
from datetime import datetime

from pipeline.data import notations

CLOCK = re.compile(
    r"(?:^(?=\d\d?:)|(?<= )|(?<=\d)T)"
    r"\d{1,2}(?:(?P<mark>[:.h])\d\d(?:(?P=mark)\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?| ?[AaPp][Mm])"
    r"(?: ?(?:Z|[+-]\d\d:?\d\d))?(?= |$)"
)
"""A time of day in a timestamp."""

TIMES = (
    *("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f"),
    *("%H.%M", "%H.%M.%S", "%H.%M.%S.%f", "%Hh%M"),
    *("%I:%M %p", "%I:%M%p", "%I:%M:%S %p", "%I:%M:%S%p", "%I.%M %p", "%I %p", "%I%p"),
    *("%H:%M%z", "%H:%M %z", "%H:%M:%S%z", "%H:%M:%S %z", "%H:%M:%S.%f%z"),
    *("%I:%M %p%z", "%I:%M:%S %p%z"),
)
"""Formats of a time of day."""

CENTURY = "(?:18|19|20)"
"""The first digits of a year."""

COMPACT = {
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}(:?\d{2}){0,2}([.,]\d+)?( ?(Z|[+-]\d{2}:?\d{2}))?)?": [
        "ISO8601"
    ],
    rf"{CENTURY}\d{{6}}": ["%Y%m%d"],
    rf"{CENTURY}\d{{8}}": ["%Y%m%d%H"],
    rf"{CENTURY}\d{{10}}": ["%Y%m%d%H%M"],
    rf"{CENTURY}\d{{12}}": ["%Y%m%d%H%M%S"],
    rf"{CENTURY}\d{{6}}(?P<mark>[T ])\d{{2}}": ["%Y%m%d{mark}%H"],
    rf"{CENTURY}\d{{6}}(?P<mark>[T ])\d{{4}}": ["%Y%m%d{mark}%H%M"],
    rf"{CENTURY}\d{{6}}(?P<mark>[T ])\d{{6}}": ["%Y%m%d{mark}%H%M%S"],
    rf"{CENTURY}\d{{6}}(?P<mark>[T ])\d{{6}}Z": ["%Y%m%d{mark}%H%M%SZ"],
    r"\d{10}(\.\d+)?": ["unix"],
    r"\d{13}(\.0+)?": ["unix_ms"],
    r"\d{16}": ["unix_us"],
    r"\d{19}": ["unix_ns"],
    r"(2[6-9]|[3-7]\d)\d{3}([.,]\d+)?": ["excel"],
    rf"{CENTURY}\d\d[0-3]\d\d": ["%Y%j"],
    rf"{CENTURY}\d{{4}}": ["%Y%m", "%G%V"],
    rf"{CENTURY}\d\d\.[1-4]": ["%Y.%q", "decimal_month", "decimal_year"],
    rf"{CENTURY}\d\d\.(0[1-9]|1[0-2])": ["%Y.%m", "decimal_month", "decimal_year"],
    rf"{CENTURY}\d\d[.,]\d+": ["decimal_month", "decimal_year"],
    rf"{CENTURY}\d\d": ["%Y"],
}
"""Timestamps without marks, ISO's and decimal years -> their formats.

The first pattern that fits is the only one, and of its formats the first that all rows
have."""

KINDS = {
    rf"{CENTURY}\d\d": "Y",
    r"\d{1,2}": "n",
    r"\d{3}": "j",
    rf"{CENTURY}\d{{6}}": "D",
    "|".join(notations.MONTHS): "b",
    "Q|T": "Q",
    "W": "W",
    "M": "M",
}
"""Tokens of a date -> their kind: a year, a number of up to two digits, a day of the
year, a date of eight digits, a month's name, and marks of a quarter, a week and a
month."""

ORDERS = {
    "Ynn": ("Ymd",),
    "nnY": ("dmY", "mdY"),
    "nnn": ("dmy", "mdy", "ymd"),
    "nbY": ("dbY",),
    "bnY": ("bdY",),
    "Ybn": ("Ybd",),
    "nbn": ("dby",),
    "bn": ("by",),
    "bY": ("bY",),
    "Yb": ("Yb",),
    "Yn": ("Ym", "Yq", "GV"),
    "nY": ("mY", "qY", "VG"),
    "Yj": ("Yj",),
    "D": ("D",),
    "YQn": ("YQq",),
    "QnY": ("QqY",),
    "nQY": ("qQY",),
    "nQn": ("qQy",),
    "Qnn": ("Qqy",),
    "YWn": ("GWV",),
    "WnY": ("WVG",),
    "nWY": ("VWG",),
    "YWnn": ("GWVu",),
    "YMn": ("YMm",),
}
"""Kinds of a date -> the directives of `timestamps.parse` that they may stand for.

`Q`, `W` and `M` stay as written."""

DIRECTIVES = {"D": "%Y%m%d", "Q": None, "W": None, "M": None}
"""Letters of `ORDERS` that are no directive -> what they stand for; None: as written.
"""

PLACE = "\0"
"""Where the time of day stood in a date."""


def formats(cell: str, *, digits: bool) -> list[str]:
    """Return the formats that a timestamp may have.

    Args:
        cell: its text.
        digits: whether it may be digits without marks; else they are a number.
    """
    text = notations.HOUR_24.sub("00", notations.plain_date(cell))
    for pattern, names in COMPACT.items():
        match = re.fullmatch(pattern, text)
        if match is not None:
            number = text.replace(".", "").replace(",", "").isdigit()
            if number and not digits:
                return []
            return [name.format(**match.groupdict()) for name in names]
    clock = CLOCK.search(text)
    if clock is None:
        return date_formats(text)
    gap = "T" if clock[0].startswith("T") else ""
    times = [f"{gap}{time}" for time in time_formats(clock[0].removeprefix(gap))]
    dates = date_formats(text[: clock.start()] + PLACE + text[clock.end() :])
    return [date.replace(PLACE, time) for date, time in itertools.product(dates, times)]


def date_formats(text: str) -> list[str]:
    """Return the formats that a date may have, of which days and months may be
    interchanged.
    """
    pieces = re.split(r"(\d+|[^\W\d_]+)", text)
    tokens = pieces[1::2]
    kinds = "".join(_kind(token) for token in tokens)
    found = []
    for order in ORDERS.get(kinds, ()):
        pieces[1::2] = [
            DIRECTIVES.get(letter, f"%{letter}") or token
            for token, letter in zip(tokens, order, strict=True)
        ]
        found.append("".join(pieces))
    return found


def _kind(token: str) -> str:
    """Return the kind of a token by `KINDS`, "?" if it has none."""
    for pattern, kind in KINDS.items():
        if re.fullmatch(pattern, token):
            return kind
    return "?"


def time_formats(text: str) -> list[str]:
    """Return the format of a time of day, if it is one."""
    text = notations.HOUR_24.sub("00", text)
    return [form for form in TIMES if _reads(text, form)]


@functools.lru_cache(maxsize=10_000)
def _reads(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - a time of day, which has no zone
    except ValueError:
        return False
    return True

"""The formats of timestamps, and the parsing of texts by a format.

Dates as people write them are first rewritten in a plain notation. A text that fits no
rule stays as it is, so that its reader can refuse it.
"""

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.data.timestamps import DAY

MONTHS = {
    "Jan": "january januar jänner jän janvier janv enero ene gennaio gen janeiro "
    "januari styczeń stycznia",
    "Feb": "february februar febr feber février fevrier févr fevr fév fev febrero "
    "febbraio fevereiro februari luty lutego",
    "Mar": "march märz maerz mär mrz mars marzo março marco maart mrt marts marzec "
    "marca",
    "Apr": "april avril avr abril abr aprile kwiecień kwietnia",
    "May": "mai mayo maggio mag maio mei maj maja",
    "Jun": "june juni juin junio giugno giu junho czerwiec czerwca",
    "Jul": "july juli juillet juil julio luglio lug julho lipiec lipca",
    "Aug": "august août aout aoû agosto ago augustus augusti sierpień sierpnia",
    "Sep": "september sept septembre septiembre setiembre settembre setembro set "
    "wrzesień września",
    "Oct": "october oktober okt octobre octubre ottobre ott outubro out "
    "październik października",
    "Nov": "november novembre noviembre novembro listopad listopada",
    "Dec": "december dezember dez décembre decembre déc diciembre dic dicembre "
    "dezembro desember des grudzień grudnia",
}
"""English abbreviations -> names in English, German, French, Spanish, Italian,
Portuguese, Dutch, Swedish, Danish, Norwegian and Polish."""

WEEKDAYS = (
    "monday tuesday wednesday thursday friday saturday sunday "
    "mon tue tues wed weds thu thur thurs fri sat sun "
    "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag "
    "mo di mi do fr sa so "
    "lundi mardi mercredi jeudi vendredi samedi dimanche lun mer jeu ven sam dim "
    "lunes martes miércoles jueves viernes sábado domingo mié jue vie sáb dom "
    "lunedì martedì mercoledì giovedì venerdì sabato domenica gio sab"
)

PLAIN_WORDS = {
    "": "uhr um at à de del of",
    "Q": "quarter quartal qtr trimestre",
    "W": "wk week woche kw semaine semana settimana",
    "Z": "utc gmt wet",
    "+01:00": "cet mez bst west",
    "+02:00": "cest mesz eet",
    "+03:00": "eest",
    "+09:00": "jst",
    "+10:00": "aest",
    "+11:00": "aedt",
    "+12:00": "nzst",
    "+13:00": "nzdt",
    "-04:00": "edt",
    "-05:00": "est",
    "-06:00": "mdt",
    "-07:00": "mst pdt",
    "-08:00": "pst",
    **MONTHS,
}
"""Words in plain notation -> the same words as people write them.

Words with "" have no meaning of their own. UTC offsets stand for names of time zones.
Names of several zones, such as CST, are left out."""

OTHERS = {
    "t": "T",
    "m": "M",
    "vorm": "am",
    "nachm": "pm",
    "midnight": "am",
    "noon": "pm",
    "first": "1",
    "second": "2",
    "third": "3",
    "fourth": "4",
    "年": "-",
    "년": "-",
    "月": "-",
    "월": "-",
    "日": "",
    "일": "",
}
"""Further words -> their replacements; the last are Chinese, Japanese, Korean."""

REPLACEMENTS = {
    **dict.fromkeys(WEEKDAYS.split(), ""),
    **{
        word: plain
        for plain, words in PLAIN_WORDS.items()
        for word in [plain.lower(), *words.split()]
    },
    **OTHERS,
}
"""Words in a date -> their replacements."""

DASH = "-\u2013"

DATE = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"

TIME = r"\d\d?(?::\d\d){1,2}"

DAY_AND_MONTH = r"\d\d?\.? [^\W\d_]{3,}|[^\W\d_]{3,}\.? \d"

MONTH = "|".join(MONTHS)

UNTIL = rf"\s+(?:[{DASH}]|->|\u2192|to|bis|au|al|until)\s+|\s*(?:--|->|\u2192)\s*"
"""The mark between the beginning and the end of an interval."""

HOUR_OF_DATE = rf"^((?:.*{DATE}|\d{{8}}) )?"

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _roman(match: re.Match[str]) -> str:
    """Return a quarter from I to IV as a digit."""
    return str(["I", "II", "III", "IV"].index(match[0].upper()) + 1)


RULES: Sequence[Rule] = (
    # Fractions of a second: a comma, more than six digits, or before am and pm.
    (re.compile(r"(?<=[:.]\d\d),(?=\d+$)"), "."),
    (re.compile(r"(?<=[:.]\d\d)(\.\d{6})\d+"), r"\1"),
    (re.compile(r"(?<=[:.]\d\d)[.,]\d+(?= ?[ap]\.? ?m)", re.IGNORECASE), ""),
    (re.compile(r"\b([ap])\.\s?m\.?(?!\w)", re.IGNORECASE), r"\1m"),
    (re.compile(r"(\d:\d\d) ([ap])$", re.IGNORECASE), r"\1 \2m"),
    (
        re.compile(
            r"^(?:w/[cbe]|week (?:of|commencing|beginning|starting|ending)|woche vom"
            r"|semaine du|vom|von|from|du|del)\s+(?=.*\d)",
            re.IGNORECASE,
        ),
        "",
    ),
    # An interval stands for its beginning: "27/10/2024 01:45 - 27/10/2024 02:00".
    (re.compile(r"^[\[(](.*\d.*?), .*[\])]$"), r"\1"),
    (re.compile(r"^\[(.*)\]$"), r"\1"),
    (re.compile(r"/P[\dT]\w*$"), ""),
    (re.compile(r"\[[A-Za-z_]+/[A-Za-z_/]+\]$"), ""),
    (re.compile(rf"^(.*?{DATE}.*?)(?:{UNTIL}|/)(?:{DATE}|{TIME}).*$"), r"\1"),
    (
        re.compile(
            rf"^(.*?(?:{DAY_AND_MONTH}).*?)(?:{UNTIL})(?:{DAY_AND_MONTH}|{TIME}).*$"
        ),
        r"\1",
    ),
    (
        re.compile(
            rf"^(\d\d?([./])\d\d?\2\d{{2,4}}.*?)[{DASH}]\d\d?\2\d\d?\2\d{{2,4}}.*$"
        ),
        r"\1",
    ),
    (re.compile(rf"^(\d{{8}})[{DASH}]\d{{8}}$"), r"\1"),
    (re.compile(rf"((?:^|[ T])\d\d?:\d\d)\s?[{DASH}]\s?\d\d?:\d\d$"), r"\1"),
    (re.compile(rf"((?:^|[ T])\d\d?:\d\d:\d\d)\s?[{DASH}]\s?\d\d?:\d\d:\d\d$"), r"\1"),
    # A UTC offset such as UTC+1.
    (
        re.compile(r"(?:UTC|GMT) ?([+-])(\d\d?):?(\d\d)?(?: ?\(.*\))?$"),
        lambda match: f"{match[1]}{match[2].zfill(2)}:{match[3] or '00'}",
    ),
    # "mar" is Tuesday where a day and a month follow: "mar. 3 janv. 2023".
    (re.compile(r"\bmar\.? (?=\d\d? [^\W\d_]{3,})", re.IGNORECASE), ""),
    # Words, with the dot of an abbreviation.
    (
        re.compile(r"([^\W\d_]+)(?:\.(?!\d))?"),
        lambda match: REPLACEMENTS.get(match[1].lower(), match[0]),
    ),
    (re.compile(r"\s+"), " "),
    (re.compile(r"^[ ,]*\.*|[ ,]+$"), ""),
    (re.compile(r"(?<=\d)(?:st|nd|rd|th|er|ère|ème|e|º|ª|°)(?![\w+-])"), ""),
    (re.compile(rf"\b({MONTH})\s?[{DASH}]\s?(?:{MONTH})\b"), r"\1"),
    # Quarters.
    (re.compile(r"\b(?:IV|I{1,3})\b(?=\.? ?Q)|(?<=Q )(?:IV|I{1,3})\b"), _roman),
    (re.compile(r"^(?:IV|I{1,3})(?=[ ./-]\d{4}$)"), lambda match: f"Q{_roman(match)}"),
    (re.compile(r"(?<=^\d{4}[ ./-])(?:IV|I{1,3})$"), lambda match: f"Q{_roman(match)}"),
    # Weeks.
    (re.compile(r"(?<=\d-)S(?=\d\d$)|^S(?=\d\d\b)"), "W"),
    (re.compile(r"^(\d{4})W(\d\d)([1-7])$"), r"\1-W\2-\3"),
    # A year of two digits gets its century, as `strptime` reads it.
    (re.compile(r"^(?=(?:69|[7-9]\d)-?W\d\d?$)"), "19"),
    (re.compile(r"^(?=\d\d-?W\d\d?$)"), "20"),
    (re.compile(r"^(W ?\d\d?[-/ ])(?=(?:69|[7-9]\d)$)"), r"\g<1>19"),
    (re.compile(r"^(W ?\d\d?[-/ ])(?=\d\d$)"), r"\g<1>20"),
    # An hour alone: "HE24", "00-01", "0h-1h", "14h".
    (re.compile(rf"{HOUR_OF_DATE}HE? ?(\d\d?)$"), r"\1\2:00"),
    (re.compile(rf"{HOUR_OF_DATE}(\d\d?) ?h?\s?[{DASH}]\s?\d\d? ?h?$"), r"\1\2:00"),
    (re.compile(rf"{HOUR_OF_DATE}(\d\d?) ?h$"), r"\1\2:00"),
    # Marks between date and time.
    (re.compile(r"(?<=\d)_(?=\d\d:?\d\d)"), " "),
    (re.compile(r"(?<=\d{4}):(?=\d\d:\d\d)"), " "),
    (re.compile(r"^(\d{4}-\d\d-\d\d)-(?=\d\d(?:[.:]\d\d|$))"), r"\1 "),
    # A UTC offset.
    (re.compile(r"(?<=:\d\d:\d\d) ?([+-]\d\d)$"), r"\1:00"),
    (re.compile(r"(?<=[\dmM]) ?\(?(Z|[+-]\d\d:\d\d)\)?$"), r"\1"),
    (re.compile(r"(?<=\d)\+00$"), "Z"),
    (re.compile(r"[ ,-]+$"), ""),
)
"""Rules for a date, one after the other."""

PLAIN = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}(?:[T ]\d\d?:\d\d(?::\d\d)?)?")
"""A date to which no rule applies."""

# Without \s and \d, so that Arrow searches: ten times as fast as Python.
CLOSE_INTERVAL = (
    r"(?:^| )[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}$"
    r"|(?:^| )[0-9]{1,2}:[0-9]{2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}:[0-9]{2}$"
)
"""An interval without blanks, which pandas would read as a time with a UTC offset."""

HOUR_24 = re.compile(
    r"(?:^|(?<=[T ]))24(?=(?:[:.h]?00|h)*(?:[.,]0+)?(?:Z|[+-]\d\d:?\d\d)?$)"
    r"|(?<=^\d{8})24(?=(?:00){0,2}$)"
)
"""The hour 24, at the end of a timestamp."""

CLOCK = re.compile(
    r"(?:^(?=\d\d?:)|(?<= )|(?<=\d)T)"
    r"\d{1,2}(?:(?P<mark>[:.h])\d\d(?:(?P=mark)\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?"
    r"| ?[AaPp][Mm])"
    r"(?: ?(?:Z|[+-]\d\d:?\d\d))?(?= |$)"
)
"""A time of day in a timestamp."""

TIMES = (
    *("%H:%M", "%H:%M:%S", "%H:%M:%S.%f"),
    *("%H.%M", "%H.%M.%S", "%H.%M.%S.%f", "%Hh%M"),
    *("%I:%M %p", "%I:%M%p", "%I:%M:%S %p", "%I:%M:%S%p", "%I.%M %p", "%I %p", "%I%p"),
    "%I.%M.%S %p",
    *("%H:%M%z", "%H:%M %z", "%H:%M:%S%z", "%H:%M:%S %z", "%H:%M:%S.%f%z"),
    *("%I:%M %p%z", "%I:%M:%S %p%z"),
)
"""Formats of a time of day."""

CENTURY = "(?:18|19|20)"
"""The first digits of a year."""

DECIMAL = "decimal_month"
"""The format of a year with decimals, such as 2020.083 for February 2020."""

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
    rf"{CENTURY}\d\d\.[1-4]": ["%Y.%q", DECIMAL],
    rf"{CENTURY}\d\d\.(0[1-9]|1[0-2])": ["%Y.%m", DECIMAL],
    rf"{CENTURY}\d\d[.,]\d+": [DECIMAL],
    rf"{CENTURY}\d\d": ["%Y"],
}
"""Timestamps without marks, timestamps of ISO 8601, and decimal years -> their formats.

Only the first pattern that fits counts. Of its formats, the first that fits all rows is
taken."""

KINDS = re.compile(
    rf"(?P<Y>(?:{CENTURY}|25)\d\d)|(?P<n>\d{{1,2}})|(?P<j>\d{{3}})|(?P<D>{CENTURY}\d{{6}})"
    rf"|(?P<b>{'|'.join(MONTHS)})|(?P<Q>[QT])|(?P<W>W)|(?P<M>M)|(?P<other>.+)"
)
"""Patterns of a date's tokens, each a group that a letter for the token's kind names.

The kinds are a year, a number of up to two digits, a day of the year, a date of eight
digits, a month's name, and marks of a quarter, a week and a month."""

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
"""Kinds of a date's tokens -> letters of the directives that `parse` may read them by.

`Q`, `W` and `M` stay as written."""

DIRECTIVES = {"D": "%Y%m%d", "Q": None, "W": None, "M": None}
"""Letters of `ORDERS` that are no directives -> their directive; None: as written."""

NAMED = (
    "time times date dates datetime timestamp timestamps stamp ts ds epoch unix utc "
    "day month period decimal week quarter datum zeit zeitstempel zeitpunkt uhrzeit "
    "hour hhmm minute interval tag stunde monat woche quartal fecha hora año años jahr year jour mois"
)
"""Words in the names of columns whose numbers may be timestamps."""

PLACE = "\0"
"""A mark for the place of the time of day in a date."""

COUNTS = {
    "unix": ("s", "1970-01-01", 0.0),
    "unix_ms": ("ms", "1970-01-01", 4.2e9),
    "unix_us": ("us", "1970-01-01", 4.2e12),
    "unix_ns": ("ns", "1970-01-01", 4.2e15),
    "excel": ("D", "1899-12-30", 0.0),
}
"""Formats that count from a day -> pandas' unit, the day, and the smallest count.

Smaller numbers count a larger unit."""

MONTH_DECIMALS = 0.07
"""Largest distance, in months, of a decimal year from a month's beginning or middle."""

FEW_DECIMALS = 4
"""Number of decimals up to which a count of days is rounded to minutes."""

COUNT = re.compile(r"[A-Za-z]{0,2}[ _]?\d{1,4}(?:[.:h]\d+\w*)?")
"""A number of a part of the time."""

YEARS = (1800, 2999)
"""First and last year of timestamps that are taken without being asked for."""

# Without \d and \s, so that Arrow searches.
UTC_OFFSET = r"[0-9][:T][0-9][^ ]*(?: ?[AaPp][Mm])? ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"
"""A time of day followed by a UTC offset."""


def words_of(name: str) -> set[str]:
    """Return the words of a heading in small letters, such as hour and ending."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+", name)}


def names_a_time(heading: str) -> bool:
    """Return whether a heading has a word of `NAMED`."""
    return not words_of(heading).isdisjoint(NAMED.split())


def plain_date(text: str) -> str:
    """Return a date in plain notation: English months, am or pm, no weekday.

    An interval is replaced by its start.
    """
    if PLAIN.fullmatch(text):
        return text
    text = unicodedata.normalize("NFC", text)
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text


def formats(cell: str, *, digits: bool) -> list[str]:
    """Return the formats that a timestamp may have.

    Args:
        cell: the text of the timestamp.
        digits: whether digits without marks may be a timestamp; otherwise they are a
            number.
    """
    text = HOUR_24.sub("00", plain_date(cell))
    is_number = re.sub("[.,]", "", text).isdigit()
    for pattern, names in COMPACT.items():
        match = re.fullmatch(pattern, text)
        if match is not None:
            found = [name.format(**match.groupdict()) for name in names]
            return found if digits or not is_number else []
    clock = CLOCK.search(text)
    if clock is None:
        return [*_date_formats(text)]
    gap = "T" if clock[0].startswith("T") else ""
    times = [f"{gap}{time}" for time in time_formats(clock[0].removeprefix(gap))]
    return [
        date.replace(PLACE, time)
        for date, time in itertools.product(
            _date_formats(text[: clock.start()] + PLACE + text[clock.end() :]), times
        )
    ]


def _date_formats(text: str) -> Iterator[str]:
    """Yield the formats that a date may have.

    The day may stand before the month in some formats and behind it in others.
    """
    pieces = re.split(r"(\d+|[^\W\d_]+)", text)
    tokens = pieces[1::2]
    kinds = "".join(
        match.lastgroup or "" for match in map(KINDS.fullmatch, tokens) if match
    )
    for order in ORDERS.get(kinds, ()):
        pieces[1::2] = [
            DIRECTIVES.get(letter, f"%{letter}") or token
            for token, letter in zip(tokens, order, strict=True)
        ]
        yield "".join(pieces)


def is_part(text: str, *, counted: bool) -> bool:
    """Return whether a text is a time of day, a month, a weekday, or a date.

    Args:
        text: the text.
        counted: whether a number is a part of the time, too, as in H1, Q4, or 31.
    """
    plain = plain_date(text)
    is_word = text.lower() in WEEKDAYS.split() or plain in MONTHS
    is_count = counted and COUNT.fullmatch(plain)
    return bool(
        is_word or is_count or time_formats(plain) or formats(text, digits=False)
    )


def time_formats(text: str) -> list[str]:
    """Return the formats that a time of day may have; none if the text is no time."""
    text = HOUR_24.sub("00", text)
    return [form for form in TIMES if _reads(text, form)]


@functools.lru_cache(maxsize=10_000)
def _reads(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - a time of day, which has no zone
    except ValueError:
        return False
    return True


def joined(frame: pd.DataFrame, columns: Sequence[str]) -> "pd.Series[Any]":
    """Return the timestamp of each row as text, its columns joined by a space.

    The text is NA where a cell is NA. A single column is returned as it is, since in a
    Parquet file it may hold timestamps, not text.
    """
    if len(columns) == 1:
        return frame[columns[0]]
    texts = [as_text(frame[column]) for column in columns]
    return texts[0].str.cat(texts[1:], sep=" ")


ROUNDED = 995
"""Milliseconds from which a timestamp is a rounded one of the next second."""

MOST_ROUNDED = 0.5
"""Share of such timestamps from which they are rounded."""


def as_text(cells: "pd.Series[Any]") -> "pd.Series[str]":
    """Return the cells of a column as text, without blanks around them.

    If all numbers are whole, they are written without decimals.
    """
    if pd.api.types.is_float_dtype(cells.dtype) and (cells.dropna() % 1 == 0).all():
        cells = cells.astype("Int64")
    return cells.astype("str").str.strip()


def parse(
    cells: "pd.Series[Any]", stamp_format: str, first_year: int | None = None
) -> tuple[Array, bool]:
    """Parse timestamps as written, or in UTC if they have a UTC offset.

    Args:
        cells: text, or datetimes.
        stamp_format: a format of `strptime`, where `%q` is a quarter and `%G` with `%V`
            a week; or "ISO8601"; or `DECIMAL`, or one of `COUNTS`. Other notations
            of the format (`plain_date`, hour 24) are read, too.
        first_year: the first of the hundred years that `%y` stands for; by default
            1969.

    Returns:
        (rows,) datetime64[ms], NaT where a cell has another format; and whether the
        timestamps are in UTC.

    Raises:
        ValueError, re.error: there is no such format.
    """
    if stamp_format in COUNTS:
        return _counted(cells, stamp_format), stamp_format.startswith("unix")
    if stamp_format == DECIMAL:
        return _decimal_months(cells), False
    if pd.api.types.is_numeric_dtype(cells.dtype):
        cells = as_text(cells)
    if cells.dtype != "str":
        return _strptime(cells, stamp_format), hasattr(cells.dtype, "tz")
    texts = cells.str.strip()
    parsed = _strptime(
        texts.mask(texts.str.contains(CLOSE_INTERVAL, na=False)), stamp_format
    )
    failed = np.isnat(parsed)
    if failed.any():
        texts = texts.mask(failed, texts[failed].fillna("").map(plain_date))
        parsed[failed] = _in_plain_notation(texts[failed], stamp_format)
    day, _, clock = stamp_format.partition(" ")
    failed = np.isnat(parsed)
    if clock.startswith("%H") and failed.any() and not failed.all():
        parsed[failed] = _strptime(texts[failed], day)  # midnight without its time
    offsets = texts.str.contains(UTC_OFFSET, na=False).to_numpy(bool)
    utc = bool(offsets[:1].any())
    if stamp_format == "ISO8601":
        parsed[offsets != utc] = np.datetime64("NaT")
    early = parsed.astype(np.int64) % 1000 >= ROUNDED
    if early.mean() > MOST_ROUNDED:
        parsed[early] = (parsed[early] + 1000).astype("M8[s]")
    return in_century(parsed, first_year), utc


def _in_plain_notation(plain: "pd.Series[str]", stamp_format: str) -> Array:
    """Return (rows,) datetime64[ms] of texts in which an hour may be 24."""
    hour = re.search("%H|ISO8601", stamp_format)
    midnight = plain.str.replace(HOUR_24, "00", regex=True) if hour else plain
    later = np.where(midnight != plain, DAY, 0).astype("timedelta64[ms]")
    return np.asarray(_strptime(midnight, stamp_format.replace("%B", "%b")) + later)


def _strptime(cells: "pd.Series[Any]", stamp_format: str) -> Array:
    """Return (rows,) datetime64[ms], as pandas parses them.

    A quarter is parsed as its first month, and a week as its Monday.
    """
    # pandas would parse these as the current time.
    cells = cells.mask(cells.isin(["now", "today"]))
    if "%V" in stamp_format and not re.search("%[aAuw]", stamp_format):
        cells = cells + " 1"
        stamp_format += " %u"
    if "%q" in stamp_format:
        pattern = re.escape(stamp_format).replace("%q", ")0?([1-4])(")
        pattern = pattern.replace("%Y", r"\d{4}").replace("%y", r"\d{2}")
        parts = cells.str.extract(f"^({pattern})$")
        months = 3 * pd.to_numeric(parts[1]) - 2
        cells = parts[0] + months.astype("Int64").astype("str") + parts[2]
        stamp_format = stamp_format.replace("%q", "%m")
    in_utc = pd.to_datetime(cells, format=stamp_format, errors="coerce", utc=True).dt
    return np.array(in_utc.tz_localize(None), dtype="datetime64[ms]")


def _counted(cells: "pd.Series[Any]", stamp_format: str) -> Array:
    """Return (rows,) datetime64[ms] of counts of one unit, else NaT.

    Counts of days are rounded to the second, or to the minute if they have few
    decimals.
    """
    unit, origin, least = COUNTS[stamp_format]
    counts, decimals = _decimals(cells)
    parsed = pd.to_datetime(
        counts.where(counts.abs() >= least), unit=unit, origin=origin, errors="coerce"
    )
    if stamp_format == "excel":
        parsed = parsed.dt.round("min" if decimals <= FEW_DECIMALS else "s")
    return np.array(parsed, dtype="datetime64[ms]")


def _decimals(cells: "pd.Series[Any]") -> tuple["pd.Series[Any]", int]:
    """Return cells as numbers, and the largest number of their decimals.

    A text may have a decimal point or a comma; a cell that is no number becomes NaN. If
    the cells are not text, their decimals are not known, and 15 are assumed.
    """
    if cells.dtype != "str":
        return pd.to_numeric(cells, errors="coerce"), 15
    texts = cells.str.replace(",", ".", regex=False)
    return pd.to_numeric(texts, errors="coerce"), int(
        texts.str.partition(".")[2].str.len().max()
    )


def _decimal_months(cells: "pd.Series[Any]") -> Array:
    """Return (rows,) datetime64[ms] of decimal years, else NaT.

    Only beginnings and middles of months are read.
    """
    numbers, _ = _decimals(cells)
    values = numbers.where(numbers.between(*YEARS), 1970).to_numpy(np.float64)
    halves = np.rint(values * 24).astype(np.int64)  # half months
    months = (halves // 2 - 1970 * 12).astype("datetime64[M]")
    moments = months.astype("datetime64[D]") + np.where(halves % 2 == 1, 14, 0)
    near = np.abs(values * 12 - halves / 2) <= MONTH_DECIMALS
    known = near & numbers.between(*YEARS).to_numpy(bool)
    return np.where(known, moments.astype("datetime64[ms]"), np.datetime64("NaT"))


def in_century(timestamps: Array, first_year: int | None) -> Array:
    """Return timestamps (rows,) moved into the hundred years from `first_year` on.

    The last two digits of their years stay. None moves none.
    """
    if first_year is None:
        return timestamps
    months = timestamps.astype("datetime64[M]")
    years = months.astype("datetime64[Y]").astype(np.int64) + 1970
    later = 12 * (first_year + (years - first_year) % 100 - years)
    return np.asarray((months + later).astype("datetime64[ms]") + (timestamps - months))


def first_year(moments: Array) -> int | None:
    """Return the first of the hundred years that years of two digits lie in.

    None means that `strptime` reads the years right. The years of one file lie close
    together, and they do not begin in the future: 98, 99 and 00 are 1998 to 2000. Where
    `strptime` reads two centuries, the years do not reach into the future either.

    Args:
        moments: (rows,) datetime64[ms], as `strptime` reads them.
    """
    years = np.unique(moments.astype("datetime64[Y]").astype(int) + 1970)
    two_digits = np.unique(years % 100)
    # A hundred years are a circle. The file's years begin behind the widest gap in it.
    gaps = np.diff(two_digits, append=two_digits[0] + 100)
    first = 2000 + int(np.roll(two_digits, -1)[gaps.argmax()])
    last = first + 100 - int(gaps.max())
    first_as_read = years[0] if np.ptp(years) == last - first else None
    this_year = np.datetime64("today", "Y").astype(int) + 1970
    if last > this_year and (first != first_as_read or first > this_year):
        first -= 100
    return None if first == first_as_read else first


def usual(timestamps: Array) -> Array:
    """Return (rows,) bool: whether a timestamp's year lies within `YEARS`."""
    years = timestamps.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.asarray((years >= YEARS[0]) & (years <= YEARS[1]))


def wrong(timestamps: Array, *, any_year: bool = True) -> Array:
    """Return (rows,) bool: whether a timestamp is NaT, or an unusual one.

    With any year, unusual timestamps are wrong only if they are few.
    """
    within = usual(timestamps)
    if any_year and within.sum() <= 0.9 * len(within):
        return np.isnat(timestamps)
    return ~within

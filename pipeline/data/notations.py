"""Notations of dates and numbers that pandas does not read, and how the same is written in one that it does.

Each rewriting has one meaning. A text that no rule knows stays as it is, so that its reader can refuse it.
"""

import re
import unicodedata

MONTHS = {
    "Jan": "january januar jänner jän janvier janv enero ene gennaio gen janeiro januari",
    "Feb": "february februar febr feber février fevrier févr fevr fév fev febrero febbraio fevereiro februari",
    "Mar": "march märz maerz mär mrz mars marzo março marco maart mrt",
    "Apr": "april avril avr abril abr aprile",
    "May": "mai mayo maggio mag maio mei",
    "Jun": "june juni juin junio giugno giu junho",
    "Jul": "july juli juillet juil julio luglio lug julho",
    "Aug": "august août aout aoû agosto ago augustus",
    "Sep": "september sept septembre septiembre setiembre settembre setembro set",
    "Oct": "october oktober okt octobre octubre ottobre ott outubro out",
    "Nov": "november novembre noviembre novembro",
    "Dec": "december dezember dez décembre decembre déc diciembre dic dicembre dezembro",
}
"""English abbreviations -> names in English, German, French, Spanish, Italian, Portuguese and Dutch."""

MONTH_OF = {word: month for month, words in MONTHS.items() for word in [month.lower(), *words.split()]}

WEEKDAYS = (
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed weds thu thur thurs fri sat sun "
    "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag mo di mi do fr sa so uhr um "
    "lundi mardi mercredi jeudi vendredi samedi dimanche lun mer jeu ven sam dim "
    "lunes martes miércoles jueves viernes sábado domingo"
)

DASH = "\u2013"

DATE = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"

DATES = (
    # Of an interval its beginning: "27/10/2024 01:45 - 27/10/2024 02:00", "2024-01-01 10:00 - 11:00".
    (re.compile(rf"^(.*{DATE}.*?)(?:\s+(?:[-{DASH}]|to|bis)\s+|/)(?:{DATE}|\d\d?:\d\d).*$"), r"\1"),
    (re.compile(rf"^(\d\d?\.\d\d?\.\d{{2,4}}.*?)[-{DASH}]\d\d?\.\d\d?\.\d{{2,4}}.*$"), r"\1"),
    (re.compile(rf"((?:^|[ T])\d\d?:\d\d)\s?[-{DASH}]\s?\d\d?:\d\d$"), r"\1"),
    (re.compile(r"\b([ap])\.\s?m\.?(?!\w)", re.IGNORECASE), r"\1m"),
    (re.compile(r"(?<=\d) ?(?:\+00|\(?(?:UTC|GMT)\)?)$"), "Z"),
    (re.compile(rf"\b(?:{WEEKDAYS.replace(' ', '|')})\b\.?,?", re.IGNORECASE), ""),
    (re.compile(r"\b(?:quarter|quartal|qtr|trimestre)\b\.?|(?<![^\W\d_])q(?=\d)", re.IGNORECASE), "Q"),
    (re.compile(r"\b(?:week|woche|semaine|kw|w)(?= ?\d)|(?<=\d)w(?=\d)", re.IGNORECASE), "W"),
    (re.compile(r"[^\W\d_]{3,}\.?"), lambda match: MONTH_OF.get(match[0].lower().rstrip("."), match[0])),
)

CLOSE_INTERVAL = r"( \d\d?:\d\d)(-\d\d?:\d\d)$"
"""An interval without blanks, which pandas would read as a time with an offset: its beginning and its end."""

HOUR_24 = re.compile(
    r"(?:^|(?<=[T ]))24(?=(?:[:.h]?00|h)*(?:[.,]0+)?(?:Z|[+-]\d\d:?\d\d)?$)|(?<=^\d{8})24(?=(?:00){0,2}$)"
)
"""The hour of a day's end, at the end of a timestamp."""

CURRENCY = r"(?:[A-Z]{0,2}[$€£¥₹₽₩]|[A-Z]{3}|Fr\.|kr\.?|Rs\.?|zł|Kč)"

NUMBER = re.compile(
    r"(?P<bracket>\()?(?P<before>[-+\u2212\u2013])?\s?"
    rf"(?P<sign>{CURRENCY})?\s?(?P<within>[-+\u2212\u2013])?"
    r"(?P<digits>\d[\d.,'\u2019 \u00a0\u2009\u202f]*|[.,]\d+)(?P<power>[eE][-+]?\d+)?"
    rf"(?P<behind>[-\u2212\u2013])?\s?(?P<unit>[%‰]|{CURRENCY})?(?P<after>[-\u2212\u2013])?(?P<end>\))?"
)
"""A number with a sign before or behind it, or in brackets as in accounts, and perhaps a currency or percent sign."""

MINUS = "-\u2212\u2013"

BLANKS = " \u00a0\u2009\u202f"

# Without \s and \u, so that Arrow searches: ten times as fast as Python.
NUMBER_BEGINS = rf"^[{BLANKS}]*\(?[+{MINUS}]?[{BLANKS}]?(?:{CURRENCY})?[{BLANKS}]?[+{MINUS}]?[.,]?[0-9]"
"""What each `NUMBER` begins with."""

GROUPS = {" ": f"[{BLANKS}]", "'": "['\u2019]", ",": ",", ".": r"\."}
"""A mark between thousands -> all that are written for it."""


def plain_date(text: str) -> str:
    """Return a date with English months, am or pm, without its weekday; of an interval its beginning."""
    text = unicodedata.normalize("NFC", text)
    for pattern, replacement in DATES:
        text = pattern.sub(replacement, text)
    return re.sub(r"\s+", " ", text).strip(" ,")


def plain_number(text: str) -> tuple[str, str]:
    """Return a number as sign and digits, and its currency or percent sign; another text as it is, and "".

    Marks of decimals and thousands stay. A number with two signs, or half of its brackets, is no number.
    """
    whole = re.sub(r"(?<=\d)[.,][-\u2013\u2014\u2212]{1,2}(?=\D*$)", "", text.strip())  # 120.- has no cents
    match = NUMBER.fullmatch(whole)
    if match is None or (match["bracket"] is None) != (match["end"] is None):
        return text, ""
    signs = [match[name] for name in ("before", "within", "behind", "after") if match[name]]
    signs += ["-"] if match["bracket"] else []
    units = {match["sign"], match["unit"]} - {None}
    if len(signs) > 1 or len(units) > 1:
        return text, ""
    minus = "-" if signs and signs[0] in MINUS else ""
    return f"{minus}{match['digits'].strip()}{match['power'] or ''}", "".join(units)


def ungrouped(mark: str) -> re.Pattern[str]:
    """Return the pattern of a mark between thousands: not behind a 0 alone, but before groups of three, or India's."""
    group = GROUPS[mark]
    return re.compile(rf"(?<=\d)(?<!^0)(?<!^-0){group}(?=(?:\d\d{group})*\d{{3}}(?:\D|$))")

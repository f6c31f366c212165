"""Notations of dates and numbers that pandas does not read, and how the same is written in one that it does.

Each rewriting has one meaning. A text that no rule knows stays as it is, so that its reader can refuse it.
"""

import re

MONTHS = {
    "Jan": "january januar jänner jän janvier janv enero ene gennaio gen janeiro januari",
    "Feb": "february februar feber février fevrier févr fevr fév fev febrero febbraio fevereiro februari",
    "Mar": "march märz maerz mär mrz mars marzo março marco maart mrt",
    "Apr": "april avril avr abril abr aprile",
    "May": "mai mayo maggio mag maio mei",
    "Jun": "june juni juin junio giugno giu junho",
    "Jul": "july juli juillet juil julio luglio lug julho",
    "Aug": "august août aout aoû agosto ago augustus",
    "Sep": "september sept septembre septiembre settembre setembro set",
    "Oct": "october oktober okt octobre octubre ottobre ott outubro out",
    "Nov": "november novembre noviembre novembro",
    "Dec": "december dezember dez décembre decembre déc diciembre dic dicembre dezembro",
}
"""English abbreviations -> names in English, German, French, Spanish, Italian, Portuguese and Dutch."""

MONTH_OF = {word: month for month, words in MONTHS.items() for word in [month.lower(), *words.split()]}

WEEKDAYS = (
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun "
    "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag mo di mi do fr sa so "
    "lundi mardi mercredi jeudi vendredi samedi dimanche uhr"
)

DASH = "\u2013"

END = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.*"
"""The end of an interval, if it has a date."""

DATES = (
    # Of an interval its beginning: "27/10/2024 01:45 - 27/10/2024 02:00", "2024-01-01 10:00 - 11:00".
    (
        re.compile(rf"^(.*\d{{4}}.*?\d)(?:\s*[-{DASH}/]\s*{END}|\s+(?:to|bis)\s+{END}|\s+[-{DASH}]\s+\d\d?:\d\d.*)$"),
        r"\1",
    ),
    (re.compile(r"\b([ap])\.\s?m\.?(?!\w)", re.IGNORECASE), r"\1m"),
    (re.compile(rf"\b(?:{WEEKDAYS.replace(' ', '|')})\b\.?,?", re.IGNORECASE), ""),
    (re.compile(r"\b(?:quarter|quartal|qtr|trimestre)\b\.?", re.IGNORECASE), "Q"),
    (re.compile(r"[^\W\d_]{3,}\.?"), lambda match: MONTH_OF.get(match[0].lower().rstrip("."), match[0])),
)

HOUR_24 = re.compile(
    r"(?:^|(?<=[T ]))24(?=(?:[:.h]?00|h)*(?:[.,]0+)?(?:Z|[+-]\d\d:?\d\d)?$)|(?<=^\d{8})24(?=(?:00){0,2}$)"
)
"""The hour of a day's end, at the end of a timestamp."""

NUMBER = re.compile(
    r"(?P<bracket>\()?(?P<before>[-+\u2212\u2013])?\s?"
    r"(?P<sign>[$€£¥₹]|(?:US|A|C)\$|EUR|USD|GBP|CHF|Fr\.)?\s?(?P<within>[-+\u2212\u2013])?"
    r"(?P<digits>\d[\d.,'\u2019 \u00a0\u2009\u202f]*|[.,]\d+)(?P<power>[eE][-+]?\d+)?"
    r"(?P<behind>[-\u2212\u2013])?\s?(?P<unit>[$€£¥₹%‰]|EUR|USD|GBP|CHF|Fr\.|kr)?(?P<after>[-\u2212\u2013])?(?P<end>\))?"
)
"""A number with a sign before or behind it or in brackets as in accounts, and perhaps a currency or a percent sign."""

MINUS = ("-", "\u2212", "\u2013")

BLANKS = " \u00a0\u2009\u202f"

GROUPS = {" ": f"[{BLANKS}]", "'": "['\u2019]", ",": ",", ".": r"\."}
"""A mark between thousands -> all that are written for it."""


def plain_date(text: str) -> str:
    """Return a date with English months, am or pm, without its weekday; of an interval its beginning."""
    for pattern, replacement in DATES:
        text = pattern.sub(replacement, text)
    return re.sub(r"\s+", " ", text).strip(" ,")


def plain_number(text: str) -> tuple[str, str]:
    """Return a number as sign and digits, and its currency or percent sign; another text as it is, and "".

    Marks of decimals and thousands stay. A number with two signs, or half of its brackets, is no number.
    """
    match = NUMBER.fullmatch(text.strip())
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
    """Return the pattern of a mark between thousands: behind a digit, before groups of three, or India's of two."""
    group = GROUPS[mark]
    return re.compile(rf"(?<=\d){group}(?=(?:\d\d{group})*\d{{3}}(?:\D|$))")

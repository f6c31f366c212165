"""Rules that rewrite dates as people write them in a notation that pandas reads.

A text that fits no rule stays as it is, so that its reader can refuse it.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence

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

"""Timestamps as people write them: each notation is found and read as the time that it
means."""

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnrollError
from unroll.series.reading import timestamp_formats
from unroll.series.reading.timestamp_columns import find_columns

ROMAN = ("", "I", "II", "III", "IV")
ENDS = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
LATER = {
    "QS": pd.DateOffset(months=2),
    "W-MON": pd.Timedelta("6D"),
    "h": pd.Timedelta("1h"),
}


def written(template, stamp, freq):
    """A timestamp by a template: fields of `strftime`, those of its hour as 1 to 24,
    and of its end."""
    ended = stamp - pd.Timedelta("1h")
    year, week, _ = stamp.isocalendar()
    fields = {
        "t": stamp,
        "end": stamp + LATER.get(freq, pd.Timedelta(0)),
        "day": ended,
        "q": stamp.quarter,
        "roman": ROMAN[stamp.quarter],
        "d": stamp.day,
        "th": ENDS.get(stamp.day, "th"),
        "m": stamp.month,
        "H": stamp.hour,
        "I": stamp.hour % 12 or 12,
        "p": "ap"[stamp.hour // 12],
        "h": ended.hour + 1,
        "w": week,
        "g": year,
        "yy": year % 100,
        "excel": (stamp - pd.Timestamp("1899-12-30")) / pd.Timedelta("1D"),
        "decimal": stamp.year + (stamp.month - 1) / 12,
    }
    return template.format(**fields)


STARTS = {
    "QS": "2008-01-01",
    "W-MON": "2020-12-28",
    "h": "2024-02-28 01:00",
    "MS": "2020-01-01",
    "D": "2023-12-20",
}
WRITTEN = {
    "QS": """
        {t:%Y}Q{q} | {t:%Y}-Q{q} | {t:%Y} Q{q} | Q{q} {t:%Y} | Q{q}/{t:%Y} | Q{q}'{t:%y} | {q}Q{t:%y} |
        {q}-{t:%Y} | {t:%Y}:{q} | {t:%Y}.{q} | 0{q}/{t:%Y} | {roman}/{t:%Y} | {t:%Y} {roman} | T{q} {t:%Y} |
        {q}. Quartal {t:%Y} | {roman}. Quartal {t:%Y} | Quartal {roman} {t:%Y} | {q}e trimestre {t:%Y} |
        {t:%b}-{end:%b} {t:%Y} | {decimal:.2f}
    """,
    "W-MON": """
        {g}-W{w:02} | {g}W{w:02} | {g}-W{w:02}-1 | {g}W{w:02}1 | W{w}/{g} | KW {w:02}/{g} | {w}. KW {g} |
        {g} week {w} | {g}/{w:02} | {g}{w:02} | {w}.{g} | {g}-S{w:02} | W{w:02}-{yy} | KW {w}/{yy} |
        {yy}W{w:02} | w/c {t:%d/%m/%Y} | Week of {t:%b} {d}, {t:%Y} | {t:%Y-%m-%d}/{end:%Y-%m-%d} |
        {t:%d.%m.%Y} - {end:%d.%m.%Y} | {t:%d/%m/%Y}-{end:%d/%m/%Y} | {t:%Y-%m-%d}--{end:%Y-%m-%d} |
        {d} {t:%b %Y} - {end:%d %b %Y} | du {t:%d/%m/%Y} au {end:%d/%m/%Y} | {t:%Y%m%d}-{end:%Y%m%d} |
        ({t:%Y-%m-%d}, {end:%Y-%m-%d}]
    """,
    "h": """
        {day:%Y-%m-%d}T{h:02}:00 | {day:%d.%m.%Y} {h:02}:00 | {day:%Y-%m-%d} HE{h:02} | {day:%Y-%m-%d} {h}h |
        {day:%Y%m%d}{h:02} | {day:%Y%m%d} {h:02} | {day:%Y%m%d}T{h:02}00 | {day:%Y-%m-%d}-{h:02} |
        {day:%d.%m.%Y} {h:02}:00 Uhr | {day:%Y-%m-%d}T{h:02}:00:00Z |
        {t:%d/%m/%Y %H:%M} - {end:%d/%m/%Y %H:%M} | {t:%Y-%m-%d %H:%M}-{end:%H:%M} | {t:%Y-%m-%dT%H:%MZ}/PT1H |
        [{t:%Y-%m-%d %H:%M:%S}, {end:%Y-%m-%d %H:%M:%S}) | {t:%d/%m/%Y} {H}h-{end.hour}h |
        {t:%d/%m/%Y %H:%M} -> {end:%d/%m/%Y %H:%M} | {t:%d/%m/%Y %I:%M %p} - {end:%I:%M %p} |
        {m}/{d}/{t:%Y} {I} {p}.m. | {t:%m/%d/%Y} {I}:00 {p} | {t:%d/%m/%Y} {t:%I:%M} {p}.\u00a0m. |
        {t:%m/%d/%Y %I%p} | {t:%B} {d}, {t:%Y} at {t:%I:%M %p} | {d}. {t:%b}. {t:%Y}, {t:%H:%M} Uhr |
        {t:%d/%m/%Y} à {t:%Hh%M} | {t:%Y-%m-%d %H:%M} UTC |
        {t:%a %b %d %Y %H:%M:%S} GMT+0000 (Coordinated Universal Time) | {t:%d%b%Y:%H:%M:%S} |
        {t:%d/%b/%Y:%H:%M:%S} +0000 | [{t:%d/%b/%Y:%H:%M:%S}] | {t:%Y-%m-%d-%H.%M.%S.%f} | {t:%Y-%m-%d_%H:%M} |
        {t:%H:%M %d.%m.%Y} | {t:%Y-%m-%dt%H:%M:%Sz} | {t:%Y%m%d %H:%M} | {excel:.4f} | {excel:.10f}
    """,
    "MS": """
        {t:%b %Y} | {t:%B-%y} | {t:%Y%b} | {t:%Y.%m} | {m}/{t:%Y} | {t:%Y}m{m} | {t:%Y}M{m} | {t:%Y}年{m}月 |
        {decimal:.3f} | {decimal:.2f} | {decimal!r} | {excel:.0f}
    """,
    "D": """
        {d}. {m}. {t:%Y} | {t:%Y}. {m}. {d}. | {t:%Y}年{m}月{d}日 | {t:%B} {d}{th}, {t:%Y} | {d}{th} of {t:%B %Y} |
        {t:%A, %B} {d}, {t:%Y} | {t:%d%b%Y} | {t:%Y}{t:%j} | {t:%Y-%j} | {excel:.0f}
    """,
}
"""Distances of rows -> notations of their timestamps, between bars."""


def test_notations(file_regression):
    """Of the formats that fit, which are approved, those before the bar give the times
    that are meant."""
    lines = []
    pairs = [(freq, text) for freq in WRITTEN for text in WRITTEN[freq].split("|")]
    for freq, text in pairs:
        template = text.strip()
        stamps = pd.date_range(STARTS[freq], periods=30, freq=freq)
        cells = [written(template, stamp, freq) for stamp in stamps]
        texts = pd.Series(cells, dtype="str")
        columns, formats = find_columns(pd.DataFrame({"date": texts, "x": "5"}), [])
        meant = [
            form
            for form in formats
            if np.array_equal(timestamp_formats.parse(texts, form)[0], stamps)
        ]
        assert columns == ["date"]
        assert meant, template
        others = [form for form in formats if form not in meant]
        lines.append(f"{cells[0]}: {meant} | {others}")
    file_regression.check("\n".join(lines))


MONTHS = {
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "German, short": "Jan. Feb. Mrz. Apr. Mai Jun. Jul. Aug. Sept. Okt. Nov. Dez.",
    "Austrian": "Jänner Feber März April Mai Juni Juli August September Oktober November Dezember",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "French, short": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "French, ASCII": "JANVIER FEVRIER MARS AVRIL MAI JUIN JUILLET AOUT SEPTEMBRE OCTOBRE NOVEMBRE DECEMBRE",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Italian": "gen feb mar apr mag giu lug ago set ott nov dic",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november december",
    "Swedish": "januari februari mars april maj juni juli augusti september oktober november december",
    "Danish": "januar februar marts april maj juni juli august september oktober november december",
    "Norwegian": "januar februar mars april mai juni juli august september oktober november desember",
    "Polish": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
}


@pytest.mark.parametrize("language", MONTHS)
def test_the_months_of_a_language(language):
    names = MONTHS[language].split()
    for template, stamp_format in (
        ("{} 2020", "%b %Y"),
        ("{}-20", "%b-%y"),
        ("1 {} 2020", "%d %b %Y"),
    ):
        texts = pd.Series([template.format(name) for name in names], dtype="str")
        moments, _ = timestamp_formats.parse(texts, stamp_format)
        assert moments.astype("datetime64[M]").astype(int).tolist() == list(
            range(600, 612)
        )
        assert not (
            moments.astype("datetime64[D]") - moments.astype("datetime64[M]")
        ).any()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1er janvier 2023", "2023-01-01"),
        ("mar. 3 janv. 2023", "2023-01-03"),
        ("mar 3 ene 2023", "2023-01-03"),
        ("3 mar 2023", "2023-03-03"),
        ("1 de enero de 2023", "2023-01-01"),
        ("1º de janeiro de 2023", "2023-01-01"),
        ("Montag, 2. Januar 2023", "2023-01-02"),
        ("lundi 2 janvier 2023", "2023-01-02"),
    ],
)
def test_a_day_with_words(text, day):
    columns, formats = find_columns(pd.DataFrame({"x": [text]}), [])
    moments, _ = timestamp_formats.parse(pd.Series([text], dtype="str"), formats[0])
    assert (columns, moments.tolist()) == (
        ["x"],
        np.array([day], "datetime64[ms]").tolist(),
    )


PARTS = {
    "year;month": ("MS", "{t:%Y};{m}", "%Y %m"),
    "Jahr;Monat": ("MS", "{t:%Y};{t:%B}", "%Y %b"),
    "Jahr;Quartal": ("QS", "{t:%Y};{q}", "%Y %q"),
    "Year;Qtr": ("QS", "{t:%Y};Q{q}", "%Y Q%q"),
    "Jahr;KW": ("W-MON", "{g};{w}", "%G %V"),
    "year;week": ("W-MON", "{g};W{w}", "%G W%V"),
    "year;doy": ("D", "{t:%Y};{t.day_of_year}", "%Y %j"),
    "YEAR;DOY;HR": ("h", "{t:%Y};{t.day_of_year};{H}", "%Y %j %H"),
    "year;month;day;hour": ("h", "{day:%Y};{day.month};{day.day};{h}", "%Y %m %d %H"),
    "date;hour": ("h", "{day:%Y-%m-%d};{h}", "%Y-%m-%d %H"),
    "date;hour ending": ("h", "{day:%Y-%m-%d};HE{h:02}", "%Y-%m-%d %H:%M"),
    "Datum;Zeit": ("h", "{day:%d.%m.%Y};{h:02}00", "%d.%m.%Y %H%M"),
    "Datum;von": ("h", "{t:%d.%m.%Y};{t:%H:%M} - {end:%H:%M}", "%d.%m.%Y %H:%M"),
    "Datum;Uhrzeit": (
        "h",
        "{t:%d.%m.%Y};{t:%H:%M:%S}-{end:%H:%M:%S}",
        "%d.%m.%Y %H:%M:%S",
    ),
    "Datum;Stunde": ("h", "{t:%d.%m.%Y};{t:%H}-{end:%H}", "%d.%m.%Y %H:%M"),
}


@pytest.mark.parametrize("names", PARTS)
def test_a_timestamp_in_several_columns(names):
    freq, template, stamp_format = PARTS[names]
    stamps = pd.date_range(STARTS[freq], periods=30, freq=freq)
    rows = [written(template, stamp, freq).split(";") for stamp in stamps]
    head = pd.DataFrame(rows, columns=names.split(";"), dtype="str").assign(x="7.5")
    columns, formats = find_columns(head, [])
    moments, _ = timestamp_formats.parse(
        timestamp_formats.joined(head, columns), stamp_format
    )
    assert (columns, stamp_format in formats) == (names.split(";"), True)
    np.testing.assert_array_equal(moments, np.asarray(stamps, "datetime64[ms]"))


ZONES = [
    (
        "Europe/Berlin",
        "{t:%d/%m/%Y %H:%M:%S} ({t:%Z}) - {end:%d/%m/%Y %H:%M:%S} ({end:%Z})",
    ),
    ("Europe/Berlin", "{t:%Y-%m-%d %H:%M} {t:%Z}"),
    ("America/New_York", "{t:%m/%d/%Y %I:%M %p} {t:%Z}"),
    ("America/New_York", "{t:%Y-%m-%d %H:%M:%S%z}[America/New_York]"),
]


@pytest.mark.parametrize(("zone", "template"), ZONES)
def test_names_of_zones_and_offsets_are_utc(zone, template):
    # clocks are put back
    stamps = pd.date_range("2024-10-20", "2024-11-10", freq="h", tz=zone)
    texts = pd.Series(
        [template.format(t=stamp, end=stamp + LATER["h"]) for stamp in stamps],
        dtype="str",
    )
    _, formats = find_columns(pd.DataFrame({"t": texts}), [])
    moments, utc = timestamp_formats.parse(texts, formats[0])
    assert utc
    np.testing.assert_array_equal(
        moments,
        np.asarray(stamps.tz_convert("UTC").tz_localize(None), "datetime64[ms]"),
    )


@pytest.mark.parametrize(
    ("cells", "stamp_format", "stamps"),
    [
        (["2024-01-01", "now", "today"], "ISO8601", ["2024-01-01", "NaT", "NaT"]),
        (
            ["2024010123", "2024010124"],
            "%Y%m%d%H",
            ["2024-01-01T23:00", "2024-01-02T00:00"],
        ),
        (
            ["2024-01-31 24:00", "2024-02-28 24:00:00"],
            "ISO8601",
            ["2024-02-01", "2024-02-29"],
        ),
        (
            ["31.12.2023 24:00", "01.01.2024 24:30"],
            "%d.%m.%Y %H:%M",
            ["2024-01-01", "NaT"],
        ),
        (["2020Q3", "2020Q5"], "%YQ%q", ["2020-07-01", "NaT"]),
        (["4-2015", "5-2015"], "%q-%Y", ["2015-10-01", "NaT"]),
        (["2020-W53", "2021-W53"], "%G-W%V", ["2020-12-28", "NaT"]),
        (["45292", "45292.0416666667"], "excel", ["2024-01-01", "2024-01-01T01:00"]),
        (["1704067200000", "1704067200"], "unix_ms", ["2024-01-01", "NaT"]),
        (["1704067200000000000", "1704067200"], "unix_ns", ["2024-01-01", "NaT"]),
        (["1. Mai 2024", "1. Mär 2024"], "%d. %b %Y", ["2024-05-01", "2024-03-01"]),
        (
            ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00"],
            "ISO8601",
            ["2024-01-01", "NaT"],
        ),
        (
            ["2024-01-01T00:00:00", "2024-01-02T00:00:00+01:00"],
            "ISO8601",
            ["2024-01-01", "NaT"],
        ),
        (["2020 KW 24", "2020 KW 53"], "%G W %V", ["2020-06-08", "2020-12-28"]),
        (["2020.083", "2020.9"], "decimal_month", ["2020-02-01", "NaT"]),
        (["2020,0417", "2020.125"], "decimal_month", ["2020-01-15", "2020-02-15"]),
        (
            ["45292.0417", "45292.0104"],
            "excel",
            ["2024-01-01T01:00", "2024-01-01T00:15"],
        ),
    ],
)
def test_timestamps_are_read_by_their_format_or_not_at_all(cells, stamp_format, stamps):
    moments, _ = timestamp_formats.parse(pd.Series(cells, dtype="str"), stamp_format)
    np.testing.assert_array_equal(moments, np.array(stamps, "datetime64[ms]"))


@pytest.mark.parametrize(
    "form",
    [
        *(
            "%Y-%m-%d %H:%M:%S,000",
            "%Y-%m-%dT%H:%M:%S.0000000Z",
            "%d.%m.%Y %H:%M:%S,000",
        ),
        *("%m/%d/%Y %I:%M:%S.000 %p", "%d-%b-%y %I.%M.%S.000000000 %p"),
        *("%Y-%m-%dT%H:%M:%S.000000000", "%d.%m.%Y %H:%M:%S.0000000"),
    ],
)
def test_fractions_of_a_second_are_read(seen, form):
    stamps = pd.date_range("2023-01-20", periods=60, freq="h").strftime(form)
    lines = [f"{stamp.upper()};{row * row % 23}" for row, stamp in enumerate(stamps)]
    profile = seen("\n".join(["time;load", *lines]))
    assert (profile.first, profile.freq) == (np.datetime64("2023-01-20"), 3600)


def test_values_that_may_be_days_are_no_headings(seen):
    days = pd.date_range("2024-01-01", periods=60).strftime("%Yy%mm%dd")
    lines = [f"{day},{28_644 + row * 211}" for row, day in enumerate(days)]
    with pytest.raises(UnrollError, match="no column holds times of a known form"):
        seen("\n".join(["when,load", *lines]))

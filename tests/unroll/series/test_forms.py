"""From files as people have them to prepared data sets, with nothing said but the
horizon and the lookback."""

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UnrollError
from unroll.series.options import Options
from unroll.series.preparation import cut_into_windows
from unroll.series.question import propose
from unroll.series.reading.detect import detect
from unroll.series.reading.profile import described

HOURS = 24 * 40
START = dt.datetime(2023, 1, 20, tzinfo=dt.UTC)


def data_of(paths, **wanted):
    """The data set of files, and what is said of them."""
    profile = detect(paths, Options())
    proposal = propose(profile, Options(**wanted))
    data = cut_into_windows("load", profile, proposal).dataset
    return data, "\n".join(described(profile))


def value(hour):
    """What was measured in an hour, with two decimals."""
    return round(
        100 + 20 * math.sin(hour * math.pi / 12) + 2 * math.sin(hour * hour), 2
    )


def rows(count=HOURS, unit="hours"):
    return [(START + dt.timedelta(**{unit: row}), value(row)) for row in range(count)]


def write(path: Path, lines, encoding="utf-8") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def semicolon(folder):
    """A spreadsheet's export: a mark at the beginning, decimal commas, empty cells, a
    last row of delimiters."""
    lines = [
        f"{stamp:%d.%m.%Y %H:%M};{str(load).replace('.', ',')};{['ja', 'nein', ''][(row % 50 == 9) + (load > 100)]};"
        for row, (stamp, load) in enumerate(rows())
    ]
    return [
        write(folder / "load.csv", ["Zeit;Last [kW];hoch;", *lines, ";;;"], "utf-8-sig")
    ], value


def split_stamps(folder):
    """As UCI's air quality: date and time apart, -200 where nothing was measured."""
    lines = [
        f"{stamp:%d/%m/%Y};{stamp:%H.%M.%S};{-200 if row % 100 == 7 else str(load).replace('.', ',')};{load:.0f};;"
        for row, (stamp, load) in enumerate(rows())
    ]
    path = write(folder / "load.csv", ["Date;Time;load;other;;", *lines, ";;;;;"])
    return [path], lambda hour: value(hour - 1) if hour % 100 == 7 else value(hour)


def utf16(folder):
    """A spreadsheet's "Unicode text": UTF-16 with its mark, tabs; a row a day, in no
    order, ten of them twice."""
    lines = [
        f"{stamp:%Y-%m-%d}\t{load}\t{load / 9:.1f}".replace(".", ",")
        for stamp, load in rows(unit="days")
    ]
    lines = sorted([*lines, *lines[30:40]], key=lambda line: line[::-1])
    return [
        write(folder / "load.csv", ["Zeit\tLast [kW]\tWärme (°C)", *lines], "utf-16")
    ], value


def yearly(folder):
    """A station's files: a year each, latin-1, year, month, day and hour apart, a gap
    of three rows."""
    files = {}
    for row, (stamp, load) in enumerate(rows()):
        moved = stamp - dt.timedelta(days=30)
        if row not in {100, 101, 102}:
            files.setdefault(moved.year, []).append(
                f"{moved.year},{moved.month},{moved.day},{moved.hour},{load}"
            )
    header = "year,month,day,hour,Temp (°C)"
    paths = [
        write(folder / "load" / f"y{year}.csv", [header, *lines], "latin-1")
        for year, lines in files.items()
    ]
    return paths, lambda hour: value(99) if hour in {100, 101, 102} else value(hour)


FORMS = [semicolon, split_stamps, utf16, yearly]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_becomes_a_data_set_with_no_edit_by_hand(tmp_path, form):
    files, expected = form(tmp_path)
    data, _ = data_of(files, horizon=12, lookback=24)
    windows = data.splits["train"]
    measured = (
        windows.series[:, windows.target].astype(float) * data.scale.std
        + data.scale.mean
    )
    np.testing.assert_allclose(
        measured, [expected(hour) for hour in range(len(measured))], atol=1e-4
    )
    assert len(measured) == HOURS
    assert (windows.outputs, windows.lookback, windows.horizon) == (12, 24, 1)
    assert len(windows) > 20


DAYS = range(1, 29)
DAILY = [f"2020-01-{day:02d},{day}" for day in DAYS]
TWO = "time,load\n2020-01-01,1\n2020-01-02,1\n"
WIDE = (
    ",".join(["time", *(f"c{row}" for row in range(100_000))])
    + "\n"
    + "2020-01-01"
    + ",1" * 100_000
)
MARKS = [
    f"2020-01-{day:02d};{day}{'.' if day == 20 else ','}25" for day in range(1, 29)
]


def text(*lines):
    return "\n".join(lines)


BAD = {
    "empty": ("", "is empty"),
    "header only": ("time,load\n", "holds a header and no row; add rows"),
    "one row": (
        "time,load\n2020-01-01,1\n",
        "holds a header and one row; add rows",
    ),
    "all NaN": (
        text("time,load", *(f"2020-01-{d:02d},NaN" for d in range(1, 29))),
        "no column holds numbers",
    ),
    "binary": (
        bytes(range(256)) * 20,
        "is packed, binary, UTF-32 or UTF-16 without its mark; save it as UTF-8 CSV",
    ),
    "a mark alone": ("\ufeff", "is empty"),
    "too small": (
        text("time,load", *(f"{day}e-321" for day in DAILY)),
        "'load': numbers less than 1e-150 apart; give",
    ),
    "UTF-16": (TWO.encode("utf-16-le"), "UTF-16 without .* save it as UTF-8"),
    "UTF-32": (TWO.encode("utf-32"), "UTF-32 or UTF-16 .* save it as UTF-8"),
    "broken Parquet": (b"PAR1" + b"x" * 90, "is no whole Parquet file"),
    "100,000 columns": (WIDE, "line 1 has more than 131,072 characters; save it with"),
    "both decimal marks": (
        text("time;load", *MARKS),
        r"'load' holds 20\.25 1 times beside numbers with ',' as decimal mark",
    ),
    "no stamps": (
        "a,b\n1,2\n3,4\n",
        "with stamp= and .* Columns and first cells: a \\('1'\\), b",
    ),
    "quarter hours": (
        text(
            "day,part,x",
            *(
                f"2020-01-{d:02d},{part},{d * part % 7}"
                for d in DAYS
                for part in range(1, 97)
            ),
        ),
        "holds 96 series, by 'part'; 'part' may count parts of a day, too; then make 'part' part of the timestamp",
    ),
    "series by two columns": (
        text(
            "time,a,b,x",
            *(
                f"2020-01-{d:02d},{a},{b},{d * a % 7}{b}"
                for a in (1, 2)
                for b in (3, 4)
                for d in DAYS
            ),
        ),
        r"each timestamp occurs 4 times, .* no single column names the series; join the columns that do \(of a, b",
    ),
    "too few rows": (
        text("time,load", *DAILY[:5]),
        "the file has 5 different timestamps, and forecasts take at least 6; add rows",
    ),
    "one number in the train rows": (
        text("time,load", *(f"2020-01-{day:02d},{day // 16}" for day in DAYS)),
        "nothing to learn; no smaller horizon= or lookback= helps: ",
    ),
    "one stamp": (
        text("time,load", *["2023-01-01 00:00,1"] * 40),
        "the file has 1 different timestamps",
    ),
    "stamps alone": (
        "date,time\n" + "2023-01-01,00:00\n" * 40,
        "the file has 1 different timestamps",
    ),
    "no columns": (
        "some words\nand more of those words\n",
        "has no columns that a comma",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_gets_one_line(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UnrollError, match=message) as caught:
        data_of([path])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("parts", [25, 48, 50])
def test_parts_of_a_day_may_look_like_series(tmp_path, parts):
    days = [(month, day) for month in range(1, 4) for day in DAYS]
    lines = (
        f"2020-{m:02d}-{d:02d},{part},{d * d * part % 101}"
        for m, d in days
        for part in range(1, parts + 1)
    )
    _, said = data_of([write(tmp_path / "load.csv", ["day,slot,load", *lines])])
    assert (
        "guessed   series_id: 'slot' may count parts of a day, too; then make 'slot'"
        in said
    )


def test_a_column_of_words_that_is_mostly_empty_costs_no_window(
    tmp_path,
):
    """As the traffic of Metro Interstate: a holiday on few days, 0 K once, and no rain
    as 0."""
    days = {9: "Easter", 99: "May Day", 489: "Easter"}
    kelvin = {200: 0}
    lines = [
        f"{stamp:%Y-%m-%d %H:%M},{days.get(hour, '')},{kelvin.get(hour, load)},{hour % 7},{load}"
        for hour, (stamp, load) in enumerate(rows())
    ]
    file = write(tmp_path / "load.csv", ["time,holiday,kelvin,rain,load", *lines])
    data, _ = data_of([file], target="load", horizon=12, lookback=24)
    assert {"holiday=Easter", "holiday=May Day"} < {*data.fitted.columns}

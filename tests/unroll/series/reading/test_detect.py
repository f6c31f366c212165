"""What a file of rows is like: of each part of the sniffer a table of examples, and of
each refusal what cures it."""

import itertools

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnrollError
from unroll.series.options import Options
from unroll.series.reading import (
    layout,
    magnitudes,
    numbers,
    timestamp_columns,
    timestamp_formats,
)
from unroll.series.reading.detect import detect
from unroll.series.reading.profile import ColumnProfile
from unroll.series.row_options import CsvFormat

DAY = 86_400


def series(
    freq,
    count,
    form="%Y-%m-%d %H:%M",
    start="2015-01-01",
    head="time,load",
    row="{},{}",
):
    stamps = pd.date_range(start, periods=count, freq=freq).strftime(form)
    lines = [
        row.format(stamp, index * index % 23 + index % 24)
        for index, stamp in enumerate(stamps)
    ]
    return "\n".join([head, *lines]) + "\n"


DATA = [f"2020-01-{day:02},{day},{day % 7}" for day in range(1, 20)]


def test_words_with_numbers_are_no_stamps():
    assert (
        timestamp_columns.find_columns(
            pd.DataFrame({"unit": ["Unit 12, 2019", "March hare 7"]}), []
        )[1]
        == []
    )
    assert not any(
        timestamp_formats.formats(word, digits=False)
        for word in ("Unit 12", "Store 3", "Mary-7", "mar 7, 1", "A12")
    )


@pytest.mark.parametrize(
    ("lines", "delimiter", "skip", "header", "units"),
    [
        (["a;b", "2020-01-01;1,5", "2020-01-02;2,5"], ";", 0, True, []),
        (["station X", "", "a\tb", "1\t2", "3\t4"], "\t", 2, True, []),
        (["2020-01-01 1 2", "2020-01-02 3 4"], " ", 0, False, []),
        (
            ["t;p;q", ";kW;°C", "2020-01-01;1;n/a", "2020-01-02;2;3"],
            ";",
            0,
            True,
            [["", "kW", "°C"]],
        ),
        (
            ["t;p;q", ";[kW];1", "2020-01-01;1;2", "2020-01-02;2;3"],
            ";",
            0,
            True,
            [["", "[kW]", "1"]],
        ),
        (
            ["A", "t,p", "TS,W", ",Avg", "Jan 2020,1", "Feb 2020,2"],
            ",",
            1,
            True,
            [["TS", "W"], ["", "Avg"]],
        ),
        (
            ["Report,,", "Created 2024-06-01,,", ",,", "time,a,b", *DATA],
            ",",
            3,
            True,
            [],
        ),
        (
            [
                "Report 5,,",
                "2024,,",
                "Site,7,",
                "Made,2024-06-01 12:00,",
                "t,a,b",
                *DATA,
            ],
            ",",
            4,
            True,
            [],
        ),
        (["A,B,C", ",,", "time,a,b", *DATA], ",", 2, True, []),
        (
            [
                '"All, of it";;',
                ";;",
                "t;a;b",
                ";kW;°C",
                *(d.replace(",", ";") for d in DATA),
            ],
            ";",
            2,
            True,
            [["", "kW", "°C"]],
        ),
        (
            ["A,st,", "TIMESTAMP,a,b", "TS,V,C", ",Avg,Smp", *DATA],
            ",",
            1,
            True,
            [["TS", "V", "C"], ["", "Avg", "Smp"]],
        ),
        (
            ["A\t", "B\tC", "time\ta", "2020-01-01\t1", "2020-01-02\t2"],
            "\t",
            2,
            True,
            [],
        ),
        (
            ["A\t", "2024\t17", "time\ta", "2020-01-01\t1", "2020-01-02\t2"],
            "\t",
            2,
            True,
            [],
        ),
        (["t;p", "2020-01-01;n/a", "2020-01-02;2", "2020-01-03;2"], ";", 0, True, []),
    ],
)
def test_a_layout(tmp_path, lines, delimiter, skip, header, units):
    text = "\n".join(lines)
    form, found = layout.layout(tmp_path / "a.csv", text, None)
    assert (form.delimiter, form.skip, form.names is None) == (delimiter, skip, header)
    assert (found, form.units_rows) == (units, len(units))


def test_no_option_is_named_that_does_not_read_the_rows(seen):
    days = pd.date_range("2024-01-01", periods=40).strftime("%Y-%m-%d")
    uneven = [
        f"{day},00:{index * 7 % 60:02}:{index * index % 60:02},{index}"
        for index, day in enumerate(days.repeat(2))
    ]
    with pytest.raises(UnrollError, match="not evenly spaced") as caught:
        seen("\n".join(["day,Session Duration,visitors", *uneven]))
    assert "stamp='day'" not in str(caught.value), "a day would have two values"


CELLS = (
    *("1.5", "1,5", "1.234", "1,234", "1.234,5", "1,234.5", "1234", "998", "12", "99"),
    *("0.512", "1 234", "1'234", "-1.234", "1.234e5", "5 %", "word"),
)


def test_marks_of_two_cells_are_as_approved(tmp_path, file_regression):
    lines = []
    for first, second in itertools.combinations_with_replacement(CELLS, 2):
        for delimiter in ",;":
            cells = [[first, second, "998"]]
            try:
                found = numbers.marks(cells, tmp_path, delimiter)
            except UnrollError as error:
                found = str(error).partition(": ")[2]
            known = [numbers.marks(cells, tmp_path, delimiter, mark) for mark in ",."]
            lines.append(f"{first} {second} by {delimiter} {found}, known {known}")
    file_regression.check("\n".join(lines))


@pytest.mark.parametrize(
    ("name", "below", "cells", "quantity", "unit", "left_out"),
    [
        ("load (kW)", "", "1 2 3", "load", "kW", ""),
        ("load", "[kW]", "1 2 3", "load", "kW", ""),
        ("CO(GT)", "", "1 2 n/a", "CO(GT)", "", "33% without a value"),
        ("x", "-", "7 7 7", "x", "", "always 7"),
        ("sky", "", "fair dull fair", "sky", "", ""),
        ("x", "", "1.5 2.5 -9999", "x", "", "33% without a value"),
    ],
)
def test_a_column(name, below, cells, quantity, unit, left_out):
    column = ColumnProfile.of(
        name, below, pd.Series(cells.split(), dtype="str"), CsvFormat()
    )
    days = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[D]")
    odd = magnitudes.odd({name: column.measured}, days, None)
    column = column.without({one.number for one in odd if one.missing})
    assert (column.quantity, column.unit, column.useless or column.sparse) == (
        quantity,
        unit,
        left_out,
    )


def test_a_wrong_stamp_of_a_second_file_is_named(tmp_path):
    for name, start in (("a.csv", "2015-01-01"), ("b.csv", "2015-01-11")):
        (tmp_path / name).write_text(
            series("D", 10, start=start).replace("-15 00:00", "-15 99:00"),
            encoding="utf-8",
        )
    with pytest.raises(
        UnrollError,
        match=r"b\.csv, line 6: '2015-01-15 99:00' is no timestamp of the form ISO8601",
    ):
        detect([tmp_path / "a.csv", tmp_path / "b.csv"], Options())


D30 = series("D", 30)
CURES = {
    "day or month": (
        series("D", 9, "%d/%m/%Y"),
        {},
        "pass day_first=True or day_first=False",
        {"day_first": True},
    ),
    "month or day": (
        series("MS", 12, "%d/%m/%Y"),
        {},
        "pass day_first=True or day_first=False",
        {"day_first": False},
    ),
    "year": (
        series("MS", 9, "%y/%m/%d"),
        {},
        "'%d/%m/%y' or stamp_format='%y/%m/%d'",
        {"stamp_format": "%y/%m/%d"},
    ),
    "thousands": (
        series("D", 30, head="t;x", row="{};1,2{:02}"),
        {},
        "pass decimal=",
        {"decimal": "."},
    ),
    "decimals": (
        series("D", 30, head="t;x", row="{};1,2{:02}"),
        {},
        "or decimal='.'",
        {"decimal": ","},
    ),
    "the other": (
        series("D", 30, row="{},{}.5"),
        {"decimal": ","},
        "pass decimal='[.]'",
        {"decimal": "."},
    ),
    "own form": (
        series("h", 30, "%Y_%m_%d %Hh"),
        {},
        "with stamp= and their form with stamp_format=",
        {"stamp": ["time"], "stamp_format": "%Y_%m_%d %Hh"},
    ),
    "years": (
        series("YS", 30, "%Y", "1990-01-01", head="n,x"),
        {},
        "'n' may hold times, .* pass stamp='n' if",
        {"stamp": ["n"]},
    ),
    "days since 1900": (
        "\n".join(
            ["date,x", *(f"{22_647 + day},{day * day % 23}" for day in range(60))]
        ),
        {},
        "or excel for a spreadsheet's days since 1900",
        {"stamp": ["date"], "stamp_format": "excel"},
    ),
    "decimal years": (
        "\n".join(
            [
                "a,x",
                *(
                    f"{2000 + month / 12:.3f},{month * month % 23}"
                    for month in range(60)
                ),
            ]
        ),
        {},
        "'a' may hold times, .* pass stamp='a' if",
        {"stamp": ["a"]},
    ),
    "two letters": (
        series("D", 30).replace(",", "::"),
        {"delimiter": "::"},
        "delimiter= must be one letter",
        None,
    ),
    "alone": (
        series("D", 30, "%Yy%mm%d"),
        {"stamp_format": "%Yy%mm%d"},
        "with stamp= and",
        {"stamp": ["time"]},
    ),
    "no format": (
        D30,
        {"stamp_format": "%Q"},
        "stamp_format= is no format .* Received: '%Q'",
        {"stamp_format": None},
    ),
    "another form": (
        D30.replace("2015-01-30", "30_01_2015"),
        {"stamp": ["time"], "stamp_format": "ISO8601"},
        "'30_01_2015 00:00' is no timestamp of the form ISO8601, as others are; correct the file",
        None,
    ),
    "delimiter": (
        series("D", 30, "%Y-%m-%d").replace(",", "^"),
        {},
        "pass delimiter=",
        {"delimiter": "^"},
    ),
    "ragged": (
        f"{D30}1,2,3\n4\n5\n6\n7\n",
        {"delimiter": ","},
        "columns in all rows, by ','; correct the file",
        None,
    ),
    "zone": (
        D30,
        {"time_zone": "Berlin"},
        "such as Europe/Berlin",
        {"time_zone": "Europe/Berlin"},
    ),
    "skipped": (
        series("h", 9, start="2015-03-28 22:00"),
        {"time_zone": "Europe/Berlin"},
        "clocks of Europe/Berlin skipped the time .* name the zone",
        {"time_zone": "UTC"},
    ),
    "encoding": (
        series("D", 30, head="time,°C"),
        {"encoding": "utf-8", "written": "latin-1"},
        "is not utf-8 text; pass another encoding=, such as latin-1",
        {"encoding": "latin-1"},
    ),
    "stamp": (
        D30,
        {"stamp": ["when"]},
        "stamp= must name columns of the file: time, load. Received: 'when'",
        {"stamp": ["time"]},
    ),
    "target": (D30, {"target": "laod"}, "Did you mean load", {"target": "load"}),
    "no day": (
        D30.replace("-1", "-0"),
        {},
        "line 11: '2015-01-00 00:00' is no timestamp of the form ISO8601, as",
        None,
    ),
    "cut off": (
        series("D", 30, "%m.%d.%Y") + "01.31.20,4\n",
        {},
        "line 32: '01.31.20' .* form %m.%d.%Y,",
        None,
    ),
}


@pytest.mark.parametrize(
    ("text", "known", "message", "cure"), CURES.values(), ids=CURES
)
def test_what_a_refusal_advises_works(seen, text, known, message, cure):
    with pytest.raises(UnrollError, match=message) as caught:
        seen(text, **known)
    assert "\n" not in str(caught.value)
    assert cure is None or seen(text, **known | cure).targets

"""Dates and numbers in other notations: each has one meaning, and what has none stays
as it is."""

import numpy as np
import pandas as pd
import pytest

from unroll.series.reading.numbers import plain_number, values_of, without_unit
from unroll.series.reading.timestamp_formats import parse, plain_date
from unroll.series.row_options import CsvFormat


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("15. März 2024", "15. Mar 2024"),
        ("1 févr. 2024", "1 Feb 2024"),
        ("Mi 15.01.2024", "15.01.2024"),
        ("lundi 15 janvier 2024", "15 Jan 2024"),
        ("27/10/2024 01:45:00 - 27/10/2024 02:00:00", "27/10/2024 01:45:00"),
        ("2024-01-01T00:00/2024-01-01T01:00", "2024-01-01T00:00"),
        ("01.01.2024 10:00 bis 01.01.2024 11:00", "01.01.2024 10:00"),
        ("2024-01-01 10:00 - 11:00", "2024-01-01 10:00"),
        ("01/02/2024 12 a.m.", "01/02/2024 12 am"),
        ("3. Quartal 2020", "3. Q 2020"),
        ("2024-01-01T00:00:00-05:00", "2024-01-01T00:00:00-05:00"),
        ("01:00:00-02:00:00", "01:00:00"),
        ("2020 H1", "2020 H1"),
        ("2024 01-02", "2024 01-02"),
        ("27/10/2024 02:00 (CEST) - 27/10/2024 03:00 (CEST)", "27/10/2024 02:00+02:00"),
        ("2024-01-01 10:00 CST", "2024-01-01 10:00 CST"),
        ("Unit 12, 2019", "Unit 12, 2019"),
    ],
)
def test_a_date_in_another_notation(text, plain):
    assert plain_date(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("40-", ("-40", "")),
        ("(236)", ("-236", "")),
        ("\u22125", ("-5", "")),
        ("50 %", ("50", "%")),
        ("($1,234.56)", ("-1,234.56", "$")),
        ("1.234,50 €", ("1.234,50", "€")),
        ("CHF 1\u2019234.50", ("1\u2019234.50", "CHF")),
        ("1e-5", ("1e-5", "")),
        *(
            (word, (word, ""))
            for word in ("1.0k", "<1", "--5", "(-5)", "(5", "12 kW", "-", "n/a", "$5 €")
        ),
        ('="12.5"', ("12.5", "")),
        ("1\u2007234 \u00a0%", ("1\u2007234", "%")),
    ],
)
def test_a_number_in_another_notation(text, plain):
    assert plain_number(text) == plain


@pytest.mark.parametrize(
    ("texts", "numbers", "unit"),
    [
        (["12.5 kWh", "-3 kWh"], ["12.5 ", "-3 "], "kWh"),
        (["12,5°C"], ["12,5"], "°C"),
        (["5 km/h", "6 km/h"], ["5 ", "6 "], "km/h"),
        (["3 m2"], ["3 "], "m2"),
        *(
            (texts, texts, "")
            for texts in (
                ["12 kW", "9 MW"],
                ["12 kW", "0"],
                ["1.5k"],
                ["3 Mio."],
                ["5*"],
                [],
            )
        ),
    ],
)
def test_a_unit_is_left_out_where_it_stands_behind_each_number(texts, numbers, unit):
    assert without_unit(texts) == (numbers, unit)


@pytest.mark.parametrize(
    ("decimal", "thousands", "cells", "values"),
    [
        (".", None, ["120", "40-", "(5)", "1.0k", "7 %"], [120, -40, -5, np.nan, 7]),
        (
            ",",
            ".",
            ["1.002", "962", "1.234.567,5", "1.2"],
            [1002, 962, 1234567.5, np.nan],
        ),
        (
            ".",
            ",",
            ["1,234", "1,23,456", "1,23", "$9,999.5"],
            [1234, 123456, np.nan, 9999.5],
        ),
        (
            ",",
            " ",
            ["1\u00a0234,5", "12 345", "1\u202f000", "1 23"],
            [1234.5, 12345, 1000, np.nan],
        ),
        (".", "'", ["1'234.5", "1\u2019234", "999"], [1234.5, 1234, 999]),
    ],
)
def test_marks_count_only_where_they_can_stand(decimal, thousands, cells, values):
    form = CsvFormat(decimal=decimal, thousands=thousands)
    found = values_of(pd.Series(cells, dtype="str"), form)
    np.testing.assert_array_equal(found, values)


def test_years_of_two_digits_lie_in_the_hundred_years_that_are_given():
    moments, _ = parse(
        pd.Series(["Jan-55", "Dec-90", "Feb-54"], dtype="str"), "%b-%y", 1955
    )
    np.testing.assert_array_equal(
        moments, np.array(["1955-01-01", "1990-12-01", "2054-02-01"], "datetime64[ms]")
    )

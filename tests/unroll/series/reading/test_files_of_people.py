"""Files as people write them, after public bug reports: each is read as it is meant, or
refused with its place."""

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnrollError
from unroll.series.reading import file_rows


def series(freq, count, form, start):
    return rows_of(
        "time,load",
        pd.date_range(start, periods=count, freq=freq).strftime(form),
        VARIED,
    )


def rows_of(head, stamps, cells, mark=","):
    lines = [
        f"{stamp}{mark}{cells[index % len(cells)]}"
        for index, stamp in enumerate(stamps)
    ]
    return "\n".join([head, *lines]) + "\n"


VARIED = [index * index % 23 for index in range(97)]
HOURS = [f"202401{day:02}{hour:02}" for day in range(1, 9) for hour in range(1, 25)]
SECONDS = [str(1_704_067_200 + 3600 * hour) for hour in range(240)]
MILLISECONDS = [f"{second}000" for second in SECONDS]
DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-01-01", periods=60)]
LOCAL_DAYS = pd.date_range("2023-10-01", periods=200, tz="Europe/Berlin")
QUARTERS = [(year, quarter) for year in range(2000, 2015) for quarter in range(1, 5)]
READ = {
    "hours 1 to 24": (
        rows_of("stamp,kW", HOURS, VARIED),
        "2024-01-01T01",
        "2024-01-09",
        [0, 1, 4],
    ),
    "hour 24 alone": (
        rows_of("d;h;x", [f"{h[6:8]}.01.2024;{h[8:]}:00" for h in HOURS], VARIED, ";"),
        "2024-01-01T01",
        "2024-01-09",
        [0, 1, 4],
    ),
    "a date beside mixed counts": (
        rows_of(
            "ts,date,y",
            [
                *map(
                    ",".join, zip(SECONDS[:20] + MILLISECONDS[20:60], DAYS, strict=True)
                )
            ],
            VARIED,
        ),
        "2024-01-01",
        "2024-02-29",
        [0, 1, 4],
    ),
    "microseconds": (
        rows_of("ts,y", [f"{one}000" for one in MILLISECONDS], VARIED),
        "2024-01-01",
        "2024-01-10T23",
        [0],
    ),
    "1955 to 1990": (
        series("MS", 432, "%b-%y", "1955-01-01"),
        "1955-01-01",
        "1990-12-01",
        [],
    ),
    "1968 and 1969": (
        series("D", 700, "%d-%m-%y", "1968-01-01"),
        "1968-01-01",
        "1969-11-30",
        [],
    ),
    "1999 to 2001": (
        series("D", 700, "%m/%d/%y", "1999-06-01"),
        "1999-06-01",
        "2001-04-30",
        [],
    ),
    "thousands by points": (
        rows_of("t;x", DAYS, ["962", "987", "1.002"], ";"),
        DAYS[0],
        DAYS[-1],
        [962, 987, 1002],
    ),
    "thousands far below": (
        rows_of(
            "t;x",
            [f"{day:%Y-%m-%d}" for day in pd.date_range("1960-01-01", periods=15_000)],
            ["997", *(["998"] * 14_998), "1.002"],
            ";",
        ),
        "1960-01-01",
        "2001-01-24",
        [997, 998],
    ),
    "accounts": (
        rows_of("date,x", DAYS, ["120", "40-", "(236)", "\u22127"]),
        DAYS[0],
        DAYS[-1],
        [120, -40, -236, -7],
    ),
    "money": (
        rows_of("date,x", DAYS, ['"$1,234.56"', "$5.00"]),
        DAYS[0],
        DAYS[-1],
        [1234.56, 5],
    ),
    "percent": (
        rows_of("date,x", DAYS, ["50 %", "7.5 %"]),
        DAYS[0],
        DAYS[-1],
        [50, 7.5],
    ),
    "blanks that do not break": (
        rows_of("date;x", DAYS, ["1\u00a0234,5", "99,5"], ";"),
        DAYS[0],
        DAYS[-1],
        [1234.5, 99.5],
    ),
    "apostrophes": (
        rows_of("date;x", DAYS, ["1'234", "998"], ";"),
        DAYS[0],
        DAYS[-1],
        [1234, 998],
    ),
    "quarters": (
        rows_of("q,x", [f"{y}Q{q}" for y, q in QUARTERS], VARIED),
        "2000-01-01",
        "2014-10-01",
        [0, 1],
    ),
    "quarters as words": (
        rows_of("q,x", [f"Q{q} {y}" for y, q in QUARTERS], VARIED),
        "2000-01-01",
        "2014-10-01",
        [0],
    ),
    "quarters as numbers": (
        rows_of("q,x", [f"{q}-{y}" for y, q in QUARTERS], VARIED),
        "2000-01-01",
        "2014-10-01",
        [0],
    ),
    "weeks": (
        series("W-MON", 150, "%G-W%V", "2020-01-06"),
        "2020-01-06",
        "2022-11-14",
        [],
    ),
    "days of a spreadsheet": (
        rows_of("Datum;x", range(45292, 45352), VARIED, ";"),
        "2024-01-01",
        "2024-02-29",
        [0, 1],
    ),
    "German months": (
        rows_of("Tag;x", [f"{d}. März 2024" for d in range(1, 32)], VARIED, ";"),
        "2024-03-01",
        "2024-03-31",
        [],
    ),
    "French months": (
        rows_of("jour;x", [f"{d} août 2024" for d in range(1, 32)], VARIED, ";"),
        "2024-08-01",
        "2024-08-31",
        [],
    ),
    "intervals": (
        rows_of("t,x", [f"{d} 00:00 - {d} 24:00" for d in DAYS], VARIED),
        "2024-01-01",
        "2024-02-29",
        [0, 1],
    ),
    "twelve a.m.": (
        rows_of("t,x", [f"3/{d}/2024 12 a.m." for d in range(1, 32)], VARIED),
        "2024-03-01",
        "2024-03-31",
        [],
    ),
    "a year as a heading": (
        rows_of("date,2019", DAYS, VARIED),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "a line break in a heading": (
        rows_of('date,"load\n(kW)"', DAYS, VARIED),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "blanks before names": (
        rows_of("date , load", DAYS, VARIED),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "a delimiter at the end": (
        rows_of("date,x", DAYS, [f"{x}," for x in VARIED]),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "years": (
        rows_of("year,x", range(1950, 2020), VARIED),
        "1950-01-01",
        "2019-01-01",
        [0, 1, 4],
    ),
    "intervals without blanks": (
        rows_of(
            "d;t;x",
            [f"{d};{h:02}:00-{h + 1:02}:00" for d in DAYS for h in range(23)],
            VARIED,
            ";",
        ),
        "2024-01-01",
        "2024-02-29T22",
        [0, 1],
    ),
    "weeks from day to day": (
        rows_of(
            "t;x",
            [
                f"{d:%d.%m.%Y}-{d + pd.Timedelta(days=6):%d.%m.%Y}"
                for d in pd.date_range("2021-01-04", periods=50, freq="7D")
            ],
            VARIED,
            ";",
        ),
        "2021-01-04",
        "2021-12-13",
        [0, 1],
    ),
    "a plan for years to come": (
        series("MS", 228, "%d.%m.%y", "2010-01-01"),
        "2010-01-01",
        "2028-12-01",
        [],
    ),
    "an id like a count of seconds": (
        rows_of(
            "id,day,x",
            [f"{1_700_000_000 + 7 * n},{d}" for n, d in enumerate(DAYS)],
            VARIED,
        ),
        DAYS[0],
        DAYS[-1],
        [],
    ),
    "names with date in them": (
        rows_of(
            "candidates,day,x", [f"{45000 + n},{d}" for n, d in enumerate(DAYS)], VARIED
        ),
        DAYS[0],
        DAYS[-1],
        [],
    ),
    "Swiss prices": (
        rows_of("t;x", DAYS, ["120.-", "CHF 99.50"], ";"),
        DAYS[0],
        DAYS[-1],
        [120, 99.5],
    ),
    "years as dates": (
        rows_of("date,x", range(1900, 1990), VARIED),
        "1900-01-01",
        "1989-01-01",
        [0, 1],
    ),
    "UTC in words": (
        rows_of("t,x", [f"{d} 00:00:00 UTC" for d in DAYS], VARIED),
        DAYS[0],
        DAYS[-1],
        [0, 1],
    ),
    "months of a bank": (
        rows_of(
            "t,x", [f"{y}M{m:02}" for y in (2000, 2001) for m in range(1, 13)], VARIED
        ),
        "2000-01-01",
        "2001-12-01",
        [0, 1],
    ),
    "comments before the header": (
        "# station 5, at home\n# kW, mean\n" + rows_of("date,x", DAYS, VARIED),
        DAYS[0],
        DAYS[-1],
        [0, 1],
    ),
    "a spreadsheet's first line": (
        "sep=;\n" + rows_of("date;x", DAYS, VARIED, ";"),
        DAYS[0],
        DAYS[-1],
        [0, 1],
    ),
    "two delimiters more": (
        rows_of("date,x", DAYS, [f"{x},," for x in VARIED]),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "a delimiter more in some rows": (
        rows_of("date,x", DAYS, [f"{x}{',' if x % 2 else ''}" for x in VARIED]),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "a delimiter more in one row": (
        rows_of("date,x", DAYS, [*map(str, VARIED[:40]), "5,", *map(str, VARIED[41:])]),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "delimiters that lack at the end": (
        rows_of(
            "date;x;note",
            DAYS,
            [f"{x},5;a" if x == 4 else f"{x},5" for x in VARIED],
            ";",
        ),
        DAYS[0],
        DAYS[-1],
        [0.5, 1.5, 4.5],
    ),
    "names of rows without a heading": (
        rows_of('"date","x"', [f'"{n}","{d}"' for n, d in enumerate(DAYS, 1)], VARIED),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "rows that are named by their dates": (
        rows_of('"x"', DAYS, VARIED),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "blanks before quotes": (
        rows_of('date, "x"', DAYS, [f' "{x}"' for x in VARIED]),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "a delimiter in quotes behind a blank": (
        rows_of('date, "x,y"', DAYS, VARIED),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "a row of units": (
        rows_of("t;x\n;kW", DAYS, ["1,5", "2,5"], ";"),
        DAYS[0],
        DAYS[-1],
        [1.5, 2.5],
    ),
    "letters that nobody sees": (
        rows_of("\u200bdate,\ufeffx", DAYS, VARIED),
        DAYS[0],
        DAYS[-1],
        [0, 1, 4],
    ),
    "units behind numbers": (
        rows_of("t;x", DAYS, ["1.234,5 kWh", "0,5 kWh"], ";"),
        DAYS[0],
        DAYS[-1],
        [1234.5, 0.5],
    ),
    "powers of ten": (
        rows_of("t;x", DAYS, ["1,5E+03", "2,25E-01"], ";"),
        DAYS[0],
        DAYS[-1],
        [1500, 0.225],
    ),
    "formulas of a spreadsheet": (
        rows_of("t,x", DAYS, ['"=""12.5"""', "7"]),
        DAYS[0],
        DAYS[-1],
        [12.5, 7],
    ),
    "other apostrophes": (
        rows_of("t;x", DAYS, ["1\u02bc234", "9`876.5", "998"], ";"),
        DAYS[0],
        DAYS[-1],
        [1234, 9876.5],
    ),
    "days of days since 1900": (
        rows_of(
            "date;x", [f"{45_292 + hour / 24:.4f}" for hour in range(48)], VARIED, ";"
        ),
        "2024-01-01",
        "2024-01-02T23",
        [0, 1],
    ),
    "numbers that may be hours": (
        rows_of("date,a,x", [f"{d},{n % 20}.5" for n, d in enumerate(DAYS)], VARIED),
        DAYS[0],
        DAYS[-1],
        [],
    ),
    "a day of each zone's midnight": (
        rows_of("t,x", [f"{d:%Y-%m-%dT%H:%M:%S%z}" for d in LOCAL_DAYS], VARIED),
        "2023-09-30T22",
        "2024-04-16T22",
        [0, 1],
    ),
    "shops that open at their hours": (
        rows_of(
            "date,shop,opens,x",
            [f"{d},{shop}" for d in DAYS for shop in ("A,09:00", "B,08:30")],
            VARIED,
        ),
        DAYS[0],
        DAYS[-1],
        [0, 1],
    ),
}


def test_a_good_file_is_read_as_it_is_meant(seen, told, tmp_path, file_regression):
    lines = []
    for name, (text, first, last, values) in READ.items():
        profile = seen(text)
        lines.append(told(name, profile))
        target = next(name for name in profile.targets if name != "ts")
        drop = [name for name in profile.columns if name != target]
        form = profile.form.model_copy(update={"target": target, "drop": drop})
        table = file_rows.table_of(file_rows.read([tmp_path / "load.csv"], form))
        span = (np.datetime64(first), np.datetime64(last))
        assert (table.timestamps[0], table.timestamps[-1]) == span, name
        assert table.values[: len(values), 0].tolist() == values, name  # noqa: PD011
    file_regression.check("\n".join(lines))


def changed(stamps, row, stamp):
    return [*stamps[:row], stamp, *stamps[row + 1 :]]


REFUSED = {
    "a slip among hours": (
        rows_of("t,x", changed(HOURS, 99, "2024010599"), VARIED),
        "line 101: '2024010599' is no timestamp",
    ),
    "seconds, then milliseconds": (
        rows_of("t,x", SECONDS[:20] + MILLISECONDS[20:], VARIED),
        "line 21: .* form unix_ms, as",
    ),
    "milliseconds, then seconds": (
        rows_of("t,x", MILLISECONDS[20:] + SECONDS[:20], VARIED),
        "line 222: .* unix_ms, as",
    ),
    "the year 9999": (
        rows_of("t,x", changed(DAYS, 30, "9999-12-31"), VARIED),
        "line 32: .* outside of the years 1800 to",
    ),
    "a year that was typed wrong": (
        rows_of("t,x", changed(DAYS, 30, "2042-01-31"), VARIED),
        "line 32: the timestamp 2042-01-31 00:00:00 does not fit those beside it, 2024-01-30 00:00:00 and 2024-02-01",
    ),
    "a day that is there": (
        rows_of("t,x", changed(DAYS, 30, "2024-01-01"), VARIED),
        "line 32: .* does not fit those",
    ),
    "a day three days off": (
        rows_of("t,x", changed(DAYS, 30, "2024-02-04"), VARIED),
        "line 32: .* does not fit those",
    ),
    "the last row": (
        rows_of("t,x", changed(DAYS, 59, "2042-02-28"), VARIED),
        "line 61: .* does not fit those beside it",
    ),
    "thousands or not": (
        rows_of("t;x", DAYS, ["5.292", "6.100"], ";"),
        "5.292 may be a whole number .* pass decimal=",
    ),
    "thousands as k": (
        rows_of("t,x", DAYS, ["120", "1.0k"]),
        "column 'x' holds 1.0k 30 times .* or pass missing='1.0k'",
    ),
    "less than one": (
        rows_of("t,x", DAYS, ["120", "<1"]),
        "'x' holds <1 30 times .* or pass missing='<1' if it means",
    ),
    "percent and none": (
        rows_of("t,x", DAYS, ["12 %", "0.1"]),
        "'x' holds numbers of several units .% and none.; write all",
    ),
    "uneven days": (
        rows_of("t,x", [f"2024-01-{d:02}" for d in (1, 5, 6, 20, 27, 29, 31)], VARIED),
        "not evenly spaced",
    ),
    "the year 1500": (
        series("YS", 40, "%Y-%m-%d", "1500-01-01"),
        "column 'time' may hold times, from 1500-01-01 00:00:00 on; .* or pass stamp='time' if",
    ),
    "times as headings": (
        rows_of(f"id,{','.join(DAYS)}", "abc", [",".join(map(str, VARIED[:60]))]),
        r"pandas: frame.melt\(\['id'\], var_name='date'\)",
    ),
    "a name too few": (
        rows_of("date,x", DAYS, ["3,4"]),
        "line 1: the header has 2 names, and the rows have 3 cells; make",
    ),
    "too many columns": (
        rows_of(",".join(f"c{n}" for n in range(501)), DAYS, ["1," * 499 + "1"]),
        "has 501 columns, more than 500",
    ),
    "an interval or an offset": (
        rows_of("t,x", [f"{d} 08:00-12:00" for d in DAYS], VARIED),
        "may be an interval or have a UTC",
    ),
    "hours without a mark": (
        rows_of(
            "date,time,x", [f"{d},{h}00" for d in DAYS for h in range(1, 25)], VARIED
        ),
        "'time' may be a part of the",
    ),
    "marks of two countries": (
        rows_of("t;a;x", DAYS, ["1.5;1,25"], ";"),
        "different decimal marks; write all numbers with one decimal mark$",
    ),
    "a degree of latitude": (
        rows_of("t;lat;x", DAYS, ["48.137;1,25", "48.138;1,5"], ";"),
        "48.137 may be a whole number",
    ),
    "zeros are no thousands": (
        rows_of("t;x", DAYS, ["4,898", "9,916", "0"], ";"),
        "4,898 may be a whole number",
    ),
    "a zero before a group": (
        rows_of("t;x", DAYS, ["5.000,5", "0.512"], ";"),
        "'x' holds 0.512 30 times beside numbers",
    ),
    "a first that is an eleventh": (
        series("MS", 60, "%Y-%m-%d", "2010-01-01").replace("2012-03-01", "2012-03-11"),
        "line 28: .* does not fit",
    ),
    "days and months that a spreadsheet swapped": (
        rows_of(
            "t,x",
            [
                f"{d:%m/%d/%Y}" if d.day <= 12 else f"{d:%d/%m/%Y}"
                for d in pd.date_range("2024-01-01", periods=90)
            ],
            VARIED,
        ),
        "line 3: '01/02/2024' has day and month in another order than '13/01/2024'",
    ),
    "a column for each month": (
        rows_of("Year,Jan,Feb,Mar,Apr,May", range(1950, 1990), ["1,2,3,4,5"]),
        r"each column holds another time, from 'Jan' to 'May'; .*melt\(\['Year'\], var_name='month'\)",
    ),
    "units that differ": (
        rows_of("t,x", DAYS, ["12 kW", "9 MW"]),
        "column 'x' holds 12 kW and 9 MW, which are not read as numbers; write numbers alone",
    ),
    "numbers with thousands as k": (
        rows_of("t,x", DAYS, [f"{n}.5k" for n in range(60)]),
        "'x' holds 0.5k and 59.5k, which are not read as numbers; write numbers alone, all in one unit",
    ),
    "durations": (
        rows_of("t,x", DAYS, [f"{n % 9}:3{n % 7}" for n in range(60)]),
        "'x' holds 0:30 and .* are not read",
    ),
    "an offset that lacks": (
        rows_of(
            "t,x",
            [f"{d}T00:00:00Z" for d in DAYS[:20]]
            + [f"{d}T00:00:00" for d in DAYS[20:]],
            VARIED,
        ),
        "line 22: '2024-01-21T00:00:00' is not like '2024-01-01T00:00:00Z': one has a UTC offset; write all",
    ),
    "twice a month": (
        rows_of(
            "t,x",
            [
                f"{m:%Y-%m}-{d}"
                for m in pd.date_range("2020-01-01", periods=30, freq="MS")
                for d in ("01", "15")
            ],
            VARIED,
        ),
        "not evenly spaced: .*; make rows of equal distance first, such as sums of a month",
    ),
    "lines in quotes": (
        "".join(f'"{line}"\n' for line in rows_of("date,x", DAYS, VARIED).splitlines()),
        "give each row as many cells as the header, without quotes around a whole line, or pass delimiter=, one",
    ),
    "years of a company": (
        rows_of("t,x", [f"FY{y} Q{q}" for y, q in QUARTERS], VARIED),
        "or write times like 2024-01",
    ),
    "a column for each hour": (
        rows_of(
            "date," + ",".join(f"H{h}" for h in range(1, 25)),
            DAYS,
            [",".join("1" * 24)],
        ),
        "each column holds another",
    ),
    "names too many": (
        rows_of("date,x,note", DAYS, VARIED),
        "line 1: the header has 3 names, and the rows have 2 cells",
    ),
    "Buddhist years": (
        rows_of("time,x", [f"{d[8:]}/{d[5:7]}/2567" for d in DAYS[:59]], VARIED),
        "line 2: '01/01/2567' .* in the future; .* subtract 543 from Buddhist years",
    ),
    "a line without an end": (
        "x" * 2**17 + "\n" + rows_of("t,x", DAYS, VARIED),
        "line 1 has more than 131,072 characters",
    ),
    "years before 1800": (
        rows_of("Year,x", range(1749, 1949), VARIED),
        "'1749' lies outside of the years .* pass stamp='Year'",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_two_readings_or_none_is_refused_with_its_place(seen, text, message):
    with pytest.raises(UnrollError, match=message) as caught:
        seen(text)
    assert "\n" not in str(caught.value)


def test_rows_in_no_order_and_late_ones_are_no_slips(seen):
    random = np.random.default_rng(0)
    shuffled = random.permutation(DAYS).tolist()
    late = [*DAYS[:20], DAYS[21], DAYS[22], DAYS[20], *DAYS[23:]]
    for stamps in (shuffled, late, DAYS[::-1]):
        assert (
            seen(rows_of("t,x", stamps, VARIED)).rows,
            seen(rows_of("t,x", stamps, VARIED)).gaps,
        ) == (60, {})


def test_a_label_is_no_part_of_the_time(seen):
    stamps = [f"{day},{tag}" for day in DAYS for tag in ("PUMP-1", "PUMP-2")]
    assert seen(rows_of("t,tag,x", stamps, VARIED)).series == ["PUMP-1", "PUMP-2"]

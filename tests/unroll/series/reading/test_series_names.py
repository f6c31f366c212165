"""Several series in one table: the column that names them is found, whatever its type
and their lengths."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnrollError
from unroll.series.options import Options
from unroll.series.reading import file_rows, series_names
from unroll.series.reading.detect import detect


def long(names, starts=("2020-01-01",), lengths=(40,), freq="D"):
    """The long format: rows of several series, one after the other."""
    parts = []
    for index, name in enumerate(names):
        stamps = pd.date_range(
            starts[index % len(starts)],
            periods=lengths[index % len(lengths)],
            freq=freq,
        )
        values = np.arange(len(stamps)) ** 2 % 23 + index
        parts.append(pd.DataFrame({"unique_id": name, "ds": stamps, "y": values}))
    return pd.concat(parts, ignore_index=True)


def seen(frame, path, **overrides):
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=frame.index.names != [None])
    return detect([path], Options(**overrides))


APART = ("2020-01-01", "2021-06-01", "2023-01-01")
LONG = {
    "text": (long(["a", "b", "c"]), ["a", "b", "c"]),
    "numbers": (long([1, 2, 30]), ["1", "2", "30"]),
    "numbers like those that mean no value": (
        long([1, 2, 3, -999]),
        ["-999", "1", "2", "3"],
    ),
    "numbers with a point": (long([1.5, 2.5]), ["1.5", "2.5"]),
    "categories": (long(["a", "b"]).astype({"unique_id": "category"}), ["a", "b"]),
    "in the order of time": (
        long(["a", "b"]).sort_values("ds", kind="stable"),
        ["a", "b"],
    ),
    "in no order": (long(["a", "b"]).sample(frac=1, random_state=0), ["a", "b"]),
    "at other times": (long([1, 2, 3], APART, (40, 30, 20)), ["1", "2", "3"]),
    "one after the other": (long(["a", "b"], ("2020-01-01", "2020-02-10")), ["a", "b"]),
    "of other lengths": (long(["a", "b", "c"], lengths=(100, 4, 30)), ["a", "b", "c"]),
    "an index": (long(["a", "b"]).set_index(["unique_id", "ds"]), ["a", "b"]),
    "month ends": (
        long(["a", "b"], ("2010-01-31", "2011-03-31"), freq="ME"),
        ["a", "b"],
    ),
    "called NA": (long(["NA", "US"]), ["NA", "US"]),
    "by another library": (
        long(["a", "b"], APART).rename(columns={"unique_id": "item_id"}),
        ["a", "b"],
    ),
}


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("name", LONG)
def test_the_long_format_is_recognised(name, suffix, tmp_path):
    frame, names = LONG[name]
    if suffix == "csv" and frame.index.names != [None]:
        frame = frame.reset_index()
    profile = seen(frame, tmp_path / f"rows.{suffix}")
    form = profile.form.model_copy(
        update={"target": "y", "series_id": profile.series_id}
    )
    tables = file_rows.table_of(
        file_rows.read([tmp_path / f"rows.{suffix}"], form)
    ).by_series()
    assert (list(profile.series), list(tables), profile.targets) == (
        names,
        names,
        ["y"],
    )
    counts = (
        frame.reset_index()
        .groupby(profile.series_id, observed=True)["y"]
        .count()
        .tolist()
    )
    assert sorted(
        int(np.isfinite(table.values).sum()) for table in tables.values()
    ) == sorted(counts)


@pytest.mark.parametrize(
    ("name", "suffix"), [("meter", "parquet"), (7, "parquet"), ("NA", "csv")]
)
def test_a_single_series_keeps_its_name(name, suffix, tmp_path):
    profile = seen(long([name]), tmp_path / f"rows.{suffix}")
    assert (profile.series_id, list(profile.series), profile.targets) == (
        None,
        [str(name)],
        ["y"],
    )


def test_few_repeated_rows_are_no_series(tmp_path):
    rows = long(["ok"], lengths=(100,)).rename(columns={"unique_id": "state"})
    again = rows.iloc[::9].assign(state="corrected")
    profile = seen(
        pd.concat([rows, again]).sort_values("ds", kind="stable"), tmp_path / "rows.csv"
    )
    assert (profile.series_id, profile.repeated) == (None, 12)


def test_a_clock_with_daylight_saving_is_that_of_each_series(tmp_path):
    stamps = pd.date_range("2023-03-01", "2023-11-10", freq="h", tz="Europe/Berlin")
    rows = [
        pd.DataFrame({"ds": stamps.tz_localize(None), "id": name, "y": stamps.hour})
        for name in "ab"
    ]
    profile = seen(pd.concat(rows), tmp_path / "rows.csv")
    form = profile.form.model_copy(update={"target": "y", "series_id": "id"})
    table = file_rows.table_of(file_rows.read([tmp_path / "rows.csv"], form))
    utc = np.asarray(stamps.tz_convert("UTC").tz_localize(None), "datetime64[ms]")
    assert (profile.form.time_zone, profile.series_id, profile.gaps) == (
        "Europe/Berlin",
        "id",
        {},
    )
    np.testing.assert_array_equal(table.timestamps, [*utc, *utc])


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (
            60,
            "ds",
            "2042-01-01",
            "line 62: the timestamp 2042-01-01 00:00:00 does not fit those beside it, 2020-01-20 00",
        ),
        (
            60,
            "ds",
            "2020-01-99",
            "line 62: '2020-01-99' is no timestamp of the form ISO8601, as others are",
        ),
        (60, "y", "1.0k", "column 'y' holds 1.0k 1 times beside numbers"),
    ],
)
def test_a_wrong_cell_of_a_later_series_is_named(row, column, cell, message, tmp_path):
    frame = long(["a", "b"]).astype({"ds": "str", "y": "str"})
    frame.loc[row, column] = cell
    with pytest.raises(UnrollError, match=message):
        seen(frame, tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("months", "days"),
    [("Jan Feb Mar", "Mon Tue Wed"), ("Januar Februar März", "Mo Di Mi")],
)
def test_parts_of_the_time_are_no_series(months, days, tmp_path):
    for words in (months, days):
        frame = long(words.split()).rename(columns={"unique_id": "variable"})
        with pytest.raises(
            UnrollError, match="column 'variable' may be a part of the time"
        ):
            seen(frame, tmp_path / "rows.csv")


def test_quarters_of_an_hour_are_no_series_unless_they_are_called_so(tmp_path):
    rows = long(range(1, 97), lengths=(10,)).rename(columns={"unique_id": "part"})
    with pytest.raises(
        UnrollError,
        match="holds 96 series, by 'part'; .* part of the timestamp, else call it unique_id",
    ):
        seen(rows, tmp_path / "rows.csv")
    assert (
        len(
            seen(
                rows.rename(columns={"part": "unique_id"}), tmp_path / "rows.csv"
            ).series
        )
        == 96
    )


def test_too_many_series_are_counted(tmp_path):
    frame = pd.DataFrame(
        {"unique_id": np.repeat(np.arange(10_001), 3), "y": np.arange(30_003) % 7}
    )
    frame["ds"] = np.tile(pd.date_range("2020-01-01", periods=3), 10_001)
    with pytest.raises(
        UnrollError,
        match="holds 10,001 series, by 'unique_id'; keep at most 10,000",
    ):
        seen(frame, tmp_path / "rows.parquet")


def shops(*parts):
    """Sales of items in shops: shop, item, the first day and the day after the last."""
    days = pd.date_range("2022-01-01", periods=300)
    frames = []
    for number, (shop, item, first, last) in enumerate(parts, 1):
        sales = (np.arange(first, last) ** 2 % 23) * number
        frame = pd.DataFrame({"shop": shop, "item": item, "day": days[first:last]})
        frames.append(frame.assign(sales=sales))
    return pd.concat(frames)


S1A, S1B, S2A = ("S1", "A", 0, 170), ("S1", "B", 100, 300), ("S2", "A", 130, 300)
NUMBERS = [(1, 10, 0, 170), (1, 11, 100, 300), (2, 10, 130, 300)]
GRID = [(shop, item, 0, 300) for shop in (1, 2, 3) for item in (10, 11, 12)]


@pytest.mark.parametrize(
    "frame",
    [
        shops(S1A, S1B, S2A),
        shops(*NUMBERS),
        shops(*GRID),
        shops(("S1", "A", 0, 150), ("S2", "A", 115, 200), ("S2", "B", 180, 300)),
        shops(S1A, S1B, S2A).sample(frac=0.5, random_state=0),
        pd.concat([shops(*GRID[:4]).assign(size=size) for size in "ML"]),
    ],
)
def test_series_that_only_several_columns_tell_apart_are_refused(frame, tmp_path):
    with pytest.raises(
        UnrollError,
        match=r"join the columns that do \(of .*shop, item.*called unique_id",
    ):
        seen(frame.sort_values("day"), tmp_path / "rows.csv")
    columns = [name for name in ("shop", "item", "size") if name in frame]
    names = frame[columns].astype(str).agg("/".join, axis=1)
    profile = seen(frame.assign(unique_id=names), tmp_path / "rows.csv")
    assert [*profile.series] == sorted(names.unique())


def test_names_of_many_and_of_short_series_are_as_approved(file_regression):
    """So many series of so many rows, all at the same times or half of them; their names
    are words or count from 1."""
    lines = []
    for name in ("shop", "hour"):
        for count, length in itertools.product((2, 24, 51), (1, 3, 9)):
            for words, late in itertools.product((True, False), (0, length // 2)):
                frame = long(
                    [f"s{n}" if words else n for n in range(1, count + 1)],
                    [f"2020-01-{1 + late:02}", "2020-01-01"],
                    [length],
                ).rename(columns={"unique_id": name})
                moments = frame.pop("ds").to_numpy("datetime64[ms]")
                try:
                    found = series_names.series_names(frame, moments, Path("a.csv"))
                    said = f"{found.series_id} {len(found.series)} {found.doubt}"
                except UnrollError as error:
                    said = str(error)
                what = "words" if words else "numbers"
                lines.append(f"{count} {what} of {length} by {name} {late}: {said}")
    file_regression.check("\n".join(lines))


def test_words_name_series_before_counts_do(tmp_path):
    frame = shops(("web1", "A", 0, 300), ("web2", "A", 0, 300))
    frame.insert(0, "table", np.repeat([0, 1], 300))
    profile = seen(frame, tmp_path / "rows.csv")
    assert (profile.series_id, profile.series) == ("shop", ["web1", "web2"])


def test_rows_that_are_equal_are_one_row(tmp_path):
    frame = shops(("S1", "A", 0, 300))
    profile = seen(pd.concat([frame, frame]), tmp_path / "rows.csv")
    assert (profile.series_id, profile.repeated) == (None, 300)

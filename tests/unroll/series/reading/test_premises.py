"""The premises about rows: each is broken in ten ways, and the first row that breaks it is
named, or the values are right. None is broken in silence."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline.errors import UnrollError
from unroll.series.options import Options
from unroll.series.question import propose
from unroll.series.reading import calendars
from unroll.series.reading.detect import detect
from unroll.series.reading.profile import described
from unroll.series.row_options import CsvFormat
from unroll.series.user_data import rows_of

TEN = settings(max_examples=10, phases=[Phase.generate])
TWO = settings(max_examples=2, phases=[Phase.generate])


def read(frame, **options):
    """The profile of a DataFrame, and its question."""
    profile = detect(rows_of(frame, CsvFormat()), Options(**options))
    return profile, propose(profile, Options(**options))


def refused(frame, **options):
    with pytest.raises(UnrollError) as caught:
        read(frame, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rows(stamps):
    places = np.arange(len(stamps))
    return pd.DataFrame({"ds": stamps, "load": places * places % 23 + places % 7 / 10})


def told(profile, label):
    return [line for line in described(profile) if line.startswith(label)]


DISTANCES = [
    *(("D", "7D"), ("15min", "h"), ("MS", "QS"), ("h", "30min"), ("h", "D")),
    *(("7D", "MS"), ("B", "W-FRI"), ("MS", "YS"), ("10min", "30min"), ("D", "h")),
]


@pytest.mark.parametrize(("before", "after"), DISTANCES)
@TWO
@given(st.integers(25, 60), st.integers(8, 60))
def test_another_distance_is_refused_with_its_first_row(before, after, first, second):
    begin = pd.date_range("2010-01-01", periods=first, freq=before)
    later = pd.date_range(begin[-1], periods=second, freq=after)
    frame = rows(begin.append(later[later > begin[-1]]))
    # the row after the last one of the first distance, or that after it
    places = [f"row {row} (from 0): rows from this" for row in (first, first + 1)]
    message = refused(frame)
    assert any(place in message for place in places)
    assert "give rows of one distance" in message


@pytest.mark.parametrize("few", [1, 4])
def test_series_of_two_distances_are_refused(few):
    hours = rows(pd.date_range("2024-01-01", periods=480, freq="h"))
    days = rows(pd.date_range("2024-01-01", periods=20))
    frames = [hours.assign(unique_id="x")]
    frames += [days.assign(unique_id=str(name)) for name in range(few)]
    message = refused(pd.concat(frames))
    assert "row 481 (from 0): the rows of this series lie a day apart" in message


@TEN
@given(
    st.sampled_from(["h", "D", "B", "MS", "QE", "YS", "W-SUN", "10min", "30min", "ME"]),
    st.floats(0, 0.3),
    st.integers(0, 99),
)
def test_rows_that_lack_are_no_other_distance(freq, share, seed):
    stamps = pd.date_range("1950-01-01", periods=150, freq=freq)
    kept = np.random.default_rng(seed).random(150) >= share
    kept[[0, 1, 2, 3, -1]] = True
    profile, _ = read(rows(stamps[kept]))
    assert profile.gaps.total() <= (~kept).sum() <= sum(profile.gaps.elements())


ORDERS = ["last year", "century", "typed day", "swapped", "newest first"]


@TEN
@given(st.sampled_from(ORDERS), st.integers(20, 200), st.integers(31, 300))
def test_rows_that_go_back_are_refused_with_the_first(kind, count, before):
    last = pd.Timestamp("2024-01-01")
    stamps = pd.date_range(
        last - pd.Timedelta(days=before), last + pd.Timedelta(days=count)
    )
    row = before
    if kind == "swapped":
        stamps = pd.date_range("2024-01-01", periods=90)
        swap = {True: "%Y-%d-%m", False: "%Y-%m-%d"}
        stamps = pd.to_datetime([day.strftime(swap[day.day < 13]) for day in stamps])
        row = 1
    elif kind == "century":
        stamps = stamps.where(
            np.arange(len(stamps)) != row, stamps - pd.Timedelta("9999D")
        )
    elif kind == "typed day":
        stamps = stamps.where(
            np.arange(len(stamps)) != row, stamps - pd.Timedelta("9D")
        )
    else:
        year = pd.DateOffset(years=1)
        stamps = stamps.where(stamps < last, stamps - year)
    frame = rows(stamps)
    if kind == "newest first":
        frame = frame[::-1]
        row = len(frame) - before
    assert f"row {row} (from 0)" in refused(frame)


def test_parts_that_fit_and_rows_in_no_order_are_sorted():
    days = pd.date_range("2024-01-01", periods=60)
    random = np.random.default_rng(0)
    orders = [np.roll(days, 20), days[::-1], random.permutation(days)]
    for stamps in orders:
        profile, _ = read(rows(pd.DatetimeIndex(stamps)))
        assert (profile.rows, profile.gaps) == (60, {})
    twice = rows(days)
    profile, _ = read(pd.concat([twice[:40], twice[30:]]))
    assert told(profile, "repeated")[0].endswith("earlier row: left out")


@TEN
@given(st.integers(0, 99), st.integers(1, 40))
def test_a_key_with_several_values_is_refused_or_told_with_its_row(seed, percent):
    frame = rows(pd.date_range("2021-01-01", periods=400, freq="h"))
    again = frame.sample(4 * percent, random_state=seed).assign(load=99.0)
    both = pd.concat([frame, again]).sort_values("ds", kind="stable", ignore_index=True)
    place = f"row {both.duplicated('ds').idxmax()} (from 0)"
    if len(again) > 0.01 * len(both):
        assert place in refused(both)
        assert "add up the rows" in refused(both)
    else:
        assert place in told(read(both)[0], "repeated")[0]


def test_orders_of_a_day_are_refused_and_their_sums_are_offered():
    days = pd.date_range("2024-01-01", periods=60).repeat(3)
    assert "add up the rows of a time, such as orders" in refused(rows(days))


@TEN
@given(st.integers(0, 99))
def test_rows_that_differ_beside_the_target_are_one_row(seed):
    frame = rows(pd.date_range("2023-01-01", periods=400, freq="h"))
    frame["weather"] = np.random.default_rng(seed).choice(["rain", "fog"], 400)
    again = frame.sample(60, random_state=seed).assign(weather="storm")
    both = pd.concat([frame, again]).sort_values("ds", kind="stable")
    profile, _ = read(both)
    assert (profile.series_id, profile.repeated) == (None, 60)
    assert told(profile, "repeated")


HOURS = [
    *("HH{:02}", "kWh_{}", "P{}", "Interval{}", "Value_HE{:02}", "{}", "t{} (MW)"),
    *("H{}", "Hour {}", "load.{:03}"),
]


@pytest.mark.parametrize("heading", HOURS)
@TWO
@given(st.sampled_from([24, 25, 48, 96]), st.sampled_from([0, 1]))
def test_a_column_for_each_hour_is_refused_by_any_name(heading, count, first):
    columns = [heading.format(first + number) for number in range(count)]
    days = pd.date_range("2024-01-01", periods=40)
    frame = pd.DataFrame(np.random.default_rng(0).random((40, count)), days, columns)
    assert "each column holds another time, from" in refused(frame)


def test_sensors_may_be_numbered_if_one_is_named():
    days = pd.date_range("2024-01-01", periods=40)
    columns = [f"s{number}" for number in range(24)]
    frame = pd.DataFrame(np.random.default_rng(0).random((40, 24)), days, columns)
    assert read(frame, target="s3")[1].target == "s3"


@pytest.mark.parametrize(
    "form", ["{}-{:02}", "{}/{:02}", "FY{}-{:02}", "{}\u2013{:02}"]
)
@pytest.mark.parametrize("first", [1985, 2000])
def test_financial_years_are_no_months(form, first):
    years = [form.format(year, (year + 1) % 100) for year in range(first, first + 12)]
    frame = pd.DataFrame({"year": years, "load": np.arange(12) ** 2 % 7})
    assert f"'year' holds {years[0]}, financial years; write" in refused(frame)


NOW = dt.datetime(2024, 6, 18, 9, tzinfo=dt.UTC)
PERIODS = {
    "MS": "2024-06-01",
    "ME": "2024-06-30",
    "QS": "2024-04-01",
    "QE": "2024-06-30",
    "YS": "2024-01-01",
    "W-MON": "2024-06-17",
    "W-TUE": "2024-06-18",
    "D": "2024-06-18",
    "B": "2024-06-18",
    "BME": "2024-06-28",
}


@pytest.mark.parametrize(("freq", "last"), PERIODS.items())
def test_a_last_period_that_is_not_over_is_left_out(freq, last, monkeypatch):
    monkeypatch.setattr(calendars, "now", lambda: NOW)
    frame = rows(pd.date_range(end=last, periods=60, freq=freq))
    profile, _ = read(frame)
    assert (profile.rows, str(profile.unfinished)[:10]) == (59, last)
    assert told(profile, "last")[0].endswith("keep_last=True keeps it")
    kept, _ = read(frame, keep_last=True)
    assert (kept.rows, told(kept, "last")) == (60, [])
    over, _ = read(frame[:-1])
    assert (over.rows, over.unfinished) == (59, None)


def test_a_last_row_before_its_day_is_not_over():
    stamps = pd.date_range("2020-01-31", periods=40, freq="ME")
    profile, _ = read(rows([*stamps, stamps[-1] + pd.Timedelta(days=18)]))
    assert (profile.rows, profile.gaps) == (40, {})
    assert told(profile, "last")


@pytest.mark.parametrize(
    "name", ["HourEnding", "TradeHour", "SettlementPeriod", "PERIOD"]
)
def test_a_part_of_the_day_beside_a_date_is_refused_by_any_name(name):
    days = pd.date_range("2024-01-01", periods=20).strftime("%Y-%m-%d").repeat(24)
    frame = pd.DataFrame({"date": days, name: [*range(1, 25)] * 20})
    frame["load"] = np.arange(480) ** 2 % 23
    assert f"column '{name}' may be a part of the time" in refused(frame)


def test_days_that_are_open_lately_are_open():
    days = pd.date_range("2023-01-02", periods=420)
    saturdays = (days.day_of_week == 5) & (days > days[-1] - pd.Timedelta(weeks=9))
    profile, _ = read(rows(days[(days.day_of_week < 5) | saturdays]))
    assert (list(profile.calendar)[-1], profile.outside) == ("Sat", 0)


@pytest.mark.parametrize("form", ["{:,.1f}", "{}"])
def test_text_in_a_typed_column_is_read_as_in_a_file(form):
    frame = rows(pd.date_range("2024-01-01", periods=60))
    frame["load"] = [form.format(93_000.5 + value) for value in frame["load"]]
    profile, _ = read(frame)
    assert profile.columns["load"].ends == (93_000.5, 93_019.0)


@pytest.mark.parametrize(
    ("first", "second"),
    [("Berlin", "BERLIN"), ("1001", "1001.0"), ("007", "7"), ("a b", "ab")],
)
def test_names_that_differ_in_little_are_told(first, second):
    days = pd.date_range("2024-01-01", periods=90)
    every = [rows(days).assign(unique_id=name) for name in (first, "other", second)]
    profile, _ = read(pd.concat(every))
    [line] = told(profile, "guessed   series_id")
    assert "are two series; write them alike" in line


def test_a_row_without_the_name_of_its_series_is_refused():
    days = pd.date_range("2024-01-01", periods=90)
    every = [rows(days).assign(store=name) for name in ("north", "south", "")]
    assert "'store' is empty in 90 of 270 rows" in refused(pd.concat(every))


@pytest.mark.parametrize("name", ["unit", "Currency"])
def test_a_unit_that_changes_is_refused(name):
    days = pd.date_range("2024-01-01", periods=90)
    units = np.repeat(["kWh", "MWh"], 45)
    assert f"row 45 (from 0): {name} is 'MWh', and before 'kWh'" in refused(
        rows(days).assign(**{name: units})
    )


@pytest.mark.parametrize(
    ("freq", "periods", "last"),
    [("D", 40, "2026-11-29"), ("MS", 3, "2026-11-01"), ("h", 90, "2026-11-30 03:00")],
)
def test_rows_to_come_that_are_filled_in_are_left_out(freq, periods, last):
    """They are those after 2026-11-29 12:00, or 14 hours later on an unknown clock."""
    stamps = pd.date_range("2026-11-28", periods=periods, freq=freq)
    before = pd.date_range(end=stamps[0], periods=200, freq=freq)[:-1]
    profile, _ = read(rows(before.append(stamps)))
    assert profile.unfinished == np.datetime64(last)


def test_words_may_lack_in_a_frame():
    days = pd.date_range("2024-01-01", periods=90)
    profile, _ = read(rows(days).assign(note=[None] * 80 + ["a"] * 10))
    assert profile.rows == 90


def test_series_beside_one_another_are_refused():
    hours = pd.date_range("2024-01-01", periods=200, freq="h")
    every = [rows(hours + pd.Timedelta(minutes=late)) for late in (0, 0, 30)]
    frame = pd.concat(own.assign(unique_id=f"s{n}") for n, own in enumerate(every))
    line = refused(frame)
    assert "row 401 (from 0): rows of this series lie 30 minutes beside those" in line


@pytest.mark.parametrize(
    "form",
    [
        lambda stamp: (stamp - pd.Timedelta("1ms")).isoformat(timespec="milliseconds"),
        lambda stamp: stamp.strftime("%d.%m.%Y %H:%M").removesuffix(" 00:00"),
    ],
)
def test_rounded_stamps_and_midnights_without_a_time_are_read(form):
    hours = pd.date_range("2024-01-01", periods=400, freq="h")
    profile, _ = read(rows(hours).assign(ds=[form(stamp) for stamp in hours]))
    np.testing.assert_array_equal(profile.timestamps, hours.to_numpy())


def hourly(seed, count=480):
    """Hours with a day's cycle and noise."""
    noise = np.random.default_rng(seed).normal(0, 2, count)
    values = 100 + 30 * np.sin(np.arange(count) * np.pi / 12) + noise
    hours = pd.date_range("2024-01-01", periods=count, freq="h")
    return pd.DataFrame({"ds": hours, "load": values.round(2)})


def broken(kind, seed, amount):
    """Hours that break a premise, and the words of the refusal."""
    frame = hourly(seed)
    if kind == "turns":
        frame["load"] += 1000.0 * (frame.index % amount == 0)
        return frame, f"'load' takes turns between {amount} series"
    if kind == "unit":
        frame.loc[200:, "load"] *= 10 ** {2: 2, 3: 3, 4: 6}[amount]
        return frame, "row 200 (from 0): from here on 'load' is about"
    if kind == "midnight":
        stamps = frame["ds"].where(
            frame["ds"].dt.hour > 0, frame["ds"] - pd.Timedelta("1D")
        )
        return frame.assign(ds=stamps), "stands behind"
    if kind == "future":
        return frame.assign(ds=frame["ds"] + pd.Timedelta(days=9999)), "in the future"
    more = frame.iloc[20 : 20 + 40 * amount].assign(
        ds=lambda rows: rows["ds"] + pd.Timedelta(minutes=7)
    )
    both = pd.concat([frame, more]).sort_values("ds", ignore_index=True)
    return both, "2024-01-01 20:07:00 does not fit those beside it"


@TEN
@given(
    st.sampled_from(["turns", "unit", "midnight", "future", "alarms"]),
    st.integers(0, 99),
    st.integers(2, 4),
)
def test_what_was_read_in_silence_is_refused(kind, seed, amount):
    frame, words = broken(kind, seed, amount)
    assert words in refused(frame)


GOOD = ["weekdays", "promotions", "lockdown", "newest days first", "weekly shifts"]


@TEN
@given(st.sampled_from(GOOD), st.integers(0, 99))
def test_what_nearly_breaks_a_premise_is_read_without_a_needless_line(kind, seed):
    frame = hourly(seed)
    random = np.random.default_rng(seed)
    if kind == "weekdays":
        frame["load"] *= 1 + 4 * frame["ds"].dt.day_of_week.isin([1, 3, 5])
        frame["day"] = frame["ds"].dt.day_name()
    elif kind == "promotions":
        frame["promotion"] = np.where(random.random(480) < 0.4, "yes", "no")
        frame["load"] *= 1 + 3 * (frame["promotion"] == "yes")
    elif kind == "lockdown":
        frame.loc[200:300, "load"] *= 0.2
    elif kind == "newest days first":
        days = frame["ds"].dt.normalize()
        frame = frame.assign(day=days).sort_values(
            ["day", "ds"], ascending=[False, True]
        )
        frame = frame.drop(columns="day").reset_index(drop=True)
    else:
        frame["shift"] = np.array(["early", "late", "night"])[frame["ds"].dt.hour // 8]
        frame["load"] *= 1 + frame["ds"].dt.hour // 8
    profile, _ = read(frame)
    labels = {line.split()[0] for line in described(profile)}
    assert labels <= {"stamps", "rows", "order", "column", "guessed", "text"}

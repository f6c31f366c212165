"""What is proposed where nobody says."""

import re

import numpy as np
import pandas as pd
import pytest

import unroll
from pipeline.errors import UnrollError, UsageError
from unroll.series.backtest import folds, plan
from unroll.series.candidates import of_windows
from unroll.series.options import Options
from unroll.series.preparation import cut_into_windows, not_forecast
from unroll.series.question import (
    is_short,
    perhaps_known,
    propose,
    rows_of_hour,
    too_far,
)
from unroll.series.reading.detect import detect
from unroll.series.user_data import CsvFormat, rows_of

SHORT = "since the file is short"
DENSE = "since rows are dense"


def proposed(folder, columns, freq="h", count=200):
    stamps = pd.date_range("1965-01-01", periods=count, freq=freq)  # all are over
    values = {
        column: np.arange(count) * number % 29
        for number, column in enumerate(columns, 2)
    }
    pd.DataFrame({"time": stamps, **values}).to_csv(folder / "a.csv", index=False)
    profile = detect([folder / "a.csv"], Options())
    return profile, propose(profile, Options())


@pytest.mark.parametrize(
    ("columns", "target", "why"),
    [
        ("Last kW|Temp C", "Last kW", "by its name"),
        ("HUFL HULL OT", "OT", "by its name"),
        ("temp rain_1h snow_1h traffic_volume", "traffic_volume", "by its name"),
        ("No year month pm2.5 DEWP TEMP", "pm2.5", "by its name"),
        ("season hum windspeed casual registered cnt", "cnt", "by its name"),
        (
            "Temperature Humidity PowerConsumption_Zone1 PowerConsumption_Zone2",
            "PowerConsumption_Zone1",
            "by its name",
        ),
        ("Temp (°C)|Stromverbrauch [kWh]", "Stromverbrauch [kWh]", "by its name"),
        ("load_forecast load", "load", "by its name"),
        ("price y", "price", "by its name"),
        ("a [°C]|b [kW]", "b [kW]", "by its unit"),
        ("holiday a b", "a", "the first that may be forecast"),
    ],
)
def test_the_target_is_a_column_that_looks_like_one(tmp_path, columns, target, why):
    columns = columns.split("|" if "|" in columns else None)
    _, proposal = proposed(tmp_path, columns)
    assert proposal.target == target
    assert proposal.reasons["target"] == f"{why}; target= names another"


@pytest.mark.parametrize(
    ("columns", "future", "named"),
    [("load temp", [], True), ("load temp", ["temp"], False), ("temp hum", [], False)],
)
def test_a_column_that_may_be_known_beforehand_is_named(
    tmp_path, columns, future, named
):
    profile, _ = proposed(tmp_path, columns.split())
    line = perhaps_known(profile, propose(profile, Options(future=future)))
    assert ("future='temp' if the values" in line) is bool(line) is named


def test_a_target_may_lack_half_of_its_values(tmp_path):
    hours = pd.date_range("2021-01-01", periods=200, freq="h")
    load = np.where(np.arange(200) % 2, np.nan, 1.0)
    pd.DataFrame({"time": hours, "wind": hours.hour, "load": load + hours.hour}).to_csv(
        tmp_path / "a.csv", index=False
    )
    proposal = propose(detect([tmp_path / "a.csv"], Options()), Options())
    assert (proposal.target, proposal.reasons["target"]) == (
        "load",
        "by its name; target= names another",
    )


@pytest.mark.parametrize(
    ("freq", "count", "horizon", "lookback", "cycles", "hour"),
    [
        ("h", 1960, "24, a day", f"336, {SHORT}", [24, 168], 0),
        ("h", 200, f"20, {SHORT}", f"24, {SHORT}", [24, 168], 0),
        ("D", 600, "7, a week", "56, eight weeks", [7], 0),
        ("B", 600, "5, a week", "40, eight weeks", [5], 0),
        ("W", 600, "4, four weeks", "53, a year", [52], 0),
        ("MS", 600, "12, a year", "96, eight years", [12], 0),
        ("MS", 100, "12, a year", f"24, {SHORT}", [12], 0),
        ("QS", 60, "4, a year", f"12, {SHORT}", [4], 0),
        ("YS", 40, "1, the next timestep", f"8, {SHORT}", [], 0),
        ("15min", 20_000, "96, a day", f"2016, {DENSE}", [96, 672], 4),
        ("10min", 19_999, "144, a day", f"2016, {DENSE}", [144, 1008], 6),
        ("1min", 19_999, "60, an hour", f"1440, {DENSE}", [1440, 10080], 60),
    ],
)
def test_a_window_spans_whole_cycles_and_a_proposal_says_its_reason(
    tmp_path, freq, count, horizon, lookback, cycles, hour
):
    _, proposal = proposed(tmp_path, ["load"], freq, count)
    told = f"each row is a timestep; step={hour} would forecast the mean of each hour"
    lines = [f"step: 1, {told}"] if hour else []
    lines += [f"horizon: {horizon}", f"lookback: {lookback}"]
    lines.append("objective: mean, since values are small counts")
    assert proposal.guesses == [f"guessed   {line}" for line in lines]
    assert proposal.cycles == cycles


def test_an_hour_is_so_many_rows_that_they_divide_each_open_day():
    """Of 51 rows from 9:00 to 17:30 an hour would be six."""
    days = pd.date_range("2024-01-01", periods=40).to_numpy()[:, None]
    stamps = (days + np.arange(54, 105) * np.timedelta64(10, "m")).ravel()
    frame = pd.DataFrame({"time": stamps, "load": np.arange(2040) % 29})
    assert rows_of_hour(detect(rows_of(frame, CsvFormat()), Options())) == 3


DRAW = np.random.default_rng(3)
RARE = DRAW.poisson(0.4, 1000) * 1.0
LARGE = DRAW.normal(3000, 400, 1000).round()


@pytest.mark.parametrize(
    ("column", "values", "returned", "objective"),
    [
        ("y", RARE, 0, "mean"),
        ("y", RARE, 3, "mean"),  # a return does not make counts something else
        ("y", 12 + RARE, 3, "mean"),
        ("y", LARGE, 0, "median"),
        ("power [MW]", LARGE, 0, "median"),
        ("power [MW]", LARGE.round(-3), 0, "median"),  # few distinct values
        ("traffic_volume", LARGE, 0, "median"),
        ("PM2.5", LARGE // 40, 0, "median"),
        ("temp", 12 + RARE, 0, "median"),
        ("units_sold", LARGE, 0, "mean"),
        ("units_sold", LARGE, 30, "mean"),
        ("units_sold", LARGE + 0.5, 0, "median"),
        ("sales [kg]", RARE * 0.7, 0, "mean"),
        ("sales", RARE * 0.7, 2, "mean"),
        ("solar", RARE * 0.7, 0, "median"),
    ],
)
def test_small_counts_and_what_is_ordered_are_forecast_by_their_mean(
    tmp_path, column, values, returned, objective
):
    measured = values.copy()
    measured[100 : 100 + returned] = -1
    days = pd.date_range("2021-01-01", periods=1000)
    table = pd.DataFrame({"time": days, column: measured})
    table.to_csv(tmp_path / "a.csv", index=False)
    options = Options(target=column)
    found = propose(detect([tmp_path / "a.csv"], options), options)
    assert found.objective == objective


def test_weekly_sums_of_what_is_ordered_are_forecast_by_their_mean(tmp_path):
    """Also if a day is missing, so that its week's sum is scaled."""
    days = pd.date_range("2021-01-04", periods=700)
    table = pd.DataFrame({"time": days, "units_sold": 12 + RARE[:700]}).drop(index=30)
    table.to_csv(tmp_path / "a.csv", index=False)
    options = Options(target="units_sold", step=7, aggregate="sum")
    found = propose(detect([tmp_path / "a.csv"], options), options)
    assert (found.cleaning.aggregate, found.objective) == ("sum", "mean")


def quarters(folder, column, lacking=()):
    """15,000 quarters of an hour from a Monday on; the last hour has two."""
    stamps = pd.date_range("2024-01-01", periods=15_002, freq="15min")
    values = np.random.default_rng(0).normal(50, 1, 15_002)
    table = pd.DataFrame({"time": stamps, column: values}).drop(index=[*lacking])
    table.to_csv(folder / "a.csv", index=False)
    return detect([folder / "a.csv"], Options()), values[:15_000].reshape(-1, 4)


@pytest.mark.parametrize(
    ("column", "given", "size", "reason"),
    [
        ("load [kW]", {}, 1, "mean, since the column is no amount by its unit or name"),
        ("load [kWh]", {}, 4, "sum, since the column is an amount by its unit or name"),
        ("rain", {}, 4, "sum, since the column is an amount by its unit or name"),
        ("rain", {"aggregate": "mean"}, 1, "mean, as asked"),
    ],
)
def test_a_timestep_is_the_mean_or_the_sum_of_its_rows(
    tmp_path, column, given, size, reason
):
    profile, hours = quarters(tmp_path, column, lacking=[401, 804, 805, 806])
    proposal = propose(profile, Options(step=4, horizon="24h", lookback=672, **given))
    assert (proposal.horizon, proposal.lookback, proposal.cycles) == (
        24,
        168,
        [24, 168],
    )
    assert proposal.guesses[0] == (
        f"guessed   aggregate: {reason}; the last timestep, at 2024-06-05 06:00:00, "
        "lacks rows and is left out"
    )
    dataset = cut_into_windows("a", profile, proposal).dataset
    expected = size * hours.mean(axis=1)
    expected[100] = size * hours[100, [0, 2, 3]].mean()
    expected[201] = np.nan
    np.testing.assert_allclose(dataset.truth, expected)
    assert str(dataset.stamps[-1]) == "2024-06-05T05:00:00.000"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"horizon": "90min"},
            "horizon must be .*, and a timestep is an hour. Received",
        ),
        ({"horizon": 6}, "horizon must be .*, and a timestep is 4 rows. Received: 6"),
        ({"lookback": "1h", "step": 5}, "lookback must be .* is 75 minutes. Received"),
    ],
)
def test_a_horizon_is_a_whole_number_of_timesteps(tmp_path, options, message):
    profile, _ = quarters(tmp_path, "load")
    with pytest.raises(UsageError, match=message):
        propose(profile, Options(**{"step": 4} | options))


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (Options(target="b"), "target must be one of: load. Received: 'b'"),
        (
            Options(target="words"),
            "target='words': it is no column of numbers, so there is nothing to forecast.",
        ),
        (
            Options(target="same"),
            "target='same': it is always 7, so there is nothing to forecast. Other columns: load",
        ),
        (
            Options(future=["b"]),
            "future must name columns of numbers besides the target: there are none. Received: 'b'",
        ),
        (Options(holidays="XX"), "XX"),
        (Options(holidays="DE-XX"), "or a state such as DE-BY. Received: 'DE-XX'"),
    ],
)
def test_a_question_that_cannot_be_asked_says_what_is_expected(tmp_path, wanted, text):
    days = pd.date_range("2021-01-01", periods=200)
    words = np.where(np.arange(200) % 3, "sun", "rain")
    columns = {"load": np.sin(np.arange(200)), "words": words, "same": 7}
    pd.DataFrame({"day": days, **columns}).to_csv(tmp_path / "a.csv", index=False)
    profile = detect([tmp_path / "a.csv"], Options())
    told = "guessed   target: load, the only column that can be forecast"
    assert propose(profile, Options()).guesses[0] == told
    with pytest.raises(UsageError, match=re.escape(text)):
        propose(profile, wanted)


@pytest.mark.parametrize(
    ("sky", "future", "lacking", "missing"),
    [
        ("1 2", [], 0, None),
        ("sun rain", [], 0, [""]),
        ("1 2", ["wind"], 0, [""]),
        ("sun rain", ["wind"], 3, ["n/a"]),
    ],
)
def test_an_empty_cell_is_no_value_beside_words_and_columns_known_beforehand(
    tmp_path, sky, future, lacking, missing
):
    days = pd.date_range("2021-01-01", periods=200, name="day")
    load = np.where(days.day_of_year > lacking, np.sin(np.arange(200)), np.nan)
    columns = {"load": load, "wind": days.day, "sky": np.resize(sky.split(), 200)}
    pd.DataFrame(columns, days).to_csv(tmp_path / "a.csv", na_rep="n/a")
    options = Options(target="load", future=future)
    profile = detect([tmp_path / "a.csv"], options)
    data = cut_into_windows("a", profile, propose(profile, options)).dataset
    assert data.fitted.csv.missing == missing


def test_of_many_series_that_are_not_forecast_the_first_has_its_reason():
    reasons = {f"s{number}": "8 rows, where 9 are needed" for number in range(660)}
    assert not_forecast({}, 7) == ""
    assert not_forecast(dict.fromkeys("ab", "3 rows"), 7).endswith("more, add rows.")
    assert not_forecast(reasons | {"late": "3 rows, none of them late"}, 95) == (
        "661 of 756 series are not forecast. "
        "The first is s0 (8 rows, where 9 are needed); `left_out` "
        "has all with reasons. To forecast more, add rows."
    )


def test_a_horizon_that_leaves_no_windows_is_told_with_the_longest(tmp_path):
    frame = pd.DataFrame(
        {"when": pd.date_range("2024-01-01", periods=400), "load": np.arange(400.0) % 7}
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    profile = detect([tmp_path / "a.csv"], Options())
    longest = Options(horizon=111, lookback=56)
    assert not is_short(profile, propose(profile, longest))
    data = cut_into_windows("a", profile, propose(profile, longest)).dataset
    assert len(folds(data, plan(data))[0].train.rows) > 0
    further = propose(profile, Options(horizon=112, lookback=56))
    assert is_short(profile, further)
    assert too_far(profile, further).startswith(
        "models    those of short series, since a horizon of 112 rows leaves too few "
        "windows to train others, which take up to 111 rows"
    )
    assert too_far(profile, propose(profile, Options(lookback=300))) == ""


@pytest.mark.parametrize(
    ("freq", "count", "horizon", "lookback"),
    [("W", 110, 8, 53), ("W", 109, 8, 36), ("W", 143, 4, 53), ("MS", 60, 12, 13)],
)
def test_a_window_holds_last_years_value_of_its_last_row(
    freq, count, horizon, lookback
):
    stamps = pd.date_range("2020-01-05", periods=count, freq=freq)
    frame = pd.DataFrame({"when": stamps, "load": np.arange(count) % 29 + 0.5})
    profile = detect(rows_of(frame, CsvFormat()), Options())
    found = propose(profile, Options(horizon=horizon))
    assert found.lookback == lookback
    assert not is_short(profile, found)
    data = cut_into_windows("a", profile, found).dataset
    fold = folds(data, plan(data, found.cycles))[0]
    assert len(fold.train.rows) >= 5
    names = [*of_windows(profile, found, 1, networks=False)]
    assert (f"cycle_{found.year}" in names) == (lookback > found.year)


def test_too_few_rows_get_an_advice_that_was_tried(tmp_path):
    path = tmp_path / "a.csv"
    days = pd.date_range("2021-01-01", periods=60)
    pd.DataFrame({"day": days, "load": np.sin(np.arange(60))}).to_csv(path, index=False)
    profile = detect([path], Options())
    with pytest.raises(UnrollError, match="pass a smaller horizon= or lookback="):
        cut_into_windows("a", profile, propose(profile, Options(lookback=50)))
    rows = [f"2021-01-{day:02d},{day // 16}\n" for day in range(1, 29)]
    path.write_text("".join(["day,load\n", *rows]))
    few = detect([path], Options())
    with pytest.raises(UnrollError, match="give more rows"):
        cut_into_windows("a", few, propose(few, Options(horizon=1, lookback=2)))


def test_a_launch_makes_a_series_short_and_many_known_columns_are_counted():
    days = pd.date_range("2022-01-01", periods=300)
    sales = np.where(np.arange(300) < 200, 0, np.arange(300) % 7)
    profile = unroll.read(pd.DataFrame({"ds": days, "sales": sales}))
    assert is_short(profile, unroll.propose(profile))
    columns = {
        f"c{number}x": np.arange(300) ** 2 % (99 + number) for number in range(200)
    }
    profile = unroll.read(pd.DataFrame({"ds": days, "sales": days.day, **columns}))
    with pytest.raises(
        UsageError, match="names 200 columns, .* horizon of 7; keep the 157"
    ):
        unroll.propose(profile, target="sales", future=[*columns], horizon=7)

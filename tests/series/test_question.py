"""What is proposed where nobody says."""

import re

import numpy as np
import pandas as pd
import pytest

import unroll
from pipeline.errors import UnrollError, UsageError
from series.backtest import folds, plan
from series.options import Options
from series.preparation import cut_into_windows, not_forecast
from series.question import (
    is_short,
    perhaps_known,
    propose,
    too_far,
)
from series.reading.detect import detect

HOUR = "each row is a timestep; step=4 would forecast the mean of each hour"


def proposed(folder, columns, freq="h", count=200):
    stamps = pd.date_range("2021-01-01", periods=count, freq=freq)
    values = {
        column: np.arange(count) * number % 29
        for number, column in enumerate(columns, 2)
    }
    pd.DataFrame({"time": stamps, **values}).to_csv(folder / "a.csv", index=False)
    profile = detect([folder / "a.csv"], Options())
    return profile, propose(profile, Options())


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ("Last kW|Temp C", "Last kW"),
        ("HUFL HULL OT", "OT"),
        ("temp rain_1h snow_1h traffic_volume", "traffic_volume"),
        ("No year month pm2.5 DEWP TEMP", "pm2.5"),
        ("season hum windspeed casual registered cnt", "cnt"),
        (
            "Temperature Humidity PowerConsumption_Zone1 PowerConsumption_Zone2",
            "PowerConsumption_Zone1",
        ),
        ("Temp (°C)|Stromverbrauch [kWh]", "Stromverbrauch [kWh]"),
        ("load_forecast load", "load"),
        ("price y", "price"),
        ("holiday a b", "a"),
    ],
)
def test_the_target_is_a_column_that_looks_like_one(tmp_path, columns, target):
    columns = columns.split("|" if "|" in columns else None)
    _, proposal = proposed(tmp_path, columns)
    assert proposal.target == target
    assert "target= names another" in proposal.reasons["target"]


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
    ("freq", "count", "horizon", "lookback", "cycles"),
    [
        ("h", 1960, 24, 336, [24, 168]),
        ("h", 200, 20, 24, [24, 168]),
        ("D", 600, 7, 56, [7]),
        ("B", 600, 5, 40, [5]),
        ("W", 600, 4, 52, [52]),
        ("MS", 600, 12, 96, [12]),
        ("QS", 60, 4, 12, [4]),
        ("YS", 40, 1, 8, []),
        ("10min", 19_999, 144, 2016, [144, 1008]),
        ("1min", 19_999, 60, 1440, [1440, 10080]),
    ],
)
def test_a_window_spans_whole_cycles(tmp_path, freq, count, horizon, lookback, cycles):
    _, proposal = proposed(tmp_path, ["load"], freq, count)
    assert (proposal.horizon, proposal.lookback, proposal.cycles) == (
        horizon,
        lookback,
        cycles,
    )
    assert "target" not in proposal.reasons


@pytest.mark.parametrize(
    ("freq", "count", "lines"),
    [
        ("h", 1960, ["horizon: 24, a day", "lookback: 336, since the file is short"]),
        ("B", 600, ["horizon: 5, a week", "lookback: 40, eight weeks"]),
        ("MS", 600, ["horizon: 12, a year", "lookback: 96, eight years"]),
        (
            "15min",
            20_000,
            [
                f"step: 1, {HOUR}",
                "horizon: 96, a day",
                "lookback: 2016, since rows are dense",
            ],
        ),
    ],
)
def test_a_proposal_says_its_reason(tmp_path, freq, count, lines):
    _, proposal = proposed(tmp_path, ["load"], freq, count)
    lines = [*lines, "objective: mean, since values are counts"]
    assert proposal.guesses == [f"guessed   {line}" for line in lines]


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


def test_one_short_series_among_long_ones_is_left_out(tmp_path):
    days = pd.date_range("2021-01-01", periods=300)
    rows = [
        pd.DataFrame({"unique_id": name, "ds": days, "y": np.sin(np.arange(300)) + 2})
        for name in "ab"
    ]
    rows.append(rows[0].tail(30).assign(unique_id="short"))
    path = tmp_path / "a.csv"
    pd.concat(rows).to_csv(path, index=False)
    profile = detect([path], Options())
    prepared = cut_into_windows("a", profile, propose(profile, Options()))
    dataset = prepared.dataset
    [(name, reason)] = prepared.left_out.items()
    assert name == "short"
    assert "30 rows, 0 of them before 2021-05-31" in reason
    assert not_forecast(prepared.left_out, 2) == (
        f"1 of 3 series is not forecast (short: {reason}). To forecast it, pass a "
        "smaller horizon= or lookback=, or add rows."
    )
    assert [*dataset.scales] == ["a", "b"]


def test_of_many_series_that_are_not_forecast_the_first_has_its_reason():
    reasons = {f"s{number}": "8 rows, where 9 are needed" for number in range(660)}
    assert not_forecast({}, 7) == ""
    assert not_forecast(reasons | {"late": "3 rows, none of them late"}, 95) == (
        "661 of 756 series are not forecast. "
        "The first is s0 (8 rows, where 9 are needed); `left_out` "
        "has all with reasons. To forecast more, pass a smaller horizon= or lookback=, "
        "or add rows."
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

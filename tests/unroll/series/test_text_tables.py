"""The tables of an answer as text, its page and its pictures."""

import re
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from unroll.series import answer_page, plot, text_tables

SCORES = pd.DataFrame(
    {
        "model": ["gru", "ridge", "last_value"],
        "title": ["GRU(32), 3 seeds", "ridge\x1b[2J", "last value"],
        "mae": [1.23456, 1.5, 20.0],
        "rmse": [2.0, 3.0, 40.0],
        "bias": [-0.25, 0.0, None],
        "wql": [0.1234, None, 0.5],
        "change": [-0.177, None, 12.0],
        "low": [-0.25, None, None],
        "high": [-0.1, None, None],
        "coverage": [0.914, None, 0.9],
        "seconds": [12.4, 0.2, None],
        "forecasts": [True, False, False],
    }
)


@pytest.mark.parametrize(("objective", "error"), [("median", "MAE"), ("mean", "RMSE")])
def test_the_legend_explains_the_error_that_the_table_shows(objective, error):
    scores = SimpleNamespace(low=None)
    board = SimpleNamespace(
        block_days=7.0,
        days=30,
        shares={},
        models={"ets": scores, "ridge": scores},
        opponent="ridge",
        objective=objective,
        members=["cycle_7", "ets", "ridge"],
    )
    legend = text_tables.explained(board)
    lacking = "An interval takes 12 weeks to compare on, and here are fewer."
    members = "The combination is made of cycle_7, ets and ridge. ETS is"
    assert f"{lacking} {members}" in legend
    scores.low = -0.1
    assert "An interval takes" not in text_tables.explained(board)
    assert f" {error} is the " in legend
    assert ("RMSE" in legend) == (error == "RMSE")
    assert error in text_tables.models(SCORES, "kW", objective).headings[2]


def rows(names=("meter",), stamps=("2024-01-08", "2024-01-09")):
    values = 100.0 * np.arange(1, len(names) * len(stamps) + 1)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(names, len(stamps)),
            "ds": pd.to_datetime([*stamps] * len(names)),
            "y_hat": values,
            "lo-80": values - 10,
            "hi-80": values + 10,
        }
    )


SERIES = pd.DataFrame(
    {
        "unique_id": ["a", "b"],
        "values": [3, 1234],
        "bias": [0.123, np.nan],
        "mae": [1.5, 1.25],
        "rmse": [2.0, 1.75],
        "naive_mae": [2.5, 1.25],
        "naive_rmse": [3.0, 1.75],
    }
)
WHY = pd.DataFrame(
    {
        "unique_id": "meter",
        "ds": pd.to_datetime(["2024-01-08", "2024-01-09"]),
        "level": [100.0, 100.0],
        "last_values": [-3.25, 0.125],
        "y_hat": [96.75, 100.125],
    }
)


def test_tables_are_as_approved(file_regression):
    """Models whose scores are the same have one row; forecasts have the digits that
    their intervals leave."""
    twice = pd.concat([SCORES, SCORES[2:].assign(model="zero", title="always 0")])
    orders = rows(("a", "b")).assign(**{"order-95": 130.0})
    sums = orders.rename(columns={"unique_id": "family"}).assign(series=2)
    sums.insert(1, "store", "total")
    unknown = rows().assign(**{"lo-80": -np.inf, "hi-80": np.inf})
    shown = {
        "models": text_tables.models(SCORES, "kW"),
        "models by another error": text_tables.models(twice, "", "mean"),
        "models without seconds": text_tables.models(SCORES.assign(seconds=np.nan), ""),
        "scores": text_tables.scores(SERIES, "kW"),
        "scores without a unit": text_tables.scores(SERIES, ""),
        "sums": text_tables.forecast(sums, 0.8, "kW"),
        "orders": text_tables.orders(orders),
        "a forecast": text_tables.forecast(rows(), 0.8, "kW"),
        "two": text_tables.forecast(rows(("a", "b"), ("2024-01-08 12:00",)), 0.8, ""),
        "no interval": text_tables.forecast(unknown, 0.8, ""),
        "why": text_tables.why(WHY, "kW"),
    }
    lines = []
    for name, one in shown.items():
        cells = [" | ".join(row) for row in (one.headings, *one.rows)]
        lines += ["", name, *cells, f"numbers: {', '.join(one.numeric)}", one.caption]
    for width in (0.0, 0.004, 1.0, 9.99, 10.0, 1000.0, np.inf):
        for size in (0.0, 1e-7, 0.0123, 1.0, 999.5, 1e9, 123456789012.0, 1e15, 3e20):
            texts = text_tables.alike([size, -size / 2, 0.0, np.inf], width)
            lines.append(f"{size:g} to within {width:g}: {', '.join(texts)}")
    file_regression.check("\n".join(lines))


def test_a_large_value_on_an_axis_is_written_in_full(tmp_path):
    seen = window([1.2e6, 1.3e6, 1.4e6, 1.5e6, 1.6e6, 1.7e6, 1.8e6])
    ahead = rows().assign(y_hat=1.7e6, **{"lo-80": 1.6e6, "hi-80": 1.8e6})
    plot.save(plot.forecast(seen, ahead, level=0.8, title="a"), tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "<!-- 1,400,000 -->" in text
    assert "<!-- 1e6 -->" not in text


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "@SUM(1)", "+1+1", "-1-1"])
def test_no_name_is_a_formula_and_a_number_stays_one(name):
    rows = pd.DataFrame({"unique_id": [name, "-1.5", "+3"], "ds": "2024", "y_hat": 1.0})
    found = pd.read_csv(StringIO(text_tables.csv(rows)), dtype=str)["unique_id"]
    assert [*found] == [f"'{name}", "-1.5", "+3"]


def test_the_page_says_what_the_answer_says_and_runs_nothing(file_regression):
    forecaster = SimpleNamespace(
        why="a <model>",
        fitted=SimpleNamespace(windows=SimpleNamespace(unit="kW")),
    )
    answer = SimpleNamespace(
        name="meter",
        target="load",
        outcome="hurts",
        sentence="No: <b>ridge</b> is better.",
        hint="More rows would tell.",
        models=SCORES,
        board=SimpleNamespace(
            unit="kW", block_days=7.0, objective="median", models={}, members=[]
        ),
        forecaster=forecaster,
        series_left_out={"P<1": "there is no row with a value"},
    )
    caption = {"Caption.": "<?xml?><svg id='s'></svg>"}
    text = answer_page.page(answer, rows(), 0.8, caption, {}, {})
    file_regression.check(text, extension=".html")
    assert "<script" not in text
    assert "://" not in text


def test_the_ends_of_a_series_called_nan_may_be_unknown():
    unknown = rows(("nan",)).assign(**{"lo-80": -np.inf, "hi-80": np.inf})
    assert text_tables.forecast(unknown, 0.8, "").rows[0] == [
        "2024-01-08",
        "100.00",
        "-",
        "-",
    ]


def window(measured):
    """The last rows of a series of days."""
    stamps = np.arange("2024-01-01", "2024-01-08", dtype="datetime64[D]").astype(
        "datetime64[ms]"
    )
    fitted = SimpleNamespace(
        windows=SimpleNamespace(ahead=np.array([1, 2])),
        csv=SimpleNamespace(target="load"),
    )
    return SimpleNamespace(
        fitted=fitted,
        scale=SimpleNamespace(quantity="value", unit=""),
        on_clock=pd.DatetimeIndex,
        stamps=stamps,
        target=np.array(measured),
    )


def lines(path):
    """The points (n, 2) of each line of a picture, in its own unit, downwards."""
    paths = re.findall(r'd="(M [^"]*)" clip-path', path.read_text(encoding="utf-8"))
    return [
        np.array(re.findall(r"-?[\d.]+", one), float).reshape(-1, 2) for one in paths
    ]


def test_what_was_not_measured_is_not_drawn_and_the_forecast_begins_at_the_last_row(
    tmp_path,
):
    measured = window([1, np.nan, 3, 4, 5, 6, 7])
    figure = plot.forecast(measured, rows(), level=0.8, title="meter")
    plot.save(figure, tmp_path / "next.svg")
    past, ahead, now, *_ = lines(tmp_path / "next.svg")
    day = past[-1, 0] - past[-2, 0]
    np.testing.assert_allclose(np.diff(past[:, 0]) / day, [2, 1, 1, 1, 1])
    np.testing.assert_allclose(ahead[:, 0], past[-1, 0] + day * np.arange(1, 3))
    np.testing.assert_allclose(now[:, 0], past[-1, 0])
    value = (past[0, 1] - past[-1, 1]) / 6
    np.testing.assert_allclose(np.diff(past[:, 1]) / value, [-2, -1, -1, -1, -1])
    np.testing.assert_allclose(
        (past[-1, 1] - ahead[:, 1]) / value, [93, 193], rtol=1e-5
    )


def test_contributions_are_drawn_as_departures_from_the_level(tmp_path):
    plot.save(plot.why(WHY, title="meter"), tmp_path / "why.svg")
    level, last_values, forecast, *_ = lines(tmp_path / "why.svg")
    np.testing.assert_allclose(last_values, forecast)
    step = (last_values[0, 1] - last_values[1, 1]) / 3.375
    np.testing.assert_allclose(level[:, 1], last_values[0, 1] - 3.25 * step)


def test_weeks_have_dates_below():
    weeks = pd.date_range("2024-03-04", periods=4, freq="7D", name="weeks")
    errors = pd.DataFrame({"gru": [2.0] * 4, "ridge": [1.0] * 4}, weeks)
    sides = {"gru": "GRU", "ridge": "ridge"}
    for count, shown in ((1, {"ridge": "ridge"}), (4, sides)):
        figure = plot.by_week(errors[:count], shown, unit="")
    drawn = plot.svg(figure, "weeks")
    assert "<!-- weeks, by their first day -->" in drawn
    assert "<!-- 2024-Mar -->" in drawn


def test_each_series_has_a_picture_in_a_menu_and_one_that_is_left_out_a_reason(
    monkeypatch,
):
    monkeypatch.setattr(answer_page, "MOST_PICTURES", 2)
    names = ("a<b", "c", "d")
    windows = dict.fromkeys(names, window([1, 2, 3, 4, 5, 6, 7]))
    menu = answer_page.menu(windows, rows(names), 0.8)
    assert [*menu] == ["a<b", "c"]
    assert all(svg.count("<svg") == 1 for svg in menu.values())

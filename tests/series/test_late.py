"""Every series is accounted for: late ones are forecast, the others are named; and
scores and sums for each series and group.
"""

import contextlib

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnrollError, UsageError
from series import answer as answers
from series import candidates, fits, late, seal, windowed
from series.judge import judge
from tests.series.here import run_here

LEVEL = {"A": 50, "B": 80, "C": 20}


def rows():
    """Two long series, one that begins late, one with three rows, one without a
    value."""
    days = pd.date_range("2022-01-01", periods=200)
    noise = np.random.default_rng(0).normal(size=(5, 200))
    frames = []
    for number, name in enumerate("ABCDE"):
        values = LEVEL.get(name, 10) + np.resize([0, 4, 5, 3, 2, 8, 9], 200)
        frame = pd.DataFrame({"unique_id": name, "ds": days})
        frame["sales"] = values + noise[number] if name != "E" else np.nan
        frame["family"] = "food" if name in "AD" else "toys"
        frames.append(frame)
    frames[2] = frames[2].iloc[160:]
    frames[3] = frames[3].iloc[-3:]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    every = candidates.candidates

    def few(*arguments, **options):
        models = every(*arguments, **options)
        return {name: models[name] for name in ("last_value", "cycle_7", "ridge")}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fits.processes, "run", run_here)
        patched.setattr(windowed, "candidates", few)
        patched.setattr(answers, "Server", lambda *_, **__: contextlib.nullcontext())
        made = answers.answer(
            rows(), target="sales", horizon=7, networks=False, say=lambda _line: None
        )
    folder = tmp_path_factory.mktemp("late") / "shop"
    made.save(folder)
    return answers.load(folder)


def test_late_series_are_forecast_by_a_simple_model_and_others_are_named(answer):
    assert answer.left_out == {"E": "there is no row with a value"}
    assert [*answer.late] == ["C", "D"]
    assert answer.late["D"].startswith("3 rows, 0 of them before")
    forecast = answer.forecast(levels=0.9)
    assert forecast.groupby("unique_id").size().to_dict() == dict.fromkeys("ABCD", 7)
    assert np.isfinite(forecast.drop(columns=["unique_id", "ds"])).all(axis=None)
    assert "1 of 5 series is not forecast (E: there is no row" in answer.hint
    assert "2 of 5 series are too short or too late for these models" in answer.hint
    by_cycle = answer.forecast(levels=0.9, model="cycle_7")
    late_ones = forecast["unique_id"].isin(["C", "D"])
    pd.testing.assert_frame_equal(by_cycle[late_ones], forecast[late_ones])
    assert not by_cycle[~late_ones].equals(forecast[~late_ones])


def test_late_series_stay_with_a_copy_of_the_forecaster_and_new_rows(answer, tmp_path):
    answer.forecaster.save(tmp_path)
    seal.write(tmp_path)
    copy = answers.load_forecaster(tmp_path)
    only = rows().query("unique_id in ['C', 'D']")
    assert {*copy.forecast(only)["unique_id"]} == {"C", "D"}
    mixed = copy.forecast(rows())
    pd.testing.assert_frame_equal(mixed, answer.forecast(levels=0.9))
    with pytest.raises(UnrollError, match="'Z', a word that"):
        copy.forecast(only.assign(unique_id="Z"))
    damaged = tmp_path / late.FOLDER / "short.json"
    damaged.write_text("{}")
    with pytest.raises(UnrollError, match="another SHA-256"):
        answers.load_forecaster(tmp_path)


def test_scores_are_those_of_the_compared_cutoffs_in_the_unit_of_the_file(answer):
    scores = answer.scores().set_index("unique_id")
    assert [*scores.index] == ["A", "B", "C", "D", "total"]
    own = answer.board.later(answer.forecasts)
    own = own[(own["model"] == answer.board.champion) & (own["unique_id"] == "A")]
    errors = own["y_hat"] - own["y"]
    assert scores.loc["A", "mae"] == pytest.approx(errors.abs().mean())
    assert scores.loc["A", "rmse"] == pytest.approx((errors**2).mean() ** 0.5)
    assert scores.loc["A", "bias"] == pytest.approx(errors.sum() / own["y"].sum())
    assert scores.loc["A", "naive_model"] == answer.board.naive


def test_a_table_of_all_series_is_judged_by_those_of_the_board(answer):
    table = answer.forecasts[answer.forecasts["model"] == "last_value"]
    assert {*table["unique_id"]} == {"A", "B", "C"}
    judgement = judge(table[["unique_id", "ds", "cutoff", "y_hat"]], against=answer)
    error = answer.models.set_index("model").loc["last_value", "mae"]
    assert judgement.mae == pytest.approx(error)


def test_groups_are_columns_with_one_value_for_each_series(answer):
    scores = answer.scores("family").set_index("family")
    whole = answer.scores().set_index("unique_id")
    weights = whole.loc[["B", "C"], "values"]
    expected = np.average(whole.loc[["B", "C"], "mae"], weights=weights)
    assert scores.loc["toys", "mae"] == pytest.approx(expected)
    assert scores.loc["total", "mae"] == pytest.approx(whole.loc["total", "mae"])
    sums = answer.sums("family")
    forecast = answer.forecast()
    by_hand = forecast[forecast["unique_id"].isin(["A", "D"])].groupby("ds")["y_hat"]
    food = sums[sums["family"] == "food"]
    np.testing.assert_allclose(food["y_hat"], by_hand.sum())
    assert (food["series"] == 2).all()
    total = sums[sums["family"] == "total"]["y_hat"].sum()
    assert total == pytest.approx(forecast["y_hat"].sum())
    column = answer.forecaster.spec.question.csv.series_id
    by_name = answer.scores(column).set_index(column)
    np.testing.assert_array_equal(by_name["mae"], whole["mae"])
    with pytest.raises(UsageError, match="by must be one of: family, "):
        answer.scores("sales")

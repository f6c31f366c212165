import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UsageError
from pipeline.validation import one_of
from tests.unroll.series.boards import STD, answered, board, noisy, table
from unroll.series.combination import ENSEMBLE
from unroll.series.judge import judge, of_answers
from unroll.series.options import MODELS

ERRORS = {
    "last": noisy(2.0),
    "ridge": noisy(1.0),
    "trees": noisy(1.1),
    "gru": noisy(0.9),
}


@pytest.fixture(scope="module")
def against():
    return answered(*board(table(ERRORS, seeds={"gru": 2})))


def forecasts(against, model="ridge"):
    rows = against.forecasts[against.forecasts["model"] == model]
    return rows[["unique_id", "ds", "cutoff", "y_hat"]].reset_index(drop=True)


def off(against, size):
    """Forecasts that err by so much, in standard deviations."""
    rows = against.forecasts[against.forecasts["model"] == "ridge"]
    return rows.assign(y_hat=rows["y"] + STD * size)[["ds", "cutoff", "y_hat"]]


@pytest.mark.parametrize(
    ("size", "outcome"),
    [(0.05, "better"), (3.0, "worse"), (None, "no difference that matters")],
)
def test_forecasts_are_compared_with_those_of_the_champion(against, size, outcome):
    champion = against.board.champion
    rows = forecasts(against, champion) if size is None else off(against, size)
    found = judge(rows, against)
    assert found.outcome == outcome
    assert f" {outcome}: over the last" in found.sentence
    assert found.champion_mae == pytest.approx(against.board.models[champion].mae)
    expected = found.champion_mae if size is None else STD * size
    assert found.mae == pytest.approx(expected)
    assert found.change == pytest.approx(found.mae / found.champion_mae - 1, abs=1e-4)


def test_the_rule_is_that_of_the_board(against):
    """A model of the answer gets the change and the interval that the board has of it."""
    assert against.board.champion == ENSEMBLE == against.board.opponent
    for name in ("ridge", "last"):
        found = judge(forecasts(against, name), against)
        scores = against.board.models[name]
        assert found.change == pytest.approx(scores.change, abs=1e-9)
        assert (found.low, found.high) == pytest.approx(
            (scores.low, scores.high), abs=1e-9
        )
        assert found.mae == pytest.approx(scores.mae)


def test_two_answers_are_compared_if_they_forecast_the_same_values(against):
    worse = answered(*board(table({"last": noisy(2.0), "gru": noisy(1.5)})))
    worse.name = "other"
    found = of_answers(worse, against)
    assert found.outcome == "worse"
    assert found.sentence.startswith("GRU(32) of other is worse: over the last")
    assert " models of meter (95 % interval: " in found.sentence
    assert found.mae == pytest.approx(worse.board.models["gru"].mae)
    assert found.champion_mae == pytest.approx(against.board.models[ENSEMBLE].mae)
    weekly = answered(*board(table(ERRORS, days=7)))
    with pytest.raises(UsageError, match="no verdict on meter and other, since they"):
        of_answers(weekly, worse)


def test_the_mae_is_no_squared_error_where_the_mean_is_forecast(against):
    of_mean = against.board.model_copy(update={"objective": "mean"})
    found = judge(forecasts(against, "ridge"), answered(against.forecasts, of_mean))
    assert found.mae == pytest.approx(against.board.models["ridge"].mae)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows, _: rows.drop(columns="unique_id"),
        lambda rows, later: rows[later],
        lambda rows, later: rows.assign(y_hat=rows["y_hat"].where(later)),
        lambda rows, _: rows.astype({"ds": str, "cutoff": str}),
        lambda rows, _: rows.sample(frac=1, random_state=0),
    ],
    ids=["one series", "the later half", "nothing earlier", "texts", "in any order"],
)
def test_rows_that_say_the_same_are_judged_alike(against, change):
    rows = forecasts(against)
    later = rows["cutoff"] >= against.board.middle
    assert judge(change(rows, later), against) == judge(rows, against)


def test_a_value_that_was_not_measured_need_not_be_forecast():
    made = table(ERRORS)
    made.loc[made["ds"].dt.hour == 16, "y"] = np.nan
    against = answered(*board(made))
    rows = forecasts(against)
    assert judge(rows[rows["ds"].dt.hour != 16], against) == judge(rows, against)


def test_several_series_are_judged_in_their_deviations():
    against = answered(*board(table(ERRORS, series=("1", "2"))))
    rows = forecasts(against, "last")
    found = judge(rows.assign(unique_id=rows["unique_id"].astype(int)), against)
    assert found.unit == "standard deviations"
    assert found.mae == pytest.approx(against.board.models["last"].mae)
    with pytest.raises(UsageError, match="Missing: unique_id"):
        judge(rows.drop(columns="unique_id"), against)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda rows: rows.to_dict(), "must be a DataFrame .* Received: dict"),
        (
            lambda rows: rows.drop(columns="ds"),
            "Missing: ds. Received: unique_id, cutoff, y_hat",
        ),
        (lambda rows: rows.drop(columns=["cutoff", "y_hat"]), "Missing: cutoff, y_hat"),
        (
            lambda rows: rows.iloc[:-1],
            "finite y_hat for each .* Not so: 1 values, such as ds 2024-07-01",
        ),
        (lambda rows: rows.iloc[:0], "finite y_hat for each .* Not so: 273 values"),
        (
            lambda rows: pd.concat([rows, rows.tail(2)]),
            "one row for each.* Not so: 2 values",
        ),
        (
            lambda rows: rows.assign(y_hat=np.nan),
            "finite y_hat for each .* Not so: 273 values",
        ),
        (
            lambda rows: rows.assign(y_hat=np.inf),
            "finite y_hat for each .* Not so: 273 values",
        ),
        (
            lambda rows: rows.assign(y_hat="much"),
            "finite y_hat for each .* Not so: 273 values",
        ),
        (
            lambda rows: rows.assign(ds="soon"),
            "ds must hold timestamps .* Received: 'soon'",
        ),
        (
            lambda rows: rows.assign(cutoff=rows["cutoff"].dt.tz_localize("UTC")),
            "cutoff must hold timestamps without a time zone",
        ),
        (
            lambda rows: rows.assign(ds=rows["ds"] + pd.Timedelta(minutes=1)),
            "values of the answer alone.* Not so: 273 values, such as ds .* 08:01:00",
        ),
        (
            lambda rows: rows.assign(unique_id="y"),
            "values of the answer alone.* Not so: 273 values.* of y",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused(against, wrong, said):
    with pytest.raises(UsageError, match=said):
        judge(wrong(forecasts(against)), against)


def test_all_models_are_listed_however_many_there_are():
    names = [f"m{number:02}" for number in range(16)]
    assert one_of("m03", names, "the model", most=MODELS) == "m03"
    with pytest.raises(UsageError, match=r"one of: m00, .*, m15\. Received: 'xyz'\.$"):
        one_of("xyz", names, "the model", most=MODELS)

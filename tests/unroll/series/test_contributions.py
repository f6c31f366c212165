"""Why a model forecasts what it does, and answers by another model of the table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import unroll
from pipeline.errors import UsageError
from unroll.answers.predict import predict
from unroll.series import answer_page, candidates, seal, training
from unroll.series.forecaster import ARRAYS, SPEC, Forecaster

DAYS = 280
HORIZON = 7
PROMOTED = 3
"""The day to come with a promotion, from 0."""


@pytest.fixture(scope="module")
def plan():
    random = np.random.default_rng(0)
    days = pd.date_range("2022-01-03", periods=DAYS + HORIZON, name="day")
    promo = (random.random(len(days)) < 0.2).astype(float)
    promo[DAYS:] = 0
    promo[DAYS + PROMOTED] = 1
    sales = 100 + 20 * np.sin(2 * np.pi * np.arange(len(days)) / 7) + 40 * promo
    sales += random.normal(0, 3, len(days))
    return pd.DataFrame({"sales": sales, "promo": promo}, days)


@pytest.fixture(scope="module")
def made(plan, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training, "STEPS", (3,))
        patched.setattr(candidates, "SEEDS", (0,))
        answer = unroll.answer(
            plan[:DAYS],
            name="shop",
            target="sales",
            horizon=HORIZON,
            future=["promo"],
            holidays="DE-BY",
            models=["ridge", "ets", "mstl", "gru", "boosting"],
            in_process=True,
        )
    return unroll.load(answer.save(tmp_path_factory.mktemp("answer") / "shop"))


@pytest.fixture(scope="module")
def to_come(plan):
    return plan[["promo"]][DAYS:]


@pytest.mark.parametrize(
    ("model", "groups"),
    [
        ("ridge", ["level", "last_values", "known_columns", "holidays", "calendar"]),
        ("ets", ["level", "trend", "season"]),
        ("mstl", ["level", "trend", "season"]),
    ],
)
def test_contributions_sum_up_to_the_forecast(made, to_come, model, groups):
    found = made.why(model, future=to_come)
    assert [*found.columns] == ["unique_id", "ds", *groups, "y_hat"]
    forecast = made.forecast(future=to_come, model=model)["y_hat"]
    np.testing.assert_allclose(found["y_hat"], forecast)
    np.testing.assert_allclose(found[groups].sum(axis=1), forecast, rtol=1e-5)
    np.testing.assert_allclose(found["level"], 104, atol=12)
    if model == "ridge":
        assert found["known_columns"].idxmax() == PROMOTED
        assert found["known_columns"][PROMOTED] > 15
    else:
        assert np.ptp(found["season"]) > 20


def test_a_model_without_contributions_is_said_with_those_that_have_them(made, to_come):
    with pytest.raises(
        UsageError, match="by boosting are not available. The models .*: ridge, "
    ):
        made.why("boosting", future=to_come)
    text = (
        f"one of the models {', '.join(made.explained)} at a time, and not for boosting; "
        f"try `unroll predict shop --why --model {made.explained[0]}`"
    )
    with pytest.raises(UsageError, match=text):
        predict(made, "shop", why=True)  # boosting was chosen


@pytest.mark.parametrize(
    ("champion", "asked", "text"),
    [
        ("combination", "foo", "one of: boosting, combination, cycle_7, ets, "),
        ("boosting", "combination", "the combination was not chosen, .* boosting, "),
    ],
)
def test_the_combination_can_be_named_if_it_was_chosen(made, champion, asked, text):
    models = {**made.board.models, "combination": made.board.models["boosting"]}
    board = made.board.model_copy(update={"champion": champion, "models": models})
    findings = made.findings.model_copy(update={"board": board})
    with pytest.raises(UsageError, match=text):
        replace(made, findings=findings).by_model(asked)


def test_a_network_that_was_named_can_be_chosen_and_any_model_registered(
    made, to_come, tmp_path
):
    by_gru = made.by_model("gru")
    assert by_gru.sentence == made.sentence
    assert by_gru.forecaster.why == "GRU(32)"
    by_gru.forecaster.save(tmp_path)
    seal.write(tmp_path)
    seal.check(tmp_path, SPEC, ARRAYS)
    again = Forecaster.checked(tmp_path)
    assert again.models == ["gru"]
    _, windows = made.read(None, to_come)
    expected = made.forecast(levels=0.9, future=to_come, model="gru")["y_hat"]
    assert again.after(windows)["y_hat"].tolist() == expected.tolist()


def test_the_page_draws_the_contributions_to_the_best_forecast_that_has_them(
    made, to_come
):
    _, windows = made.read(None, to_come)
    [(caption, picture)] = answer_page.why_pictures(made, windows).items()
    assert "by ridge regression of shop" in caption
    assert "<!-- known columns -->" in picture

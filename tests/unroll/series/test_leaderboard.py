import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from pipeline.errors import UnrollError
from pipeline.evaluation.verdict_rule import Word
from tests.unroll.series.boards import (
    PLAN,
    STD,
    STEPS,
    board,
    changing,
    dataset,
    experiment,
    noisy,
    table,
)
from unroll.series import backtest, combination, leaderboard
from unroll.series.combination import ENSEMBLE
from unroll.series.leaderboard import Board, mae_by_block
from unroll.series.prediction_intervals import PastErrors

PLAIN = {
    "last": noisy(2.0),
    "cycle": noisy(1.5),
    "ridge": noisy(1.0),
    "trees": noisy(1.1),
}
"""Models without recurrence; the combination of three of them is the best."""


@pytest.fixture(scope="module")
def usual():
    return board(
        table(PLAIN | {"gru": noisy(0.4), "mlp": noisy(3.0)}, seeds={"gru": 3})
    )


def test_both_sides_are_chosen_on_the_earlier_half_and_compared_on_the_later():
    errors = {
        "gru": noisy(0.5),
        "early": changing(0.1, 0.9),
        "late": changing(0.9, 0.1),
    }
    _, found = board(table(errors | {"lstm": changing(0.6, 0.1)}))
    assert (found.network, found.opponent) == ("gru", "early")
    assert found.models["early"].earlier == pytest.approx(STD * 0.1, rel=0.1)
    assert found.models["early"].mae == pytest.approx(STD * 0.9, rel=0.1)
    assert found.comparison.change == pytest.approx(0.5 / 0.9 - 1, abs=0.05)
    assert found.word == Word.HELPS
    assert {*[*found.models][:2]} == {"lstm", "late"}, (
        "the best on the later half are the first"
    )


def test_nothing_is_chosen_by_the_later_half():
    forecasts = table(PLAIN | {"gru": noisy(1.0), "lstm": noisy(1.01)})
    _, found = board(forecasts)
    later = (forecasts["cutoff"] >= found.middle).to_numpy()
    changed = forecasts.copy()
    odd = later & forecasts["model"].isin(["ridge", "cycle", "gru"]).to_numpy()
    changed.loc[:, "y_hat"] += np.where(odd, 100.0, 0.0)
    _, other = board(changed)
    for name in ("members", "network", "opponent", "naive", "rival"):
        assert getattr(other, name) == getattr(found, name)
    assert other.models["ridge"].earlier == found.models["ridge"].earlier


def test_the_combination_is_the_opponent_and_its_forecasts_are_in_the_table(usual):
    forecasts, found = usual
    assert (found.opponent, found.rival, found.naive) == (ENSEMBLE, ENSEMBLE, "cycle")
    assert found.members == ["cycle", "mlp", "ridge", "trees"], (
        "the best naive one, and no recurrent network"
    )
    values = {name: rows["y_hat"] for name, rows in forecasts.groupby("model")}
    members = np.stack(
        [values[name].to_numpy().reshape(-1, STEPS) for name in found.members]
    )
    truth = forecasts[forecasts["model"] == "ridge"]["y"].to_numpy().reshape(-1, STEPS)
    expected = combination.weighted_forecast(
        members, truth, np.ones(STEPS, int), "median"
    )
    combined = values[ENSEMBLE].to_numpy().reshape(-1, STEPS)
    np.testing.assert_allclose(combined, expected)
    later = np.abs(combined - truth)[91:]
    assert found.models[ENSEMBLE].mae == pytest.approx(later.mean())
    assert found.models[ENSEMBLE].change is None


def test_a_single_model_is_preferred_only_if_it_is_better_by_a_third():
    apart = {"high": 1.0, "low": -1.0, "last": 3.0}
    assert board(table(apart | {"odd": 0.05}, origins=6))[1].opponent == "odd"
    assert board(table(apart | {"odd": 0.3}, origins=6))[1].opponent == ENSEMBLE
    assert board(table({"ridge": 1.0, "last": 2.0}))[1].members == [], (
        "two are not combined"
    )


def test_models_that_look_back_for_years_are_combined_alone():
    history = {
        "ets": experiment("ets", history=36),
        "mstl": experiment("mstl", history=36),
        "change": experiment("change", base="cycle"),
        "ridge": experiment("ridge"),
    }
    forecasts = table(dict.fromkeys(history, noisy(1.0)))
    _, found = leaderboard.board(dataset(), forecasts, history, PLAN)
    assert found.members == ["change", "ets", "mstl"]


RIDGE = {"last": noisy(2.0), "ridge": noisy(1.0)}
CHOSEN = {
    "it helps": (PLAIN | {"gru": noisy(0.4)}, Word.HELPS, ENSEMBLE, False, "gru"),
    "it hurts": (PLAIN | {"gru": noisy(2.0)}, Word.HURTS, ENSEMBLE, False, ENSEMBLE),
    "alike": (RIDGE | {"gru": noisy(1.0)}, Word.SAME, "ridge", False, "ridge"),
    "nothing beats the naive one": (
        {"last": noisy(1.0), "cycle": noisy(3.0), "ridge": noisy(1.01)},
        *(None, "last", True, "last"),
    ),
    "nothing does in the later half": (
        {"last": noisy(1.0), "ridge": changing(0.9, 1.1), "gru": noisy(1.2)},
        *(Word.HURTS, "ridge", True, "last"),
    ),
    "the network alone beats it": (
        {"last": noisy(1.0), "ridge": noisy(1.1), "gru": noisy(0.8)},
        *(Word.HELPS, "last", False, "gru"),
    ),
    "nothing else was tried": (
        {"last": noisy(1.0), "cycle": noisy(1.1)},
        *(None, "last", False, "last"),
    ),
}


@pytest.mark.parametrize(
    ("errors", "word", "opponent", "unbeaten", "champion"), CHOSEN.values(), ids=CHOSEN
)
def test_who_forecasts_agrees_with_the_answer(
    errors, word, opponent, unbeaten, champion
):
    _, found = board(table(errors))
    assert (found.word, found.opponent) == (word, opponent)
    assert (found.unbeaten, found.champion) == (unbeaten, champion)
    of_ensemble = champion == ENSEMBLE
    assert found.champions == (found.members if of_ensemble else [champion])


def test_of_a_few_weeks_there_is_no_interval_and_no_verdict():
    few = {"last": noisy(1.0), "ridge": noisy(0.9), "gru": noisy(0.1)}
    _, found = board(table(few, origins=40))
    assert (found.days, found.comparison.blocks, found.comparison.ahead) == (20, 2, 2)
    assert (found.comparison.low, found.models["last"].high) == (None, None)
    assert (found.word, found.unbeaten, found.champion) == (Word.OPEN, False, "ridge")
    _, found = board(table(few, origins=40, days=7))
    assert found.days == 140
    assert found.word == Word.HELPS


def test_scores_are_those_of_a_library(usual):
    forecasts, found = usual
    for name in ("gru", "ridge"):
        rows = forecasts[forecasts["model"] == name].groupby(
            ["cutoff", "ds"], as_index=False
        )
        means = rows[["y", "y_hat"]].mean()
        truth = means["y"].to_numpy().reshape(-1, STEPS)
        forecast = means["y_hat"].to_numpy().reshape(-1, STEPS)
        assert found.models[name].mae == pytest.approx(
            np.abs(truth - forecast)[91:].mean()
        )
        cutoffs = means["cutoff"].to_numpy()[::STEPS]
        rows = backtest.rows_at(dataset(), np.zeros(182, int), cutoffs)
        recent = backtest.recent(dataset(), PLAN)[rows]
        by_cutoff = []
        for cutoff in range(91, 182):
            past = PastErrors(
                truth[None, :cutoff],
                forecast[None, : cutoff + 1],
                recent[None, : cutoff + 1],
                np.zeros((1, cutoff + 1, STEPS), int),
                np.array([-np.inf]),
            )
            levels = (0.2, 0.4, 0.6, 0.8, 0.9)
            [offsets] = past.next_offsets(levels, past.shared(levels))
            by_cutoff.append(forecast[cutoff, :, None] + offsets)
        ends = np.stack(by_cutoff)
        later = truth[91:]
        held = (ends[..., 0] <= later) & (later <= ends[..., -1])
        middle = forecast[91:, :, None]
        deciles = np.concatenate([ends[..., 1:5], middle, ends[..., 5:9]], axis=2)
        losses = [
            mean_pinball_loss(later, decile, alpha=number / 10)
            for number, decile in enumerate(np.moveaxis(deciles, 2, 0), 1)
        ]
        assert found.models[name].coverage == pytest.approx(held.mean())
        wql = 2 * np.mean(losses) / np.abs(later).mean()
        assert found.models[name].wql == pytest.approx(wql)
    assert found.models["gru"].seeds == 3
    assert found.models["gru"].seed_variance > 0
    assert (found.models["ridge"].seeds, found.models["ridge"].seed_variance) == (1, 0)


def test_nothing_is_below_zero_of_a_series_that_never_was():
    errors = {"ridge": -9.0, "last": -9.0, "trees": -9.0}
    forecasts, _ = board(table(errors), low=0.0)
    assert (forecasts[forecasts["model"] == ENSEMBLE]["y_hat"] >= 0).all()
    forecasts, _ = board(table(errors), low=-1.0)
    assert (forecasts[forecasts["model"] == ENSEMBLE]["y_hat"] < 0).any()


def test_a_value_that_was_not_measured_counts_for_nobody():
    forecasts = table({"ridge": 1.0, "trees": 2.0}, origins=20)
    unmeasured = forecasts["ds"].dt.hour == 8
    wrong = forecasts.assign(y_hat=forecasts["y_hat"] + 99 * unmeasured)
    wrong.loc[unmeasured.to_numpy(), "y"] = np.nan
    _, found = board(wrong)
    assert found.models["ridge"].mae == pytest.approx(STD * 1.0)
    assert found.models["trees"].earlier == pytest.approx(STD * 2.0)
    never = forecasts.assign(y=forecasts["y"].where(forecasts["cutoff"] < found.middle))
    with pytest.raises(UnrollError, match="no value was measured .* the later half"):
        board(never)


def test_models_without_errors_are_alike_and_need_no_division():
    exact = {"last": 0.0, "ridge": 0.0, "gru": 1e-9}
    _, found = board(table(exact, seeds={"gru": 2}))
    assert found.word == Word.SAME
    assert found.champion == "last"
    _, found = board(table(exact | {"gru": 0.1}))
    assert found.word == Word.HURTS
    assert Board.model_validate_json(found.model_dump_json()) == found


def test_many_series_are_compared_in_their_own_deviations():
    names = ("a", "b", "c")
    forecasts = table(
        {"ridge": noisy(1.0), "last": noisy(2.0), "trees": noisy(1.0)}, series=names
    )
    # One of the series has fewer cutoffs than the others.
    fewer = forecasts[
        (forecasts["unique_id"] != "b") | (forecasts["cutoff"].dt.day % 2 == 0)
    ]
    made, found = board(fewer)
    assert found.unit == "standard deviations"
    assert found.deviations == dict.fromkeys(names, STD)
    later = made["cutoff"] >= found.middle
    for name, rows in made[later].groupby("model"):
        errors = (rows["y_hat"] - rows["y"]).abs()
        assert found.models[name].mae == pytest.approx(errors.mean() / STD)
        assert 0.8 < found.models[name].coverage < 1
    alone, _ = board(fewer[fewer["unique_id"] == "b"])
    in_all = made[(made["unique_id"] == "b") & (made["model"] == ENSEMBLE)]
    in_one = alone[alone["model"] == ENSEMBLE]
    np.testing.assert_allclose(in_all["y_hat"], in_one["y_hat"])


def test_errors_by_block_are_those_of_weeks_of_the_later_half():
    forecasts, found = board(table({"ridge": 0.5, "last": 1.0}, origins=60))
    weeks = mae_by_block(forecasts, found)
    assert weeks.index.name == "weeks"
    first = np.datetime64(found.middle)
    assert (weeks.index == first + 7 * np.arange(4) * np.timedelta64(1, "D")).all()
    assert weeks["ridge"].tolist() == pytest.approx([STD * 0.5] * 4)
    assert found.block_days == 7
    later = forecasts[forecasts["cutoff"] >= found.middle]
    odd = later["cutoff"] == later["cutoff"].max()
    last = later.assign(y_hat=later["y_hat"] + np.where(odd, 9.0, 0.0))
    changed = mae_by_block(last, found)["last"] > weeks["last"] + 0.1
    assert changed.tolist() == [False, False, False, True]


def test_all_recurrent_models_have_no_opponent():
    with pytest.raises(UnrollError, match="add a model without recurrence"):
        board(table({"gru": 1.0, "lstm": 2.0}))

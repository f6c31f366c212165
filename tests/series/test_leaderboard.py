"""Whose forecasts to use, and what they are compared by: all from one table."""

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation import answers
from pipeline.evaluation.outcome import Outcome
from pipeline.training.run_folder import Summary
from series import backtest, combination, leaderboard
from series.leaderboard import ENSEMBLE
from tests.series.test_backtest import HORIZON, data, experiment, settings

RIDGE = experiment("seasonal", "linear", "least_squares")
LAST = experiment("baselines", "last_value", "none")
GRU = [{"name": "gru", "type": "GRU", "output": [None, 4], "parameters": 9}]


def table(whole, origins, errors, seeds=None):
    """Forecasts of models that are off by so much: a number, or a function of (seed, origins, steps)."""
    test = np.concatenate([fold.test.rows for fold in backtest.folds(whole, settings(origins, 1))])
    windows = backtest.folds(whole, settings(origins, 1))[0].test
    parts = []
    for name, error in errors.items():
        for seed in range((seeds or {}).get(name, 1)):
            off = error(seed, len(test), HORIZON) if callable(error) else np.full((len(test), HORIZON), error)
            made = backtest.table(whole, windows, windows.targets + off)
            parts.append(made.assign(model=name, seed=seed))
    return pd.concat(parts)  # as the stage reads them, with the same index in each part


def judged(whole, origins, errors, experiments, networks=frozenset()):
    return leaderboard.with_ensemble(whole, table(whole, origins, errors), experiments, {*networks})


def test_a_champion_is_never_beaten_by_a_naive_model():
    experiments = {"cycle": LAST, "last": LAST, "ridge": RIDGE, "wild": RIDGE}
    _, board = judged(data(), 6, {"cycle": 0.1, "last": 1.0, "ridge": 2.0, "wild": 3.0}, experiments)
    assert board.naive == ["cycle", "last"]
    assert (board.champion, board.members) == ("cycle", ["cycle"])
    assert (board.first, board.last) == ("2024-01-12 03:00:00", "2024-01-17 03:00:00")
    assert board.why({"last": "the last"}) == "MAE 0.2 over all rolling origins; the last 2", "the deviation is 2"


def test_of_models_that_err_apart_the_median_speaks_unless_one_is_a_third_better():
    experiments = {"high": RIDGE, "low": RIDGE, "odd": RIDGE, "last": LAST}
    off = {"high": 1.0, "low": -1.0, "odd": 0.05, "last": 3.0}
    assert judged(data(), 6, off, experiments)[1].champion == "odd"
    forecasts, board = judged(data(), 6, off | {"odd": 0.3}, experiments)
    assert (board.champion, board.members) == (ENSEMBLE, ["high", "last", "low", "odd"])
    values = {name: rows["y_hat"].to_numpy().reshape(-1, HORIZON) for name, rows in forecasts.groupby("model")}
    truth = forecasts.query("model == 'odd'")["y"].to_numpy().reshape(-1, HORIZON)
    together = combination.weighted_median_forecast(
        np.stack([values[name] for name in board.members]), truth, np.ones(HORIZON, int)
    )
    np.testing.assert_allclose(values[ENSEMBLE], together)
    assert np.abs(together - truth).mean() == pytest.approx(board.models[ENSEMBLE].mae)
    reason = "the combination forecasts unless one model is a third better: odd was 9 % better"
    assert board.why({}).endswith(f"; odd 0.6, last 6; {reason}")
    assert "low" not in judged(data(), 6, off | {"odd": 0.3}, experiments, {"low"})[1].members


def summary(name, layers=(), seeds=1):
    made = {"experiment": name, "dataset": "x", "parameters": 9, "layers": [*layers], "seeds": [*range(seeds)]}
    made |= {"epochs": 2 * bool(layers), "best_epochs": None, "loss": None, "fingerprint": {}}
    return Summary.model_validate(made)


@pytest.mark.parametrize(("rows", "origins", "ranked"), [(10_000, 182, True), (2000, 40, False)])
def test_sides_are_chosen_on_the_earlier_half_and_compared_on_the_later(rows, origins, ranked):
    """`early` is best on the earlier half and worst on the later: it stands for those without recurrence."""
    whole, rng = data(rows), np.random.default_rng(0)

    def network(seed, count, steps):
        return 0.5 + 0.01 * seed + 0.1 * rng.normal(size=(count, steps))

    def early(_, count, steps):
        return np.where(np.arange(count)[:, None] < count // 2, 0.1, 0.9) + 0.1 * rng.normal(size=(count, steps))

    errors = {"gru": network, "early": early, "late": 0.4}
    experiments = {"gru": experiment("seasonal", "gru", "gradient_descent", seeds=3), "early": RIDGE, "late": RIDGE}
    forecasts = table(whole, origins, errors, {"gru": 3})
    summaries = {"gru": summary("gru", GRU, 3), "early": summary("early"), "late": summary("late")}
    found = leaderboard.evaluate(whole, forecasts, summaries, experiments)
    answer = answers.answer(found)
    assert (answer.network, answer.opponent) == ("gru", "early")
    scores = found.experiments["early"].final
    assert scores["validation"]["mae"].mean < 0.2
    assert scores["test"]["mae"].mean > 0.8
    assert scores["test"]["mae_unit"].mean == pytest.approx(2 * scores["test"]["mae"].mean)
    assert len(found.experiments["gru"].final["test"]["mae"].values) == 3
    assert found.dataset.days == origins // 2 // 7 * 7
    assert answer.outcome == (Outcome.YES if ranked else Outcome.SHORT)
    assert answer.change == pytest.approx(0.51 / 0.9 - 1, abs=0.05)
    weeks = leaderboard.by_week(whole, forecasts)
    assert weeks["week"].max() == (origins - origins // 2) // 7, "the days behind the last whole week are of that"
    assert weeks[weeks["model"] == "late"]["mae"].tolist() == pytest.approx([0.8] * weeks["week"].max())


def test_a_value_that_was_not_measured_counts_for_nobody():
    whole = data(2000)
    forecasts = table(whole, 20, {"a": 1.0, "b": 2.0})
    forecasts.loc[forecasts["ds"].dt.hour == 5, "y"] = np.nan
    found = leaderboard.evaluate(whole, forecasts, {"a": summary("a"), "b": summary("b")}, {"a": RIDGE, "b": RIDGE})
    assert found.experiments["b"].final["test"]["mae"].mean == pytest.approx(2.0)
    _, board = leaderboard.with_ensemble(whole, forecasts, {"a": RIDGE, "b": RIDGE}, set())
    assert board.models["a"].later == pytest.approx(2.0)

"""Demand of many products by week, as a buyer orders it."""

import numpy as np
import pandas as pd

from tests.support.answered import answered


def test_demand_is_forecast_by_its_mean_so_that_sums_are_right():
    random = np.random.default_rng(1)
    stamps = pd.date_range("2022-01-03", periods=120, freq="7D")
    levels = [0.5, 1, 2, 4, 8, 16]
    frames = []
    for level in levels:
        promotion = 1 + 1.5 * (random.uniform(size=120) < 0.12)
        sold = random.poisson(random.gamma(0.7, level * promotion / 0.7))
        frames.append(pd.DataFrame({"unique_id": f"p{level}", "ds": stamps, "y": sold}))
    frame = pd.concat(frames)
    sums = {}
    for objective in ("mean", "median"):
        answer = answered(
            frame,
            target="y",
            horizon=8,
            objective=objective,
            models=["ridge", "boosting_own"],
        )
        forecast = answer.forecast(levels=0.9)
        assert forecast["lo-90"].min() == 0
        sums[objective] = forecast["y_hat"].sum()
    expected = 8 * frame.groupby("unique_id")["y"].mean().sum()
    assert abs(sums["mean"] / expected - 1) < 0.1
    assert sums["median"] < 0.85 * expected


def test_a_promotion_known_beforehand_multiplies_demand():
    random = np.random.default_rng(2)
    stamps = pd.date_range("2022-01-03", periods=128, freq="7D")
    frames = []
    for level in [0.5, 1, 2, 4, 8, 16]:
        promotion = (random.uniform(size=128) < 0.15).astype(int)
        promotion[120:] = [0, 1] * 4
        sold = random.poisson(level * (1 + 3 * promotion))
        frames.append(
            pd.DataFrame(
                {
                    "unique_id": f"p{level}",
                    "ds": stamps,
                    "y": sold,
                    "promotion": promotion,
                    "mean": level * (1 + 3 * promotion),
                }
            )
        )
    frame = pd.concat(frames)
    late = frame["ds"] >= stamps[120]
    answer = answered(
        frame[~late].drop(columns="mean"),
        target="y",
        horizon=8,
        future=["promotion"],
        objective="mean",
        models=["ridge", "boosting", "boosting_own", "boosting_cycle"],
    )
    assert "last_value" not in answer.board.members, "it does not see the promotion"
    plan = frame[late].drop(columns=["y", "mean"])
    for model in (None, "boosting"):
        forecast = answer.forecast(future=plan, model=model)["y_hat"].to_numpy()
        assert forecast.min() >= 0
        promoted = frame[late]["promotion"].to_numpy() == 1
        truth = frame[late]["mean"].to_numpy()
        assert abs(forecast[promoted].sum() / truth[promoted].sum() - 1) < 0.2
        assert abs(forecast[~promoted].sum() / truth[~promoted].sum() - 1) < 0.2
